"""From rows to the variables of billing-engine §5.1 and TPL-2; pure, nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from billing.models import Invoice, NumberSeries, Party
from lib import br

LOGO = "logo"  # the asset's name; templates write asset:logo

# The state printed, for templates to compare and for people to read (ux §1.2). Nothing here depends
# on today: a document that says "vencida há 3 dias" is wrong tomorrow.
_STATUS = {
    Invoice.PaymentStatus.UNPAID: ("open", "Em aberto"),
    Invoice.PaymentStatus.PARTIALLY_PAID: ("partially_paid", "Paga em parte"),
    Invoice.PaymentStatus.PAID: ("paid", "Paga"),
    Invoice.PaymentStatus.PARTIALLY_REFUNDED: ("partially_refunded", "Reembolsada em parte"),
    Invoice.PaymentStatus.REFUNDED: ("refunded", "Reembolsada"),
}
_VOID = ("void", "Anulada – não pague")
_CANCELLED = ("cancelled", "Cancelada")
_TO_EMIT = ("to_emit", "A emitir")


class Head(NamedTuple):
    """The invoice's own row and what hangs on it."""

    id: int
    organization_id: int
    customer_id: int
    state: str
    void: bool
    payment_status: str
    number: int | None
    client_number: str
    prefix: str | None
    title: str
    start_date: date | None
    end_date: date | None
    issue_date: date
    accrual_date: date | None
    due_date: date | None
    total_amount: Decimal
    total_tax: Decimal
    gross_value: Decimal
    payment_value: Decimal
    notes: str
    emitted_at: datetime | None
    contract_title: str | None
    contract_name: str | None
    customer_snapshot_id: int | None
    organization_snapshot_id: int | None
    version_id: int | None
    version_sha256: str | None
    version_language: str | None


class Line(NamedTuple):
    """One line of the invoice."""

    id: int
    position: int
    transaction_id: int | None
    title: str
    description: str
    units: Decimal
    unit_value: Decimal
    value: Decimal
    tax_percentage: Decimal
    tax_amount: Decimal
    occurred_at: datetime | None
    period_start: date | None
    period_end: date | None


class Withheld(NamedTuple):
    """A tax that the customer keeps back: its name, percent, BRL."""

    name: str
    rate: Decimal
    value: Decimal


class Parcel(NamedTuple):
    """One receivable."""

    position: int
    due_date: date
    payment_value: Decimal


class Parties(NamedTuple):
    """Who is billed and who bills, as `party_data` writes them."""

    customer: Mapping[str, Any]
    organization: Mapping[str, Any]


def variables(
    head: Head,
    lines: Sequence[Line],
    parcels: Sequence[Parcel],
    parties: Parties,
    *,
    zone: ZoneInfo,
    withheld: Sequence[Withheld] = (),
) -> dict[str, Any]:
    """Every variable of an invoice but `language` and `sandbox`; moments are told in `zone`."""
    notes = (head.notes, parties.organization.get("invoice_notes"))
    return {
        **_document(head, zone),
        "withholdings": _withholdings(head, withheld),
        "lines": [_line(line, head) for line in lines],
        "transactions": [_transaction(line, head, zone) for line in lines],
        "receivables": [_receivable(parcel) for parcel in parcels],
        "client": _client(parties.customer),
        "organization": _organization(parties.organization),
        "logo": _logo_url(parties.organization),
        "notes": "\n".join(filter(None, notes)),
    }


def _document(head: Head, zone: ZoneInfo) -> dict[str, Any]:
    code, label = _status(head)
    return {
        "invoice_number": _number(head),
        "title": head.title,
        "date": _issued(head, zone),
        "due_date": _iso(head.due_date),
        "start_date": _iso(head.start_date),
        "end_date": _iso(head.end_date),
        "accrual": f"{head.accrual_date:%m/%Y}" if head.accrual_date else "",
        "total_amount": head.total_amount,
        "total_tax": head.total_tax,
        "discounts": [],
        "status": {"code": code, "label": label},
        "contract": _contract(head),
        # Filled in with the public page and with charges, once there are such.
        "payment_url": "",
        "pix_code": "",
        "linha_digitavel": "",
    }


def _number(head: Head) -> str:
    """As Invoice.label: the client's own number, ours, or the id until one is given."""
    if head.client_number:
        return head.client_number
    if head.number is not None and head.prefix is not None:
        return NumberSeries(prefix=head.prefix).label(head.number)
    return f"{head.id:05d}"


def _status(head: Head) -> tuple[str, str]:
    if head.void:
        return _VOID
    if head.state == Invoice.State.CANCELLED:
        return _CANCELLED
    if head.state == Invoice.State.TO_EMIT:
        return _TO_EMIT
    return _STATUS[Invoice.PaymentStatus(head.payment_status)]


