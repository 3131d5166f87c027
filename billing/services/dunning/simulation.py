"""What a ruler would have done in the past (DUN-8): no rows are written.

Every parcel of the ruler is led through its steps, each on the day it would have been done: moved
to a business day, and by a pause or a late emission. What was open on a day is told by the receipts
that stand; the time of a receipt is its day, so one of the same day came after the step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from accounts.models import Account
from billing.engine import dunning
from billing.engine.dunning import ACTS_AFTER, EMAIL, RESUMES_AFTER, Debt, Step
from billing.models import DunningPause, NotificationRuler, PaymentAllocation, Receivable
from billing.services.dunning.terms import calendar_of, served_by, terms_of
from lib.calendars import Calendar

ZERO = Decimal("0.00")
_DAY = timedelta(days=1)
_COLUMNS = (
    "id", "due_date", "payment_value", "received_at", "state", "invoice__customer_id",
    "invoice__customer__name", "invoice__customer__is_consumer", "invoice__payment_method",
    "invoice__emitted_at", "invoice__cancelled_at", "invoice_id", "position",
)  # fmt: skip


class Result(StrEnum):
    """What would have come of a step."""

    DONE = "feito"
    MERGED = "juntado"
    PAID = "paga antes"
    CLOSED = "cancelada antes"
    PAUSED = "em pausa até o fim"
    OVERTAKEN = "aviso mais recente no lugar"
    NOT_FOR_IT = "fora da condição"


@dataclass(frozen=True)
class Happening:
    """A step of a parcel on the day it would have come; `amount` was open then (BRL).

    `paid_on` is the day the parcel was received at last, whenever that was.
    """

    day: date
    planned: date
    step: Step
    receivable_id: int
    invoice_id: int
    position: int
    customer_id: int
    customer: str
    due: date
    amount: Decimal
    result: Result
    paid_on: date | None

    @property
    def was_moved(self) -> bool:
        return self.day != self.planned

    @property
    def is_done(self) -> bool:
        return self.result in (Result.DONE, Result.MERGED)


@dataclass
class _Parcel:
    """What is known of a parcel's past, in local days."""

    id: int
    due: date
    value: Decimal
    customer_id: int
    customer: str
    is_consumer: bool
    method: str
    invoice_id: int
    position: int
    emitted: date
    paid_on: date | None
    closed_on: date | None
    parts: list[tuple[date, Decimal]] = field(default_factory=list)
    pauses: list[tuple[date, date | None, bool]] = field(default_factory=list)

    def open_on(self, day: date) -> Decimal:
        """What was open at the beginning of a day."""
        if self.paid_on is not None and self.paid_on < day:
            return ZERO
        return self.value - sum((amount for on, amount in self.parts if on < day), ZERO)

    def is_paused(self, step: Step, day: date, calendar: Calendar) -> bool:
        days = RESUMES_AFTER if step.is_contact else ACTS_AFTER
        held = dunning.held_since(day, business_days=days, calendar=calendar)
        return any(
            since <= day and (end is None or end >= (held if was_disputed else day))
            for since, end, was_disputed in self.pauses
        )


def simulate(
    ruler: NotificationRuler, *, account: Account, start: date, end: date
) -> Iterator[Happening]:
    """What the ruler would have done from `start` to `end`, customer by customer.

    As if it had been switched on at `start` with nothing done of what was before. Raises ValueError
    when a step's condition means nothing.
    """
    terms = terms_of(ruler, ruler.steps.all(), since=start)
    if not terms.steps:
        return
    calendar = calendar_of(ruler.organization_id)
    rows = _parcels_of(ruler, account, terms.steps, start, end)
    for _, parcels in groupby(_read(rows, account), key=lambda one: one.customer_id):
        found = [
            happening
            for parcel in parcels
            for happening in _passed(parcel, terms.steps, calendar, start, end)
        ]
        yield from _merged(found)


def _parcels_of(
    ruler: NotificationRuler, account: Account, steps: Sequence[Step], start: date, end: date
) -> QuerySet[Receivable]:
    """Parcels that a step may fall on in the time; a fortnight covers every move forward."""
    first = start - (max(step.offset for step in steps) + 14) * _DAY
    last = end - min(step.offset for step in steps) * _DAY
    rows = Receivable.objects.of(account).filter(served_by(ruler, path="invoice__"))
    emitted = rows.filter(due_date__range=(first, last), invoice__emitted_at__isnull=False)
    return emitted.exclude(state=Receivable.State.RENEGOTIATED)


