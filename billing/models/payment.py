"""Money that came in, what it settled, and what went back."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import TenantModel
from billing.models.charge import Charge
from billing.models.gateway import GatewayAccount
from billing.models.invoice import Invoice
from billing.models.party import Party
from billing.models.receivable import Receivable
from billing.models.saved_method import SavedMethod
from lib.states import StateField


class Payment(TenantModel):
    """One attempt to receive money, or one receipt of it (billing-engine §3.5).

    `key` is the idempotency key that providers are given. `receivable` is what the attempt is
    for; what it settled are its allocations, which may be of others too, and the rest is
    credit (INV-5). `received_on` is when the customer paid, `credited_on` when the bank credits.
    `return_path` is the page of ours that the customer goes on with after the bank's.
    `undone_at`: told by mistake and taken back; it counts no more.
    """

    class Method(models.TextChoices):
        CARD = "card", "Transação Stripe"
        BOLETO = "boleto", "Boleto"
        PIX = "pix", "Pix"
        CASH = "cash", "Dinheiro"
        CREDIT = "credit", "Reembolso"
        POS = "pos", "Transação POS"
        TRANSFER = "transfer", "Transferência Bancária"

    class State(models.TextChoices):
        CREATED = "created", "Criado"
        PROCESSING = "processing", "Em processamento"
        REQUIRES_ACTION = "requires_action", "Aguardando autenticação"
        SUCCEEDED = "succeeded", "Confirmado"
        FAILED = "failed", "Recusado"
        CANCELED = "canceled", "Abandonado"
        PARTIALLY_REFUNDED = "partially_refunded", "Reembolsado em parte"
        REFUNDED = "refunded", "Reembolsado"
        DISPUTED = "disputed", "Contestado no cartão"

    IN_FLIGHT = (State.CREATED, State.PROCESSING, State.REQUIRES_ACTION)
    SETTLED = (State.SUCCEEDED, State.PARTIALLY_REFUNDED, State.REFUNDED, State.DISPUTED)
    # For customers, where staff have another word (ux B05).
    SAID = {
        Method.CARD: "Cartão",
        Method.CREDIT: "Crédito do cliente",
        Method.POS: "Cartão na maquininha",
        Method.TRANSFER: "Transferência bancária",
    }

    key = models.UUIDField("chave", unique=True, editable=False)
    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="payments", verbose_name="cliente"
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="payments",
        verbose_name="fatura",
    )  # fmt: skip
    receivable = models.ForeignKey(
        Receivable, models.PROTECT, null=True, blank=True, related_name="payments",
        verbose_name="parcela",
    )  # fmt: skip
    charge = models.ForeignKey(
        Charge, models.PROTECT, null=True, blank=True, related_name="payments",
        verbose_name="cobrança",
    )  # fmt: skip
    saved_method = models.ForeignKey(
        SavedMethod, models.PROTECT, null=True, blank=True, related_name="payments",
        verbose_name="cartão",
    )  # fmt: skip
    gateway = models.ForeignKey(
        GatewayAccount, models.PROTECT, null=True, blank=True, related_name="payments",
        verbose_name="conta em provedor",
    )  # fmt: skip
    method = models.CharField("forma", max_length=8, choices=Method.choices)
    state = StateField("situação", choices=State.choices, default=State.CREATED, protected=True)
    amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    refunded_total = models.DecimalField(
        "reembolsado", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    provider_fee = models.DecimalField(
        "tarifa", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    external_id = models.CharField("identificador no provedor", max_length=255, blank=True)
    reference = models.CharField("referência", max_length=255, blank=True)
    is_on_session = models.BooleanField("com o cliente presente", default=False)
    action_url = models.CharField("endereço da autenticação", max_length=2000, blank=True)
    return_path = models.CharField("página de volta", max_length=500, blank=True)
    failure_code = models.CharField("código da recusa", max_length=60, blank=True)
    decline_code = models.CharField("motivo da recusa", max_length=60, blank=True)
    received_on = models.DateField("pago em", null=True, blank=True)
    credited_on = models.DateField("creditado em", null=True, blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    checks = models.PositiveSmallIntegerField("consultas", default=0, db_default=0)
    next_check_at = models.DateTimeField("próxima consulta", null=True, blank=True)
    created_at = models.DateTimeField("criado em")
    settled_at = models.DateTimeField("confirmado em", null=True, blank=True)
    undone_at = models.DateTimeField("desfeito em", null=True, blank=True)

    class Meta:
        verbose_name = "pagamento"
        verbose_name_plural = "pagamentos"
        constraints = [
            # PAY-1.
            models.UniqueConstraint(
                fields=["receivable"],
                condition=Q(state__in=("created", "processing", "requires_action")),
                name="payment_in_flight",
            ),
            # INV-10.
            models.UniqueConstraint(
                fields=["account", "method", "external_id"],
                condition=~Q(external_id=""),
                name="payment_external_id",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount"),
            # INV-6.
            models.CheckConstraint(
                condition=Q(refunded_total__gte=0, refunded_total__lte=F("amount")),
                name="payment_refunds",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="payment_next_check",
            ),
            models.Index(fields=["account", "created_at"], name="payment_created"),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} de {self.amount}"

    @property
    def is_in_flight(self) -> bool:
        return self.state in self.IN_FLIGHT

    @property
    def method_said(self) -> str:
        """How it was paid, in the words of customers."""
        method = self.Method(self.method)
        return self.SAID.get(method, str(method.label))

    @transition(
        field=state,
        source=[State.CREATED, State.PROCESSING, State.REQUIRES_ACTION],
        target=State.PROCESSING,
    )
    def process(self) -> None:
        """The provider is being asked, or its answer is not known; the customer has done it all."""
        self.action_url = ""

    @transition(
        field=state,
        source=[State.CREATED, State.PROCESSING, State.REQUIRES_ACTION],
        target=State.REQUIRES_ACTION,
    )
    def require_action(self, *, url: str) -> None:
        self.action_url = url

    @transition(
        field=state, source=(*IN_FLIGHT, State.FAILED, State.CANCELED), target=State.SUCCEEDED
    )
    def succeed(self, *, on: Any, at: Any) -> None:
        """The money is there, even where it had been given up or taken for refused."""
        self.received_on, self.settled_at, self.next_check_at = on, at, None
        self.action_url = ""

    @transition(field=state, source=IN_FLIGHT, target=State.FAILED)
    def fail(self, *, code: str, decline_code: str = "") -> None:
        self.failure_code, self.decline_code = code[:60], decline_code[:60]
        self.next_check_at, self.action_url = None, ""

    @transition(field=state, source=IN_FLIGHT, target=State.CANCELED)
    def abandon(self) -> None:
        self.next_check_at, self.action_url = None, ""

    @transition(
        field=state,
        source=[State.SUCCEEDED, State.PARTIALLY_REFUNDED],
        target=State.PARTIALLY_REFUNDED,
    )
    def refund_in_part(self) -> None:
        """Some of it went back."""

    @transition(
        field=state, source=[State.SUCCEEDED, State.PARTIALLY_REFUNDED], target=State.REFUNDED
    )
    def refund(self) -> None:
        """All of it went back."""

    @transition(
        field=state, source=[State.PARTIALLY_REFUNDED, State.REFUNDED], target=State.SUCCEEDED
    )
    def keep(self) -> None:
        """A refund was turned down after all."""

    @transition(
        field=state, source=[State.SUCCEEDED, State.PARTIALLY_REFUNDED], target=State.DISPUTED
    )
    def dispute(self) -> None:
        """The card's holder contests it at the issuer."""

    @transition(field=state, source=State.DISPUTED, target=State.SUCCEEDED)
    def win_dispute(self) -> None:
        """The issuer gave it back to us."""


