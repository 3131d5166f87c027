"""The contracts that a customer sees: what each costs, when it bills next, how it ends (P12)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Exists, Min, OuterRef, Q, QuerySet, Subquery

from accounts.models import Account
from billing.engine.schedule import WEEKLY
from billing.models import (
    Contract,
    Invoice,
    InvoiceRule,
    Party,
    PriceIndex,
    RuleService,
    ScheduledUpdate,
)
from billing.selectors.endings import OpenEnding, ending_of, with_endings
from lib.errors import NotFound
from lib.money import half_up

_ZERO = Decimal("0.00")
_SHOWN = 2  # services named in a list
_EVERY = {
    1: "por mês",
    2: "a cada 2 meses",
    3: "a cada 3 meses",
    6: "a cada 6 meses",
    12: "por ano",
}


class Estado(StrEnum):
    """Values of `data-estado` of a contract (P-10)."""

    INICIADO = "iniciado"
    ATIVO = "ativo"
    CANCELADO = "cancelado"


WORDS = {Estado.INICIADO: "Iniciado", Estado.ATIVO: "Ativo", Estado.CANCELADO: "Cancelado"}


@dataclass(frozen=True)
class Price:
    """What a rule bills: `value` BRL each `every` (“por mês”, “a cada 3 meses”, “por semana”)."""

    title: str
    value: Decimal
    every: str
    monthly: Decimal


@dataclass(frozen=True)
class Item:
    """A service of a contract; money in BRL, `value` each period of its rule."""

    name: str
    description: str
    units: Decimal
    unit_value: Decimal
    value: Decimal
    every: str


@dataclass(frozen=True)
class ContractRow:
    """A contract as a list shows it. `monthly` is BRL a month, whatever the period.

    `next_billing` is the day of the next invoice; `index` names the one of `next_update`, and
    `waits_for_index` says that its months are not published yet. `items` are what it bills.
    """

    contract: Contract
    estado: Estado
    services: tuple[str, ...]
    prices: tuple[Price, ...]
    next_billing: date | None
    next_update: date | None
    index: str
    waits_for_index: bool
    ending: OpenEnding | None
    items: tuple[Item, ...] = ()

    @property
    def texto(self) -> str:
        return WORDS[self.estado]

    @property
    def monthly(self) -> Decimal:
        return sum((price.monthly for price in self.prices), _ZERO)

    @property
    def is_plainly_monthly(self) -> bool:
        """Is what is billed the monthly value itself?"""
        return all(price.value == price.monthly for price in self.prices)

    @property
    def services_text(self) -> str:
        """The first services by name, and how many more there are."""
        more = len(self.services) - _SHOWN
        text = ", ".join(self.services[:_SHOWN]) or self.contract.title
        return f"{text} e mais {more}" if more > 0 else text

    @property
    def may_end(self) -> bool:
        """May the customer ask for its end?"""
        return self.estado != Estado.CANCELADO and self.ending is None


def customer_contracts(account: Account, customer: Party) -> QuerySet[Contract]:
    """Every contract under which the customer is billed; the organization is loaded."""
    found: QuerySet[Contract] = (
        Contract.objects.of(account)
        .filter(party=customer, kind=Contract.Kind.SALE)
        .select_related("organization", "account")
    )
    return found


def get_customer_contract(account: Account, customer: Party, contract_id: int) -> Contract:
    """One of them, with what `ending_of` reads. Raises NotFound."""
    mine = customer_contracts(account, customer).filter(pk=contract_id)
    found = with_endings(mine).first()
    if found is None:
        raise NotFound()
    return found


def contract_rows(
    account: Account, customer: Party, *, today: date, cancelled: bool = False
) -> list[ContractRow]:
    """The contracts in force, oldest first; with `cancelled` the cancelled ones after them."""
    contracts = customer_contracts(account, customer)
    if not cancelled:
        contracts = contracts.exclude(status=Contract.Status.CANCELLED)
    rows = rows_of(contracts.order_by("pk"), today=today)
    return sorted(rows, key=lambda row: row.estado == Estado.CANCELADO)


def contract_counts(account: Account, customer: Party) -> tuple[int, int]:
    """How many are “Ativo”, and how many “Iniciado”."""
    live = customer_contracts(account, customer).exclude(status=Contract.Status.CANCELLED)
    paid = list(live.values_list(Exists(_received()), flat=True))
    return sum(paid), len(paid) - sum(paid)


def rows_of(contracts: QuerySet[Contract], *, today: date) -> list[ContractRow]:
    """These contracts as a list shows them; three queries, however many they are."""
    found: list[Any] = list(
        with_endings(contracts).annotate(is_paid=Exists(_received()), next_issue=_next_issue(today))
    )
    rules = _rules([contract.pk for contract in found])
    services = _services([rule.pk for mine in rules.values() for rule in mine])
    return [_row(one, rules[one.pk], services, today) for one in found]


def get_row(account: Account, customer: Party, contract_id: int, *, today: date) -> ContractRow:
    """One contract of the customer, as a list shows it. Raises NotFound."""
    mine = customer_contracts(account, customer).filter(pk=contract_id)
    rows = rows_of(mine, today=today)
    if not rows:
        raise NotFound()
    return rows[0]


def _received() -> QuerySet[Invoice]:
    """Invoices of the contract for which something was received (P-10)."""
    return Invoice.objects.filter(
        Q(state=Invoice.State.RECEIVED) | Q(paid_total__gt=0), contract_id=OuterRef("pk")
    )


def _next_issue(today: date) -> Subquery:
    planned = Invoice.objects.filter(
        contract_id=OuterRef("pk"),
        state=Invoice.State.TO_EMIT,
        is_final=False,
        issue_date__gte=today,
    )
    return Subquery(
        planned.order_by().values("contract_id").annotate(n=Min("issue_date")).values("n")
    )


def _rules(contract_ids: Sequence[int]) -> dict[int, list[Any]]:
    """The contracts' rules, each with its next readjustment."""
    first = ScheduledUpdate.objects.filter(
        rule_id=OuterRef("pk"), execution_date__isnull=False
    ).order_by("execution_date", "pk")
    rows = InvoiceRule.objects.filter(contract_id__in=contract_ids).annotate(
        update_on=Subquery(first.values("execution_date")[:1]),
        update_index=Subquery(first.values("price_index")[:1]),
        update_state=Subquery(first.values("state")[:1]),
    )
    grouped: dict[int, list[Any]] = defaultdict(list)
    for rule in rows.order_by("pk"):
        grouped[rule.contract_id].append(rule)
    return grouped


