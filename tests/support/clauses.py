"""Price indexes and readjustment clauses for tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.models import InvoiceRule, PriceIndexValue, ScheduledUpdate, ServiceItem
from lib import clock


def publish(index: str, values: dict[str, str]) -> None:
    """Publish monthly variations: {"2026-01": "0.52"}."""
    for month, percent in values.items():
        PriceIndexValue.objects.create(
            index=index,
            month=date.fromisoformat(f"{month}-01"),
            percent=Decimal(percent),
            source="teste",
            published_at=clock.now(),
        )


def clause(
    rule: InvoiceRule,
    *,
    on: date,
    months: int = 12,
    index: str = "ipca",
    item: ServiceItem | None = None,
) -> ScheduledUpdate:
    """A readjustment clause of `rule` whose first execution is `on`."""
    return ScheduledUpdate.objects.create(
        rule=rule,
        service_item=item,
        price_index=index,
        init_date=on,
        month_quantity=months,
        execution_date=on,
        remind_at=on,
    )
