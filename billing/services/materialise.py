"""Create the invoices of recurring rules: every occurrence exactly once (§8.4, DECISIONS 1)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, record
from billing.engine.schedule import MONTHLY, WEEKLY, add_months, occurrence
from billing.models import (
    BillingOptions,
    BillingRun,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    Receivable,
    RunEntry,
)
from billing.services.planning import (
    BadRule,
    PlannedInvoice,
    RuleTerms,
    billable_rules,
    check,
    check_missed,
    horizon_of,
    load_terms,
    pending_dates,
    plan,
)
from lib import clock
from lib.bulk import insert_rows, reserve_ids, update_rows

log = logging.getLogger(__name__)

RULES_PER_BATCH = 1000
INVOICES_PER_BATCH = 4000  # about 20 MB of rows in memory

INVOICE_COLUMNS = (
    "id",
    "account",
    "organization",
    "customer",
    "contract",
    "rule",
    "occurrence_date",
    "title",
    "start_date",
    "end_date",
    "issue_date",
    "estimated_issue_date",
    "accrual_date",
    "due_date",
    "total_amount",
    "total_tax",
    "gross_value",
    "payment_value",
    "state",
    "approval_status",
    *BillingOptions.OPTION_FIELDS,
    "nfe",
    "fold",
    "created_at",
)
LINE_COLUMNS = (
    "invoice",
    "position",
    "service_item",
    "title",
    "description",
    "units",
    "unit_value",
    "value",
    "period_start",
    "period_end",
)
RECEIVABLE_COLUMNS = (
    "account",
    "invoice",
    "position",
    "due_date",
    "original_due_date",
    "value",
    "gross_value",
    "payment_value",
    "open_principal",
    "state",
    "created_at",
    "listed_for",
    "invoice_date",
)
_ZERO = Decimal("0.00")


@dataclass
class Materialised:
    """What a materialisation did: invoices created, their sum (BRL), rules parked with reason."""

    created: int = 0
    amount: Decimal = _ZERO
    rules: int = 0
    parked: dict[int, str] = field(default_factory=dict)

    def add(self, other: Materialised) -> None:
        self.created += other.created
        self.amount += other.amount
        self.rules += other.rules
        self.parked |= other.parked


@dataclass(frozen=True)
class Context:
    """What is the same for all batches of a materialisation."""

    account: Account
    reference: date | None  # None: the rules were just made, fill their first block
    today: date
    run: BillingRun | None = None
    limit: date | None = None

    @property
    def is_nightly(self) -> bool:
        return self.reference is not None


def materialise(
    account: Account, *, rule_ids: Sequence[int], limit: date | None = None
) -> Materialised:
    """Create what just-made or re-scheduled rules are worth up to their first horizon, or `limit`.

    Every occurrence is created, the past ones too, with its own date. Waits for other runs working
    on the same rules; a rule that cannot be billed is parked and told in the result.
    """
    context = Context(account, None, clock.today(account.time_zone), limit=limit)
    done = Materialised()
    for start in range(0, len(rule_ids), RULES_PER_BATCH):
        done.add(_drain(sorted(rule_ids[start : start + RULES_PER_BATCH]), context))
    return done


def extend(
    account: Account,
    *,
    until: date,
    today: date,
    run: BillingRun | None = None,
    progress: Callable[[Materialised], None] = lambda _: None,
) -> Materialised:
    """Extend every rule of the account so that its horizon lies ahead of `until` and `today`.

    Batches commit whole, so a crash leaves complete invoices only and the next run goes on from
    there. Rules that another run is working on right now are left to it.
    """
    context = Context(account, max(until, today), today, run)
    done = Materialised()
    last_id = 0
    while ids := _due_rules(context, after=last_id):
        done.add(_drain(ids, context))
        last_id = ids[-1]
        progress(done)
    return done


def due_rules(account: Account, reference: date) -> QuerySet[InvoiceRule]:
    """Rules with less than the account's "ahead" months of invoices beyond `reference`."""
    monthly = add_months(reference, account.monthly_ahead_months)
    weekly = add_months(reference, account.weekly_ahead_months)
    return billable_rules(account).filter(
        Q(period_unit=MONTHLY, next_occurrence__lte=monthly)
        | Q(period_unit=WEEKLY, next_occurrence__lte=weekly)
    )


