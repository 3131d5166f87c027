"""From a draft to an invoice in the database: lines, receivables and totals that agree (§1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.models import Account
from billing.engine.splitting import check_minimum, equal_percent, split_equal, split_percent
from billing.errors import NegativeTotal, fault
from billing.models import (
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    OrganizationProfile,
    Party,
    Receivable,
    ServiceItem,
    Transaction,
)
from lib.br import fold
from lib.bulk import insert_rows
from lib.errors import NotFound
from lib.money import CENT, half_up

MAX_LINES = 10_000
# What the columns hold: 13 integer digits of a total, 11 of a quantity or unit price.
MAX_TOTAL = Decimal(10) ** 13
MAX_FACTOR = Decimal(10) ** 11

_ZERO = Decimal("0.00")
_LINE_COLUMNS = (
    "invoice", "position", "transaction", "service_item", "title", "description", "units",
    "unit_value", "value", "tax_percentage", "tax_amount", "occurred_at", "period_start",
    "period_end",
)  # fmt: skip


@dataclass(frozen=True)
class LineDraft:
    """A line to be. Quantity and price have up to 4 decimals; `tax_amount` is already rounded."""

    title: str
    units: Decimal
    unit_value: Decimal
    description: str = ""
    service_item_id: int | None = None
    transaction_id: int | None = None
    tax_percentage: Decimal = _ZERO
    tax_amount: Decimal = _ZERO
    occurred_at: datetime | None = None
    period_start: date | None = None
    period_end: date | None = None

    @property
    def value(self) -> Decimal:
        """LINE-1: units × unit_value, half-up to the cent."""
        return half_up(half_up(self.units, 4) * half_up(self.unit_value, 4))


@dataclass(frozen=True)
class InvoiceDraft:
    """Everything an invoice starts with; amounts and dates that follow from it are not asked for.

    `gross_value` counts only without `lines` (M-4). `due_dates` are the receivables; `percents`,
    one for each of them, split the invoice, else all are equal (SPLIT-1, SPLIT-2). `payment_value`
    is the gross value less withholdings, the gross value itself when None (M-6). `options` are
    fields of BillingOptions.
    """

    organization_id: int
    customer_id: int
    title: str
    issue_date: date
    due_dates: Sequence[date]
    lines: Sequence[LineDraft] = ()
    percents: Sequence[Decimal] | None = None
    gross_value: Decimal | None = None
    payment_value: Decimal | None = None
    contract_id: int | None = None
    rule_id: int | None = None
    occurrence_date: date | None = None
    is_final: bool = False
    replaces_id: int | None = None
    estimated_issue_date: date | None = None
    accrual_date: date | None = None
    start_date: date | None = None
    end_date: date | None = None
    approval_status: str = Invoice.Approval.APPROVED
    cancelled_automatically: bool = False
    client_number: str = ""
    idempotency_key: str = ""
    notes: str = ""
    comments: str = ""
    nfe: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class _Parcel(NamedTuple):
    due: date
    percent: Decimal
    gross: Decimal
    payment: Decimal


def write_invoice(draft: InvoiceDraft, *, account: Account, at: datetime) -> Invoice:
    """Write the draft as an invoice to be emitted, with lines and receivables; seven queries.

    For services: it runs in their transaction and leaves audit and notices to them. Raises NotFound
    for a party, contract or service of another account, NegativeTotal, or InvalidInput.
    """
    organization, customer = _parties(draft, account)
    _check_references(draft, account)
    lines = draft.lines or (_single_line(draft),)
    _check_sizes(lines)
    amount = sum((line.value for line in lines), _ZERO)
    tax = sum((line.tax_amount for line in lines), _ZERO)
    parcels = _parcels(draft, gross=amount + tax, minimum=minimum_receivable(organization))
    invoice = _insert_invoice(draft, account, organization, customer, amount, tax, parcels, at)
    insert_rows(InvoiceLine, _LINE_COLUMNS, _line_rows(invoice, lines))
    _insert_receivables(invoice, parcels)
    return invoice


def _parties(draft: InvoiceDraft, account: Account) -> tuple[Party, Party]:
    organization = Party.objects.select_related("profile").get_of(
        account, pk=draft.organization_id, kind=Party.Kind.ORGANIZATION
    )
    return organization, Party.objects.get_of(account, pk=draft.customer_id)


def _check_references(draft: InvoiceDraft, account: Account) -> None:
    """Everything the draft points to is the account's own (INV-11)."""
    if draft.contract_id is not None:
        Contract.objects.get_of(account, pk=draft.contract_id)
    if draft.rule_id is not None:
        InvoiceRule.objects.get_of(account, pk=draft.rule_id)
    if draft.replaces_id is not None:
        Invoice.objects.get_of(account, pk=draft.replaces_id)
    billed = {line.transaction_id for line in draft.lines if line.transaction_id is not None}
    own = Transaction.objects.of(account).filter(pk__in=billed, customer_id=draft.customer_id)
    if billed and own.count() != len(billed):
        raise NotFound()
    items = {line.service_item_id for line in draft.lines if line.service_item_id is not None}
    if items and ServiceItem.objects.of(account).filter(pk__in=items).count() != len(items):
        raise NotFound()