def _read(rows: QuerySet[Receivable], account: Account) -> Iterator[_Parcel]:
    zone = ZoneInfo(account.time_zone)
    parts = _parts(rows)
    pauses = _pauses(rows, zone)
    ordered = rows.order_by("invoice__customer_id", "due_date", "id").values_list(*_COLUMNS)
    for row in ordered.iterator(chunk_size=5000):
        (pk, due, value, paid, state, customer_id, customer, is_consumer, method, emitted,
         cancelled, invoice_id, position) = row  # fmt: skip
        is_cancelled = state == Receivable.State.CANCELLED and cancelled is not None
        yield _Parcel(
            pk, due, value, customer_id, customer, is_consumer, method, invoice_id, position,
            emitted.astimezone(zone).date(),
            paid if state == Receivable.State.RECEIVED else None,
            cancelled.astimezone(zone).date() if is_cancelled else None,
            parts.get(pk, []),
            pauses.get(pk, []),
        )  # fmt: skip


def _parts(rows: QuerySet[Receivable]) -> dict[int, list[tuple[date, Decimal]]]:
    """What was received of each parcel, and when."""
    allocations = PaymentAllocation.objects.filter(
        receivable__in=rows, reversed_at=None, payment__received_on__isnull=False
    )
    found = defaultdict(list)
    columns = ("receivable_id", "payment__received_on", "principal", "discount")
    for pk, on, principal, discount in allocations.values_list(*columns):
        found[pk].append((on, principal + discount))
    return found


def _pauses(
    rows: QuerySet[Receivable], zone: ZoneInfo
) -> dict[int, list[tuple[date, date | None, bool]]]:
    """(first day, last day or None, was it a dispute that was answered) of each parcel's pauses."""
    found = defaultdict(list)
    for pause in DunningPause.objects.filter(receivable__in=rows):
        lifted = pause.lifted_at.astimezone(zone).date() if pause.lifted_at else None
        ends = [day for day in (lifted, pause.until) if day is not None]
        answered = lifted is not None and pause.reason == DunningPause.Reason.DISPUTE
        since = pause.created_at.astimezone(zone).date()
        found[pause.receivable_id].append((since, min(ends, default=None), answered))
    return found


def _passed(
    parcel: _Parcel, steps: Sequence[Step], calendar: Calendar, start: date, end: date
) -> Iterator[Happening]:
    """The steps that fall into the time, with what would have come of each."""
    days = {step.id: _day_of(step, parcel, calendar, end) for step in steps}
    for step in steps:
        day = days[step.id]
        planned = parcel.due + step.offset * _DAY
        if not start <= dunning.planned_on(step, parcel.due, calendar) <= end:
            continue
        later = [
            other
            for other in dunning.replaced_by(step, steps)
            if _fits(other, parcel, days[other.id]) and days[other.id] <= day
        ]
        yield Happening(
            min(day, end), planned, step, parcel.id, parcel.invoice_id, parcel.position,
            parcel.customer_id, parcel.customer, parcel.due, parcel.open_on(day),
            _result(step, parcel, day, end, is_overtaken=bool(later)), parcel.paid_on,
        )  # fmt: skip


def _day_of(step: Step, parcel: _Parcel, calendar: Calendar, end: date) -> date:
    """The first day on which the step could be done; the day after `end` when there is none."""
    day = max(
        dunning.planned_on(step, parcel.due, calendar), calendar.next_business_day(parcel.emitted)
    )
    while day <= end and parcel.is_paused(step, day, calendar):
        day = calendar.next_business_day(day + _DAY)
    return min(day, end + _DAY)


def _fits(step: Step, parcel: _Parcel, day: date) -> bool:
    debt = Debt(parcel.due, parcel.open_on(day), parcel.method, parcel.is_consumer)
    return step.condition.fits(debt)


def _result(step: Step, parcel: _Parcel, day: date, end: date, *, is_overtaken: bool) -> Result:
    if parcel.closed_on is not None and parcel.closed_on < day:
        return Result.CLOSED
    if not parcel.open_on(day):
        return Result.PAID
    if is_overtaken:
        return Result.OVERTAKEN
    if day > end:
        return Result.PAUSED
    return Result.DONE if _fits(step, parcel, day) else Result.NOT_FOR_IT


def _merged(found: Iterable[Happening]) -> Iterator[Happening]:
    """A customer's e-mails of a day are one: that of the furthest step; the others go with it."""
    listed = list(found)
    first: dict[date, int] = {}
    for at, one in enumerate(listed):
        if not (one.result is Result.DONE and one.step.is_contact and one.step.channel == EMAIL):
            continue
        known = first.get(one.day)
        if known is None:
            first[one.day] = at
            continue
        merged = known if listed[known].step.order < one.step.order else at
        listed[merged] = replace(listed[merged], result=Result.MERGED)
        if merged == known:
            first[one.day] = at
    yield from listed
