"""Charging part of a period: the final invoice and the credit of unused days (PRO-1..3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.engine.schedule import Schedule, first_n_after, occurrence
from lib.money import half_up

_ZERO = Decimal("0.00")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class BilledPeriod:
    """Line values (BRL) already billed for the days `start` to `end`, both inclusive."""

    start: date
    end: date
    line_values: tuple[Decimal, ...]


@dataclass(frozen=True)
class Proration:
    """Part of a period, line by line.

    `days` of the `period_days` are charged (final_charge) or given back (unused_credit); `amounts`
    are BRL in the order of the lines, each rounded by itself.
    """

    start: date
    end: date
    days: int
    period_days: int
    amounts: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        """Sum of the rounded amounts."""
        return sum(self.amounts, _ZERO)


def period_of(schedule: Schedule, n: int) -> tuple[date, date]:
    """First and last day of the period of occurrence `n`: up to the eve of the next occurrence.

    `end_date` limits occurrences and never shortens the last period.
    """
    return occurrence(schedule, n), occurrence(schedule, n + 1) - _ONE_DAY


def period_containing(schedule: Schedule, day: date) -> int | None:
    """The occurrence whose period holds `day`; None before the first or after the last one."""
    n = first_n_after(schedule, day) - 1
    if n < 0:
        return None
    ended = schedule.end_date is not None and occurrence(schedule, n) > schedule.end_date
    return None if ended else n


def _days(start: date, end: date) -> int:
    """Actual days from `start` to `end`, both counted; 0 when `end` comes first."""
    return max(0, (end - start).days + 1)


def prorated(value: Decimal, *, start: date, end: date, used_until: date) -> Decimal:
    """PRO-1: value × used days / days of the period, actual days, half-up to the cent.

    Used days run from `start` to `used_until`, both inclusive; before `start` there are none, and
    past `end` all of them. Raises ValueError when the period is empty.
    """
    period_days = _days(start, end)
    if not period_days:
        raise ValueError("the period ends before it starts")
    return half_up(value * _days(start, min(used_until, end)) / period_days)


def prorate_lines(
    line_values: Sequence[Decimal], *, start: date, end: date, used_until: date
) -> Proration:
    """PRO-1 over the lines of a period known by its dates, each line rounded by itself."""
    used = _days(start, min(used_until, end))
    amounts = tuple(
        prorated(value, start=start, end=end, used_until=used_until) for value in line_values
    )
    return Proration(start, end, used, _days(start, end), amounts)


def final_charge(
    line_values: Sequence[Decimal], *, schedule: Schedule, cancel_date: date
) -> Proration | None:
    """The last invoice of a post-paid agreement cancelled on `cancel_date`, the day included.

    `line_values` are the full values of one period. The period in course is found from the
    schedule; None when none is (cancelled before the start, or after the last period). Whether it
    was billed already is the caller's knowledge: then see unused_credit.
    """
    n = period_containing(schedule, cancel_date)
    if n is None:
        return None
    start, end = period_of(schedule, n)
    return prorate_lines(line_values, start=start, end=end, used_until=cancel_date)


def unused_credit(billed: Sequence[BilledPeriod], *, cancel_date: date) -> list[Proration]:
    """What was billed beyond `cancel_date`, one entry for each period with unused days.

    Serves the refund of a pre-paid period (PRO-1, if the contract grants it) and a cancellation
    dated before the last billed period (PRO-3). Each line gets its billed value less the prorated
    one, so what stays billed is exactly PRO-1 and nobody gains or loses the cent of a tie.
    """
    return [_credit(period, cancel_date) for period in billed if cancel_date < period.end]


def _credit(period: BilledPeriod, cancel_date: date) -> Proration:
    """The unused part of one billed period."""
    kept = prorate_lines(
        period.line_values, start=period.start, end=period.end, used_until=cancel_date
    )
    amounts = tuple(
        half_up(value - used) for value, used in zip(period.line_values, kept.amounts, strict=True)
    )
    unused = kept.period_days - kept.days
    return Proration(period.start, period.end, unused, kept.period_days, amounts)
