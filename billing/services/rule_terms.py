"""When a rule bills and when its invoices fall due, as bodies of the API say it (§2.9).

The columns change in memory only; each function answers the faults of what it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing.engine import due_dates as due
from billing.engine import schedule as sch
from billing.engine.splitting import check_minimum, split_equal
from billing.messages import BLANK, NOT_NUMBER, TOO_HIGH
from billing.models import InvoiceRule
from billing.services.drafts import MAX_FACTOR, MAX_TOTAL
from billing.services.rule_templates import DUE_FIELDS
from lib import clock
from lib.errors import FieldError, NotFound
from lib.money import half_up

NOT_POSITIVE = "o valor deve ser maior do que zero"

SCHEDULE, DUE = "additional_information", "receivables_additional_information"
# What each charge_type looks at besides parcel_number (table of §2.9).
_USES = {
    due.FIXED_DAY: ("day_number",),
    due.LAST_DAY_OF_MONTH: ("only_business_days",),
    due.DAY_QUANTITY: ("day_quantity", "only_business_days"),
    due.FIXED_DAY_AND_MONTH_QUANTITY: ("day_number", "month_quantity"),
}


def check_node_id(rule: InvoiceRule, node: Mapping[str, Any] | None) -> None:
    """The rule's single nodes bear its own id. Raises NotFound for another."""
    if node and node.get("id") is not None and node["id"] != rule.pk:
        raise NotFound()


# --- schedule ------------------------------------------------------------------------------------


def apply_schedule(rule: InvoiceRule, node: Mapping[str, Any] | None) -> list[FieldError]:
    """`additional_information`: with its id it is merged, without id it is a new one, null is none.

    Resets where materialisation stands; whoever saves creates the invoices again.
    """
    if node is None or node.get("id") is None:
        _clear_schedule(rule)
    if node is None:
        return []
    if "title" in node:
        rule.title = node["title"] or ""
    for name in ("init_date", "end_date", "month_quantity"):
        if name in node:
            setattr(rule, name, node[name])
    rule.period_unit = node.get("period_unit") or rule.period_unit or sch.MONTHLY
    if node.get("accrual_month_quantity"):
        rule.accrual_month_quantity = node["accrual_month_quantity"]
    if rule.period_unit == sch.WEEKLY:
        rule.month_quantity = None
    return _schedule_faults(rule)


def _clear_schedule(rule: InvoiceRule) -> None:
    rule.title, rule.period_unit = "", ""
    rule.init_date = rule.end_date = rule.month_quantity = None
    rule.accrual_month_quantity = InvoiceRule.Accrual.SAME


def _schedule_faults(rule: InvoiceRule) -> list[FieldError]:
    missing = [name for name in ("title", "init_date") if not getattr(rule, name)]
    faults = [FieldError(f"{SCHEDULE}.{name}", BLANK) for name in missing]
    # Without its first date the rest can still be judged; only the length cannot.
    init = rule.init_date or clock.today()
    end = rule.end_date if rule.init_date else None
    unit: Any = rule.period_unit
    found = sch.validate(sch.Schedule(init, unit, rule.month_quantity, end))
    return faults + [FieldError(f"{SCHEDULE}.{name}", text) for name, text in found]


def restart(rule: InvoiceRule) -> None:
    """Put a new rule before its first occurrence, if it has one."""
    init, end = rule.init_date, rule.end_date
    is_empty = init is None or (end is not None and end < init)
    rule.next_n, rule.next_occurrence = 0, None if is_empty else init


# --- due dates -----------------------------------------------------------------------------------


def apply_due_terms(rule: InvoiceRule, values: Mapping[str, Any]) -> list[FieldError]:
    """`charge_type` and its node, merged field by field; a null node takes everything back.

    What the charge_type does not look at is not kept (the API shows null); without charge_type
    everything is kept until one comes (question 31).
    """
    if "charge_type" in values:
        rule.charge_type = values["charge_type"] or ""
    node = values.get(DUE, {})
    if node is None:
        node = dict.fromkeys(DUE_FIELDS)
    for name, column in DUE_FIELDS.items():
        if name in node:
            empty = False if name == "only_business_days" else None
            setattr(rule, column, empty if node[name] is None else node[name])
    _drop_unused(rule)
    terms = due.DueTerms(
        rule.charge_type or None,
        rule.day_number,
        rule.day_quantity,
        rule.due_month_quantity,
        rule.only_business_days,
        rule.parcel_number,
    )
    return [FieldError(f"{DUE}.{name}", text) for name, text in due.validate(terms)]


def _drop_unused(rule: InvoiceRule) -> None:
    if not rule.charge_type:
        return
    used = (*_USES[rule.charge_type], "parcel_number")
    for name, column in DUE_FIELDS.items():
        if name not in used:
            setattr(rule, column, False if name == "only_business_days" else None)


# --- amounts -------------------------------------------------------------------------------------


def apply_gross_value(
    rule: InvoiceRule, values: Mapping[str, Any], *, services_total: Decimal | None
) -> list[FieldError]:
    """The sum of the services (`services_total`); without services (None) what was sent."""
    if services_total is not None:
        rule.gross_value = services_total
    elif "gross_value" in values or rule.pk is None:
        sent = values.get("gross_value")
        if sent is None:
            return [FieldError("gross_value", NOT_NUMBER)]
        rule.gross_value = half_up(sent)
        if not rule.gross_value:
            return [FieldError("gross_value", NOT_POSITIVE)]
    if rule.gross_value < 0:
        return [FieldError("gross_value", NOT_POSITIVE)]
    # Without services it is the unit price of the one line of each invoice.
    limit = MAX_FACTOR if services_total is None else MAX_TOTAL
    return [FieldError("gross_value", TOO_HIGH)] if rule.gross_value >= limit else []


def parcel_faults(rule: InvoiceRule) -> list[FieldError]:
    """SPLIT-3: no instalment below the organization's minimum."""
    parts = rule.parcel_number or 1
    if not 1 < parts <= due.MAX_PARCELS or rule.gross_value <= 0:
        return []
    profile = getattr(rule.contract.organization, "profile", None)
    try:
        amounts = split_equal(rule.gross_value, parts)
        if profile is not None and profile.minimum_receivable:
            check_minimum(amounts, minimum=profile.minimum_receivable)
    except ValueError as error:
        return [FieldError(f"{DUE}.parcel_number", str(error))]
    return []