def watermark(head: Head) -> str | None:
    """What is written across a document that must not be paid."""
    if head.void:
        return "ANULADA"
    return "CANCELADA" if head.state == Invoice.State.CANCELLED else None


def _contract(head: Head) -> dict[str, str]:
    if head.contract_name is None:
        return {}
    return {"title": head.contract_title or "", "name": head.contract_name}


def _withholdings(head: Head, taxes: Sequence[Withheld]) -> list[dict[str, Any]]:
    """What the customer keeps back (M-6), tax by tax; where only the sum is known, the sum."""
    withheld = head.gross_value - head.payment_value
    if not withheld:
        return []
    if sum((tax.value for tax in taxes), Decimal(0)) == withheld:
        return [
            {"name": f"{tax.name} retido", "percentage": _trimmed(tax.rate), "value": tax.value}
            for tax in taxes
        ]
    return [{"name": "Retenções na fonte", "percentage": Decimal(0), "value": withheld}]


def _issued(head: Head, zone: ZoneInfo) -> str:
    """The issue date, with the time of emission when that was on the same day."""
    moment = head.emitted_at.astimezone(zone) if head.emitted_at else None
    if moment is not None and moment.date() == head.issue_date:
        return _iso_moment(moment, zone)
    return f"{head.issue_date.isoformat()}T00:00:00"


def _words(row: Line, head: Head) -> dict[str, str]:
    """Title and description; a line without a title is named by what there is."""
    if row.title:
        return {"title": row.title, "description": row.description}
    return {"title": row.description or head.title, "description": ""}


def _line(row: Line, head: Head) -> dict[str, Any]:
    return {
        "position": row.position,
        **_words(row, head),
        "units": _trimmed(row.units),
        "unit_value": _trimmed(row.unit_value, places=2),
        "value": row.value,
        "tax_percentage": _trimmed(row.tax_percentage),
        "tax_amount": row.tax_amount,
        "period_start": _iso(row.period_start),
        "period_end": _iso(row.period_end),
    }


def _transaction(row: Line, head: Head, zone: ZoneInfo) -> dict[str, Any]:
    """`created` always has a date and a time, because templates split it at the T."""
    day = row.period_start or head.issue_date
    created = _iso_moment(row.occurred_at, zone) if row.occurred_at else f"{_iso(day)}T00:00:00"
    return {
        "transaction_id": str(row.transaction_id or row.id),
        "created": created,
        **_words(row, head),
        "retail_cost": row.value,
        "tax_percentage": _trimmed(row.tax_percentage),
        "tax_amount": row.tax_amount,
    }


def _receivable(parcel: Parcel) -> dict[str, Any]:
    return {
        "number": parcel.position,
        "due_date": _iso(parcel.due_date),
        "value": parcel.payment_value,
        # Of its charges, once there are such.
        "linha_digitavel": "",
        "barcode_svg": "",
        "pix_copia_cola": "",
        "pix_qr_svg": "",
    }


def _client(data: Mapping[str, Any]) -> dict[str, Any]:
    """A person by its name, a company by its razão social."""
    person = data.get("kind") == Party.Kind.PERSON
    name = data.get("name", "") if person else data.get("company_name") or data.get("name", "")
    return {"name": name, "document": data.get("document", ""), "address": _address(data)}


def _organization(data: Mapping[str, Any]) -> dict[str, Any]:
    document = str(data.get("document", ""))
    return {
        "name": data.get("name", ""),
        "company_name": data.get("company_name", ""),
        "document": document,
        "document_masked": br.document_mask(document),
        **_address(data),
        "email": data.get("email", ""),
        "phone": data.get("phone", ""),
        "logo": _logo_url(data),
        "color_primary": data.get("color_primary", ""),
        "color_accent": data.get("color_accent", ""),
    }


def _logo_url(organization: Mapping[str, Any]) -> str:
    return f"asset:{LOGO}" if organization.get("logo_sha256") else ""


def _address(data: Mapping[str, Any]) -> dict[str, str]:
    street = ", ".join(filter(None, (data.get("address"), data.get("number"))))
    return {
        "address_line_1": " – ".join(filter(None, (street, data.get("complement")))),
        "address_line_2": str(data.get("district") or ""),
        "city": str(data.get("city") or ""),
        "state": str(data.get("state") or ""),
        "zip_code": str(data.get("zipcode") or ""),
        "country": str(data.get("country") or ""),
    }


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _iso_moment(moment: datetime, zone: ZoneInfo) -> str:
    """`2025-01-10T12:00:00`, the wall clock of the account."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _trimmed(value: Decimal, *, places: int = 0) -> Decimal:
    """Without useless zeros but with at least `places` decimals: 10, 1.5, 100.00, 0.3875."""
    short = value.normalize()
    exponent = short.as_tuple().exponent
    enough = isinstance(exponent, int) and -exponent >= places
    return short if enough else value.quantize(Decimal(1).scaleb(-places))
