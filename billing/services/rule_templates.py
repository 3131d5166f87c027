"""Rules and invoices made from a preset: its values, overridden by what was sent (§6.10).

Everything here speaks the API's names, so what comes out is validated and applied like any other
body. Merging is pure; only the two functions that look a preset up touch the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from accounts.models import Account
from billing.engine.due_dates import DueTerms, due_dates
from billing.engine.local_days import calendar_with
from billing.engine.schedule import accrual_month
from billing.engine.splitting import equal_percent
from billing.models import InvoiceTemplate
from billing.services.option_values import KEPT, KEPT_PAYMENT, OPTION_COLUMNS, OPTIONS
from lib.errors import FieldError

Values = dict[str, Any]

SERVICE_KEY = "invoice_template_service_item_id"
UPDATE_KEY = "invoice_template_scheduled_update_id"
# A preset's clause may leave these to whoever uses it: {"<clause id>": [names]} in `integration`.
LEFT_OPEN = "left_open"

DUE_FIELDS = {
    "day_number": "day_number",
    "day_quantity": "day_quantity",
    "month_quantity": "due_month_quantity",
    "parcel_number": "parcel_number",
    "only_business_days": "only_business_days",
}
_NODES = ("payment_information", "receivables_additional_information", "additional_information")
# Null says nothing for these: a flag is true or false (§1.7).
_NEVER_NULL = (*OPTIONS, "notify_customer", "apply_negative_updates")
_RULE_ONLY = (
    "charge_type",
    "receivables_additional_information",
    "additional_information",
    "scheduled_updates",
    "notify_customer",
    "apply_negative_updates",
)


def unknown_template(template_id: int | str) -> FieldError:
    text = f"Não foi possível encontrar o modelo de faturamento com ID {template_id}"
    return FieldError("invoice_template_id", text)


def find_template(
    account: Account, template_id: int | str, *, single_use: bool
) -> InvoiceTemplate | None:
    """The account's preset of that kind, ready for `template_values`; None when there is none.

    A text is what was sent for an id and can be none.
    """
    if isinstance(template_id, str):
        return None
    found = (
        InvoiceTemplate.objects.of(account)
        .select_related("organization__profile")
        .prefetch_related("services", "scheduled_updates")
        .filter(pk=template_id)
        .first()
    )
    return found if found is not None and found.is_single_use == single_use else None


def rule_values_from_template(
    account: Account, template_id: int | str, values: Mapping[str, Any]
) -> tuple[Values, list[FieldError]]:
    """Values of a rule: those of the periodic preset, overridden by the `values` sent.

    Without such a preset: the values as they came, and the fault to tell.
    """
    template = find_template(account, template_id, single_use=False)
    if template is None:
        return dict(values), [unknown_template(template_id)]
    return merge(template_values(template), values), []


def invoice_values_from_template(
    account: Account, template_id: int | str, values: Mapping[str, Any]
) -> tuple[Values, list[FieldError]]:
    """Values of an invoice: those of the single-use preset, overridden by the `values` sent.

    `values` are what `In.take` read, all under the API's names and with nothing that is missing
    held against them yet: `issue_date` a date, `services` maybe with SERVICE_KEY in their entries.
    Without `receivables` among them, due dates come from the preset's terms applied to
    `issue_date`; likewise `accrual_date`. References (`check_references`) are to be checked on what
    was sent, not on the result. Without such a preset: the values as they came, and the fault.
    """
    template = find_template(account, template_id, single_use=True)
    if template is None:
        return dict(values), [unknown_template(template_id)]
    merged = merge(template_values(template), values)
    for name in _RULE_ONLY:
        merged.pop(name, None)
    issue = merged.get("issue_date")
    if issue is not None:
        if "receivables" not in values:
            merged["receivables"] = _receivables(template, issue)
        if "accrual_date" not in values:
            accrual: Any = template.accrual_month_quantity
            merged["accrual_date"] = accrual_month(issue, accrual)
    return merged, []


def _receivables(template: InvoiceTemplate, issue: date) -> list[Values]:
    profile = getattr(template.organization, "profile", None)
    calendar = calendar_with(tuple(profile.extra_holidays or ()) if profile else ())
    terms = DueTerms(
        template.charge_type or None,
        template.day_number,
        template.day_quantity,
        template.due_month_quantity,
        template.only_business_days,
        template.parcel_number,
    )
    dates = due_dates(terms, issue=issue, calendar=calendar)
    percent = equal_percent(len(dates))
    return [{"due_date": day, "value": percent} for day in dates]


def template_values(template: InvoiceTemplate) -> Values:
    """What the preset stands for, as the body of a rule would say it."""
    values: Values = {
        "description": template.description,
        "nfe_body": template.nfe_body,
        "gross_value": template.gross_value,
        "notify_customer": template.notify_customer,
        "apply_negative_updates": template.apply_negative_updates,
        "charge_type": template.charge_type or None,
        "receivables_additional_information": {
            name: getattr(template, column) for name, column in DUE_FIELDS.items()
        },
        "additional_information": {
            "period_unit": template.period_unit or None,
            "month_quantity": template.month_quantity,
            "accrual_month_quantity": template.accrual_month_quantity,
        },
        "services": [
            {
                SERVICE_KEY: service.pk,
                "service_item_id": service.service_item_id,
                "description": service.description,
                "units": service.units,
                "unit_value": service.unit_value,
            }
            for service in sorted(template.services.all(), key=lambda one: one.position)
        ],
        "scheduled_updates": [
            {
                UPDATE_KEY: clause.pk,
                "service_item_id": clause.service_item_id,
                "price_index": clause.price_index,
                "month_quantity": clause.month_quantity,
                "days_until_update": clause.days_until_update,
            }
            | dict.fromkeys(left_open(template, clause.pk))
            for clause in sorted(template.scheduled_updates.all(), key=lambda one: one.pk)
        ],
    }
    return values | _options(template)


def _options(template: InvoiceTemplate) -> Values:
    kept = template.integration
    found: Values = {name: getattr(template, name) for name in OPTIONS}
    found |= {name: getattr(template, column) for name, column in OPTION_COLUMNS.items()}
    found |= {name: kept[name] for name in KEPT if name in kept}
    payment = {"payment_method": template.payment_method, "installments": template.installments}
    payment |= {name: kept[name] for name in KEPT_PAYMENT if name in kept}
    return found | {"payment_information": payment}


def left_open(template: InvoiceTemplate, clause_id: int) -> Sequence[str]:
    """Attributes of a clause that the preset leaves to whoever uses it; the API shows null."""
    names: Sequence[str] = template.integration.get(LEFT_OPEN, {}).get(str(clause_id), ())
    return names


# --- merging: pure -------------------------------------------------------------------------------


def merge(preset: Mapping[str, Any], sent: Mapping[str, Any]) -> Values:
    """The preset's values with those sent in their place: nodes field by field, lists by entry.

    An explicit null replaces too, except where null says nothing.
    """
    values = dict(preset)
    for name, value in sent.items():
        if name in _NODES:
            values[name] = None if value is None else {**(preset.get(name) or {}), **value}
        elif value is not None or name not in _NEVER_NULL:
            values[name] = value
    for name, key in (("services", SERVICE_KEY), ("scheduled_updates", UPDATE_KEY)):
        values[name] = merge_entries(preset.get(name, ()), sent.get(name) or (), key=key)
    return values


def merge_entries(
    preset: Iterable[Mapping[str, Any]], sent: Iterable[Mapping[str, Any]], *, key: str
) -> list[Values]:
    """Entries of the preset overridden, dropped or kept, and new ones (§6.10, 4–6).

    An entry sent with the preset entry's id under `key` overrides it field by field, several ones
    in their order, `_destroy` being a field like the others; any other is new. Answers those sent
    in the order they were first named, then the preset's others, without `key` and `_destroy`.
    """
    untouched = {entry[key]: entry for entry in preset}
    named: dict[Any, Values] = {}
    for position, entry in enumerate(sent):
        given = {k: v for k, v in entry.items() if v is not None or k != "_destroy"}
        ref = given.get(key)
        slot: Any = ref
        if ref in untouched:
            named[slot] = dict(untouched.pop(ref))
        elif ref is None or ref not in named:
            # What no preset entry bears is an entry of its own, every time it is named.
            slot = ("new", position)
            named[slot] = {}
        named[slot] |= given
    kept = [entry for entry in named.values() if not entry.get("_destroy")]
    return [
        {k: v for k, v in entry.items() if k not in (key, "_destroy")}
        for entry in (*kept, *untouched.values())
    ]
