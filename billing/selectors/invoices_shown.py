"""Invoices and receivables as the API shows them: everything in a constant number of queries."""

from __future__ import annotations

from datetime import date

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from accounts.models import Account
from billing.models import Attachment, Invoice, InvoiceLine, Party, Receivable
from lib.calendars import BR_BANK

# What no body shows is not read: texts for searching and printing are most of a row.
_UNSEEN = (
    "fold",
    "notes",
    "void_reason",
    "idempotency_key",
    "payment_reference",
    "refund_reference",
    "title",
)
_SEEN_OF_FILES = ("id", "invoice_id", "account_id", "filename")


def invoices_shown(account: Account) -> QuerySet[Invoice]:
    """The account's invoices of contracts with all that the API shows: five queries for any page.

    Ordered by issue date, then id (billing-api §1.10).
    """
    invoices: QuerySet[Invoice] = Invoice.objects.of(account).filter(contract__isnull=False)
    return shown_with(invoices).order_by("issue_date", "id")


def shown_with(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """`invoices` with what their shape reads."""
    lines = InvoiceLine.objects.select_related("service_item").order_by("position")
    lines = lines.filter(service_item__isnull=False).only(
        "id", "invoice_id", "description", "unit_value", "units", "value", "service_item__name"
    )
    receivables: QuerySet[Receivable] = Receivable.objects.order_by("position")
    files: QuerySet[Attachment] = Attachment.objects.order_by("id").only(*_SEEN_OF_FILES)
    return (
        invoices.select_related("contract", "customer")
        .defer(*_UNSEEN, *_party_columns(), *_contract_columns())
        .prefetch_related(
            Prefetch("lines", lines, to_attr="services"),
            Prefetch("receivables", receivables),
            Prefetch("attachments", files),
        )
    )


def _party_columns() -> list[str]:
    names = [field.name for field in Party._meta.concrete_fields]
    return [f"customer__{name}" for name in names if name not in ("id", "kind")]


def _contract_columns() -> list[str]:
    names = [field.name for field in Invoice.contract.field.related_model._meta.concrete_fields]
    return [f"contract__{name}" for name in names if name not in ("id", "kind")]


def get_invoice_shown(account: Account, *, contract_id: int, invoice_id: int) -> Invoice:
    """One invoice of a contract. Raises NotFound."""
    found: Invoice = invoices_shown(account).get_of(  # type: ignore[attr-defined]
        account, pk=invoice_id, contract_id=contract_id
    )
    return found


def is_late(today: date) -> Q:
    """Condition of a late invoice (§6.5): being collected, with something due before `today`."""
    due = Receivable.objects.filter(
        invoice=OuterRef("pk"),
        account=OuterRef("account"),  # the index of what is open begins with it
        state=Receivable.State.TO_RECEIVE,
        due_date__lt=today,
    )
    return Q(Exists(due), state=Invoice.State.TO_RECEIVE)


def note_date(invoice: Invoice) -> date | None:
    """When the note of an automatic invoice is due (§6.7), from prefetched receivables.

    On the billing date, or so many business days after the last receipt: unknown until then.
    """
    if invoice.management_type != "automatic":
        return None
    days = invoice.days_until_automatic_nfe_emission
    if not days:
        return invoice.issue_date
    if invoice.state != Invoice.State.RECEIVED:
        return None
    received = [r.received_at for r in invoice.receivables.all() if r.received_at is not None]
    return BR_BANK.add_business_days(max(received), days) if received else None
