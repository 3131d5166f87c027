"""What happened under a customer's contract: readjustments and invoices (P12, P13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet

from billing.engine.readjustment import accumulated_percent
from billing.models import Contract, Invoice, Party, PriceIndex, Readjustment
from billing.selectors.customer_invoices import customer_invoices

_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Readjusted:
    """A readjustment that was decided: `percent` accumulated, values before and after it."""

    on: date
    index: str
    percent: Decimal
    was_applied: bool
    before: Decimal
    after: Decimal


def readjustments_of(contract: Contract) -> list[Readjusted]:
    """Every readjustment of the contract's rules, the last one first."""
    rows = Readjustment.objects.filter(rule__contract=contract).order_by("-execution_date", "-pk")
    return [
        Readjusted(
            row.execution_date,
            PriceIndex(row.price_index).label,
            accumulated_percent(Decimal(row.factor)),
            row.outcome == Readjustment.Outcome.EXECUTED,
            _sum(row.values, "antes"),
            _sum(row.values, "depois"),
        )
        for row in rows
    ]


def _sum(values: Iterable[dict[str, str]], key: str) -> Decimal:
    return sum((Decimal(value[key]) for value in values), _ZERO)


def contract_invoices(contract: Contract, customer: Party) -> QuerySet[Invoice]:
    """The emitted invoices of the contract that are not void, newest first."""
    mine = customer_invoices(contract.account, customer).filter(contract=contract, void=False)
    return mine.order_by("-issue_date", "-pk")


def open_invoices(contracts: Sequence[Contract], customer: Party) -> QuerySet[Invoice]:
    """Those of these contracts that are still to be received, oldest first."""
    if not contracts:
        return Invoice.objects.none()
    mine = customer_invoices(contracts[0].account, customer).filter(
        contract__in=list(contracts), state=Invoice.State.TO_RECEIVE
    )
    return mine.order_by("due_date", "pk")
