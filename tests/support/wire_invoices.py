"""Invoices through the API: the shortest body that is accepted, and its variations."""

from __future__ import annotations

from typing import Any

from factories import ContractFactory, OrganizationFactory, PersonFactory, ServiceItemFactory
from support.wire import Api

from accounts.models import Account
from billing.models import Contract, ServiceItem


def contract_of(account: Account, **fields: Any) -> Contract:
    """A sale to a person."""
    organization = fields.pop("organization", None) or OrganizationFactory(account=account)
    party = fields.pop("party", None) or PersonFactory(account=account)
    return ContractFactory(account=account, organization=organization, party=party, **fields)


def body(**values: Any) -> dict[str, Any]:
    """R$ 500,00 without services, billed on 20/02/2025 and due on 10/03/2025."""
    return {
        "issue_date": "20/02/2025",
        "description": "Suporte de fevereiro",
        "nfe_body": "Serviços de suporte",
        "gross_value": 500,
        "receivables": [{"due_date": "10/03/2025"}],
    } | values


def service(item: ServiceItem, units: Any = 1, unit_value: Any = 100, **rest: Any) -> Any:
    return {"service_item_id": item.pk, "units": units, "unit_value": unit_value} | rest


def item_of(account: Account, **fields: Any) -> ServiceItem:
    return ServiceItemFactory(account=account, **fields)


def created(api: Api, contract: Contract, **values: Any) -> dict[str, Any]:
    """The invoice that the API answers for `body(**values)`."""
    answer = api.post(f"contracts/{contract.pk}/invoices", {"invoice": body(**values)})
    assert answer.status_code == 201, answer.content
    invoice: dict[str, Any] = answer.json()["invoice"]
    return invoice


def address(invoice: dict[str, Any], verb: str = "") -> str:
    return f"contracts/{invoice['contract_id']}/invoices/{invoice['id']}{verb and f'/{verb}'}"


def changed(api: Api, invoice: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The invoice after a PATCH that must succeed."""
    answer = api.patch(address(invoice), {"invoice": values})
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()["invoice"]
    return shown


def did(api: Api, invoice: dict[str, Any], verb: str) -> dict[str, Any]:
    """The invoice after an action (emit, cancel…) that must succeed."""
    answer = api.patch(address(invoice, verb))
    assert answer.status_code == 200, answer.content
    shown: dict[str, Any] = answer.json()["invoice"]
    return shown