def _services(rule_ids: Sequence[int]) -> dict[int, list[RuleService]]:
    grouped: dict[int, list[RuleService]] = defaultdict(list)
    rows = RuleService.objects.filter(rule_id__in=rule_ids).select_related("service_item")
    for service in rows.order_by("rule_id", "position"):
        grouped[service.rule_id].append(service)
    return grouped


def _row(
    contract: Any, rules: Sequence[Any], services: dict[int, list[RuleService]], today: date
) -> ContractRow:
    is_cancelled = contract.status == Contract.Status.CANCELLED
    # Cancelling ends every rule: what a cancelled contract did cost is still told.
    shown = [one for one in rules if is_cancelled or one.status != InvoiceRule.Status.ENDED]
    dated = [one for one in shown if one.update_on is not None and not is_cancelled]
    first = min(dated, key=lambda one: (one.update_on, one.pk), default=None)
    ending = None if is_cancelled else ending_of(contract)
    last = ending.effective_on if ending else None
    items = tuple(item for rule in shown for item in _items(rule, services[rule.pk]))
    names = [service.service_item.name for rule in shown for service in services[rule.pk]]
    return ContractRow(
        contract=contract,
        estado=_estado(contract),
        services=tuple(dict.fromkeys(names)),
        prices=tuple(_price(rule) for rule in shown),
        next_billing=None if is_cancelled else _up_to(last, _next(contract, shown, today)),
        next_update=_up_to(last, first.update_on if first else None),
        index=PriceIndex(first.update_index).label if first else "",
        waits_for_index=bool(first and first.update_state == ScheduledUpdate.State.WAITING_INDEX),
        ending=ending,
        items=items,
    )


def _items(rule: InvoiceRule, services: Sequence[RuleService]) -> list[Item]:
    """What a rule bills; one without services is one item."""
    every = _price(rule).every
    if not services and rule.gross_value:
        return [Item(str(rule), "", Decimal(1), rule.gross_value, rule.gross_value, every)]
    return [
        Item(one.service_item.name, one.description, one.units, one.unit_value, one.value, every)
        for one in services
    ]


def _estado(contract: Any) -> Estado:
    if contract.status == Contract.Status.CANCELLED:
        return Estado.CANCELADO
    return Estado.ATIVO if contract.is_paid else Estado.INICIADO


def _next(contract: Any, rules: Iterable[InvoiceRule], today: date) -> date | None:
    """The next invoice that is planned, or the day on which a rule will bill."""
    ahead = [
        rule.next_occurrence
        for rule in rules
        if rule.next_occurrence is not None
        and rule.next_occurrence >= today
        and rule.status == InvoiceRule.Status.ACTIVE
    ]
    planned = [contract.next_issue] if contract.next_issue else []
    return min([*ahead, *planned], default=None)


def _up_to(last: date | None, day: date | None) -> date | None:
    """`day`, unless the contract has ended before it."""
    return None if last is not None and day is not None and day > last else day


def _price(rule: InvoiceRule) -> Price:
    value, title = rule.gross_value, str(rule)
    if rule.period_unit == WEEKLY:
        return Price(title, value, "por semana", half_up(value * 52 / 12))
    months = rule.month_quantity or 1
    every = _EVERY.get(months, f"a cada {months} meses")
    return Price(title, value, every, half_up(value / months))
