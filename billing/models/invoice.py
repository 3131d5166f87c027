"""Invoices and their lines: one table for staff's, customers' and integrators' invoices."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django_fsm import transition

from accounts.models import Account, TenantModel
from billing.models.catalog import ServiceItem
from billing.models.contract import Contract
from billing.models.party import Party, PartySnapshot
from billing.models.rule import BillingOptions, InvoiceRule
from billing.models.series import NumberSeries
from billing.models.template import DocumentTemplateVersion
from lib.states import StateField


class Transaction(TenantModel):
    """The unit of billing of the staff's proforma. `kind` payment never enters an invoice's sum.

    Those are of a `payment`: what was received by hand, negative, and what was undone (PAYM-3).
    """

    class Kind(models.TextChoices):
        CHARGE = "charge", "Cobrança"
        CREDIT = "credit", "Crédito"
        PAYMENT = "payment", "Pagamento"

    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="transactions", verbose_name="cliente"
    )
    contract = models.ForeignKey(
        Contract, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="contrato"
    )
    invoice = models.ForeignKey(
        "Invoice",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="transactions",
        verbose_name="fatura",
    )
    service_item = models.ForeignKey(
        ServiceItem, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="serviço"
    )
    payment = models.ForeignKey(
        "Payment",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="entries",
        verbose_name="pagamento",
    )
    kind = models.CharField("tipo", max_length=8, choices=Kind.choices, default=Kind.CHARGE)
    created_at = models.DateTimeField("data")
    title = models.CharField("título", max_length=200)
    description = models.TextField("descrição", blank=True)
    retail_cost = models.DecimalField("valor", max_digits=15, decimal_places=2)
    tax_percentage = models.DecimalField("imposto (%)", max_digits=9, decimal_places=6, default=0)
    tax_amount = models.DecimalField("imposto", max_digits=15, decimal_places=2, default=0)
    source = models.CharField("origem", max_length=40, blank=True)

    class Meta:
        verbose_name = "transação"
        verbose_name_plural = "transações"
        indexes = [
            models.Index(
                fields=["customer", "created_at", "id"],
                condition=Q(invoice=None),
                name="transaction_unbilled",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Invoice(TenantModel, BillingOptions):
    """What a customer is asked to pay.

    Money (2 decimals, stored, M-3): `total_amount` = Σ line values, `total_tax` = Σ line taxes,
    `gross_value` = both (INV-2), `payment_value` = gross_value less withholdings. `due_date` is the
    first receivable's. `number` of `series` is given at emission and never again (INV-8);
    `client_number` is what an API client may have typed. Emitted invoices print the two snapshots.
    """

    class State(models.TextChoices):
        TO_EMIT = "to_emit", "A emitir"
        TO_RECEIVE = "to_receive", "A receber"
        RECEIVED = "received", "Recebida"
        CANCELLED = "cancelled", "Cancelada"

    class Approval(models.TextChoices):
        APPROVED = "approved", "Aprovada"
        BLOCKED = "blocked", "Bloqueada"

    class PaymentStatus(models.TextChoices):
        UNPAID = "unpaid", "Não pago"
        PARTIALLY_PAID = "partially_paid", "Parcial"
        PAID = "paid", "Pago"
        PARTIALLY_REFUNDED = "partially_refunded", "Reembolsado em parte"
        REFUNDED = "refunded", "Reembolsado"

    account = models.ForeignKey(
        Account, models.PROTECT, related_name="+", verbose_name="conta", db_index=False
    )
    organization = models.ForeignKey(
        Party,
        models.PROTECT,
        related_name="issued_invoices",
        db_index=False,
        verbose_name="organização",
    )
    customer = models.ForeignKey(
        Party, models.PROTECT, related_name="invoices", verbose_name="cliente", db_index=False
    )
    contract = models.ForeignKey(
        Contract,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
        verbose_name="contrato",
    )
    rule = models.ForeignKey(
        InvoiceRule,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="invoices",
        db_index=False,
        verbose_name="regra",
    )
    occurrence_date = models.DateField("ocorrência", null=True, blank=True)
    is_final = models.BooleanField("fatura final", default=False, db_default=False)
    replaces = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name="substitui",
    )
    series = models.ForeignKey(
        NumberSeries,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name="série",
    )
    number = models.PositiveBigIntegerField("número", null=True, blank=True)
    client_number = models.CharField("número do cliente", max_length=60, blank=True, db_default="")
    title = models.CharField("título", max_length=200)
    start_date = models.DateField("início do período", null=True, blank=True)
    end_date = models.DateField("fim do período", null=True, blank=True)
    issue_date = models.DateField("emissão")
    estimated_issue_date = models.DateField("emissão prevista")
    accrual_date = models.DateField("competência", null=True, blank=True)
    due_date = models.DateField("vencimento", null=True, blank=True)
    total_amount = models.DecimalField("valor", max_digits=15, decimal_places=2)
    total_tax = models.DecimalField("imposto", max_digits=15, decimal_places=2)
    gross_value = models.DecimalField("total", max_digits=15, decimal_places=2)
    payment_value = models.DecimalField("valor a receber", max_digits=15, decimal_places=2)
    paid_total = models.DecimalField(
        "pago", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    refunded_total = models.DecimalField(
        "reembolsado", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    state = StateField("situação", choices=State.choices, default=State.TO_EMIT, protected=True)
    approval_status = StateField(
        "aprovação", choices=Approval.choices, default=Approval.APPROVED, protected=True
    )
    payment_status = models.CharField(
        "pagamento",
        max_length=20,
        choices=PaymentStatus.choices,
        default=PaymentStatus.UNPAID,
        db_default=PaymentStatus.UNPAID,
    )
    state_before_cancel = models.CharField(max_length=10, blank=True, db_default="")
    cancelled_automatically = models.BooleanField(default=False, db_default=False)
    void = models.BooleanField("anulada", default=False, db_default=False)
    void_reason = models.TextField("motivo da anulação", blank=True, db_default="")
    edited_by_hand = models.BooleanField("editada à mão", default=False, db_default=False)
    customer_snapshot = models.ForeignKey(
        PartySnapshot, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    organization_snapshot = models.ForeignKey(
        PartySnapshot, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    template_version = models.ForeignKey(
        DocumentTemplateVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name="versão do modelo",
    )
    idempotency_key = models.CharField(max_length=80, blank=True, db_default="")
    payment_reference = models.CharField(
        max_length=100, blank=True, db_default="", verbose_name="referência do pagamento"
    )
    refund_reference = models.CharField(
        max_length=100, blank=True, db_default="", verbose_name="referência do reembolso"
    )
    notes = models.TextField("observações impressas", blank=True, db_default="")
    comments = models.TextField("comentários", blank=True, db_default="")
    nfe = models.JSONField("dados da nota", default=dict, blank=True)
    fold = models.TextField("texto para busca", editable=False)
    created_at = models.DateTimeField("criada em")
    emitted_at = models.DateTimeField("emitida em", null=True, blank=True)
    received_at = models.DateTimeField("recebida em", null=True, blank=True)
    cancelled_at = models.DateTimeField("cancelada em", null=True, blank=True)
    sent_at = models.DateTimeField("enviada em", null=True, blank=True)
    # Order of the list's Status column (LS-4): paid, unpaid, refunded, cancelled.
    status_rank = models.GeneratedField(
        expression=Case(
            When(state="cancelled", then=Value(3)),
            When(payment_status__in=("refunded", "partially_refunded"), then=Value(2)),
            When(payment_status="paid", then=Value(0)),
            default=Value(1),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    # State, void and payment status in one small number, which the list's indexes carry:
    # STATUS_STATES[code // 5], STATUS_PAYMENTS[code % 5].
    status_code = models.GeneratedField(
        expression=Case(
            When(void=True, then=Value(20)),
            When(state="cancelled", then=Value(15)),
            When(state="received", then=Value(10)),
            When(state="to_receive", then=Value(5)),
            default=Value(0),
        )
        + Case(
            When(payment_status="partially_paid", then=Value(1)),
            When(payment_status="paid", then=Value(2)),
            When(payment_status="partially_refunded", then=Value(3)),
            When(payment_status="refunded", then=Value(4)),
            default=Value(0),
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    STATUS_STATES = ("to_emit", "to_receive", "received", "cancelled", "void")
    STATUS_PAYMENTS = ("unpaid", "partially_paid", "paid", "partially_refunded", "refunded")

    class Meta:
        verbose_name = "fatura"
        verbose_name_plural = "faturas"
        constraints = [
            models.UniqueConstraint(fields=["rule", "occurrence_date"], name="invoice_occurrence"),
            models.UniqueConstraint(fields=["series", "number"], name="invoice_number"),
            models.UniqueConstraint(
                fields=["account", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="invoice_idempotency",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("to_receive", "received"))
                | Q(
                    number__isnull=False,
                    series__isnull=False,
                    emitted_at__isnull=False,
                    customer_snapshot__isnull=False,
                    organization_snapshot__isnull=False,
                ),
                name="invoice_emitted_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(void=False) | Q(state="cancelled"), name="invoice_void_is_cancelled"
            ),
            models.CheckConstraint(
                condition=Q(gross_value__gte=0)
                & Q(payment_value__gte=0)
                & Q(paid_total__gte=0)
                & Q(refunded_total__gte=0)
                & Q(refunded_total__lte=F("paid_total")),
                name="invoice_amounts",
            ),
            models.CheckConstraint(
                condition=Q(rule=None) | Q(occurrence_date__isnull=False) | Q(is_final=True),
                name="invoice_rule_has_occurrence",
            ),
        ]
        indexes = [
            # Emission walks to_emit by date; the list filters by issue date.
            models.Index(fields=["account", "state", "issue_date", "id"], name="invoice_issue"),
            # One per order of the list, each with what the list filters by, so that a page is
            # found without reading invoices (docs/decisions/0010-invoice-list.md).
            models.Index(
                fields=["account", "id"],
                include=["status_code", "issue_date", "due_date"],
                name="invoice_listed",
            ),
            models.Index(
                fields=["account", "created_at", "id"],
                include=["status_code", "issue_date", "due_date"],
                name="invoice_created",
            ),
            models.Index(
                fields=["account", "due_date", "id"],
                include=["status_code", "issue_date"],
                name="invoice_due",
            ),
            models.Index(
                fields=["account", "total_amount", "id"],
                include=["status_code", "issue_date", "due_date"],
                name="invoice_amount",
            ),
            models.Index(
                fields=["account", "title", "id"],
                include=["status_code", "issue_date", "due_date"],
                name="invoice_title",
            ),
            models.Index(
                fields=["account", "status_rank", "id"],
                include=["status_code", "issue_date", "due_date"],
                name="invoice_status",
            ),
            models.Index(
                fields=["account", "client_number"],
                condition=~Q(client_number=""),
                name="invoice_client_number",
            ),
            models.Index(fields=["customer", "id"], name="invoice_customer"),
            # Deleting an invoice asks which others replace it.
            models.Index(
                fields=["replaces"], condition=Q(replaces__isnull=False), name="invoice_replaces"
            ),
            # Pages and counts of the API's search, with what it filters by.
            models.Index(
                fields=["organization", "issue_date", "id"],
                include=["account", "state", "customer", "contract"],
                condition=Q(contract__isnull=False),
                name="invoice_of_contract",
            ),
            # The same search by what falls due: invoices looked up one by one, never read.
            models.Index(
                fields=["id"],
                include=["account", "organization", "contract", "state", "issue_date"],
                name="invoice_found",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The number people see; the id until one is given."""
        if self.client_number:
            return self.client_number
        if self.number is not None and self.series is not None:
            return self.series.label(self.number)
        return f"{self.pk or 0:05d}"

    @transition(field=state, source=State.TO_EMIT, target=State.TO_RECEIVE)
    def emit(self, *, at: object, customer: PartySnapshot, organization: PartySnapshot) -> None:
        """Freeze the invoice for the customer. Number and series are set before."""
        self.emitted_at = at  # type: ignore[assignment]
        self.customer_snapshot = customer
        self.organization_snapshot = organization

    @transition(field=state, source=State.TO_RECEIVE, target=State.TO_EMIT)
    def undo_emission(self) -> None:
        """Back to be billed; the number stays for the next emission."""
        self.emitted_at = None

    @transition(field=state, source=State.TO_RECEIVE, target=State.RECEIVED)
    def confirm_receival(self, *, at: object) -> None:
        """Nothing is open any more."""
        self.received_at = at  # type: ignore[assignment]
        self.payment_status = self.PaymentStatus.PAID

    @transition(field=state, source=State.RECEIVED, target=State.TO_RECEIVE)
    def undo_receival(self) -> None:
        """Something is open again."""
        self.received_at = None

    @transition(field=state, source=[State.TO_EMIT, State.TO_RECEIVE], target=State.CANCELLED)
    def cancel(self, *, at: object, automatically: bool = False) -> None:
        """Stop collecting; can be undone."""
        self.state_before_cancel = self.state
        self.cancelled_at = at  # type: ignore[assignment]
        self.cancelled_automatically = automatically

    @transition(field=state, source=[State.TO_EMIT, State.TO_RECEIVE], target=State.CANCELLED)
    def annul(self, *, at: object, reason: str) -> None:
        """The invoice should not have existed (VOID-1); final."""
        self.state_before_cancel = self.state
        self.cancelled_at = at  # type: ignore[assignment]
        self.void = True
        self.void_reason = reason
        if not self.title.startswith("Anulado:"):
            self.title = f"Anulado: {self.title}"[:200]

    @transition(field=state, source=State.CANCELLED, target=State.TO_EMIT)
    def restore_to_emit(self) -> None:
        """Undo a cancellation of an invoice that was to be emitted."""
        self._forget_cancellation()

    @transition(field=state, source=State.CANCELLED, target=State.TO_RECEIVE)
    def restore_to_receive(self) -> None:
        """Undo a cancellation of an emitted invoice."""
        self._forget_cancellation()

    def _forget_cancellation(self) -> None:
        self.state_before_cancel = ""
        self.cancelled_at = None
        self.cancelled_automatically = False

    @property
    def told_to_receivables(self) -> dict[str, Any]:
        """What its receivables repeat of it, so that searches by due date find it in order."""
        listed = self.organization_id if self.contract_id else None
        return {"listed_for": listed, "invoice_date": self.issue_date}

    @transition(field=approval_status, source=Approval.APPROVED, target=Approval.BLOCKED)
    def block(self) -> None:
        """Keep the automatic emission away."""

    @transition(field=approval_status, source=Approval.BLOCKED, target=Approval.APPROVED)
    def approve(self, *, today: object) -> None:
        """Free it for emission; a past issue date becomes `today` (§3.1)."""
        if self.issue_date < today:  # type: ignore[operator]
            self.issue_date = today  # type: ignore[assignment]


