"""Instalments: what is collected, and what is still open of it."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.invoice import Invoice
from lib.states import StateField


class Receivable(TenantModel):
    """One instalment of an invoice; there is always at least one.

    INV-4: paid_principal + open_principal + written_off = payment_value; what is paid is the sum
    of the allocations that stand. `value` is the percentage of the invoice, for display.
    `charged_until` is the day up to which late charges were paid with a part of it (MN-2). Up to
    and including `grace_until` none are asked for: a dispute of it was not agreed to (P09).
    """

    class State(models.TextChoices):
        TO_EMIT = "to_emit", "A emitir"
        TO_RECEIVE = "to_receive", "A receber"
        RECEIVED = "received", "Recebida"
        CANCELLED = "cancelled", "Cancelada"
        RENEGOTIATED = "renegotiated", "Renegociada"

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="receivables", db_index=False, verbose_name="fatura"
    )
    position = models.PositiveSmallIntegerField("parcela")
    due_date = models.DateField("vencimento")
    original_due_date = models.DateField("vencimento original")
    value = models.DecimalField("parte (%)", max_digits=9, decimal_places=4)
    gross_value = models.DecimalField("valor bruto", max_digits=15, decimal_places=2)
    payment_value = models.DecimalField("valor a receber", max_digits=15, decimal_places=2)
    state = StateField("situação", choices=State.choices, default=State.TO_EMIT, protected=True)
    state_before_cancel = models.CharField(max_length=12, blank=True, db_default="")
    open_principal = models.DecimalField("em aberto", max_digits=15, decimal_places=2)
    paid_principal = models.DecimalField(
        "pago", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    written_off = models.DecimalField(
        "baixado", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    paid_fine = models.DecimalField(
        "multa paga", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    paid_interest = models.DecimalField(
        "juros pagos", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    charged_until = models.DateField("encargos pagos até", null=True, blank=True)
    grace_until = models.DateField("sem encargos até", null=True, blank=True)
    received_value = models.DecimalField(
        "valor recebido", max_digits=15, decimal_places=2, null=True, blank=True
    )
    received_at = models.DateField("recebido em", null=True, blank=True)
    gateway_status = models.CharField(
        max_length=30, blank=True, db_default="", verbose_name="situação no banco"
    )
    boleto_url = models.CharField(
        max_length=500, blank=True, db_default="", verbose_name="endereço do boleto"
    )
    integration = models.JSONField(
        "dados de integração",
        default=dict,
        blank=True,
        db_default=models.Value({}, models.JSONField()),
    )
    created_at = models.DateTimeField("criada em")
    # Of the invoice, for searches by due date: reading some thousand invoices costs most of them.
    # Empty where it has no contract (the searches of the API leave it out).
    listed_for = models.BigIntegerField("organização na busca", null=True, editable=False)
    invoice_date = models.DateField("emissão da fatura", null=True, editable=False)

    class Meta:
        verbose_name = "parcela"
        verbose_name_plural = "parcelas"
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="receivable_position"),
            models.CheckConstraint(
                condition=Q(open_principal__gte=0)
                & Q(paid_principal__gte=0)
                & Q(written_off__gte=0)
                & Q(paid_fine__gte=0)
                & Q(paid_interest__gte=0),
                name="receivable_amounts",
            ),
            models.CheckConstraint(
                condition=~Q(state="received")
                | Q(open_principal=0, received_value__isnull=False, received_at__isnull=False),
                name="receivable_received_is_settled",
            ),
        ]
        indexes = [
            # With what the rulers' selection looks at in every open parcel, several times a day.
            models.Index(
                fields=["account", "due_date"],
                include=["id", "open_principal"],
                condition=Q(state="to_receive"),
                name="receivable_open_due",
            ),
            # Which invoices fall due in a month, whatever became of them; and which are late.
            models.Index(
                fields=["account", "listed_for", "due_date"],
                include=["invoice", "invoice_date"],
                condition=Q(listed_for__isnull=False),
                name="receivable_searched",
            ),
            models.Index(
                fields=["account", "listed_for", "due_date"],
                include=["invoice", "invoice_date"],
                condition=Q(listed_for__isnull=False, state="to_receive"),
                name="receivable_late",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice} – parcela {self.position}"

    @transition(field=state, source=State.TO_EMIT, target=State.TO_RECEIVE)
    def emit(self) -> None:
        """Collected from now on."""

    @transition(field=state, source=State.TO_RECEIVE, target=State.TO_EMIT)
    def undo_emission(self) -> None:
        """With its invoice."""

    @transition(field=state, source=State.TO_RECEIVE, target=State.RECEIVED)
    def settle(self, *, value: Decimal, on: object) -> None:
        """Nothing is open any more: `value` was received in all, the last of it on `on`."""
        self.written_off += self.open_principal
        self.open_principal = Decimal("0.00")
        self.received_value = value
        self.received_at = on  # type: ignore[assignment]

    @transition(field=state, source=State.RECEIVED, target=State.TO_RECEIVE)
    def reopen(self) -> None:
        """Something is open again; the last received value and date stay readable (§3.3)."""

    @transition(field=state, source=[State.TO_EMIT, State.TO_RECEIVE], target=State.CANCELLED)
    def cancel(self) -> None:
        """With its invoice."""
        self.state_before_cancel = self.state

    @transition(field=state, source=State.CANCELLED, target=State.TO_EMIT)
    def restore_to_emit(self) -> None:
        self.state_before_cancel = ""

    @transition(field=state, source=State.CANCELLED, target=State.TO_RECEIVE)
    def restore_to_receive(self) -> None:
        self.state_before_cancel = ""
