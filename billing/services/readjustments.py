"""Apply price-index clauses to rules and to their invoices not yet emitted (§8.6)."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, record_many
from billing.engine import readjustment as engine
from billing.engine.splitting import split_like
from billing.models import (
    BillingRun,
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    PriceIndex,
    PriceIndexValue,
    Readjustment,
    Receivable,
    RuleService,
    RunEntry,
    ScheduledUpdate,
)
from billing.selectors.endings import ends_before
from billing.services.materialise import ENTRY_COLUMNS
from lib import clock
from lib.bulk import insert_rows, update_rows
from lib.money import half_up

log = logging.getLogger(__name__)

CLAUSES_PER_BATCH = 500
_ZERO = Decimal("0.00")


@dataclass
class Readjusted:
    """How many executions were applied, skipped, or wait for an index."""

    executed: int = 0
    skipped: int = 0
    waiting: int = 0


@dataclass
class Work:
    """The rows of one batch, changed in memory and written at the end."""

    services: dict[int, list[RuleService]]
    invoices: dict[int, list[Invoice]]
    lines: dict[int, list[InvoiceLine]]
    own_items: dict[int, set[int]]
    percents: dict[str, dict[date, Decimal]]
    touched_rules: set[int] = field(default_factory=set)
    touched_invoices: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Execution:
    """One clause decided on one date, with what it changed."""

    clause: ScheduledUpdate
    rule: InvoiceRule
    on: date
    decision: engine.Decision
    months: dict[str, str]
    values: list[dict[str, str]]
    n_invoices: int


def due_clauses(account: Account, *, until: date) -> QuerySet[ScheduledUpdate]:
    """Clauses whose execution date has come, of rules already materialised up to that date.

    A parked or paused rule that lags behind waits: executing first would give its missed
    occurrences, older than the readjustment, the new price. A cancelled contract is readjusted up
    to its last day, for what is still to be emitted of it, and so is one that is to end.
    """
    return ScheduledUpdate.objects.filter(
        Q(rule__next_occurrence=None) | Q(rule__next_occurrence__gt=F("execution_date")),
        ~Q(rule__contract__status=Contract.Status.CANCELLED)
        | Q(execution_date__lte=F("rule__contract__cancel_date")),
        ~ends_before("execution_date", contract="rule__contract_id"),
        rule__account=account,
        execution_date__lte=until,
    )


def execute_due(
    account: Account,
    *,
    until: date,
    run: BillingRun | None = None,
    progress: Callable[[Readjusted], None] = lambda _: None,
) -> Readjusted:
    """Execute every due clause, oldest first; a clause late by years executes once per date.

    Each execution happens once: unique (clause, date), with the rule locked. Clauses whose index is
    not published stay due and are tried again by the next run (IDX-3).
    """
    done = Readjusted()
    waiting: set[int] = set()
    while ids := _next_clauses(account, until=until, waiting=waiting):
        waiting |= _isolating(account, ids, until=until, run=run, done=done)
        progress(done)
    done.waiting = len(waiting)
    return done


def _next_clauses(account: Account, *, until: date, waiting: set[int]) -> list[int]:
    """The oldest due clause of each of up to 500 rules."""
    rows = (
        due_clauses(account, until=until)
        .exclude(id__in=waiting)
        .order_by("execution_date", "id")
        .values_list("rule_id", "id")
    )
    oldest: dict[int, int] = {}
    for rule_id, clause_id in rows.iterator(chunk_size=CLAUSES_PER_BATCH):
        oldest.setdefault(rule_id, clause_id)
        if len(oldest) == CLAUSES_PER_BATCH:
            break
    return list(oldest.values())


def _isolating(
    account: Account,
    ids: Sequence[int],
    *,
    until: date,
    run: BillingRun | None,
    done: Readjusted,
) -> set[int]:
    """One batch; when it cannot be done, halve it until the clause at fault stands alone."""
    try:
        return _batch(account, ids, until=until, run=run, done=done)
    except (DatabaseError, ValueError, ArithmeticError) as error:
        if isinstance(error, OperationalError):
            raise
        if len(ids) == 1:
            _park(ids[0], error, run)
            return set(ids)
        middle = len(ids) // 2
        first = _isolating(account, ids[:middle], until=until, run=run, done=done)
        return first | _isolating(account, ids[middle:], until=until, run=run, done=done)


def _park(clause_id: int, error: Exception, run: BillingRun | None) -> None:
    """Tell that a readjustment cannot be applied; its invoices wait, the others go on."""
    log.warning("readjustment.refused", extra={"clause_id": clause_id, "error": str(type(error))})
    if run is None:
        return
    rule = InvoiceRule.objects.get(scheduled_updates=clause_id)
    why = "o reajuste deixaria fatura com valor negativo ou parcela abaixo do mínimo"
    outcome = RunEntry.Outcome.PARKED.value
    insert_rows(
        RunEntry,
        ENTRY_COLUMNS,
        [(run.pk, rule.pk, rule.contract_id, None, outcome, 0, _ZERO, why)],
    )


@transaction.atomic
def _batch(
    account: Account,
    ids: Sequence[int],
    *,
    until: date,
    run: BillingRun | None,
    done: Readjusted,
) -> set[int]:
    """Execute one date of each clause. Answers the clauses that wait for their index."""
    clauses, rules = _locked(account, ids, until=until)
    work = _load(clauses, rules)
    executions = [_execute(clause, rules[clause.rule_id or 0], work) for clause in clauses]
    _write(rules, work)
    _record(account, executions, run=run)
    # A clause that vanished from the lock was done by another run meanwhile: not tried again.
    gone = set(ids) - {clause.pk for clause in clauses}
    outcomes = [execution.decision.outcome for execution in executions]
    done.executed += outcomes.count(engine.EXECUTED)
    done.skipped += outcomes.count(engine.SKIPPED)
    return gone | {
        execution.clause.pk
        for execution in executions
        if execution.decision.outcome == engine.WAITING_INDEX
    }


def _locked(
    account: Account, ids: Sequence[int], *, until: date
) -> tuple[list[ScheduledUpdate], dict[int, InvoiceRule]]:
    """Rules first, in order of id, then their clauses, re-read under the lock."""
    rule_ids = ScheduledUpdate.objects.filter(id__among=ids).values("rule_id")
    rules = {
        rule.pk: rule
        for rule in InvoiceRule.objects.of(account)
        .filter(id__in=rule_ids)
        .order_by("id")
        .select_for_update(no_key=True)
    }
    clauses = due_clauses(account, until=until).filter(id__among=ids)
    locked = clauses.order_by("execution_date", "id").select_for_update(of=("self",))
    return list(locked), rules


def _load(clauses: Sequence[ScheduledUpdate], rules: dict[int, InvoiceRule]) -> Work:
    invoices = list(
        Invoice.objects.filter(
            rule_id__among=rules, state=Invoice.State.TO_EMIT, edited_by_hand=False
        )
        .order_by("id")
        .select_for_update(of=("self",))
    )
    own_items: dict[int, set[int]] = defaultdict(set)
    for rule_id, item_id in ScheduledUpdate.objects.filter(
        rule_id__among=rules, service_item__isnull=False
    ).values_list("rule_id", "service_item_id"):
        own_items[rule_id].add(item_id)
    return Work(
        services=_grouped(RuleService.objects.filter(rule_id__among=rules), "rule_id"),
        invoices=_grouped(invoices, "rule_id"),
        lines=_grouped(InvoiceLine.objects.filter(invoice__in=invoices), "invoice_id"),
        own_items=own_items,
        percents=_percents(clauses),
    )


def _grouped(rows: Iterable[Any], key: str) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def _percents(clauses: Sequence[ScheduledUpdate]) -> dict[str, dict[date, Decimal]]:
    """Published variations of every month that any of the clauses looks at."""
    months: dict[str, set[date]] = defaultdict(set)
    for clause in clauses:
        assert clause.execution_date is not None
        months[clause.price_index] |= set(
            engine.window(clause.execution_date, month_quantity=clause.month_quantity)
        )
    return {
        index: dict(
            PriceIndexValue.objects.filter(
                index=index, month__in=wanted, is_current=True
            ).values_list("month", "percent")
        )
        for index, wanted in months.items()
    }


def published_percents(index: str, on: date, month_quantity: int) -> dict[date, Decimal]:
    """Published variations of the months that an execution on `on` looks at (IDX-3)."""
    months = engine.window(on, month_quantity=month_quantity)
    return dict(
        PriceIndexValue.objects.filter(index=index, month__in=months, is_current=True).values_list(
            "month", "percent"
        )
    )


def _execute(clause: ScheduledUpdate, rule: InvoiceRule, work: Work) -> Execution:
    """Decide one clause and change the rows in memory."""
    on = clause.execution_date
    assert on is not None
    services = [s for s in work.services.get(rule.pk, []) if _covers(clause, s, work, rule.pk)]
    prices = [service.unit_value for service in services]
    if not prices and not work.services.get(rule.pk):
        prices = [rule.gross_value]
    percents = work.percents[clause.price_index]
    decision = engine.decide(
        prices,
        percents=percents,
        execution=on,
        month_quantity=clause.month_quantity,
        apply_negative=rule.apply_negative_updates,
    )
    changed = 0
    if decision.outcome == engine.EXECUTED:
        assert decision.factor is not None
        _raise_rule(rule, services, decision, work)
        changed = _raise_invoices(clause, rule, on, decision.factor, work)
    _move_on(clause, decision.outcome)
    window = engine.window(on, month_quantity=clause.month_quantity)
    return Execution(
        clause=clause,
        rule=rule,
        on=on,
        decision=decision,
        months={f"{m:%Y-%m}": str(percents[m]) for m in window if m in percents},
        values=_before_and_after(services, prices, decision),
        n_invoices=changed,
    )


def _covers(clause: ScheduledUpdate, row: Any, work: Work, rule_id: int) -> bool:
    """IDX-4: the named service; without one, every service that has no clause of its own."""
    if clause.service_item_id is not None:
        return bool(row.service_item_id == clause.service_item_id)
    return row.service_item_id not in work.own_items.get(rule_id, set())


def _raise_rule(
    rule: InvoiceRule, services: list[RuleService], decision: engine.Decision, work: Work
) -> None:
    work.touched_rules.add(rule.pk)
    for service, price in zip(services, decision.new_values, strict=False):
        service.unit_value = price
        service.value = half_up(service.units * price)
    everything = work.services.get(rule.pk, [])
    rule.gross_value = (
        sum((service.value for service in everything), _ZERO)
        if everything
        else decision.new_values[0]
    )


def _raise_invoices(
    clause: ScheduledUpdate, rule: InvoiceRule, on: date, factor: Decimal, work: Work
) -> int:
    """IDX-5: invoices issued on or after the date, not emitted and not edited by hand."""
    changed = 0
    for invoice in work.invoices.get(rule.pk, []):
        if invoice.issue_date < on:
            continue
        for line in work.lines.get(invoice.pk, []):
            if _covers(clause, line, work, rule.pk):
                line.unit_value = engine.readjusted(line.unit_value, factor=factor)
                line.value = half_up(line.units * line.unit_value)
                line.tax_amount = half_up(line.value * line.tax_percentage / 100)
        _sum_up(invoice, work.lines.get(invoice.pk, []))
        work.touched_invoices.add(invoice.pk)
        changed += 1
    return changed


def _sum_up(invoice: Invoice, lines: list[InvoiceLine]) -> None:
    """INV-2; what is withheld from the customer's payment stays withheld."""
    withheld = invoice.gross_value - invoice.payment_value
    invoice.total_amount = sum((line.value for line in lines), _ZERO)
    invoice.total_tax = sum((line.tax_amount for line in lines), _ZERO)
    invoice.gross_value = invoice.total_amount + invoice.total_tax
    invoice.payment_value = invoice.gross_value - withheld


