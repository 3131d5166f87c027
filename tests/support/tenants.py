"""An account with one of everything that the API knows, and good bodies for what it may be sent."""

from __future__ import annotations

from typing import Any

from factories import cnpj, cpf
from support.wire import api_of

from accounts.models import Account, WebhookEndpoint
from billing.models import (
    ChargeTemplate,
    EmailTemplate,
    FinancialAccount,
    InvoiceTemplate,
    Nfse,
    NfseTemplate,
    RuleService,
    TemplateService,
)
from lib import clock

DAY = "2025-02-12"  # today, when the objects are made

# What an account has: names of objects → ids, tokens and documents; `api` is its client. Bodies
# use `name` in their texts and make documents and unique names from `n`.
World = dict[str, Any]


def nothing(world: World) -> dict[str, Any]:
    return {}


# --- good bodies -------------------------------------------------------------------------------


def organization(world: World) -> dict[str, Any]:
    return {"name": world["name"], "cnpj": cnpj(world["n"] + 1)}


def company(world: World) -> dict[str, Any]:
    return {"name": f"{world['name']} {world['n']}", "cnpj": cnpj(world["n"] + 2)}


def person(world: World) -> dict[str, Any]:
    return {"name": world["name"], "cpf": cpf(world["n"] + 3)}


def service_item(world: World) -> dict[str, Any]:
    return {"name": f"{world['name']} {world['n']}", "value": 10}


def contract(world: World) -> dict[str, Any]:
    return {
        "name": f"{world['name']} {world['n']}",
        "title": world["name"],
        "customer_id": world["company"],
        "customer_type": "Company",
        "supplier_id": world["organization"],
        "supplier_type": "Company",
    }


def service(world: World) -> dict[str, Any]:
    return {"service_item_id": world["service_item"], "units": 1, "unit_value": 100}


def plan(world: World) -> dict[str, Any]:
    return {
        "name": world["name"],
        "price": "100.00",
        "billing_period": 1,
        "charging_method": "pre_paid",
        "redirect_url": "https://exemplo.test/",
        "features": [{"description": world["name"], "value": "1", "tag": "x"}],
        "products": [service(world) | {"description": world["name"]}],
    }


def subscription(world: World) -> dict[str, Any]:
    customer = {"name": world["name"], "email": "a@exemplo.test", "document": cpf(world["n"] + 9)}
    return {"plan_id": world["plan"], "customer": customer}


def rule(world: World) -> dict[str, Any]:
    return {
        "additional_information": {
            "title": world["name"],
            "init_date": "01/03/2025",
            "end_date": "01/05/2025",
            "month_quantity": 1,
            "period_unit": "monthly",
        },
        "title": world["name"],
        "init_date": "01/03/2025",
        "end_date": "01/05/2025",
        "month_quantity": 1,
        "period_unit": "monthly",
        "description": world["name"],
        "nfe_body": world["name"],
        "services": [service(world)],
        "charge_type": "fixed_day",
        "receivables_additional_information": {"charge_type": "fixed_day", "day_number": 10},
    }


def attachment(world: World) -> dict[str, Any]:
    return {"filename": f"{world['name']}.txt", "content": "b2k=", "content_type": "text/plain"}


def invoice(world: World) -> dict[str, Any]:
    return {
        "issue_date": "20/02/2025",
        "description": world["name"],
        "nfe_body": world["name"],
        "receivables": [{"value": 100, "due_date": "10/03/2025"}],
        "services": [service(world)],
        "attachments": [attachment(world)],
    }


def invoice_changes(world: World) -> dict[str, Any]:
    parcel = {"id": world["receivable"], "due_date": "11/03/2025"}
    return invoice(world) | {"receivables": [parcel]}


def webhook(world: World) -> dict[str, Any]:
    # Another description alone: another address would have to answer a test first.
    return {"description": world["name"]}


# --- the account ----------------------------------------------------------------------------


def build(account: Account, name: str, n: int) -> World:
    """One of everything in `account`, all texts `name`; documents are made from `n`."""
    api = api_of(account)
    world: World = {"name": name, "n": n + 100, "api": api, "account": account}

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = api.post(path, body)
        assert answer.status_code == 201, (path, answer.content)
        [shown] = answer.json().values()
        return dict(shown)

    base = world | {"n": n}
    for key, path, body in (
        ("organization", "organizations", organization),
        ("company", "companies", company),
        ("person", "people", person),
        ("service_item", "service_items", service_item),
    ):
        made = post(path, body(base))
        world[key] = made["id"]
        for named in ("cnpj", "cpf", "name"):
            world[f"{key}_{named}"] = made.get(named)
    contract_ = post("contracts", contract(base | world | {"n": n}))
    plan_ = post(f"organizations/{world['organization']}/plans", plan(world))
    world |= {"contract": contract_["id"], "plan": plan_["id"]}
    world["plan_product"] = plan_["products"][0]["id"]
    world["subscription_token"] = post("subscriptions", subscription(base | world))["token"]
    of_contract = f"contracts/{world['contract']}"
    world["rule"] = post(f"{of_contract}/invoice_rules", rule(world))["id"]
    world["rule_service"] = RuleService.objects.get(rule_id=world["rule"]).pk
    invoice_ = post(f"{of_contract}/invoices", invoice(world))
    world |= {
        "invoice": invoice_["id"],
        "invoice_line": invoice_["services"][0]["id"],
        "receivable": invoice_["receivables"][0]["id"],
        "attachment": invoice_["attachments"][0]["id"],
    }
    return world | _rows(world)


def _rows(world: World) -> World:
    """What has no endpoint that makes it."""
    account, name = world["account"], world["name"]
    owner = {"account": account, "organization_id": world["organization"]}
    bank = FinancialAccount.objects.create(**owner, bank_account=name[:10])
    template = InvoiceTemplate.objects.create(
        **owner, name=name, description=name, period_unit="monthly", month_quantity=1
    )
    TemplateService.objects.create(
        template=template,
        service_item_id=world["service_item"],
        position=1,
        description=name,
        units=1,
        unit_value=10,
        value=10,
    )
    hook = WebhookEndpoint.objects.create(
        account=account, url="https://exemplo.test/", description=name, secret="s" * 32
    )
    nfse = Nfse.objects.create(
        **owner,
        customer_id=world["company"],
        invoice_id=world["invoice"],
        customer_type=Nfse.CustomerType.values[0],
        accrual_date=DAY,
        generated_at=clock.now(),
    )
    return {
        "financial_account": bank.pk,
        "charge_template": ChargeTemplate.objects.create(
            **owner, name=name, financial_account=bank
        ).pk,
        "email_template": EmailTemplate.objects.create(**owner, name=name).pk,
        "nfse_template": NfseTemplate.objects.create(**owner, name=name).pk,
        "invoice_template": template.pk,
        "webhook": hook.pk,
        "nfse": nfse.pk,
    }
