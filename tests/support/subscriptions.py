"""Short ways to subscriptions that tests start from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from factories import cnpj
from support.wire import Api

from accounts.services.audit import SYSTEM
from billing.models import Contract, Party, Plan
from billing.services.subscriptions import establish_subscription

START = date(2025, 2, 12)


def plan_of(organization: Party, **fields: Any) -> Plan:
    """R$ 150,00 a month, without trial."""
    given = {"name": "Mensal", "price": Decimal("150.00"), "billing_period": 1}
    return Plan.objects.create(
        account=organization.account, organization=organization, **(given | fields)
    )


def customer(**fields: Any) -> dict[str, Any]:
    """Whoever subscribes, as the API is told."""
    return {"name": "Clínica", "email": "fin@clinica.test", "document": cnpj(77)} | fields


def subscribed(api: Api, plan: Plan, **fields: Any) -> dict[str, Any]:
    """A subscription in trial, as shown."""
    answer = api.post("subscriptions", {"plan_id": plan.pk, "customer": customer(**fields)})
    assert answer.status_code == 201, answer.content
    return answer.json()["subscription"]


def established(
    api: Api, plan: Plan, *, method: str = "billet", today: date = START, **fields: Any
) -> Contract:
    """A subscription whose customer chose how to pay."""
    pk = subscribed(api, plan)["id"]
    return establish_subscription(
        pk, account=plan.account, actor=SYSTEM, payment_method=method, today=today, **fields
    )


def change(api: Api, token: str, plan: Plan) -> Any:
    body = {"subscription": {"new_plan_id": plan.pk}}
    return api.patch(f"subscriptions/{token}/change_plan", body)


def cancelled(api: Api, token: str, body: Any = None) -> dict[str, Any]:
    """The subscription as shown after its cancellation."""
    answer = api.patch(f"subscriptions/{token}/cancel", body)
    assert answer.status_code == 200, answer.content
    return answer.json()["subscription"]