def _move_on(clause: ScheduledUpdate, outcome: str) -> None:
    if outcome == engine.WAITING_INDEX:
        if clause.state != ScheduledUpdate.State.WAITING_INDEX:
            clause.wait_index()
            clause.save()
        return
    n = clause.next_n + 1
    assert clause.init_date is not None
    following = engine.execution_date(clause.init_date, month_quantity=clause.month_quantity, n=n)
    remind = engine.remind_date(following, days_until_update=clause.days_until_update)
    clause.reschedule(n=n, execution=following, remind=remind)
    clause.save()


def _before_and_after(
    services: list[RuleService], before: list[Decimal], decision: engine.Decision
) -> list[dict[str, str]]:
    names: list[int | None] = [service.service_item_id for service in services] or [None]
    return [
        {"servico": str(name or ""), "antes": str(old), "depois": str(new)}
        for name, old, new in zip(names, before, decision.new_values, strict=False)
    ]


def _write(rules: dict[int, InvoiceRule], work: Work) -> None:
    """Everything that changed, one statement per table."""
    now = clock.now()
    touched = sorted(work.touched_rules)
    update_rows(
        InvoiceRule,
        ("id", "gross_value", "updated_at"),
        [(pk, rules[pk].gross_value, now) for pk in touched],
    )
    update_rows(
        RuleService,
        ("id", "unit_value", "value"),
        [(s.pk, s.unit_value, s.value) for pk in touched for s in work.services.get(pk, [])],
    )
    invoices = [
        invoice
        for rows in work.invoices.values()
        for invoice in rows
        if invoice.pk in work.touched_invoices
    ]
    update_rows(
        Invoice,
        ("id", "total_amount", "total_tax", "gross_value", "payment_value"),
        [(i.pk, i.total_amount, i.total_tax, i.gross_value, i.payment_value) for i in invoices],
    )
    update_rows(
        InvoiceLine,
        ("id", "unit_value", "value", "tax_amount"),
        [
            (line.pk, line.unit_value, line.value, line.tax_amount)
            for invoice in invoices
            for line in work.lines.get(invoice.pk, [])
        ],
    )
    split_again(invoices)