class InvoiceLine(models.Model):
    """A charged line. One without service and transaction stands for an invoice with no services.

    `is_released` is set when the invoice is voided: the transaction may then be billed again, and
    the line stays as history.
    """

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="lines", db_index=False, verbose_name="fatura"
    )
    position = models.PositiveSmallIntegerField("posição")
    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="lines",
        db_index=False,
        verbose_name="transação",
    )
    service_item = models.ForeignKey(
        ServiceItem,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name="serviço",
    )
    title = models.CharField("título", max_length=200, blank=True)
    description = models.TextField("descrição", blank=True)
    units = models.DecimalField("quantidade", max_digits=15, decimal_places=4)
    unit_value = models.DecimalField("valor unitário", max_digits=15, decimal_places=4)
    value = models.DecimalField("valor", max_digits=15, decimal_places=2)
    tax_percentage = models.DecimalField(
        "imposto (%)", max_digits=9, decimal_places=6, default=0, db_default=0
    )
    tax_amount = models.DecimalField(
        "imposto", max_digits=15, decimal_places=2, default=0, db_default=0
    )
    occurred_at = models.DateTimeField("data", null=True, blank=True)
    period_start = models.DateField("início", null=True, blank=True)
    period_end = models.DateField("fim", null=True, blank=True)
    is_released = models.BooleanField(default=False, db_default=False, verbose_name="liberada")

    class Meta:
        verbose_name = "linha da fatura"
        verbose_name_plural = "linhas da fatura"
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="line_position"),
            models.UniqueConstraint(
                fields=["transaction"],
                condition=Q(is_released=False, transaction__isnull=False),
                name="line_transaction_billed_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["transaction"],
                condition=Q(transaction__isnull=False),
                name="line_transaction",
            )
        ]

    def __str__(self) -> str:
        return self.title or self.description


