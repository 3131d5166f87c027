"""Reading price indexes. Their values are public facts, shared by all accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from billing.engine.schedule import add_months
from billing.models import PriceIndexValue


def current_values(index: str, months: Iterable[date]) -> dict[date, Decimal]:
    """Variation in percent of each published month (first days); the others are absent."""
    rows = PriceIndexValue.objects.filter(index=index, month__in=list(months), is_current=True)
    return dict(rows.values_list("month", "percent"))


def last_month(index: str) -> date | None:
    """The newest month published, as its first day."""
    rows = PriceIndexValue.objects.filter(index=index, is_current=True)
    return rows.order_by("-month").values_list("month", flat=True).first()


def missing_months(index: str) -> list[date]:
    """Months without a value between the first and the last published."""
    rows = PriceIndexValue.objects.filter(index=index, is_current=True)
    known = sorted(rows.values_list("month", flat=True))
    if not known:
        return []
    expected, missing = known[0], []
    for month in known:
        while expected < month:
            missing.append(expected)
            expected = add_months(expected, 1)
        expected = add_months(month, 1)
    return missing
