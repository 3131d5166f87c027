"""The instruments that collect a receivable: boleto and Pix."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.agreement import BankAgreement
from billing.models.gateway import GatewayAccount
from billing.models.receivable import Receivable
from lib.states import StateField


class Charge(TenantModel):
    """A boleto or Pix of a receivable (billing-engine §3.4).

    `amount` = principal + fine + interest: a reissue carries the late charges up to `due_date`
    (SV-4). `terms` are what is registered for lateness after it, as LateTerms names them, values
    as text, and "limit_days". `nosso_numero` is without check digit. `barcode` has 44 digits,
    `linha_digitavel` 47. `instruction` is what waits to be told to the bank; `change` holds
    "due_date" and "amount" as text until the bank has confirmed them (BO-7).
    """

    class Kind(models.TextChoices):
        BOLETO = "boleto", "Boleto"
        PIX = "pix", "Pix"

    class State(models.TextChoices):
        DRAFT = "draft", "Rascunho"
        REGISTERING = "registering", "Em registro"
        OPEN = "open", "Aberta"
        PAID = "paid", "Paga"
        EXPIRED = "expired", "Vencida sem pagamento"
        CANCELLING = "cancelling", "Em cancelamento"
        CANCELLED = "cancelled", "Cancelada"
        REJECTED = "rejected", "Rejeitada"
        PAID_AFTER_CANCEL = "paid_after_cancel", "Paga depois de cancelada"

    LIVE = (State.DRAFT, State.REGISTERING, State.OPEN)

    receivable = models.ForeignKey(
        Receivable, models.PROTECT, related_name="charges", verbose_name="parcela"
    )
    kind = models.CharField("tipo", max_length=6, choices=Kind.choices)
    state = StateField("situação", choices=State.choices, default=State.DRAFT, protected=True)
    agreement = models.ForeignKey(
        BankAgreement,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name="convênio",
    )
    gateway = models.ForeignKey(
        GatewayAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name="conta em provedor",
    )
    amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    principal = models.DecimalField("principal", max_digits=15, decimal_places=2)
    fine = models.DecimalField("multa", max_digits=15, decimal_places=2, default=Decimal(0))
    interest = models.DecimalField("juros", max_digits=15, decimal_places=2, default=Decimal(0))
    issued_on = models.DateField("emissão")
    due_date = models.DateField("vencimento")
    limit_date = models.DateField("limite para pagamento", null=True, blank=True)
    terms = models.JSONField("encargos registrados", default=dict, blank=True)
    instructions = models.TextField("instruções", blank=True)
    document_number = models.CharField("número do documento", max_length=25, blank=True)
    nosso_numero = models.CharField("nosso número", max_length=20, blank=True)
    nosso_numero_dv = models.CharField("dígito", max_length=1, blank=True)
    nosso_numero_printed = models.CharField("nosso número impresso", max_length=30, blank=True)
    barcode = models.CharField("código de barras", max_length=44, blank=True)
    linha_digitavel = models.CharField("linha digitável", max_length=47, blank=True)
    txid = models.CharField("txid", max_length=35, blank=True)
    location = models.CharField("endereço do Pix", max_length=200, blank=True)
    brcode = models.TextField("Pix copia e cola", blank=True)
    expires_at = models.DateTimeField("expira em", null=True, blank=True)
    external_id = models.CharField("identificador no provedor", max_length=255, blank=True)
    instruction = models.CharField("instrução pendente", max_length=20, blank=True)
    change = models.JSONField("alteração pedida", default=dict, blank=True)
    reason = models.TextField("motivo", blank=True)
    replaces = models.OneToOneField(
        "self",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="replaced_by",
        verbose_name="substitui",
    )
    attempts = models.PositiveSmallIntegerField("tentativas", default=0, db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa", null=True, blank=True)
    created_at = models.DateTimeField("criada em")
    registered_at = models.DateTimeField("registrada em", null=True, blank=True)
    closed_at = models.DateTimeField("encerrada em", null=True, blank=True)

    class Meta:
        verbose_name = "cobrança"
        verbose_name_plural = "cobranças"
        constraints = [
            # INV-9. What a reissue registers stands beside what it replaces until it is open.
            models.UniqueConstraint(
                fields=["receivable", "kind"], condition=Q(state="open"), name="charge_open_once"
            ),
            models.UniqueConstraint(
                fields=["receivable", "kind"],
                condition=Q(state__in=("draft", "registering")),
                name="charge_registering_once",
            ),
            # INV-10, BO-2.
            models.UniqueConstraint(
                fields=["agreement", "nosso_numero"],
                condition=~Q(nosso_numero=""),
                name="charge_nosso_numero",
            ),
            models.UniqueConstraint(
                fields=["gateway", "txid"], condition=~Q(txid=""), name="charge_txid"
            ),
            models.CheckConstraint(
                condition=Q(
                    amount=models.F("principal") + models.F("fine") + models.F("interest"),
                    amount__gt=0,
                ),
                name="charge_amount",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="charge_next_attempt",
            ),
            models.Index(
                fields=["agreement", "id"],
                condition=~Q(instruction=""),
                name="charge_instruction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.nosso_numero_printed or self.txid or self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE

    @transition(field=state, source=State.DRAFT, target=State.REGISTERING)
    def submit(self) -> None:
        """Told to the bank, or waiting in a remessa."""

    @transition(field=state, source=[State.DRAFT, State.REGISTERING], target=State.OPEN)
    def confirm(self, *, at: Any) -> None:
        """Registered: it can be paid."""
        self.registered_at = self.registered_at or at
        self.next_attempt_at = None

    @transition(field=state, source=[State.DRAFT, State.REGISTERING], target=State.REJECTED)
    def reject(self, *, reason: str, at: Any) -> None:
        self.reason, self.closed_at, self.next_attempt_at = reason, at, None

    @transition(
        field=state, source=[State.REGISTERING, State.OPEN, State.EXPIRED], target=State.CANCELLING
    )
    def ask_cancellation(self) -> None:
        """Not to be shown as payable from now on."""

    @transition(
        field=state,
        source=[State.DRAFT, State.REGISTERING, State.OPEN, State.EXPIRED, State.CANCELLING],
        target=State.CANCELLED,
    )
    def cancel(self, *, at: Any) -> None:
        self.closed_at, self.next_attempt_at, self.instruction = at, None, ""

    @transition(field=state, source=State.OPEN, target=State.EXPIRED)
    def expire(self, *, at: Any) -> None:
        self.closed_at = at

    @transition(
        field=state,
        source=[State.DRAFT, State.REGISTERING, State.OPEN, State.EXPIRED],
        target=State.PAID,
    )
    def pay(self, *, at: Any) -> None:
        """A bank may settle what it has not confirmed to us yet."""
        self.closed_at, self.next_attempt_at, self.instruction = at, None, ""

    @transition(
        field=state,
        source=[State.CANCELLING, State.CANCELLED, State.REJECTED],
        target=State.PAID_AFTER_CANCEL,
    )
    def pay_after_cancel(self, *, at: Any) -> None:
        """The bank settled what we had cancelled: a payment all the same."""
        self.closed_at, self.next_attempt_at, self.instruction = at, None, ""
