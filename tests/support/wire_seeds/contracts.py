"""Contracts that contract fixtures require."""

from __future__ import annotations

from typing import Any

from support.moments import moment
from support.wire import SEEDERS, Fixture, fixtures, seeds

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.api.v1.contracts import ContractIn
from billing.models import Contract
from billing.services.agreements import create_contract

_KINDS = {"Person": "person", "Company": "company"}


@seeds("contract")
def contract(pk: int, fixture: Fixture, account: Account) -> None:
    """A contract as the answer shows it, else as any fixture does: all tell of the same ones."""
    if Contract.objects.filter(pk=pk).exists():
        return
    shown = {
        "name": f"Contrato {pk}",
        "title": f"Contrato {pk}",
        "customer_id": 927,
        "customer_type": "Person",
        "supplier_id": 301,
        "supplier_type": "Company",
    } | contract_shown(pk, fixture)
    SEEDERS["organization"](shown["supplier_id"], fixture, account)
    SEEDERS[_KINDS[shown["customer_type"]]](shown["customer_id"], fixture, account)
    sent = ContractIn.take({k: v for k, v in shown.items() if v is not None}, partial=False)
    made = create_contract(sent.values, account=account, actor=SYSTEM, faults=sent.faults)
    Contract.objects.filter(pk=made.pk).delete()
    made.pk, made.token = pk, shown.get("token", made.token)
    made.save(force_insert=True)
    if created := shown.get("created_at"):
        Contract.objects.filter(pk=pk).update(created_at=moment(created))


def contract_shown(pk: int, fixture: Fixture) -> dict[str, Any]:
    """What this fixture, or the first that does, shows of the contract."""
    tellers = [fixture, *fixtures()]
    return next(filter(None, (one.shown("contract", pk) for one in tellers)), {})
