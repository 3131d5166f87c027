"""The dunning ruler (régua de cobrança): what happens around a due date, once each (DUN-1…8)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import TenantModel
from billing.models.contract import Contract
from billing.models.email import EmailTemplate
from billing.models.message import EmailMessage
from billing.models.party import Party
from billing.models.receivable import Receivable
from lib.validators import between


class NotificationRuler(TenantModel):
    """An ordered list of steps. The default one serves invoices that name none.

    `past` says what is done of the steps that fell before `activated_on`.
    """

    class Past(models.TextChoices):
        NOTHING = "nothing", "Nada"
        MESSAGE = "message", "Só o último aviso, uma vez"
        ALL = "all", "Também as ações, em ordem"

    organization = models.ForeignKey(
        Party, models.CASCADE, related_name="rulers", verbose_name="organização"
    )
    name = models.CharField("nome", max_length=200)
    is_default = models.BooleanField("padrão", default=False)
    is_active = models.BooleanField("ativa", default=False)
    activated_on = models.DateField("ativa desde", null=True, blank=True)
    past = models.CharField(
        "do que já passou", max_length=7, choices=Past.choices, default=Past.MESSAGE
    )
    created_at = models.DateTimeField("criada em", auto_now_add=True)

    class Meta:
        verbose_name = "régua de cobrança"
        verbose_name_plural = "réguas de cobrança"
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(is_default=True),
                name="ruler_default",
                violation_error_message="Esta organização já tem uma régua padrão.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RulerStep(models.Model):
    """What to do so many days from the due date (before: negative), from `hour` on.

    One that was executed stays, for it is told of; switched off, nothing more comes of it.
    `condition` narrows the receivables: {"methods": […], "min": "10.00", "max": "99.99",
    "consumer": true}; what is absent does not narrow.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        PHONE = "phone", "Tarefa de telefone"
        NONE = "none", "Nenhum"

    class Action(models.TextChoices):
        REMIND = "remind", "Lembrar"
        RETRY_CARD = "retry_card", "Cobrar o cartão de novo"
        SUSPEND = "suspend", "Suspender o serviço"
        BLOCK_EMISSION = "block_emission", "Bloquear novas emissões"
        NEGATIVAR = "negativar", "Negativar"
        PROTESTAR = "protestar", "Protestar"
        CANCEL_CONTRACT = "cancel_contract", "Cancelar o contrato"

    ruler = models.ForeignKey(
        NotificationRuler, models.CASCADE, related_name="steps", verbose_name="régua"
    )
    offset_days = models.SmallIntegerField(
        "dias do vencimento", validators=[between(-60, 365)],
        help_text="Negativo: antes do vencimento.",
    )  # fmt: skip
    hour = models.PositiveSmallIntegerField("hora", default=9, validators=[between(8, 19)])
    channel = models.CharField(
        "canal", max_length=7, choices=Channel.choices, default=Channel.EMAIL
    )
    action = models.CharField("ação", max_length=15, choices=Action.choices, default=Action.REMIND)
    template = models.ForeignKey(
        EmailTemplate, models.RESTRICT, null=True, blank=True, related_name="+",
        verbose_name="modelo de e-mail",
    )  # fmt: skip
    condition = models.JSONField("condição", default=dict, blank=True)
    is_active = models.BooleanField("ativo", default=True)

    class Meta:
        verbose_name = "passo da régua"
        verbose_name_plural = "passos da régua"
        ordering = ["offset_days", "id"]

    def __str__(self) -> str:
        return f"{self.offset_days:+d} {self.get_action_display()}"