def _due_rules(context: Context, *, after: int) -> list[int]:
    assert context.reference is not None
    rules = due_rules(context.account, context.reference).filter(id__gt=after)
    return list(rules.order_by("id").values_list("id", flat=True)[:RULES_PER_BATCH])


def _drain(ids: Sequence[int], context: Context) -> Materialised:
    """Do all of `ids`, as many transactions as the batch size asks for."""
    done = Materialised()
    rest = list(ids)
    while rest:
        result, seen = _isolating(rest, context)
        done.add(result)
        rest = rest[seen:]
    return done


def _isolating(ids: Sequence[int], context: Context) -> tuple[Materialised, int]:
    """One batch; when the database refuses it, halve it until the rule at fault stands alone."""
    try:
        return _batch(ids, context)
    except (IntegrityError, DataError, ArithmeticError) as error:
        if len(ids) == 1:
            log.warning("rule.parked", extra={"rule_id": ids[0], "error": type(error).__name__})
            return _park_refused(ids[0], context), 1
        return _isolating(ids[: len(ids) // 2], context)


@transaction.atomic
def _batch(ids: Sequence[int], context: Context) -> tuple[Materialised, int]:
    """Create the invoices of a prefix of `ids` and say how long the prefix was.

    The locked rule row serialises everybody who creates occurrences of it; the unique constraint
    on (rule, occurrence_date) stands behind. Queries: constant, whatever the size (REC-5).
    """
    rules = billable_rules(context.account).filter(id__among=ids).order_by("id")
    locked = rules.select_for_update(of=("self",), skip_locked=context.is_nightly, no_key=True)
    plans, parked, seen = _plan_batch(load_terms(locked), ids, context)
    plans = without_existing(plans)
    amount = _write(plans, context)
    _advance(plans, parked, context)
    _report(plans, parked, context)
    return Materialised(len(plans), amount, seen, {r.id: why for r, why in parked}), seen


Planned = list[PlannedInvoice]
Parked = list[tuple[RuleTerms, str]]


def _plan_batch(
    terms: list[RuleTerms], ids: Sequence[int], context: Context
) -> tuple[Planned, Parked, int]:
    plans: Planned = []
    parked: Parked = []
    for rule in terms:
        if len(plans) >= INVOICES_PER_BATCH:
            return plans, parked, list(ids).index(rule.id)
        try:
            plans.extend(plan_rule(rule, context))
        except BadRule as error:
            parked.append((rule, str(error)))
    return plans, parked, len(ids)


def plan_rule(rule: RuleTerms, context: Context) -> Planned:
    """Everything the rule still has to create. Raises BadRule."""
    check(rule)
    until = context.limit or horizon_of(rule, account=context.account, today=context.reference)
    dates = pending_dates(rule, until=until)
    if context.is_nightly:
        check_missed(dates, today=context.today)
    return list(plan(rule, dates))


def without_existing(plans: Planned) -> Planned:
    """Leave out occurrences that exist: those of an earlier schedule (SCH-5), or voided (REC-4)."""
    if not plans:
        return plans
    rule_ids = {item.rule.id for item in plans}
    earliest = min(item.issue for item in plans)
    existing = set(
        Invoice.objects.filter(rule_id__among=rule_ids, occurrence_date__gte=earliest).values_list(
            "rule_id", "occurrence_date"
        )
    )
    return [item for item in plans if (item.rule.id, item.issue) not in existing]


def _write(plans: Planned, context: Context) -> Decimal:
    ids = reserve_ids(Invoice, len(plans))
    now = clock.now()
    account_id = context.account.pk
    numbered = list(zip(ids, plans, strict=True))
    insert_rows(
        Invoice, INVOICE_COLUMNS, (_invoice_row(i, p, account_id, now) for i, p in numbered)
    )
    insert_rows(InvoiceLine, LINE_COLUMNS, line_rows(numbered))
    insert_rows(Receivable, RECEIVABLE_COLUMNS, receivable_rows(numbered, account_id, now))
    return sum((item.total for item in plans), _ZERO)


def _invoice_row(pk: int, item: PlannedInvoice, account_id: int, now: Any) -> tuple[Any, ...]:
    rule = item.rule
    return (
        pk,
        account_id,
        rule.organization_id,
        rule.customer_id,
        rule.contract_id,
        rule.id,
        item.issue,
        rule.title,
        item.start,
        item.end,
        item.issue,
        item.issue,
        item.accrual,
        item.parcels[0].due,
        item.total,
        _ZERO,
        item.total,
        item.total,
        Invoice.State.TO_EMIT.value,
        Invoice.Approval.APPROVED.value,
        *rule.options,
        {},
        rule.fold,
        now,
    )


def line_rows(numbered: Iterable[tuple[int, PlannedInvoice]]) -> Iterable[tuple[Any, ...]]:
    for pk, item in numbered:
        for position, line in enumerate(item.rule.services, start=1):
            yield (pk, position, *line, item.start, item.end)


def receivable_rows(
    numbered: Iterable[tuple[int, PlannedInvoice]], account_id: int, now: Any
) -> Iterable[tuple[Any, ...]]:
    state = Receivable.State.TO_EMIT.value
    for pk, item in numbered:
        for position, (day, percent, amount) in enumerate(item.parcels, start=1):
            yield (
                account_id, pk, position, day, day, percent, amount, amount, amount, state, now,
                item.rule.organization_id if item.rule.contract_id else None, item.issue,
            )  # fmt: skip


def _advance(plans: Planned, parked: Parked, context: Context) -> None:
    """Move each rule past what was created; lift or write the reason it is parked."""
    now = clock.now()
    last: dict[int, PlannedInvoice] = {}
    for item in plans:
        last[item.rule.id] = item
    update_rows(
        InvoiceRule,
        ("id", "next_n", "next_occurrence", "last_occurrence", "parked_reason", "parked_at"),
        [_position(item) for item in last.values()],
    )
    update_rows(
        InvoiceRule,
        ("id", "parked_reason", "parked_at"),
        [(rule.id, why, now) for rule, why in parked if why != rule.parked_reason],
    )


def _position(item: PlannedInvoice) -> tuple[Any, ...]:
    schedule = item.rule.schedule
    following = occurrence(schedule, item.n + 1)
    ended = schedule.end_date is not None and following > schedule.end_date
    return (item.rule.id, item.n + 1, None if ended else following, item.issue, "", None)


def _report(plans: Planned, parked: Parked, context: Context) -> None:
    """One audit entry for the batch; one report line per rule when a run asked for it."""
    if plans:
        record(
            context.account,
            actor=SYSTEM,
            action="rodada.faturas_criadas",
            target=context.run,
            after={"faturas": len(plans), "regras": len({item.rule.id for item in plans})},
        )
    if context.run is not None:
        insert_rows(RunEntry, ENTRY_COLUMNS, _entries(plans, parked, context.run.pk))


ENTRY_COLUMNS = (
    "run",
    "rule_id",
    "contract_id",
    "invoice_id",
    "outcome",
    "count",
    "amount",
    "detail",
)


def _entries(plans: Planned, parked: Parked, run_id: int) -> list[tuple[Any, ...]]:
    by_rule: dict[int, Planned] = {}
    for item in plans:
        by_rule.setdefault(item.rule.id, []).append(item)
    rows = [_created_entry(run_id, items) for items in by_rule.values()]
    outcome = RunEntry.Outcome.PARKED.value
    rows += [
        (run_id, rule.id, rule.contract_id, None, outcome, 0, _ZERO, why) for rule, why in parked
    ]
    return rows


def _created_entry(run_id: int, items: Planned) -> tuple[Any, ...]:
    rule = items[0].rule
    first, last = items[0].issue, items[-1].issue
    span = f"{first:%d/%m/%Y}" if first == last else f"{first:%d/%m/%Y} a {last:%d/%m/%Y}"
    return (
        run_id,
        rule.id,
        rule.contract_id,
        None,
        RunEntry.Outcome.CREATED.value,
        len(items),
        sum((item.total for item in items), _ZERO),
        f"emissão {span}",
    )


@transaction.atomic
def _park_refused(rule_id: int, context: Context) -> Materialised:
    """The database refused the rule's rows: say so on the rule and go on with the others."""
    why = "os dados da regra foram recusados pelo banco de dados; confira valores e textos"
    rule = InvoiceRule.objects.filter(pk=rule_id).first()
    if rule is None:
        return Materialised()
    InvoiceRule.objects.filter(pk=rule_id).update(parked_reason=why, parked_at=clock.now())
    if context.run is not None:
        outcome = RunEntry.Outcome.PARKED.value
        row = (context.run.pk, rule_id, rule.contract_id, None, outcome, 0, _ZERO, why)
        insert_rows(RunEntry, ENTRY_COLUMNS, [row])
    return Materialised(rules=1, parked={rule_id: why})