def _single_line(draft: InvoiceDraft) -> LineDraft:
    """What stands for an invoice without services: its gross value."""
    if draft.gross_value is None:
        raise fault("gross_value", "deve ser numérico")
    gross = half_up(draft.gross_value)
    if abs(gross) >= MAX_FACTOR:
        raise fault("gross_value", "valor alto demais")
    return LineDraft(
        title=draft.title,
        description=draft.options.get("description", ""),
        units=Decimal(1),
        unit_value=gross,
        period_start=draft.start_date,
        period_end=draft.end_date,
    )


def _check_sizes(lines: Sequence[LineDraft]) -> None:
    if len(lines) > MAX_LINES:
        raise fault("services", f"máximo de {MAX_LINES} linhas por fatura")
    for line in lines:
        if max(abs(line.units), abs(line.unit_value)) >= MAX_FACTOR or abs(line.value) >= MAX_TOTAL:
            raise fault("services", "valor alto demais")


def minimum_receivable(organization: Party) -> Decimal:
    """The least that a parcel of the organization may be worth, BRL (SPLIT-3)."""
    profile: OrganizationProfile | None = getattr(organization, "profile", None)
    return max(profile.minimum_receivable if profile else _ZERO, CENT)


def _parcels(draft: InvoiceDraft, *, gross: Decimal, minimum: Decimal) -> list[_Parcel]:
    """Receivables in order of due date, so that the last one to fall due takes the odd cents."""
    payment = gross if draft.payment_value is None else half_up(draft.payment_value)
    if gross < 0 or payment < 0:
        raise NegativeTotal()
    if max(gross, payment) >= MAX_TOTAL:
        raise fault("gross_value", "valor alto demais")
    if not draft.due_dates:
        raise fault("receivables.due_date", "não pode ficar em branco")
    percents = draft.percents or [equal_percent(len(draft.due_dates))] * len(draft.due_dates)
    ordered = sorted(zip(draft.due_dates, percents, strict=True), key=lambda pair: pair[0])
    shares = [percent for _, percent in ordered] if draft.percents else None
    try:
        grosses = _split(gross, len(ordered), shares)
        payments = _split(payment, len(ordered), shares)
        check_minimum([part for part in payments if part], minimum=minimum)
    except ValueError as error:
        raise fault("receivables", str(error)) from error
    return [
        _Parcel(due, percent, part, net)
        for (due, percent), part, net in zip(ordered, grosses, payments, strict=True)
    ]


def _split(total: Decimal, n: int, percents: Sequence[Decimal] | None) -> list[Decimal]:
    return split_equal(total, n) if percents is None else split_percent(total, percents)


def _insert_invoice(
    draft: InvoiceDraft,
    account: Account,
    organization: Party,
    customer: Party,
    amount: Decimal,
    tax: Decimal,
    parcels: Sequence[_Parcel],
    at: datetime,
) -> Invoice:
    return Invoice.objects.create(
        account=account,
        organization=organization,
        customer=customer,
        contract_id=draft.contract_id,
        rule_id=draft.rule_id,
        occurrence_date=draft.occurrence_date,
        is_final=draft.is_final,
        replaces_id=draft.replaces_id,
        client_number=draft.client_number,
        title=draft.title[:200],
        start_date=draft.start_date,
        end_date=draft.end_date,
        issue_date=draft.issue_date,
        estimated_issue_date=draft.estimated_issue_date or draft.issue_date,
        accrual_date=draft.accrual_date,
        due_date=parcels[0].due,
        total_amount=amount,
        total_tax=tax,
        gross_value=amount + tax,
        payment_value=sum((parcel.payment for parcel in parcels), _ZERO),
        approval_status=draft.approval_status,
        cancelled_automatically=draft.cancelled_automatically,
        idempotency_key=draft.idempotency_key,
        notes=draft.notes,
        comments=draft.comments,
        nfe=dict(draft.nfe),
        fold=f"{fold(draft.title[:200])} {customer.fold}",
        created_at=at,
        **draft.options,
    )


def _line_rows(invoice: Invoice, lines: Sequence[LineDraft]) -> Iterable[tuple[Any, ...]]:
    for position, line in enumerate(lines, start=1):
        yield (
            invoice.pk,
            position,
            line.transaction_id,
            line.service_item_id,
            line.title,
            line.description,
            half_up(line.units, 4),
            half_up(line.unit_value, 4),
            line.value,
            line.tax_percentage,
            line.tax_amount,
            line.occurred_at,
            line.period_start,
            line.period_end,
        )


def _insert_receivables(invoice: Invoice, parcels: Sequence[_Parcel]) -> None:
    Receivable.objects.bulk_create(
        Receivable(
            account_id=invoice.account_id,
            invoice=invoice,
            position=position,
            due_date=parcel.due,
            original_due_date=parcel.due,
            value=parcel.percent,
            gross_value=parcel.gross,
            payment_value=parcel.payment,
            open_principal=parcel.payment,
            created_at=invoice.created_at,
            **invoice.told_to_receivables,
        )
        for position, parcel in enumerate(parcels, start=1)
    )