class RulerExecution(TenantModel):
    """A step of a receivable, once a cycle (DUN-3); a new due date begins a new cycle.

    `batch` is common to what one message told together. A step that was executed is not deleted:
    it is the proof (DUN-7).
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pendente"
        DONE = "done", "Feito"
        SKIPPED = "skipped", "Pulado"
        FAILED = "failed", "Falhou"

    receivable = models.ForeignKey(
        Receivable, models.CASCADE, related_name="dunning", verbose_name="parcela"
    )
    step = models.ForeignKey(
        RulerStep, models.RESTRICT, related_name="executions", db_index=False, verbose_name="passo"
    )
    cycle = models.DateField("vencimento do ciclo")
    state = models.CharField("situação", max_length=7, choices=State.choices, default=State.PENDING)
    message = models.ForeignKey(
        EmailMessage, models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name="e-mail",
    )  # fmt: skip
    batch = models.UUIDField("envio", null=True, blank=True, editable=False)
    note = models.CharField("observação", max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField("tentativas", default=0, db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criado em")
    done_at = models.DateTimeField("feito em", null=True, blank=True)

    class Meta:
        verbose_name = "passo executado"
        verbose_name_plural = "passos executados"
        constraints = [
            # In this order, so that selection reads what a step has done from this index alone.
            models.UniqueConstraint(
                fields=["step", "receivable", "cycle"], name="ruler_execution_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="pending"), name="ruler_pending"
            )
        ]

    def __str__(self) -> str:
        return f"{self.step} – {self.receivable}"


class DunningPause(TenantModel):
    """Nothing is sent about it meanwhile: disputed, or promised for a day (DUN-5)."""

    class Reason(models.TextChoices):
        DISPUTE = "dispute", "Contestação"
        PROMISE = "promise", "Promessa de pagamento"
        MANUAL = "manual", "Decisão de uma pessoa"

    receivable = models.ForeignKey(
        Receivable, models.CASCADE, related_name="pauses", verbose_name="parcela"
    )
    reason = models.CharField("motivo", max_length=8, choices=Reason.choices)
    until = models.DateField("até", null=True, blank=True, help_text="Vazio: até ser retirada.")
    note = models.CharField("observação", max_length=500, blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    created_at = models.DateTimeField("desde")
    lifted_at = models.DateTimeField("retirada em", null=True, blank=True)

    class Meta:
        verbose_name = "pausa na cobrança"
        verbose_name_plural = "pausas na cobrança"
        indexes = [
            models.Index(fields=["receivable"], condition=Q(lifted_at=None), name="pause_live")
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} – {self.receivable}"


class Suspension(TenantModel):
    """What a contract goes without until what is overdue is paid: its service, or new invoices."""

    class Kind(models.TextChoices):
        SERVICE = "service", "Serviço suspenso"
        EMISSION = "emission", "Novas emissões bloqueadas"

    kind = models.CharField("tipo", max_length=8, choices=Kind.choices, default=Kind.SERVICE)
    contract = models.ForeignKey(
        Contract, models.CASCADE, related_name="suspensions", verbose_name="contrato"
    )
    receivable = models.ForeignKey(
        Receivable, models.SET_NULL, null=True, related_name="+", verbose_name="parcela"
    )
    since = models.DateTimeField("desde")
    lifted_at = models.DateTimeField("retirada em", null=True, blank=True)

    class Meta:
        verbose_name = "suspensão"
        verbose_name_plural = "suspensões"
        constraints = [
            models.UniqueConstraint(
                fields=["contract", "kind"], condition=Q(lifted_at=None), name="suspension_live"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.contract}"


class CollectionTask(TenantModel):
    """Something that a person must do about a debt: call, negativar, protestar, cancel."""

    class Kind(models.TextChoices):
        PHONE = "phone", "Telefonar"
        NEGATIVAR = "negativar", "Negativar"
        PROTESTAR = "protestar", "Protestar"
        CANCEL_CONTRACT = "cancel_contract", "Cancelar o contrato"

    class State(models.TextChoices):
        OPEN = "open", "Aberta"
        DONE = "done", "Feita"
        DROPPED = "dropped", "Dispensada"

    execution = models.OneToOneField(
        RulerExecution, models.CASCADE, related_name="task", verbose_name="passo"
    )
    customer = models.ForeignKey(
        Party, models.CASCADE, related_name="collection_tasks", verbose_name="cliente"
    )
    receivable = models.ForeignKey(
        Receivable, models.CASCADE, related_name="collection_tasks", verbose_name="parcela"
    )
    kind = models.CharField("tarefa", max_length=15, choices=Kind.choices)
    state = models.CharField("situação", max_length=7, choices=State.choices, default=State.OPEN)
    note = models.TextField("observação", blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    created_at = models.DateTimeField("criada em")
    closed_at = models.DateTimeField("encerrada em", null=True, blank=True)

    class Meta:
        verbose_name = "tarefa de cobrança"
        verbose_name_plural = "tarefas de cobrança"
        indexes = [models.Index(fields=["account", "state", "created_at"], name="task_open")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.customer}"
