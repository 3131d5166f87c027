"""Bodies of rules that tests start from, and short ways to what they made."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.models import Invoice


def monthly(**fields: Any) -> dict[str, Any]:
    """`additional_information` of an open monthly rule from 01/03/2025."""
    return {"title": "Mensalidade", "init_date": "01/03/2025", "month_quantity": 1} | fields


def rule_body(**fields: Any) -> dict[str, Any]:
    """A rule of R$ 150,00 without services, due on the 10th; `fields` replace or add."""
    return {
        "description": "Suporte",
        "nfe_body": "$DESCRICAO",
        "gross_value": 150,
        "charge_type": "fixed_day",
        "additional_information": monthly(),
        "receivables_additional_information": {"day_number": 10},
    } | fields


def service(item: Any, units: Any = 1, unit_value: Any = 100, **fields: Any) -> dict[str, Any]:
    return {"service_item_id": item.pk, "units": units, "unit_value": unit_value} | fields


def clause(item: Any = None, **fields: Any) -> dict[str, Any]:
    """A yearly readjustment by IPCA from 01/03/2026, told 10 days before."""
    return {
        "service_item_id": item.pk if item else None,
        "init_date": "01/03/2026",
        "month_quantity": 12,
        "days_until_update": 10,
        "price_index": "ipca",
    } | fields


def issue_dates(rule_id: int) -> list[str]:
    found = Invoice.objects.filter(rule_id=rule_id).order_by("issue_date")
    return [day.isoformat() for day in found.values_list("issue_date", flat=True)]


def due_dates(rule_id: int) -> list[str]:
    """Of the rule's first invoice."""
    first = Invoice.objects.filter(rule_id=rule_id).earliest("issue_date")
    return [one.due_date.isoformat() for one in first.receivables.order_by("position")]


def gross_values(rule_id: int) -> list[Decimal]:
    found = Invoice.objects.filter(rule_id=rule_id).order_by("issue_date")
    return list(found.values_list("gross_value", flat=True))
