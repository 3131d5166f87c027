"""What a proforma would bill: the customer's unbilled transactions of a period (PF-1…PF-3)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet

from accounts.models import Account
from billing.models import Invoice, Party, Transaction
from lib.br import date_br

# Transactions of the kinds that enter previews, lines and totals.
BILLABLE = (Transaction.Kind.CHARGE, Transaction.Kind.CREDIT)
DEFAULT_DAYS = 14
MARK_LENGTH = 8  # characters of a row's mark in the fingerprint

_ZERO = Decimal("0.00")
# Inside what both engines and every time zone can tell.
_FIRST_DAY = date(1900, 1, 1)
_LAST_DAY = date(9000, 1, 1)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """An unbilled transaction. Amounts in BRL; the tax is the stored one (TAX-1)."""

    id: int
    created_at: datetime
    kind: str
    title: str
    description: str
    retail_cost: Decimal
    tax_percentage: Decimal
    tax_amount: Decimal


@dataclass(frozen=True, slots=True)
class BilledElsewhere:
    """How many transactions of the period an invoice already holds."""

    invoice_id: int
    label: str
    count: int


@dataclass(frozen=True)
class Preview:
    """The rows, all included, with their totals (BRL); `fingerprint` is opaque to the client."""

    rows: list[PreviewRow]
    count: int
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    fingerprint: str
    already_billed: list[BilledElsewhere]


@dataclass(frozen=True)
class Defaults:
    """Dates that the form opens with (PF-1)."""

    start: date
    end: date
    due: date


def defaults(today: date) -> Defaults:
    """PF-1: the last 14 days, due today."""
    return Defaults(start=today - timedelta(days=DEFAULT_DAYS), end=today, due=today)


def default_title(start: date, end: date) -> str:
    """PF-2."""
    if start == end:
        return f"Fatura por {date_br(start)}"
    return f"Fatura por {date_br(start)} - {date_br(end)}"


def preview(account: Account, *, customer_id: int, start: date, end: date) -> Preview:
    """PF-3: what was created in the account's zone within [start, end], oldest first.

    Three queries. Raises NotFound for a customer of another account.
    """
    Party.objects.get_of(account, pk=customer_id)
    rows = [
        PreviewRow(*values)
        for values in unbilled(account, customer_id=customer_id, start=start, end=end)
        .order_by("created_at", "id")
        .values_list(*PreviewRow.__slots__)
    ]
    subtotal = sum((row.retail_cost for row in rows), _ZERO)
    tax = sum((row.tax_amount for row in rows), _ZERO)
    return Preview(
        rows=rows,
        count=len(rows),
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        fingerprint=fingerprint(rows),
        already_billed=_already_billed(account, customer_id, _created(account, start, end)),
    )


def unbilled(
    account: Account, *, customer_id: int, start: date, end: date
) -> QuerySet[Transaction]:
    """The customer's transactions of the period that no invoice holds (PF-3)."""
    return Transaction.objects.of(account).filter(
        _created(account, start, end), customer_id=customer_id, invoice=None, kind__in=BILLABLE
    )


def _created(account: Account, start: date, end: date) -> Q:
    """Transactions created from the first moment of `start` to the last of `end`, both local."""
    zone = ZoneInfo(account.time_zone)
    first = datetime.combine(max(start, _FIRST_DAY), time.min, zone)
    after = datetime.combine(min(end, _LAST_DAY) + timedelta(days=1), time.min, zone)
    return Q(created_at__gte=first, created_at__lt=after)


def fingerprint(rows: Iterable[PreviewRow | Transaction]) -> str:
    """The marks of all rows, one after the other."""
    return "".join(map(mark, rows))


def mark(row: PreviewRow | Transaction) -> str:
    """48 bits of the SHA-256 of what the preview shows of a row, as eight characters.

    A mark for each row, rather than one hash of the whole list, lets the generation say which row
    changed, and ignore changes in rows that it does not bill.
    """
    shown = (
        row.id,
        row.created_at.isoformat(),
        row.kind,
        row.title,
        row.description,
        str(row.retail_cost),
        str(row.tax_percentage),
        str(row.tax_amount),
    )
    return base64.urlsafe_b64encode(hashlib.sha256(repr(shown).encode()).digest()[:6]).decode()


def marks_of(text: str) -> set[str]:
    """The marks in a fingerprint; rubbish gives marks that no row has."""
    return {text[i : i + MARK_LENGTH] for i in range(0, len(text), MARK_LENGTH)}


def overlapping_invoice(
    account: Account, *, customer_id: int, start: date, end: date
) -> Invoice | None:
    """The customer's newest invoice, not void, whose period meets [start, end]."""
    return (
        Invoice.objects.of(account)
        .filter(customer_id=customer_id, void=False, start_date__lte=end, end_date__gte=start)
        .select_related("series")
        .order_by("-id")
        .first()
    )


def _already_billed(account: Account, customer_id: int, period: Q) -> list[BilledElsewhere]:
    billed = Transaction.objects.of(account).filter(
        period, customer_id=customer_id, invoice__isnull=False, kind__in=BILLABLE
    )
    invoices = (
        Invoice.objects.of(account)
        .filter(customer_id=customer_id, transactions__in=billed)
        .annotate(n_billed=Count("transactions"))
        .select_related("series")
        .order_by("id")
    )
    return [BilledElsewhere(i.pk, i.label, i.n_billed) for i in invoices]