class Attachment(TenantModel):
    """A file sent along with an invoice; bytes live in storage, outside the database."""

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="attachments", verbose_name="fatura"
    )
    filename = models.CharField("arquivo", max_length=255)
    content_type = models.CharField("tipo", max_length=100)
    size = models.PositiveIntegerField("tamanho")
    storage_key = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True, verbose_name="enviado em")

    class Meta:
        verbose_name = "anexo"
        verbose_name_plural = "anexos"

    def __str__(self) -> str:
        return self.filename


class FollowUp(models.Model):
    """Work owed to an emitted invoice, by kind; done by jobs that may run twice.

    A sweep takes rows whose `next_attempt_at` has passed, so a lost task only delays them.
    """

    class Kind(models.TextChoices):
        PDF = "pdf", "Gerar PDF"
        CHARGES = "charges", "Gerar cobranças"
        EMAIL = "email", "Enviar por e-mail"

    class State(models.TextChoices):
        WAITING = "waiting", "Aguardando"
        DONE = "done", "Feito"
        FAILED = "failed", "Falhou"

    invoice = models.ForeignKey(
        Invoice, models.CASCADE, related_name="follow_ups", db_index=False, verbose_name="fatura"
    )
    kind = models.CharField("tipo", max_length=10, choices=Kind.choices)
    state = models.CharField("situação", max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField("tentativas", default=0, db_default=0)
    next_attempt_at = models.DateTimeField("próxima tentativa")
    error = models.TextField("erro", blank=True, db_default="")

    class Meta:
        verbose_name = "pendência da fatura"
        verbose_name_plural = "pendências das faturas"
        constraints = [
            models.UniqueConstraint(fields=["invoice", "kind"], name="followup_invoice_kind")
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="waiting"), name="followup_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.invoice_id}"
