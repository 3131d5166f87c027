"""Invoices as lists of the API show them, read as plain rows.

What an Invoice with its lines and receivables gives to the shapes, without the cost of models: a
page of fifty is some three hundred objects. Four prepared queries at most, whatever the page, and
one where notes wait for receipts.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from django.db.models import DecimalField, Exists, Model, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast

from billing.models import Attachment, Invoice, InvoiceLine, OrganizationProfile, Receivable
from billing.selectors.boleto_links import has_boleto
from billing.selectors.card_status import gateway_status
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


_RELATIONS = ("holidays", "contract", "customer", "services", "receivables", "attachments")

_LineBase: Any = namedtuple("_LineBase", (*_LINE, "name"))  # type: ignore[misc]
_ReceivableBase: Any = namedtuple("_ReceivableBase", _RECEIVABLE)  # type: ignore[misc]
_FoundBase: Any = namedtuple(  # type: ignore[misc]
    "_FoundBase", (*_RECEIVABLE, "has_boleto", "invoice")
)
_FileBase: Any = namedtuple("_FileBase", _FILE)  # type: ignore[misc]
_InvoiceBase: Any = namedtuple("_InvoiceBase", (*_INVOICE, *_RELATIONS))  # type: ignore[misc]


class LineRow(_LineBase):
    """A service of an invoice; of the service item only its name, in the same row."""

    __slots__ = ()

    @property
    def service_item(self) -> LineRow:
        return self


class ReceivableRow(_Keyed, _ReceivableBase):
    """An instalment of an invoice."""

    __slots__ = ()


class FileRow(_Keyed, _FileBase):
    """An attachment, without its content."""

    __slots__ = ()


class InvoiceRow(_Keyed, _InvoiceBase):
    """An invoice with all that its body shows; of contract and customer only their kind.

    `holidays` are its organization's own, ISO dates, where its note waits for the receipt.
    """

    __slots__ = ()
    nested = {"services": LineRow, "receivables": ReceivableRow, "attachments": FileRow}


class FoundReceivableRow(_Keyed, _FoundBase):
    """An instalment with the whole invoice it is of, and whether it has a boleto to be paid."""

    __slots__ = ()
    nested = {"invoice": InvoiceRow}


def _columns(model: type[Model], names: Sequence[str]) -> list[Any]:
    """What to read of `model`: amounts as text, since as text they are shown.

    A page has a thousand of them, and most of what one cost was the Decimal in between.
    """
    return [_column(model, name) for name in names]


def _column(model: type[Model], name: str) -> Any:
    if name == "gateway_status":  # of the last card charge: no column keeps it
        return gateway_status()
    return Cast(name, TextField()) if _is_amount(model, name) else name


def _is_amount(model: type[Model], name: str) -> bool:
    return isinstance(model._meta.get_field(name), DecimalField)


_INVOICES = CompiledQuery(
    lambda pk: Invoice.objects.filter(id__among=[pk]).values_list(
        *_columns(Invoice, _INVOICE),
        "contract__kind",
        "customer__kind",
        Exists(Attachment.objects.filter(invoice_id=OuterRef("pk"))),
    ),
    shares_json=True,
)
_LINES = CompiledQuery(
    lambda pk: (
        InvoiceLine.objects.filter(invoice_id__among=[pk], service_item__isnull=False)
        .order_by("invoice_id", "position")
        .values_list(*_columns(InvoiceLine, _LINE), "service_item__name")
    )
)
_RECEIVABLES = CompiledQuery(
    lambda pk: (
        Receivable.objects.filter(invoice_id__among=[pk])
        .order_by("invoice_id", "position")
        .values_list(*_columns(Receivable, _RECEIVABLE))
    ),
    shares_json=True,
)
_SOME_RECEIVABLES = CompiledQuery(
    lambda pk: Receivable.objects.filter(id__among=[pk]).values_list(
        *_columns(Receivable, _RECEIVABLE), has_boleto()
    ),
    shares_json=True,
)
_FILES = CompiledQuery(
    lambda pk: Attachment.objects.filter(invoice_id__among=[pk]).order_by("id").values_list(*_FILE)
)
_ORGANIZATION_ID = _INVOICE.index("organization_id")
_DAYS = _INVOICE.index("days_until_automatic_nfe_emission")
_INVOICE_ID = 1  # position in the rows of what belongs to an invoice


def invoice_rows(invoices: Sequence[int] | QuerySet[Invoice]) -> list[InvoiceRow]:
    """The invoices of those ids, or of that queryset, in that order.

    Ids are taken as they are: whoever asks has narrowed them to the account.
    """
    ids = _ids(invoices)
    if not ids:
        return []
    rows = _INVOICES.rows(ids)
    services = _by_invoice(LineRow, _LINES.rows(ids))
    receivables = _by_invoice(ReceivableRow, _RECEIVABLES.rows(ids))
    # Few invoices have any.
    with_files = [row[0] for row in rows if row[-1]]
    files = _by_invoice(FileRow, _FILES.rows(with_files) if with_files else [])
    holidays = _holidays(rows)
    found = {}
    for *row, contract, customer, _ in rows:
        pk = row[0]
        closed = holidays.get(row[_ORGANIZATION_ID], ())
        relations = (services[pk], receivables[pk], files[pk])
        found[pk] = InvoiceRow._make((*row, closed, _Kind(contract), _Kind(customer), *relations))
    return [found[pk] for pk in ids if pk in found]


def _holidays(rows: Sequence[Sequence[Any]]) -> dict[int, list[str]]:
    """Organization id → its own closed days, read where a note waits for the receipt only."""
    wanted = {row[_ORGANIZATION_ID] for row in rows if row[_DAYS]}
    if not wanted:
        return {}
    profiles = OrganizationProfile.objects.filter(party_id__in=wanted)
    return dict(profiles.values_list("party_id", "extra_holidays"))


def _by_invoice(kind: type[Any], rows: Sequence[Sequence[Any]]) -> dict[int, Related]:
    found: dict[int, Related] = defaultdict(Related)
    make = partial(tuple.__new__, kind)  # what _make() does, without counting columns
    for row in rows:
        found[row[_INVOICE_ID]].append(make(row))
    return found


def receivable_rows(
    receivables: Sequence[int] | QuerySet[Receivable],
) -> list[FoundReceivableRow]:
    """The same for receivables, each with its whole invoice."""
    ids = _ids(receivables)
    if not ids:
        return []
    rows = {row[0]: row for row in _SOME_RECEIVABLES.rows(ids)}
    owners = {row[_INVOICE_ID] for row in rows.values()}
    invoices = {row.id: row for row in invoice_rows(sorted(owners))}
    return [
        FoundReceivableRow._make((*rows[pk], invoices[rows[pk][_INVOICE_ID]]))
        for pk in ids
        if pk in rows and rows[pk][_INVOICE_ID] in invoices
    ]


def _ids(rows: Sequence[int] | QuerySet[Any]) -> list[int]:
    return list(rows.values_list("id", flat=True) if isinstance(rows, QuerySet) else rows)
