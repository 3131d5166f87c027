"""Invoices as lists of the API show them, read as plain rows.

What an Invoice with its lines and receivables gives to the shapes, without the cost of models: a
page of fifty is some three hundred objects. Four prepared queries, whatever the page.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from billing.models import Attachment, Invoice, InvoiceLine, Receivable
from lib.compiled import CompiledQuery

_INVOICE = (
    "id", "account_id", "organization_id", "customer_id", "contract_id", "issue_date",
    "estimated_issue_date", "accrual_date", "gross_value", "payment_value", "description",
    "nfe_body", "state", "approval_status", "cancelled_automatically", "void", "nfe",
    "client_number", "comments", "created_at", "emitted_at", "management_type",
    "automatic_email_template_ref", "notification_ruler_ref", "issue_nfse", "nfse_template_ref",
    "days_until_automatic_nfe_emission", "payment_method", "installments", "integration",
)  # fmt: skip
_LINE = ("id", "invoice_id", "service_item_id", "description", "units", "unit_value", "value")
_RECEIVABLE = (
    "id", "invoice_id", "due_date", "value", "gross_value", "payment_value", "received_value",
    "received_at", "created_at", "state", "gateway_status", "boleto_url", "integration",
)  # fmt: skip
_FILE = ("id", "invoice_id", "account_id", "filename")


class _Kind(NamedTuple):
    kind: str


class _Name(NamedTuple):
    name: str


class Related(list[Any]):
    """Rows that answer `all()`, as a prefetched relation does."""

    def all(self) -> Related:
        return self


class _Keyed:
    """A row with the name that models give to their key."""

    __slots__ = ()
    id: int

    @property
    def pk(self) -> int:
        return self.id


_RELATIONS = ("contract", "customer", "services", "receivables", "attachments")


_InvoiceBase: Any = namedtuple("_InvoiceBase", (*_INVOICE, *_RELATIONS))  # type: ignore[misc]
_ReceivableBase: Any = namedtuple("_ReceivableBase", (*_RECEIVABLE, "invoice"))  # type: ignore[misc]


class InvoiceRow(_Keyed, _InvoiceBase):
    """An invoice with all that its body shows; of contract and customer only their kind."""

    __slots__ = ()


class LineRow(NamedTuple):
    """A service of an invoice; of the service item only its name."""

    id: int
    invoice_id: int
    service_item_id: int
    description: str
    units: Any
    unit_value: Any
    value: Any
    service_item: _Name


class ReceivableRow(_Keyed, _ReceivableBase):
    """An instalment; `invoice` is its InvoiceRow where that was asked for."""

    __slots__ = ()


class FileRow(NamedTuple):
    """An attachment, without its content."""

    id: int
    invoice_id: int
    account_id: int
    filename: str

    @property
    def pk(self) -> int:
        return self.id


_INVOICES = CompiledQuery(
    lambda pk: Invoice.objects.filter(id__among=[pk]).values_list(
        *_INVOICE, "contract__kind", "customer__kind"
    ),
    shares_json=True,
)
_LINES = CompiledQuery(
    lambda pk: (
        InvoiceLine.objects.filter(invoice_id__among=[pk], service_item__isnull=False)
        .order_by("invoice_id", "position")
        .values_list(*_LINE, "service_item__name")
    )
)
_RECEIVABLES = CompiledQuery(
    lambda pk: (
        Receivable.objects.filter(invoice_id__among=[pk])
        .order_by("invoice_id", "position")
        .values_list(*_RECEIVABLE)
    ),
    shares_json=True,
)
_SOME_RECEIVABLES = CompiledQuery(
    lambda pk: Receivable.objects.filter(id__among=[pk]).values_list(*_RECEIVABLE),
    shares_json=True,
)
_FILES = CompiledQuery(
    lambda pk: Attachment.objects.filter(invoice_id__among=[pk]).order_by("id").values_list(*_FILE)
)
_INVOICE_ID = 1  # position in the rows of what belongs to an invoice


def invoice_rows(invoices: Sequence[int] | QuerySet[Invoice]) -> list[InvoiceRow]:
    """The invoices of those ids, or of that queryset, in that order.

    Ids are taken as they are: whoever asks has narrowed them to the account.
    """
    ids = _ids(invoices)
    if not ids:
        return []
    services: dict[int, Related] = defaultdict(Related)
    receivables: dict[int, Related] = defaultdict(Related)
    files: dict[int, Related] = defaultdict(Related)
    for *line, name in _LINES.rows(ids):
        services[line[_INVOICE_ID]].append(LineRow._make((*line, _Name(name))))
    for row in _RECEIVABLES.rows(ids):
        receivables[row[_INVOICE_ID]].append(ReceivableRow._make((*row, None)))
    for row in _FILES.rows(ids):
        files[row[_INVOICE_ID]].append(FileRow._make(row))
    found = {}
    for *row, contract, customer in _INVOICES.rows(ids):
        pk = row[0]
        relations = (services[pk], receivables[pk], files[pk])
        found[pk] = InvoiceRow._make((*row, _Kind(contract), _Kind(customer), *relations))
    return [found[pk] for pk in ids if pk in found]


def receivable_rows(receivables: Sequence[int] | QuerySet[Receivable]) -> list[ReceivableRow]:
    """The same for receivables, each with its whole invoice."""
    ids = _ids(receivables)
    if not ids:
        return []
    rows = {row[0]: row for row in _SOME_RECEIVABLES.rows(ids)}
    owners = {row[_INVOICE_ID] for row in rows.values()}
    invoices = {row.id: row for row in invoice_rows(sorted(owners))}
    return [
        ReceivableRow._make((*rows[pk], invoices[rows[pk][_INVOICE_ID]]))
        for pk in ids
        if pk in rows and rows[pk][_INVOICE_ID] in invoices
    ]


def _ids(rows: Sequence[int] | QuerySet[Any]) -> list[int]:
    return list(rows.values_list("id", flat=True) if isinstance(rows, QuerySet) else rows)
