"""What the demonstration sells and to whom: catalogue, plans, presets, contracts and rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account
from billing.engine.schedule import Schedule, add_months, first_n_after, occurrence
from billing.models import (
    Contract,
    EmailTemplate,
    InvoiceRule,
    InvoiceTemplate,
    Plan,
    PlanProduct,
    PriceIndex,
    RuleService,
    ScheduledUpdate,
    ServiceItem,
)
from billing.services.demo.people import People
from billing.services.demo.when import When, moment
from billing.services.readjustments import execute_due
from lib.money import half_up

# A clause whose twelve months are all published facts (see ipca.csv): 03/2025 to 02/2026.
CLAUSE_START = date(2025, 3, 1)
SERVICES = {
    "Plataforma de pedidos": ("950.00", "mensalidade", "0"),
    "Armazenamento": ("16.6600", "GB", "0"),
    "Suporte estendido": ("480.00", "trimestre", "0"),
    "Hospedagem": ("200.00", "mensalidade", "0"),
    "Integração fiscal": ("350.00", "mensalidade", "0"),
    "Consulta avulsa": ("100.00", "consulta", "10"),
    "Entrega programada": ("49.90", "entrega", "0"),
    "Clube de receitas": ("19.90", "semana", "0"),
}


@dataclass(frozen=True)
class RuleData:
    """A recurrence: its first date, how it bills and its services (name, quantity, price)."""

    title: str
    init_date: date
    services: tuple[tuple[str, str, str], ...]
    terms: dict[str, Any]


def load(
    account: Account, people: People, when: When, *, email: EmailTemplate
) -> dict[str, Contract]:
    """Catalogue, plans, presets, contracts and rules, created where missing.

    Automatic invoices are sent with `email`.
    """
    items = {name: _service(account, name) for name in SERVICES}
    _plans(account, people, items)
    _presets(account, people, email)
    contracts = {
        key: _contract(account, people, key, data) for key, data in _contracts(when).items()
    }
    for key, data in _rules(when, email).items():
        _rule(contracts[key], items, data, when, external_code=f"demo-{key}")
    if _clauses(contracts):
        execute_due(account, until=when.today)
    return contracts


def _service(account: Account, name: str) -> ServiceItem:
    value, unit, tax = SERVICES[name]
    item, _ = ServiceItem.objects.get_or_create(
        account=account,
        name=name,
        defaults={"value": Decimal(value), "unit": unit, "tax_percentage": Decimal(tax)},
    )
    return item


def _plans(account: Account, people: People, items: dict[str, ServiceItem]) -> None:
    Plan.objects.get_or_create(
        account=account,
        organization=people.organization,
        name="Essencial",
        defaults={
            "price": Decimal("99.90"),
            "description": "Para começar: até 100 pedidos por mês.",
            "charging_method": Plan.Charging.PRE_PAID,
            "has_trial": True,
            "trial_period": 14,
            "features": ["100 pedidos por mês", "1 usuário"],
        },
    )
    plan, is_new = Plan.objects.get_or_create(
        account=account,
        organization=people.organization,
        name="Profissional anual",
        defaults={
            "price": Decimal("11400.00"),
            "billing_period": 12,
            "charging_method": Plan.Charging.PRE_PAID,
            "allow_installments": True,
            "installments_limit": 12,
            "features": ["Pedidos sem limite", "10 usuários", "Suporte por telefone"],
        },
    )
    if is_new:
        PlanProduct.objects.create(
            plan=plan,
            service_item=items["Plataforma de pedidos"],
            units=Decimal(12),
            unit_value=Decimal("950.00"),
            value=Decimal("11400.00"),
        )


def _presets(account: Account, people: People, email: EmailTemplate) -> None:
    presets: dict[str, dict[str, Any]] = {
        "Mensal, dia 10": {
            "period_unit": "monthly",
            "month_quantity": 1,
            "charge_type": "fixed_day",
            "day_number": 10,
            "management_type": "automatic",
            "automatic_email_template_ref": email.pk,
        },
        "Avulsa, 7 dias": {"charge_type": "day_quantity", "day_quantity": 7},
    }
    for name, defaults in presets.items():
        InvoiceTemplate.objects.get_or_create(
            account=account, organization=people.organization, name=name, defaults=defaults
        )


def _contracts(when: When) -> dict[str, dict[str, Any]]:
    """A: three in force, one registered and not yet billed, two cancelled (ux §1.6)."""
    cancelled = {"status": Contract.Status.CANCELLED}
    return {
        "plataforma": {"party": "A", "name": "Plataforma de pedidos", "init_date": CLAUSE_START},
        "suporte": {"party": "A", "name": "Suporte estendido", "init_date": when.month(-7)},
        "hospedagem": {
            "party": "A",
            "name": "Hospedagem da loja",
            "init_date": when.month(-13),
            "charging_method": Contract.Charging.POST_PAID,
        },
        "integracao": {"party": "A", "name": "Integração fiscal", "init_date": when.month(1)},
        "implantacao": {
            "party": "A",
            "name": "Consultoria de implantação",
            "init_date": when.month(-11),
            "cancel_date": when.today - timedelta(days=60),
            "cancel_reason": "Implantação concluída.",
            **cancelled,
        },
        "backup": {
            "party": "A",
            "name": "Backup remoto",
            "init_date": when.month(-20),
            "cancel_date": when.today - timedelta(days=120),
            "cancel_reason": "Trocou de fornecedor.",
            **cancelled,
        },
        "entregas": {"party": "B", "name": "Entregas programadas", "init_date": when.month(-27)},
        "clube": {"party": "E", "name": "Clube de receitas", "init_date": when.month(-2)},
    }


def _contract(account: Account, people: People, key: str, data: dict[str, Any]) -> Contract:
    values = {name: value for name, value in data.items() if name not in ("party", "name")}
    if values.get("cancel_date"):
        # Billed to its end long ago: the run has nothing left to charge for it.
        values["final_billed_at"] = moment(values["cancel_date"])
    contract, _ = Contract.objects.get_or_create(
        account=account,
        external_code=f"demo-{key}",
        defaults={
            "organization": people.organization,
            "party": people.customers[data["party"]],
            "name": data["name"],
            "title": data["name"],
            **values,
        },
    )
    return contract


def _rules(when: When, email: EmailTemplate) -> dict[str, RuleData]:
    monthly = {"period_unit": "monthly", "month_quantity": 1}
    automatic = {"management_type": "automatic", "automatic_email_template_ref": email.pk}
    return {
        "plataforma": RuleData(
            "Plataforma de pedidos",
            CLAUSE_START,
            (("Plataforma de pedidos", "1", "950.00"), ("Armazenamento", "12", "16.66")),
            {**monthly, **automatic, "charge_type": "fixed_day", "day_number": 10},
        ),
        "suporte": RuleData(
            "Suporte estendido",
            when.month(-7),
            (("Suporte estendido", "1", "480.00"),),
            {
                "period_unit": "monthly",
                "month_quantity": 3,
                "charge_type": "last_day_of_month",
                "only_business_days": True,
                "payment_method": "pix",
            },
        ),
        "hospedagem": RuleData(
            "Hospedagem da loja",
            when.month(-13),
            (("Hospedagem", "1", "200.00"),),
            {
                **monthly,
                **automatic,
                "accrual_month_quantity": "previous_month",
                "charge_type": "day_quantity",
                "day_quantity": 10,
                "only_business_days": True,
            },
        ),
        "integracao": RuleData(
            "Integração fiscal",
            when.month(1),
            (("Integração fiscal", "1", "350.00"),),
            {
                **monthly,
                **automatic,
                "charge_type": "fixed_day_and_month_quantity",
                "day_number": 5,
                "due_month_quantity": 1,
            },
        ),
        "clube": RuleData(
            "Clube de receitas",
            when.today - timedelta(weeks=8),
            (("Clube de receitas", "1", "19.90"),),
            {
                "period_unit": "weekly",
                **automatic,
                "charge_type": "day_quantity",
                "day_quantity": 5,
                "payment_method": "pix",
            },
        ),
    }


def _rule(
    contract: Contract,
    items: dict[str, ServiceItem],
    data: RuleData,
    when: When,
    *,
    external_code: str,
) -> None:
    """A rule whose past was billed elsewhere: it goes on with its first date after today."""
    if InvoiceRule.objects.filter(account=contract.account, external_code=external_code).exists():
        return
    schedule = Schedule(
        data.init_date, data.terms["period_unit"], data.terms.get("month_quantity"), None
    )
    n = first_n_after(schedule, when.today)
    values = [half_up(Decimal(units) * Decimal(price)) for _, units, price in data.services]
    rule = InvoiceRule.objects.create(
        account=contract.account,
        contract=contract,
        external_code=external_code,
        title=data.title,
        description=data.title,
        gross_value=sum(values, Decimal("0.00")),
        init_date=data.init_date,
        next_n=n,
        next_occurrence=occurrence(schedule, n),
        last_occurrence=occurrence(schedule, n - 1) if n else None,
        **data.terms,
    )
    for position, ((name, units, price), value) in enumerate(
        zip(data.services, values, strict=True), start=1
    ):
        RuleService.objects.create(
            rule=rule,
            position=position,
            service_item=items[name],
            units=Decimal(units),
            unit_value=Decimal(price),
            value=value,
        )


def _clauses(contracts: dict[str, Contract]) -> bool:
    """Readjustment clauses: by IPCA, executed with published values, and by IGP-M, to come."""
    first = add_months(CLAUSE_START, 12)
    created = [
        _clause(contracts["plataforma"], PriceIndex.IPCA, first),
        _clause(
            contracts["integracao"],
            PriceIndex.IGPM,
            add_months(contracts["integracao"].init_date or first, 12),
        ),
    ]
    return any(created)


def _clause(contract: Contract, index: str, first: date) -> bool:
    rule = contract.rules.get()
    _, created = ScheduledUpdate.objects.get_or_create(
        rule=rule,
        service_item=None,
        defaults={
            "price_index": index,
            "init_date": first,
            "execution_date": first,
            "remind_at": first - timedelta(days=30),
            "days_until_update": 30,
            "month_quantity": 12,
        },
    )
    return created