def split_again(invoices: Sequence[Invoice]) -> None:
    """Divide changed totals among the parcels that exist, by the rule they were made with."""
    parcels: dict[int, list[Receivable]] = _grouped(
        Receivable.objects.filter(invoice__in=list(invoices)).order_by("position"), "invoice_id"
    )
    rows = []
    for invoice in invoices:
        mine = parcels.get(invoice.pk, [])
        gross = split_like(invoice.gross_value, [p.value for p in mine])
        payment = split_like(invoice.payment_value, [p.value for p in mine])
        rows += [
            (parcel.pk, gross_part, part, part)
            for parcel, gross_part, part in zip(mine, gross, payment, strict=True)
        ]
    update_rows(Receivable, ("id", "gross_value", "payment_value", "open_principal"), rows)


def _record(account: Account, executions: list[Execution], *, run: BillingRun | None) -> None:
    """Memory of calculation, audit and report (IDX-6)."""
    now = clock.now()
    final = [e for e in executions if e.decision.outcome != engine.WAITING_INDEX]
    insert_rows(
        Readjustment,
        (
            "account",
            "scheduled_update",
            "rule",
            "execution_date",
            "outcome",
            "price_index",
            "months",
            "factor",
            "values",
            "n_invoices",
            "executed_at",
        ),
        [
            (
                account.pk,
                e.clause.pk,
                e.rule.pk,
                e.on,
                e.decision.outcome,
                e.clause.price_index,
                e.months,
                str(e.decision.factor),
                e.values,
                e.n_invoices,
                now,
            )
            for e in final
        ],
    )
    for outcome, action in _ACTIONS.items():
        record_many(
            account,
            actor=SYSTEM,
            action=action,
            object_type="invoicerule",
            entries=[
                (
                    e.rule.pk,
                    {
                        "execucao": e.on.isoformat(),
                        "fator": str(e.decision.factor),
                        "valores": e.values,
                    },
                )
                for e in final
                if e.decision.outcome == outcome
            ],
        )
    if run is not None:
        insert_rows(RunEntry, ENTRY_COLUMNS, [_entry(run.pk, e) for e in executions])


