"""Readjustment of prices by an index (IDX-1..4, IDX-8, IDX-10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal, localcontext
from typing import Final, Literal

from billing.engine.schedule import add_months
from lib.money import half_up

Outcome = Literal["executed", "waiting_index", "skipped"]
EXECUTED: Final = "executed"
WAITING_INDEX: Final = "waiting_index"
SKIPPED: Final = "skipped"

LEGAL_MONTHS = 12  # Lei 10.192/2001, art. 2º, § 1º: a shorter period is void
_DIGITS_PER_MONTH = 16  # 1 + v/100 of a variation with 6 decimals has at most 12


@dataclass(frozen=True)
class Decision:
    """What an execution does. `factor` is exact, None while waiting; `missing` months are unread.

    `new_values` keeps the order of the values given and equals them unless `outcome` is executed.
    """

    outcome: Outcome
    factor: Decimal | None
    missing: tuple[date, ...]
    new_values: tuple[Decimal, ...]


def execution_date(init_date: date, *, month_quantity: int, n: int) -> date:
    """IDX-2: execution `n` (0 is init_date itself), clamped, always counted from init_date."""
    return add_months(init_date, n * month_quantity)


def remind_date(execution: date, *, days_until_update: int) -> date:
    """IDX-2: the day on which people are told about the execution to come."""
    return execution - timedelta(days=days_until_update)


def window(execution: date, *, month_quantity: int) -> list[date]:
    """IDX-3: first days of the months whose variation counts, oldest first.

    They are the `month_quantity` months that end just before the month of execution.
    """
    month = execution.replace(day=1)
    return [add_months(month, -k) for k in range(month_quantity, 0, -1)]


def factor(percents: Sequence[Decimal]) -> Decimal:
    """IDX-1: Π (1 + v/100), exact. `percents` are monthly variations in percent; none gives 1."""
    product = Decimal(1)
    with localcontext(_wide(len(percents))):
        for percent in percents:
            product *= 1 + percent.scaleb(-2)
    return product


def _wide(months: int) -> Context:
    """A context in which a factor of so many months, times a price, loses no digit."""
    return Context(prec=50 + _DIGITS_PER_MONTH * months)


def readjusted(unit_value: Decimal, *, factor: Decimal, places: int = 2) -> Decimal:
    """IDX-1: the new unit value, rounded half-up once."""
    digits = len(factor.as_tuple().digits)
    with localcontext(Context(prec=50 + digits)):
        product = unit_value * factor
    return half_up(product, places)


def accumulated_percent(factor: Decimal) -> Decimal:
    """IDX-10: the variation shown to people, in percent with 4 decimals."""
    with localcontext(Context(prec=50 + len(factor.as_tuple().digits))):
        variation = (factor - 1).scaleb(2)
    return half_up(variation, 4)


def is_short_period(month_quantity: int) -> bool:
    """IDX-8: under twelve months; accepted only with a warning that someone confirms."""
    return month_quantity < LEGAL_MONTHS


def decide(
    unit_values: Sequence[Decimal],
    *,
    percents: Mapping[date, Decimal | None],
    execution: date,
    month_quantity: int,
    apply_negative: bool,
    places: int = 2,
) -> Decision:
    """What to do with `unit_values` (BRL) on the `execution` date (IDX-1, IDX-3).

    `percents` maps the first day of a month to its published variation; a month absent or None is
    not published and the whole execution waits. A factor under 1 is skipped unless
    `apply_negative`. `places` are the decimals of the new values.
    """
    months = window(execution, month_quantity=month_quantity)
    values = tuple(unit_values)
    published = [percents.get(month) for month in months]
    missing = tuple(m for m, percent in zip(months, published, strict=True) if percent is None)
    if missing:
        return Decision(WAITING_INDEX, None, missing, values)
    accumulated = factor([percent for percent in published if percent is not None])
    if accumulated < 1 and not apply_negative:
        return Decision(SKIPPED, accumulated, (), values)
    new = tuple(readjusted(value, factor=accumulated, places=places) for value in values)
    return Decision(EXECUTED, accumulated, (), new)
