"""What a run would do, without writing anything (REC-8): the same plans, counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q

from accounts.models import Account
from billing.engine import readjustment as engine
from billing.engine.schedule import add_months
from billing.models import (
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    Management,
    Party,
    ScheduledUpdate,
    Suspension,
)
from billing.selectors.endings import due_endings, endings_by_contract, ends_before
from billing.services.contracts import final_lines, minimum_term_fine, unfinished
from billing.services.emission import emittable, obstacles, waiting
from billing.services.materialise import Context, due_rules, plan_rule, without_existing
from billing.services.planning import BadRule, RuleTerms, load_terms
from billing.services.readjustments import published_percents
from lib.money import half_up

_ZERO = Decimal("0.00")
_RULES_PER_READ = 1000
_MANAGEMENT = 2  # position of management_type in the options copied from the rule


@dataclass
class CustomerLine:
    """A customer's total in the simulated period and in the month before it."""

    customer: str
    invoices: int = 0
    total: Decimal = _ZERO
    previous: Decimal = _ZERO

    @property
    def difference(self) -> Decimal:
        return self.total - self.previous


@dataclass
class Simulation:
    """Counts and sums (BRL) of a run that was not done."""

    until: date
    to_create: int = 0
    to_create_total: Decimal = _ZERO
    to_emit: int = 0
    to_emit_total: Decimal = _ZERO
    finals: int = 0
    finals_total: Decimal = _ZERO
    readjustments: int = 0
    waiting_index: int = 0
    parked: dict[int, str] = field(default_factory=dict)
    not_emitted: dict[str, int] = field(default_factory=dict)
    customers: dict[int, CustomerLine] = field(default_factory=dict)
    previous_total: Decimal = _ZERO

    def emit(self, customer_id: int, amount: Decimal) -> None:
        self.to_emit += 1
        self.to_emit_total += amount
        line = self.customers.setdefault(customer_id, CustomerLine(""))
        line.invoices += 1
        line.total += amount


# rule → (execution date, service item or None for "the rest", exact factor), oldest first
Factors = dict[int, list[tuple[date, int | None, Decimal]]]


def simulate(account: Account, *, until: date, today: date) -> Simulation:
    """Everything run_billing would create, readjust and emit up to `until`."""
    result = Simulation(until)
    factors = _factors(account, until, result)
    _existing(account, until, factors, result)
    _to_create(account, until, today, factors, result)
    _finals(account, until, today, result)
    _previous_month(account, until, result)
    _name_customers(result)
    return result


def _factors(account: Account, until: date, result: Simulation) -> Factors:
    """Decide every due readjustment, the late ones date by date."""
    found: Factors = defaultdict(list)
    clauses = ScheduledUpdate.objects.filter(
        ~Q(rule__contract__status=Contract.Status.CANCELLED)
        | Q(execution_date__lte=F("rule__contract__cancel_date")),
        ~ends_before("execution_date", contract="rule__contract_id"),
        rule__account=account,
        execution_date__lte=until,
    ).select_related("rule")
    for clause in clauses:
        n, on = clause.next_n, clause.execution_date
        while on is not None and on <= until:
            decision = engine.decide(
                [],
                percents=published_percents(clause.price_index, on, clause.month_quantity),
                execution=on,
                month_quantity=clause.month_quantity,
                apply_negative=clause.rule.apply_negative_updates,  # type: ignore[union-attr]
            )
            if decision.outcome == engine.WAITING_INDEX:
                result.waiting_index += 1
                break
            if decision.outcome == engine.EXECUTED:
                result.readjustments += 1
                found[clause.rule_id or 0].append(
                    (on, clause.service_item_id, decision.factor or Decimal(1))
                )
            n += 1
            on = engine.execution_date(
                clause.init_date or on, month_quantity=clause.month_quantity, n=n
            )
    for steps in found.values():
        steps.sort(key=lambda step: step[0])
    return found


def _existing(account: Account, until: date, factors: Factors, result: Simulation) -> None:
    """Invoices already there that would be emitted."""
    ready = emittable(account, until=until, after_readjusting=True)
    plain = ready.exclude(rule_id__in=list(factors))
    for customer_id, gross in plain.values_list("customer_id", "gross_value").iterator():
        result.emit(customer_id, gross)
    raised = ready.filter(rule_id__in=list(factors)).prefetch_related("lines")
    for invoice in raised:
        result.emit(invoice.customer_id, _raised_total(invoice, factors[invoice.rule_id or 0]))
    reasons = obstacles()
    reasons.pop("reajuste")
    left = waiting(account, until=until)
    for code, (condition, _) in reasons.items():
        count = left.filter(condition).count()
        if count:
            result.not_emitted[code] = count
        left = left.exclude(condition)


