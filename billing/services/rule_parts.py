"""Services and readjustment clauses of a rule, as bodies of the API change them (§2.9, §6.11).

Each list is composed in memory first, so that every fault is told before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.db import models

from accounts.models import Account
from billing.engine.readjustment import execution_date, remind_date
from billing.engine.schedule import MONTHLY, Schedule, first_n_after
from billing.messages import BLANK, NOT_NUMBER, TOO_HIGH
from billing.models import InvoiceRule, Readjustment, RuleService, ScheduledUpdate, ServiceItem
from billing.services.drafts import MAX_FACTOR, MAX_TOTAL
from lib.bulk import update_rows
from lib.errors import FieldError, NotFound
from lib.locks import hold
from lib.money import half_up

BLANK_ITEM = "não pode ficar em branco."  # the recorded message of this one key has a dot
TOO_EARLY = "deve ser a partir de 01/01/2000"
NOT_OF_RULE = "deve estar entre os serviços da regra recorrente"
MANY_WITHOUT_SERVICE = "não pode ter mais de um reajuste sem serviço"
EARLIEST = date(2000, 1, 1)

# Of a rule; each of its invoices gets as many lines.
MAX_PARTS = 1000

Entry = Mapping[str, Any]
Row = TypeVar("Row", bound=models.Model)


@dataclass
class Parts(Generic[Row]):
    """A list as it would be.

    `kept` in order, `removed` from the database, `touched` those of `kept` that are there already
    and were mentioned; `faults` is what is wrong with them.
    """

    kept: list[Row] = field(default_factory=list)
    removed: list[Row] = field(default_factory=list)
    touched: list[Row] = field(default_factory=list)
    faults: list[FieldError] = field(default_factory=list)


def _pair(
    rows: Sequence[Row], entries: Iterable[Entry], new: Callable[[], Row]
) -> list[tuple[Row, Entry]]:
    """Each entry with its row: that of its id, or a new one. Raises NotFound for a strange id."""
    by_id = {row.pk: row for row in rows}
    pairs = []
    for entry in entries:
        if entry.get("id") is None:
            pairs.append((new(), entry))
        elif entry["id"] in by_id:
            pairs.append((by_id[entry["id"]], entry))
        else:
            raise NotFound()
    return pairs


def _compose(rows: Sequence[Row], pairs: Sequence[tuple[Row, Entry]], *, name: str) -> Parts[Row]:
    gone = {id(row) for row, entry in pairs if entry.get("_destroy")}
    mentioned = {id(row) for row, _ in pairs}
    made = [row for row, _ in pairs if row.pk is None]
    parts = Parts(
        kept=[row for row in (*rows, *made) if id(row) not in gone],
        removed=[row for row in rows if id(row) in gone],
        touched=[row for row in rows if id(row) in mentioned - gone],
    )
    if len(parts.kept) > MAX_PARTS:
        parts.faults.append(FieldError(name, f"máximo de {MAX_PARTS} por regra"))
    return parts


# --- services ------------------------------------------------------------------------------------


def compose_services(
    rule: InvoiceRule, entries: Sequence[Entry], account: Account
) -> Parts[RuleService]:
    """The rule's services after the entries: those not mentioned stay as they are.

    Raises NotFound for an id that is not the rule's or a service item of another account.
    """
    rows = list(rule.services.order_by("position")) if rule.pk else []
    pairs = _pair(rows, entries, lambda: RuleService(rule=rule))
    items = _items(entries, account)
    parts = _compose(rows, pairs, name="services")
    for service, entry in pairs:
        if not entry.get("_destroy"):
            parts.faults += _apply_service(service, entry, items)
    _place(parts.kept)
    return parts


def _items(entries: Iterable[Entry], account: Account) -> dict[int, ServiceItem]:
    """The catalogue entries named, held so that nobody deletes them before the rule stands."""
    sent = [entry.get("service_item_id") for entry in entries]
    wanted: set[int] = {pk for pk in sent if pk is not None}
    if not wanted:
        return {}
    found = hold(ServiceItem.objects.of(account).filter(pk__among=wanted))
    items = {item.pk: item for item in found}
    if len(items) != len(wanted):
        raise NotFound()
    return items


def _apply_service(
    service: RuleService, entry: Entry, items: Mapping[int, ServiceItem]
) -> list[FieldError]:
    faults = []
    is_new = service.pk is None
    if "service_item_id" in entry or is_new:
        item = items.get(entry.get("service_item_id"))  # type: ignore[arg-type]
        if item is None:
            faults.append(FieldError("services.service_item", BLANK_ITEM))
        else:
            service.service_item = item
            if is_new:
                service.description = item.description
    if entry.get("description") is not None:
        service.description = entry["description"]
    for name in ("units", "unit_value"):
        if name not in entry and not is_new:
            continue
        if entry.get(name) is None:
            faults.append(FieldError(f"services.{name}", NOT_NUMBER))
        else:
            setattr(service, name, half_up(entry[name], 4))
    return faults or _price(service)


def _price(service: RuleService) -> list[FieldError]:
    """LINE-1; a `value` that was sent counts for nothing."""
    service.value = half_up(service.units * service.unit_value)
    # Rounding to the column's 4 decimals may have reached the limit that reading checked.
    if abs(service.units) >= MAX_FACTOR:
        return [FieldError("services.units", TOO_HIGH)]
    if abs(service.unit_value) >= MAX_FACTOR or abs(service.value) >= MAX_TOTAL:
        return [FieldError("services.unit_value", TOO_HIGH)]
    return []


def _place(services: Iterable[RuleService]) -> None:
    """New ones go last, in their order; positions given before stay."""
    last = 0
    for service in services:
        if service.position is None:
            service.position = last + 1
        last = service.position


def total_of(services: Iterable[RuleService]) -> Decimal:
    return sum((service.value for service in services), Decimal("0.00"))


# --- scheduled updates ---------------------------------------------------------------------------


def compose_updates(rule: InvoiceRule, entries: Sequence[Entry]) -> Parts[ScheduledUpdate]:
    """The rule's clauses after the entries. Raises NotFound for an id that is not the rule's."""
    rows = list(rule.scheduled_updates.order_by("id")) if rule.pk else []
    pairs = _pair(rows, entries, lambda: ScheduledUpdate(rule=rule))
    parts = _compose(rows, pairs, name="scheduled_updates")
    for clause, entry in pairs:
        if not entry.get("_destroy"):
            parts.faults += _apply_update(clause, entry)
    return parts


def _apply_update(clause: ScheduledUpdate, entry: Entry) -> list[FieldError]:
    is_new = clause.pk is None
    before = (clause.init_date, clause.month_quantity)
    if "service_item_id" in entry:
        clause.service_item_id = entry["service_item_id"]
    faults = []
    for name, message in _REQUIRED:
        if name not in entry and not is_new:
            continue
        if entry.get(name) is None:
            faults.append(FieldError(f"scheduled_updates.{name}", message))
        else:
            setattr(clause, name, entry[name])
    if faults:
        return faults
    if clause.init_date is None or clause.init_date < EARLIEST:
        return [FieldError("scheduled_updates.init_date", TOO_EARLY)]
    _plan(clause, init_before=before[0], months_before=before[1])
    return []


_REQUIRED = (
    ("init_date", TOO_EARLY),
    ("month_quantity", NOT_NUMBER),
    ("days_until_update", NOT_NUMBER),
    ("price_index", BLANK),
)


def _plan(clause: ScheduledUpdate, *, init_before: date | None, months_before: int) -> None:
    """When the clause is executed and told (§6.6)."""
    init = clause.init_date
    assert init is not None
    if clause.execution_date is None or init != init_before:
        n = _first_not_done(clause)
        execution = execution_date(init, month_quantity=clause.month_quantity, n=n)
        remind = remind_date(execution, days_until_update=clause.days_until_update)
        clause.reschedule(n=n, execution=execution, remind=remind)
        return
    if clause.month_quantity != months_before and clause.execution_date > init:
        # The date that stands is kept; the count goes on from it, never back to a date already
        # done.
        terms = Schedule(init, MONTHLY, clause.month_quantity, None)
        clause.next_n = max(first_n_after(terms, clause.execution_date) - 1, 0)
    clause.remind_at = remind_date(
        clause.execution_date, days_until_update=clause.days_until_update
    )


def _first_not_done(clause: ScheduledUpdate) -> int:
    """0, unless the clause was executed on or after its new first date: none is done twice."""
    done = Readjustment.objects.filter(scheduled_update=clause.pk) if clause.pk else None
    last = done.order_by("-execution_date").first() if done is not None else None
    if last is None or clause.init_date is None or last.execution_date < clause.init_date:
        return 0
    terms = Schedule(clause.init_date, MONTHLY, clause.month_quantity, None)
    return first_n_after(terms, last.execution_date)


def update_faults(
    clauses: Iterable[ScheduledUpdate], services: Iterable[RuleService]
) -> list[FieldError]:
    """Each clause names a service of the rule; at most one names none."""
    named = [clause.service_item_id for clause in clauses]
    items = {service.service_item_id for service in services}
    key = "scheduled_updates.service_item_id"
    if any(item is not None and item not in items for item in named):
        return [FieldError(key, NOT_OF_RULE)]
    return [FieldError(key, MANY_WITHOUT_SERVICE)] if named.count(None) > 1 else []


# --- writing -------------------------------------------------------------------------------------


def write_services(rule: InvoiceRule, parts: Parts[RuleService]) -> None:
    RuleService.objects.filter(pk__in=[row.pk for row in parts.removed]).delete()
    for service in parts.kept:
        service.rule = rule
    RuleService.objects.bulk_create([row for row in parts.kept if row.pk is None])
    update_rows(
        RuleService,
        ("id", "service_item", "description", "units", "unit_value", "value"),
        [
            (row.pk, row.service_item_id, row.description, row.units, row.unit_value, row.value)
            for row in parts.touched
        ],
    )


def write_updates(rule: InvoiceRule, parts: Parts[ScheduledUpdate]) -> None:
    ScheduledUpdate.objects.filter(pk__in=[row.pk for row in parts.removed]).delete()
    changed = [*parts.touched, *(row for row in parts.kept if row.pk is None)]
    # The one without service last: another may just be leaving that place.
    for clause in sorted(changed, key=lambda one: one.service_item_id is None):
        clause.rule = rule
        clause.save()
