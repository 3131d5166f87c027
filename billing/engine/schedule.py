"""When a rule bills: occurrence dates, accrual months and the horizon (SCH-1..5, DECISIONS 1).

Every date comes from `init_date` and never from the date before it, so a rule that starts on the
31st passes through 28 February and returns to 31 March.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

PeriodUnit = Literal["monthly", "weekly"]
MONTHLY: Final = "monthly"
WEEKLY: Final = "weekly"

AccrualOffset = Literal["same_month", "previous_month", "next_month"]
_ACCRUAL_SHIFT: dict[str, int] = {"same_month": 0, "previous_month": -1, "next_month": 1}

MONTH_QUANTITIES = (1, 2, 3, 6, 12)  # SCH-4
_MAX_YEARS: dict[str, tuple[int, str]] = {  # SCH-3, measured in complete years (billing-api §2.9)
    MONTHLY: (5, "deve ser no máximo 5 (cinco) anos"),
    WEEKLY: (1, "deve ser no máximo 1 (um) ano"),
}


@dataclass(frozen=True)
class Schedule:
    """A recurrence; `month_quantity` counts only when monthly, `end_date` is inclusive."""

    init_date: date
    period_unit: PeriodUnit
    month_quantity: int | None
    end_date: date | None


def add_months(d: date, n: int) -> date:
    """`d` moved `n` calendar months (n may be negative), the day clamped to the month's last."""
    year, month = divmod(d.year * 12 + d.month - 1 + n, 12)
    return date(year, month + 1, min(d.day, monthrange(year, month + 1)[1]))


def complete_years(start: date, end: date) -> int:
    """Full years from `start` to `end`; the anniversary of 29 February is the 28th."""
    years = end.year - start.year
    return years - (add_months(start, 12 * years) > end)


def _months(schedule: Schedule) -> int:
    """Months between occurrences of a monthly schedule; ValueError when there is none."""
    if not schedule.month_quantity or schedule.month_quantity < 1:
        raise ValueError("a monthly schedule needs a positive month_quantity")
    return schedule.month_quantity


def occurrence(schedule: Schedule, n: int) -> date:
    """Date of occurrence `n` (0 is init_date), whether or not `end_date` allows it (SCH-1)."""
    if schedule.period_unit == WEEKLY:
        return schedule.init_date + timedelta(weeks=n)
    return add_months(schedule.init_date, n * _months(schedule))


def first_n_after(schedule: Schedule, after: date) -> int:
    """Smallest n ≥ 0 whose date is later than `after` (SCH-5), at a constant cost.

    `end_date` is not looked at: compare the occurrence with it, or ask `occurrences`.
    """
    init = schedule.init_date
    if after < init:
        return 0
    if schedule.period_unit == WEEKLY:
        return (after - init).days // 7 + 1
    months = (after.year - init.year) * 12 + after.month - init.month
    n = months // _months(schedule)  # the last occurrence whose month is not past `after`
    return n if occurrence(schedule, n) > after else n + 1


def occurrences(schedule: Schedule, *, start_n: int, until: date) -> list[tuple[int, date]]:
    """(n, date) of every occurrence from `start_n` to `until` and `end_date`, both inclusive."""
    limit = until if schedule.end_date is None else min(until, schedule.end_date)
    stop = first_n_after(schedule, limit)
    return [(n, occurrence(schedule, n)) for n in range(start_n, stop)]


def accrual_month(issue: date, offset: AccrualOffset) -> date:
    """First day of the month that an invoice issued on `issue` accrues to (SCH-2)."""
    return add_months(issue.replace(day=1), _ACCRUAL_SHIFT[offset])


def horizon(
    schedule: Schedule, *, today: date | None, block_months: int, ahead_months: int
) -> date:
    """Last date, inclusive, up to which invoices of the rule must exist (DECISIONS 1).

    `end_date` when there is one. An open rule grows in blocks: block k ends `block_months` × k
    months after `init_date`. Without `today` (the rule was just created) it is the first block;
    otherwise the first block end that is not before `today` + `ahead_months`.
    """
    if schedule.end_date is not None:
        return schedule.end_date
    blocks = Schedule(schedule.init_date, MONTHLY, block_months, None)
    if today is None:
        return occurrence(blocks, 1)
    last_short = add_months(today, ahead_months) - timedelta(days=1)
    return occurrence(blocks, max(1, first_n_after(blocks, last_short)))


def validate(schedule: Schedule) -> list[tuple[str, str]]:
    """(field of additional_information, pt-BR message) of every fault (SCH-3, SCH-4).

    An end before the start is allowed: such a rule generates nothing (billing-api §2.9).
    """
    if schedule.period_unit not in _MAX_YEARS:
        return [("period_unit", "não está incluído na lista")]
    faults = []
    if schedule.period_unit == MONTHLY and schedule.month_quantity not in MONTH_QUANTITIES:
        faults.append(("month_quantity", "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"))
    max_years, message = _MAX_YEARS[schedule.period_unit]
    end = schedule.end_date
    if end is not None and complete_years(schedule.init_date, end) > max_years:
        faults.append(("periodicity", message))
    return faults