def _raised_total(invoice: Invoice, steps: list[tuple[date, int | None, Decimal]]) -> Decimal:
    if invoice.edited_by_hand:
        return invoice.gross_value
    lines = list(invoice.lines.all())
    own = {item for _, item, _ in steps if item is not None}
    return sum((_raised(line, invoice.issue_date, steps, own) for line in lines), _ZERO)


def _raised(
    line: InvoiceLine | Any,
    issue: date,
    steps: list[tuple[date, int | None, Decimal]],
    own: set[int],
) -> Decimal:
    price = line.unit_value
    for on, item, factor in steps:
        covered = line.service_item_id == item if item else line.service_item_id not in own
        if covered and issue >= on:
            price = engine.readjusted(price, factor=factor)
    return half_up(line.units * price)


def _to_create(
    account: Account, until: date, today: date, factors: Factors, result: Simulation
) -> None:
    context = Context(account, max(until, today), today)
    rules = due_rules(account, max(until, today))
    last = 0
    while chunk := load_terms(rules.filter(id__gt=last).order_by("id")[:_RULES_PER_READ]):
        last = chunk[-1].id
        plans = without_existing(list(_plans(chunk, context, result)))
        contract_ids = {item.rule.contract_id for item in plans}
        ready, ends = _ready_contracts(contract_ids), endings_by_contract(account, contract_ids)
        for item in plans:
            end = ends.get(item.rule.contract_id)
            if end is not None and item.issue > end.effective_on:
                continue  # the customer was told that nothing is billed for it
            steps = factors.get(item.rule.id, [])
            own = {step[1] for step in steps if step[1] is not None}
            total = sum((_raised(s, item.issue, steps, own) for s in item.rule.services), _ZERO)
            result.to_create += 1
            result.to_create_total += total
            automatic = item.rule.options[_MANAGEMENT] == Management.AUTOMATIC
            if item.issue <= until and automatic and item.rule.contract_id in ready:
                result.emit(item.rule.customer_id, total)


def _plans(chunk: list[RuleTerms], context: Context, result: Simulation) -> Iterator[Any]:
    for rule in chunk:
        try:
            yield from plan_rule(rule, context)
        except BadRule as error:
            result.parked[rule.id] = str(error)


def _ready_contracts(ids: set[int]) -> set[int]:
    """Contracts whose invoices may be emitted without anybody's help."""
    barred = Suspension.objects.filter(kind=Suspension.Kind.EMISSION, lifted_at=None)
    return set(
        Contract.objects.filter(id__in=ids)
        .exclude(overdue=True, overdue_automatic_management=False)
        .exclude(id__in=barred.values("contract"))
        .exclude(party__document="")
        .values_list("id", flat=True)
    )


def _finals(account: Account, until: date, today: date, result: Simulation) -> None:
    for contract in [*unfinished(account, until=until), *_ended(account, today)]:
        fine = minimum_term_fine(contract)
        for terms in load_terms(InvoiceRule.objects.filter(contract=contract).order_by("id")):
            total = sum((line.value for line in final_lines(contract, terms) + fine), _ZERO)
            fine = []
            if total:
                result.finals += 1
                result.finals_total += total
                if terms.options[_MANAGEMENT] == Management.AUTOMATIC:
                    result.emit(terms.customer_id, total)


def _ended(account: Account, today: date) -> list[Contract]:
    """Contracts that the run would cancel first, as they would be then."""
    found = []
    for row in due_endings(account, today=today).select_related("contract"):
        contract = row.contract
        if contract.status == Contract.Status.CANCELLED:
            continue
        if contract.registration_method == Contract.Registration.SUBSCRIPTION:
            continue  # those owe only what was emitted
        contract.cancel_date = row.effective_on
        found.append(contract)
    return found


def _previous_month(account: Account, until: date, result: Simulation) -> None:
    """What each customer was billed in the calendar month before that of `until`."""
    start = add_months(until.replace(day=1), -1)
    end = until.replace(day=1) - timedelta(days=1)
    emitted = Invoice.objects.of(account).filter(
        state__in=(Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED),
        issue_date__range=(start, end),
    )
    for customer_id, gross in emitted.values_list("customer_id", "gross_value").iterator():
        result.previous_total += gross
        line = result.customers.setdefault(customer_id, CustomerLine(""))
        line.previous += gross


def _name_customers(result: Simulation) -> None:
    names = Party.objects.in_bulk(list(result.customers)) if result.customers else {}
    for pk, line in result.customers.items():
        line.customer = names[pk].name