_ACTIONS = {engine.EXECUTED: "reajuste.aplicado", engine.SKIPPED: "reajuste.ignorado"}

_OUTCOMES = {
    engine.EXECUTED: RunEntry.Outcome.READJUSTED,
    engine.SKIPPED: RunEntry.Outcome.READJUSTMENT_SKIPPED,
    engine.WAITING_INDEX: RunEntry.Outcome.WAITING_INDEX,
}


def _entry(run_id: int, execution: Execution) -> tuple[Any, ...]:
    return (
        run_id,
        execution.rule.pk,
        execution.rule.contract_id,
        None,
        _OUTCOMES[execution.decision.outcome].value,
        execution.n_invoices,
        _ZERO,
        _explain(execution),
    )


def _explain(execution: Execution) -> str:
    index = PriceIndex(execution.clause.price_index).label
    decision = execution.decision
    if decision.outcome == engine.WAITING_INDEX:
        months = ", ".join(f"{month:%m/%Y}" for month in decision.missing)
        return f"{index} de {months} ainda não publicado. O reajuste fica aguardando."
    assert decision.factor is not None
    percent = str(engine.accumulated_percent(decision.factor)).replace(".", ",")
    if decision.outcome == engine.SKIPPED:
        return f"{index} acumulado de {percent}%: reajuste negativo não permitido; valor mantido."
    return f"{index} acumulado de {percent}% a partir de {execution.on:%d/%m/%Y}"
