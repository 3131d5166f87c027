"""Rules and presets that contract fixtures require."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from support.moments import moment
from support.wire import SEEDERS, Fixture, seeds

from accounts.models import Account
from billing.api.v1.fields import parse_date
from billing.models import (
    Contract,
    InvoiceRule,
    InvoiceTemplate,
    Party,
    RuleService,
    ScheduledUpdate,
    ServiceItem,
    TemplateService,
)
from billing.services.option_values import KEPT, KEPT_PAYMENT, OPTION_COLUMNS, OPTIONS
from billing.services.rule_templates import DUE_FIELDS, LEFT_OPEN

CATALOGUE = (71, 72)  # the services that rules and presets are about

# The preset of the fixture that makes a rule from it: only its note describes it.
_ANNUAL: dict[str, Any] = {
    "name": "Modelo anual",
    "gross_value": "95.0",
    "month_quantity": 12,
    "period_unit": "monthly",
    "nfe_body": "$DESCRICAO",
    "receivables_additional_information": {"charge_type": "fixed_day", "day_number": 1},
    "emites_service_value_name": "",
    "finance_category": "",
    "finance_revenue_center": "",
    "myfinance_sale_account_name": "",
    "cobrato_charge_config_name": "",
    "cobrato_charge_template_name": "",
    "financial_account_id": 51,
    "financial_charge_template_id": 2,
    "apply_negative_updates": True,
    "services": [
        {"id": 1, "name": "Suporte Técnico", "unit_value": "45.0", "units": "1", "value": "45.0"},
        {"id": 2, "name": "Hospedagem", "unit_value": "50.0", "units": "1", "value": "50.0"},
    ],
    "scheduled_updates": [
        {"id": 490, "price_index": "igpdi", "month_quantity": 12, "service_item_id": 71},
        {"id": 492, "price_index": "ipcfipe", "month_quantity": 12, "service_item_id": 72},
    ],
}
_PLAIN_RULE: dict[str, Any] = {
    "description": "Mensalidade",
    "nfe_body": "$DESCRICAO",
    "gross_value": "100.0",
    "created_at": "17/02/2025 17:03:19 -03:00",
}


@seeds("invoice_rule")
def invoice_rule(pk: int, fixture: Fixture, account: Account) -> None:
    """A rule of the fixture's contract with the values, nodes and ids that the answer shows."""
    shown = _PLAIN_RULE | fixture.shown("invoice_rule", pk)
    contract_id = shown.get("contract_id") or fixture.data["requires"][0]["id"]
    rule = InvoiceRule(pk=pk, account=account, contract=Contract.objects.get(pk=contract_id))
    _terms(rule, shown, shown.get("receivables_additional_information") or {})
    for name, value in (shown.get("payment_information") or {}).items():
        _payment(rule, name, value)
    node = shown.get("additional_information") or {}
    rule.title = node.get("title", "")
    _schedule(rule, node)
    rule.init_date = rule.next_occurrence = parse_date(node.get("init_date"))
    rule.end_date = parse_date(node.get("end_date"))
    if rule.day_number:
        rule.charge_type = "fixed_day"  # a rule does not show it
    rule.save(force_insert=True)
    InvoiceRule.objects.filter(pk=pk).update(created_at=moment(shown["created_at"]))
    _services(RuleService, shown, fixture, account, rule=rule)
    _updates(shown, rule=rule)


@seeds("invoice_template")
def invoice_template(pk: int, fixture: Fixture, account: Account) -> None:
    shown = fixture.shown("invoice_template", pk) or _ANNUAL
    due = shown["receivables_additional_information"]
    template = InvoiceTemplate(
        pk=pk,
        account=account,
        organization=Party.objects.of(account).get(kind=Party.Kind.ORGANIZATION),
        name=shown["name"],
        create_parcels=due.get("create_parcels", False),
        charge_type=due["charge_type"],
        payment_method=shown.get("payment_method", "billet"),
        installments=shown.get("card_installments"),
    )
    _terms(template, shown, due)
    _schedule(template, shown)
    for name in KEPT_PAYMENT:
        _payment(template, name, shown.get(name))
    template.integration[LEFT_OPEN] = {
        str(one["id"]): [
            name for name in ("month_quantity", "days_until_update") if one.get(name) is None
        ]
        for one in shown["scheduled_updates"]
    }
    template.save(force_insert=True)
    if created := shown.get("created_at"):
        InvoiceTemplate.objects.filter(pk=pk).update(created_at=moment(created))
    _services(TemplateService, shown, fixture, account, template=template)
    _updates(shown, template=template)


def _terms(owner: Any, shown: dict[str, Any], due: dict[str, Any]) -> None:
    owner.gross_value = Decimal(shown["gross_value"])
    for name in ("description", "nfe_body"):
        owner.keep_text(name, shown.get(name))
    for name in (*OPTIONS, "notify_customer", "apply_negative_updates"):
        if shown.get(name) is not None:
            setattr(owner, name, shown[name])
    for name, column in OPTION_COLUMNS.items():
        setattr(owner, column, shown.get(name))
    for name in KEPT:
        if name in shown:
            owner.integration[name] = shown[name]
    for name, column in DUE_FIELDS.items():
        if due.get(name) is not None:
            setattr(owner, column, due[name])


def _schedule(owner: Any, shown: dict[str, Any]) -> None:
    owner.period_unit = shown.get("period_unit") or ""
    owner.month_quantity = shown.get("month_quantity")
    owner.accrual_month_quantity = shown.get("accrual_month_quantity") or "same_month"


def _payment(owner: Any, name: str, value: Any) -> None:
    if name in KEPT_PAYMENT:
        owner.integration[name] = value
    elif name in ("payment_method", "installments"):
        setattr(owner, name, value)


def _services(
    model: Any, shown: dict[str, Any], fixture: Fixture, account: Account, **owner: Any
) -> None:
    for pk in CATALOGUE:
        SEEDERS["service_item"](pk, fixture, account)
    for position, one in enumerate(shown.get("services", ()), start=1):
        model.objects.create(
            pk=one["id"],
            position=position,
            service_item=ServiceItem.objects.of(account).get(name=one["name"]),
            description=one.get("description") or "",
            **{name: Decimal(one[name]) for name in ("units", "unit_value", "value")},
            **owner,
        )


def _updates(shown: dict[str, Any], **owner: Any) -> None:
    for one in shown.get("scheduled_updates", ()):
        ScheduledUpdate.objects.create(
            pk=one["id"],
            service_item_id=one["service_item_id"],
            price_index=one["price_index"],
            month_quantity=one.get("month_quantity") or 12,
            days_until_update=one.get("days_until_update") or 0,
            notified=one.get("notified", False),
            **{n: parse_date(one.get(n)) for n in ("init_date", "execution_date", "remind_at")},
            **owner,
        )
