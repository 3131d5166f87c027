"""Rules, their services and readjustment clauses into the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Max

from billing.engine import readjustment
from billing.engine.schedule import WEEKLY, Schedule, first_n_after, horizon, occurrence
from billing.models import InvoiceRule, Readjustment, RuleService, ScheduledUpdate
from billing.services.imports.comparing import CLAUSE_FIELDS
from billing.services.imports.context import Context, Found
from billing.services.imports.lines import Section
from billing.services.imports.reading import Group, RuleGroup
from billing.services.imports.rows import insert_all, update_all
from billing.services.planning import MAX_MISSED
from lib.br import date_br
from lib.bulk import insert_rows, reserve_ids, update_rows

_SCHEDULE = {"init_date", "end_date", "period_unit", "month_quantity"}
# Changes of these give the invoices not yet emitted other dates; any other rewrites them in place.
_DATES = _SCHEDULE | {
    "accrual_month_quantity",
    "charge_type",
    "day_number",
    "day_quantity",
    "due_month_quantity",
    "only_business_days",
    "parcel_number",
}
_SERVICE_COLUMNS = (
    "rule",
    "position",
    "service_item",
    "description",
    "units",
    "unit_value",
    "value",
)
_CLAUSE_COLUMNS = (
    "id",
    "price_index",
    "init_date",
    "month_quantity",
    "next_n",
    "execution_date",
    "remind_at",
    "notified",
    "state",
    "updated_at",
)

Pair = tuple[Group, RuleGroup]


def write_rules(groups: Sequence[Group], found: Found, context: Context) -> None:
    """Write the rules of a batch whose contracts are already there."""
    pairs = [(group, rule) for group in groups for rule in group.rules.values()]
    new = [(group, rule) for group, rule in pairs if rule.existing is None and not group.is_closed]
    changed = [
        rule for _, rule in pairs if rule.existing and (rule.changes or rule.has_new_services)
    ]
    for rule in changed:
        _note_change(rule, context)
    rows = [
        _new_rule(pk, group, rule, context)
        for pk, (group, rule) in zip(reserve_ids(InvoiceRule, len(new)), new, strict=True)
    ]
    insert_all(InvoiceRule, rows)
    updates = [(rule.existing, rule.changes) for rule in changed if rule.changes]
    update_all(InvoiceRule, updates, updated_at=context.now)
    for (group, rule), row in zip(new, rows, strict=True):
        rule.existing = row
        _warn_about_past(group, rule, context)
    context.created_rules += [row.pk for row in rows]
    _write_services([rule for _, rule in new], changed, context)
    clauses = _write_clauses([rule for group, rule in pairs if not group.is_closed], found, context)
    touched = {rule.line for rule in changed} | clauses
    _count(context, n_all=len(pairs), n_new=len(new), touched=touched - {r.line for _, r in new})


def _count(context: Context, *, n_all: int, n_new: int, touched: set[int]) -> None:
    counts = context.report.rules
    counts.created += n_new
    counts.updated += len(touched)
    counts.unchanged += n_all - n_new - len(touched)


def _new_rule(pk: int, group: Group, rule: RuleGroup, context: Context) -> InvoiceRule:
    data = {name: value for name, value in rule.section.items() if name not in CLAUSE_FIELDS}
    contract = group.existing
    assert contract is not None
    data.setdefault("title", contract.title)
    data.setdefault("description", data["title"])
    data.setdefault("nfe_body", data["description"])
    return InvoiceRule(
        pk=pk,
        account=context.account,
        contract=contract,
        gross_value=rule.total,
        next_n=0,
        next_occurrence=data["init_date"],
        created_at=context.now,
        updated_at=context.now,
        **data,
    )


def _note_change(rule: RuleGroup, context: Context) -> None:
    """Set where the new schedule goes on (SCH-5), and what its invoices need."""
    row = rule.existing
    assert row is not None
    if rule.changes.keys() & _SCHEDULE:
        rule.changes |= _next_of({**_schedule_of(row), **rule.changes}, row.last_occurrence)
    which = context.rescheduled if rule.changes.keys() & _DATES else context.rewritten
    which.append(row.pk)
    context.lines_of_rules[row.pk] = rule.line


def _schedule_of(row: InvoiceRule) -> Section:
    return {name: getattr(row, name) for name in _SCHEDULE}


def _next_of(section: Section, last: date | None) -> Section:
    schedule = _schedule(section)
    n = first_n_after(schedule, last) if last else 0
    following = occurrence(schedule, n)
    is_over = schedule.end_date is not None and following > schedule.end_date
    return {"next_n": n, "next_occurrence": None if is_over else following}


def _schedule(section: Section) -> Schedule:
    return Schedule(
        section["init_date"],
        section["period_unit"],
        section["month_quantity"],
        section.get("end_date"),
    )


# --- services ------------------------------------------------------------------------------------


def _write_services(new: list[RuleGroup], changed: list[RuleGroup], context: Context) -> None:
    """The lines of the file are all the services of a rule, in their order."""
    replaced = [rule for rule in changed if rule.has_new_services]
    stale = [rule.existing.pk for rule in replaced if rule.existing]
    if stale:
        RuleService.objects.filter(rule_id__among=stale).delete()
    insert_rows(
        RuleService,
        _SERVICE_COLUMNS,
        (
            (
                rule.existing.pk,
                position,
                context.items[service.name][0],
                service.description,
                service.units,
                service.unit_value,
                service.value,
            )
            for rule in [*new, *replaced]
            if rule.existing
            for position, service in enumerate(rule.priced, start=1)
        ),
    )


# --- readjustment clauses ------------------------------------------------------------------------


def _write_clauses(rules: list[RuleGroup], found: Found, context: Context) -> set[int]:
    """Add or change the clause of each rule that names an index; answers the lines touched."""
    new: list[ScheduledUpdate] = []
    changed: list[tuple[ScheduledUpdate, Section]] = []
    touched: set[int] = set()
    for rule in rules:
        if "price_index" not in rule.section or rule.existing is None:
            continue
        wanted = _wanted_clause(rule.section)
        row = found.clauses.get(rule.existing.pk)
        if row is None:
            new.append(_new_clause(rule.existing, wanted, context))
        elif any(getattr(row, name) != value for name, value in wanted.items()):
            changed.append((row, wanted))
        else:
            continue
        touched.add(rule.line)
    for pk, clause in zip(reserve_ids(ScheduledUpdate, len(new)), new, strict=True):
        clause.pk = pk
    insert_all(ScheduledUpdate, new)
    _update_clauses(changed, context)
    return touched


def _wanted_clause(section: Section) -> Section:
    return {
        "price_index": section["price_index"],
        "init_date": section["readjust_on"],
        "month_quantity": section["readjust_months"],
    }


def _new_clause(rule: InvoiceRule, wanted: Section, context: Context) -> ScheduledUpdate:
    return ScheduledUpdate(
        rule=rule,
        execution_date=wanted["init_date"],
        remind_at=wanted["init_date"],
        created_at=context.now,
        updated_at=context.now,
        **wanted,
    )


def _update_clauses(changed: list[tuple[ScheduledUpdate, Section]], context: Context) -> None:
    """The new terms go on after the last execution: none is done twice, none already past."""
    if not changed:
        return
    done = dict(
        Readjustment.objects.filter(scheduled_update_id__among=[row.pk for row, _ in changed])
        .values_list("scheduled_update_id")
        .annotate(last=Max("execution_date"))
    )
    update_rows(
        ScheduledUpdate,
        _CLAUSE_COLUMNS,
        [_clause_row(row, wanted, done.get(row.pk), context) for row, wanted in changed],
    )


def _clause_row(
    row: ScheduledUpdate, wanted: Section, last: date | None, context: Context
) -> tuple[Any, ...]:
    months = wanted["month_quantity"]
    n = 0
    if last is not None:
        n = first_n_after(Schedule(wanted["init_date"], "monthly", months, None), last)
    execution = readjustment.execution_date(wanted["init_date"], month_quantity=months, n=n)
    remind = readjustment.remind_date(execution, days_until_update=row.days_until_update)
    state = ScheduledUpdate.State.SCHEDULED.value
    return (
        row.pk,
        wanted["price_index"],
        wanted["init_date"],
        months,
        n,
        execution,
        remind,
        False,
        state,
        context.now,
    )


# --- what to look at -----------------------------------------------------------------------------


def _warn_about_past(group: Group, rule: RuleGroup, context: Context) -> None:
    """Count the invoices of a new rule that are born in the past; warn where it hurts."""
    schedule = _schedule(rule.section)
    yesterday = context.today - timedelta(days=1)
    ends = [d for d in (schedule.end_date, group.contract.get("cancel_date"), yesterday) if d]
    account = context.account
    weekly = schedule.period_unit == WEEKLY
    block = account.weekly_block_months if weekly else account.monthly_block_months
    limit = horizon(schedule, today=None, block_months=block, ahead_months=0)
    at_once = first_n_after(schedule, min([*ends, limit]))
    context.report.retroactive += at_once
    missed = first_n_after(schedule, min(ends))
    if missed > MAX_MISSED and schedule.end_date is None and "cancel_date" not in group.contract:
        # REC-3 looks at what is still to create when the night comes.
        born = at_once if context.options.create_invoices else 0
        later = "impedir a regra" if missed - born > MAX_MISSED else "criar as demais"
        context.warn(
            rule.line,
            "primeira_emissao",
            date_br(schedule.init_date),
            f"{missed} emissões no passado (mais de {MAX_MISSED}): {born} nascem na importação e a "
            f"rodada noturna vai {later}. Use a próxima data a faturar.",
        )
    first = rule.section.get("readjust_on")
    if first is not None and first < context.today:
        context.warn(
            rule.line,
            "primeiro_reajuste",
            date_br(first),
            "Data no passado: os reajustes vencidos serão aplicados sobre este preço. Se ele já "
            "está reajustado, use a data do próximo reajuste.",
        )