class PaymentAllocation(models.Model):
    """How much of a payment settled what of a receivable (ALLOC-1).

    principal + fine + interest come out of the payment; `discount` is what the receivable was let
    off with it. A reversed one is history.
    """

    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="allocations", verbose_name="pagamento"
    )
    receivable = models.ForeignKey(
        Receivable, models.PROTECT, related_name="allocations", verbose_name="parcela"
    )
    principal = models.DecimalField("principal", max_digits=15, decimal_places=2, default=0)
    fine = models.DecimalField("multa", max_digits=15, decimal_places=2, default=0)
    interest = models.DecimalField("juros", max_digits=15, decimal_places=2, default=0)
    discount = models.DecimalField("desconto", max_digits=15, decimal_places=2, default=0)
    created_at = models.DateTimeField("criada em")
    reversed_at = models.DateTimeField("estornada em", null=True, blank=True)

    class Meta:
        verbose_name = "alocação"
        verbose_name_plural = "alocações"
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "receivable"],
                condition=Q(reversed_at=None),
                name="allocation_once",
            ),
            models.CheckConstraint(
                condition=Q(principal__gte=0, fine__gte=0, interest__gte=0, discount__gte=0),
                name="allocation_amounts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} → {self.receivable_id}"


class Refund(TenantModel):
    """Money on its way back (billing-engine §3.6). `key` is the provider's idempotency key.

    `from_credit` is the part of it that had settled nothing and was taken from the wallet; the rest
    comes out of the invoice.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Em andamento"
        SUCCEEDED = "succeeded", "Concluído"
        FAILED = "failed", "Recusado"
        CANCELED = "canceled", "Cancelado"

    class To(models.TextChoices):
        PROVIDER = "provider", "Pela operadora"
        CREDIT = "credit", "Crédito do cliente"

    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="refunds", verbose_name="pagamento"
    )
    number = models.PositiveSmallIntegerField("número")
    key = models.CharField("chave", max_length=80)
    to = models.CharField("destino", max_length=8, choices=To.choices, default=To.PROVIDER)
    amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    from_credit = models.DecimalField(
        "tirado do crédito", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    state = StateField("situação", choices=State.choices, default=State.PENDING, protected=True)
    external_id = models.CharField("identificador no provedor", max_length=255, blank=True)
    reason = models.CharField("motivo", max_length=500)
    failure = models.TextField("recusa", blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    checks = models.PositiveSmallIntegerField("consultas", default=0, db_default=0)
    next_check_at = models.DateTimeField("próxima consulta", null=True, blank=True)
    created_at = models.DateTimeField("criado em")
    settled_at = models.DateTimeField("concluído em", null=True, blank=True)

    class Meta:
        verbose_name = "reembolso"
        verbose_name_plural = "reembolsos"
        constraints = [
            models.UniqueConstraint(fields=["payment", "number"], name="refund_number"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, from_credit__gte=0, from_credit__lte=F("amount")),
                name="refund_amount",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                condition=Q(next_check_at__isnull=False),
                name="refund_next_check",
            )
        ]

    def __str__(self) -> str:
        return f"Reembolso {self.number} de {self.payment}"

    @transition(field=state, source=State.PENDING, target=State.SUCCEEDED)
    def succeed(self, *, at: Any) -> None:
        self.settled_at, self.next_check_at = at, None

    @transition(field=state, source=[State.PENDING, State.SUCCEEDED], target=State.FAILED)
    def fail(self, *, reason: str) -> None:
        """A bank may turn a refund down days after the provider took it."""
        self.failure, self.next_check_at = reason, None

    @transition(field=state, source=State.PENDING, target=State.CANCELED)
    def cancel(self) -> None:
        self.next_check_at = None


class Chargeback(TenantModel):
    """A card's holder contested a payment at the issuer, or a Pix came back by MED.

    `reopened` is what of the invoice was opened again when it was lost.
    """

    class State(models.TextChoices):
        OPEN = "open", "Aberta"
        WON = "won", "Ganha"
        LOST = "lost", "Perdida"

    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="chargebacks", verbose_name="pagamento"
    )
    amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    reopened = models.DecimalField(
        "reaberto", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    state = StateField("situação", choices=State.choices, default=State.OPEN, protected=True)
    external_id = models.CharField("identificador no provedor", max_length=255)
    reason = models.CharField("motivo", max_length=100, blank=True)
    opened_at = models.DateTimeField("aberta em")
    closed_at = models.DateTimeField("encerrada em", null=True, blank=True)

    class Meta:
        verbose_name = "contestação no cartão"
        verbose_name_plural = "contestações no cartão"
        constraints = [
            models.UniqueConstraint(fields=["payment", "external_id"], name="chargeback_once")
        ]

    def __str__(self) -> str:
        return f"Contestação de {self.payment}"

    @transition(field=state, source=State.OPEN, target=State.WON)
    def win(self, *, at: Any) -> None:
        self.closed_at = at

    @transition(field=state, source=State.OPEN, target=State.LOST)
    def lose(self, *, at: Any) -> None:
        self.closed_at = at


class CustomerCredit(TenantModel):
    """A line of a customer's wallet, for good: what came in is positive, what was used negative.

    `payment` is the one that brought the credit, or that used it. `returned` is credit of a payment
    whose money went back: it was undone, refunded or lost to a chargeback.
    """

    class Origin(models.TextChoices):
        OVERPAYMENT = "overpayment", "Pagamento a maior"
        REFUND = "refund", "Reembolso em crédito"
        REVERSAL = "reversal", "Baixa desfeita"
        MANUAL = "manual", "Lançamento manual"
        USE = "use", "Uso em fatura"
        RETURNED = "returned", "Devolvido por onde veio"

    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="credits", verbose_name="cliente"
    )
    amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    origin = models.CharField("origem", max_length=11, choices=Origin.choices)
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="credits",
        verbose_name="pagamento",
    )  # fmt: skip
    reason = models.CharField("motivo", max_length=500, blank=True)
    recorded_by = models.CharField("registrado por", max_length=200, blank=True)
    created_at = models.DateTimeField("lançado em")

    class Meta:
        verbose_name = "crédito do cliente"
        verbose_name_plural = "créditos dos clientes"
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="credit_amount"),
        ]
        indexes = [models.Index(fields=["customer", "created_at"], name="credit_customer")]

    def __str__(self) -> str:
        return f"{self.get_origin_display()}: {self.amount}"
