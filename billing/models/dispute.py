"""Disputes (contestações): what a customer says is wrong with an invoice, and what comes of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel, User
from billing.models.invoice import Invoice
from billing.models.party import Party
from lib.states import StateField


class ProtocolSeries(TenantModel):
    """The counter of a kind of protocol in a year: CTS-2026-000123. Taken under lock."""

    prefix = models.CharField("prefixo", max_length=10)
    year = models.PositiveSmallIntegerField("ano")
    next_number = models.PositiveIntegerField("próximo número", default=1)

    class Meta:
        verbose_name = "série de protocolos"
        verbose_name_plural = "séries de protocolos"
        constraints = [
            models.UniqueConstraint(fields=["account", "prefix", "year"], name="protocol_series")
        ]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.year}"


class Dispute(TenantModel):
    """One customer's objection to one invoice; at most one is open at a time (P-8).

    `lines` are ids of the invoice's lines it is about; none means the whole invoice. While it is
    open, nothing is collected by itself. Kept up by staff, `grace_until` is the last day on which
    the invoice is paid without fine and interest. `answer_by` is the day by which staff owe the
    next answer: first the promised one, then the one that ends it; `assignee` sees to it.
    """

    class Reason(models.TextChoices):
        VALUE = "valor", "Valor diferente do contrato"
        UNKNOWN_SERVICE = "servico", "Serviço não reconhecido"
        CANCELLED = "cancelado", "Contrato já cancelado"
        DUPLICATE = "duplicidade", "Cobrança em duplicidade"
        NOTE = "nota", "Dados da nota"
        OTHER = "outro", "Outro"

    class State(models.TextChoices):
        OPEN = "open", "Recebida"
        IN_REVIEW = "in_review", "Em análise"
        WAITING = "waiting", "Aguardando cliente"
        ACCEPTED = "accepted", "Resolvida: cobrança corrigida"
        PARTIAL = "partially_accepted", "Resolvida: cobrança corrigida em parte"
        REJECTED = "rejected", "Resolvida: cobrança mantida"
        WITHDRAWN = "withdrawn", "Encerrada pelo cliente"

    LIVE = (State.OPEN, State.IN_REVIEW, State.WAITING)

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="disputes", verbose_name="fatura"
    )
    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="disputes", verbose_name="cliente"
    )
    protocol = models.CharField("protocolo", max_length=30, editable=False)
    reason = models.CharField("o que está errado", max_length=12, choices=Reason.choices)
    lines = models.JSONField("itens", default=list, blank=True)
    email = models.EmailField("e-mail para resposta", max_length=254)
    state = StateField("situação", choices=State.choices, default=State.OPEN, protected=True)
    answer_by = models.DateField("responder até")
    opened_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="aberta por"
    )
    assignee = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="responsável"
    )
    opened_at = models.DateTimeField("aberta em")
    answered_at = models.DateTimeField("primeira resposta em", null=True, blank=True)
    closed_at = models.DateTimeField("encerrada em", null=True, blank=True)
    grace_until = models.DateField("pagar sem encargos até", null=True, blank=True)

    class Meta:
        verbose_name = "contestação"
        verbose_name_plural = "contestações"
        constraints = [
            models.UniqueConstraint(fields=["account", "protocol"], name="dispute_protocol"),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(state__in=("open", "in_review", "waiting")),
                name="dispute_one_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("open", "in_review", "waiting"))
                | Q(closed_at__isnull=False),
                name="dispute_closed_at",
            ),
        ]
        indexes = [models.Index(fields=["account", "state", "answer_by"], name="dispute_inbox")]

    def __str__(self) -> str:
        return self.protocol

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @transition(field=state, source=LIVE, target=State.IN_REVIEW)
    def review(self) -> None:
        """Staff have taken it up, or the customer has answered."""

    @transition(field=state, source=LIVE, target=State.WAITING)
    def wait(self) -> None:
        """Staff have asked the customer something."""

    @transition(field=state, source=LIVE, target=State.ACCEPTED)
    def accept(self, *, at: object) -> None:
        self.closed_at = at  # type: ignore[assignment]

    @transition(field=state, source=LIVE, target=State.PARTIAL)
    def accept_in_part(self, *, at: object, grace_until: object) -> None:
        self.closed_at = at  # type: ignore[assignment]
        self.grace_until = grace_until  # type: ignore[assignment]

    @transition(field=state, source=LIVE, target=State.REJECTED)
    def reject(self, *, at: object, grace_until: object) -> None:
        self.closed_at = at  # type: ignore[assignment]
        self.grace_until = grace_until  # type: ignore[assignment]

    @transition(field=state, source=LIVE, target=State.WITHDRAWN)
    def withdraw(self, *, at: object) -> None:
        self.closed_at = at  # type: ignore[assignment]


class DisputeMessage(models.Model):
    """What somebody wrote in a dispute's thread; an internal note is for staff only."""

    class Author(models.TextChoices):
        CUSTOMER = "customer", "Cliente"
        STAFF = "staff", "Equipe"
        SYSTEM = "system", "Sistema"

    dispute = models.ForeignKey(
        Dispute, models.CASCADE, related_name="messages", verbose_name="contestação"
    )
    author = models.CharField("de", max_length=8, choices=Author.choices)
    user = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="usuário"
    )
    author_name = models.CharField("nome", max_length=200, blank=True)
    text = models.TextField("mensagem")
    is_internal = models.BooleanField("nota interna", default=False)
    at = models.DateTimeField("quando")

    class Meta:
        verbose_name = "mensagem da contestação"
        verbose_name_plural = "mensagens das contestações"

    def __str__(self) -> str:
        return f"{self.dispute} {self.at}"


class DisputeFile(models.Model):
    """A file that came with a message; stored out of the database under `path`."""

    message = models.ForeignKey(
        DisputeMessage, models.CASCADE, related_name="files", verbose_name="mensagem"
    )
    name = models.CharField("nome", max_length=200)
    content_type = models.CharField("tipo", max_length=100)
    size = models.PositiveIntegerField("tamanho")
    path = models.CharField("arquivo", max_length=300, editable=False)

    class Meta:
        verbose_name = "anexo da contestação"
        verbose_name_plural = "anexos das contestações"

    def __str__(self) -> str:
        return self.name
