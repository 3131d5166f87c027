"""Plans and subscriptions that contract fixtures require."""

from __future__ import annotations

from typing import Any

from factories import cnpj
from support.moments import moment
from support.wire import SEEDERS, Fixture, seeds

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.api.v1.fields import parse_date
from billing.api.v1.plans import PlanIn
from billing.models import Contract, Party, Plan, PlanProduct, ServiceItem
from billing.services.plans import create_plan
from lib.br import fold

SUPPLIER = 301
FIRST_PLAN = 793  # of every subscription, until the endpoint changes it
_CARD_CHARGING = (
    "cobrato_payment_gateway_charge_config_id",
    "cobrato_payment_gateway_charge_config_name",
)


@seeds("plan")
def plan(pk: int, fixture: Fixture, account: Account) -> None:
    """A plan made by the service from the answer's values, then put under its ids."""
    if Plan.objects.filter(pk=pk).exists():
        return
    SEEDERS["organization"](SUPPLIER, fixture, account)
    body = {"name": f"Plano {pk}", "billing_period": 1, "price": "100.00"}
    body |= fixture.shown("plan", pk)
    products, features = body.pop("products", []), body.pop("features", [])
    sent = PlanIn.take({k: v for k, v in body.items() if v is not None}, partial=False)
    made = create_plan(
        sent.values, organization_id=SUPPLIER, account=account, actor=SYSTEM, faults=sent.faults
    )
    Plan.objects.filter(pk=made.pk).delete()
    made.pk, made.features = pk, features
    made.save(force_insert=True)
    if created := body.get("created_at"):
        Plan.objects.filter(pk=pk).update(created_at=moment(str(created)))
    for product in products:
        _product(made, product, account)


def _product(made: Plan, shown: dict[str, Any], account: Account) -> None:
    item, _ = ServiceItem.objects.get_or_create(account=account, name=shown["name"])
    values = {name: shown[name] for name in ("description", "units", "unit_value", "value")}
    PlanProduct.objects.create(pk=shown["id"], plan=made, service_item=item, **values)


@seeds("subscription")
def subscription(pk: int, fixture: Fixture, account: Account) -> None:
    """An established one, as the answer shows it but before its plan changed or it ended."""
    shown = fixture.response["json"]["subscription"]
    plan(FIRST_PLAN, fixture, account)
    customer = _customer(shown, account)
    first = Plan.objects.get(pk=FIRST_PLAN)
    name = f"Assinatura {customer.name} - {first.name}"
    contract = Contract(
        pk=pk,
        account=account,
        organization_id=shown["supplier_id"],
        party=customer,
        plan=first,
        name=name,
        title=name,
        token=shown["token"],
        registration_method=Contract.Registration.SUBSCRIPTION,
        status=Contract.Status.ESTABLISHED,
        init_date=parse_date(shown["init_date"]),
        valid_until=parse_date(shown["valid_until"]),
        integration={key: shown[key] for key in _CARD_CHARGING} | _payment(shown),
    )
    contract.save(force_insert=True)
    Contract.objects.filter(pk=pk).update(created_at=moment(shown["created_at"]))


def _customer(shown: dict[str, Any], account: Account) -> Party:
    """Its name stands in the subscription's."""
    name = shown["name"].removeprefix("Assinatura ").split(" - ")[0]
    return Party.objects.create(
        pk=shown["customer_id"],
        account=account,
        kind=Party.Kind.COMPANY,
        name=name,
        fold=fold(name),
        document=cnpj(shown["customer_id"]),
    )


def _payment(shown: dict[str, Any]) -> dict[str, Any]:
    node = shown["payment_information"]
    created = moment(node["created_at"]).isoformat()
    kept = {key: node[key] for key in ("payment_method", "installments")}
    return {"payment_information": kept | {"created_at": created}}
