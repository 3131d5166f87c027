"""Disputes as customers and staff read them (P09, B12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db.models import Case, IntegerField, Prefetch, QuerySet, Value, When

from accounts.models import Account
from billing.models import Dispute, DisputeFile, DisputeMessage, InvoiceLine, Party
from lib.errors import NotFound

_ZERO = Decimal("0.00")
_LATE = 0.25  # of the time is left


class Sla(StrEnum):
    """How staff stand with what they promised (B12)."""

    ON_TIME = "No prazo"
    SOON = "Atenção"
    OVER = "Estourado"
    STOPPED = "Aguardando cliente"
    CLOSED = "Encerrada"


@dataclass(frozen=True)
class Message:
    """A message with its files."""

    row: DisputeMessage
    files: Sequence[DisputeFile]


def customer_disputes(account: Account, customer: Party) -> QuerySet[Dispute]:
    """All of a customer's, the newest first; invoice and series loaded."""
    mine = Dispute.objects.of(account).filter(customer=customer)
    found: QuerySet[Dispute] = mine.select_related("invoice__series").order_by("-opened_at", "-pk")
    return found


def get_dispute(account: Account, customer: Party, protocol: str) -> Dispute:
    """The customer's dispute of that protocol. Raises NotFound."""
    rows = customer_disputes(account, customer).select_related(
        "account", "invoice__series", "invoice__organization"
    )
    found = rows.filter(protocol=protocol[:30]).first()
    if found is None:
        raise NotFound()
    return found


def thread_of(dispute: Dispute, *, for_staff: bool = False) -> list[Message]:
    """The messages in order; internal notes only for staff (B12-1)."""
    rows = dispute.messages.prefetch_related(
        Prefetch("files", queryset=DisputeFile.objects.order_by("pk"))
    ).order_by("at", "pk")
    if not for_staff:
        rows = rows.filter(is_internal=False)
    return [Message(row, list(row.files.all())) for row in rows]


def get_file(dispute: Dispute, file_id: int, *, for_staff: bool = False) -> DisputeFile:
    """A file of the dispute's thread, as far as one may read it. Raises NotFound."""
    rows = DisputeFile.objects.filter(message__dispute=dispute, pk=file_id)
    if not for_staff:
        rows = rows.filter(message__is_internal=False)
    found: DisputeFile | None = rows.first()
    if found is None:
        raise NotFound()
    return found


def load_lines(disputes: Sequence[Dispute]) -> None:
    """Read the contested lines of all of these at once, for a list."""
    ids = {pk for dispute in disputes for pk in dispute.lines}
    rows = InvoiceLine.objects.filter(pk__in=ids).order_by("position") if ids else ()
    for dispute in disputes:
        own = [one for one in rows if one.invoice_id == dispute.invoice_id]
        dispute.known_lines = [one for one in own if one.pk in dispute.lines]  # type: ignore[attr-defined]


def contested_lines(dispute: Dispute) -> list[InvoiceLine]:
    """The invoice's lines that it is about; none when it is about all of it."""
    if not dispute.lines:
        return []
    known: list[InvoiceLine] | None = getattr(dispute, "known_lines", None)
    if known is not None:
        return known
    rows = InvoiceLine.objects.filter(invoice=dispute.invoice_id, pk__in=dispute.lines)
    return list(rows.order_by("position"))


def contested_amount(dispute: Dispute) -> Decimal:
    """BRL that the customer says is wrong: of the lines, never more than the invoice."""
    total = dispute.invoice.payment_value
    lines = contested_lines(dispute)
    if not lines:
        return total
    return min(total, sum((one.value + one.tax_amount for one in lines), _ZERO))


def sla_of(dispute: Dispute, *, now: datetime) -> Sla:
    """By the end of `answer_by`, as the account's days go; it stands still while staff wait."""
    if not dispute.is_live:
        return Sla.CLOSED
    if dispute.state == Dispute.State.WAITING:
        return Sla.STOPPED
    zone = ZoneInfo(dispute.account.time_zone)
    end = datetime.combine(dispute.answer_by + timedelta(days=1), time.min, tzinfo=zone)
    if now >= end:
        return Sla.OVER
    whole = (end - dispute.opened_at).total_seconds()
    return Sla.SOON if (end - now).total_seconds() <= whole * _LATE else Sla.ON_TIME


def by_urgency(rows: QuerySet[Dispute]) -> QuerySet[Dispute]:
    """Those that staff owe an answer first, the oldest promise first; then waiting; then closed."""
    owed = (Dispute.State.OPEN, Dispute.State.IN_REVIEW)
    turn = Case(
        When(state__in=owed, then=Value(0)),
        When(state=Dispute.State.WAITING, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return rows.annotate(turn=turn).order_by("turn", "answer_by", "pk")


def overdue_disputes(account: Account, *, today: date) -> QuerySet[Dispute]:
    """Those whose answer is late."""
    owed = (Dispute.State.OPEN, Dispute.State.IN_REVIEW)
    found: QuerySet[Dispute] = Dispute.objects.of(account).filter(
        state__in=owed, answer_by__lt=today
    )
    return found
