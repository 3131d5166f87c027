"""From rules to the invoices they are worth: reading in bulk, then arithmetic without database.

A planned invoice is complete: dates, parcels and amounts. Whoever holds one may write it
(materialise) or only count it (dry run); both see the same figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from accounts.models import Account
from billing.engine import due_dates as due
from billing.engine import schedule as sch
from billing.engine.local_days import calendar_with
from billing.engine.proration import period_of
from billing.engine.splitting import check_minimum, equal_percent, split_equal
from billing.models import BillingOptions, Contract, InvoiceRule, RuleService
from lib.br import fold
from lib.calendars import Calendar
from lib.money import NBSP, brl

MAX_MISSED = 36  # REC-3


class BadRule(Exception):
    """The rule cannot be billed; the text says why, in pt-BR, for the person who will mend it."""


class Service(NamedTuple):
    """A priced service of a rule; `value` is already rounded (LINE-1)."""

    service_item_id: int | None
    title: str
    description: str
    units: Decimal
    unit_value: Decimal
    value: Decimal


class Parcel(NamedTuple):
    due: date
    percent: Decimal
    amount: Decimal


@dataclass(slots=True)
class RuleTerms:
    """What a rule bills, read once for all its occurrences."""

    id: int
    contract_id: int
    organization_id: int
    customer_id: int
    title: str
    gross_value: Decimal
    schedule: sch.Schedule
    due_terms: due.DueTerms
    preferred_day: int | None
    accrual: str
    post_paid: bool
    next_n: int
    next_occurrence: date
    calendar: Calendar
    minimum_receivable: Decimal
    parked_reason: str
    options: tuple[Any, ...]
    fold: str
    min_payment_days: int = 0
    refunds_unused: bool = False
    services: list[Service] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((service.value for service in self.services), Decimal("0.00"))


@dataclass(slots=True)
class PlannedInvoice:
    """One occurrence, ready to be written. Amounts in BRL, two decimals."""

    rule: RuleTerms
    n: int
    issue: date
    accrual: date
    start: date
    end: date
    total: Decimal
    parcels: tuple[Parcel, ...]


_COLUMNS = (
    "id",
    "contract_id",
    "contract__organization_id",
    "contract__party_id",
    "title",
    "gross_value",
    "init_date",
    "period_unit",
    "month_quantity",
    "end_date",
    "charge_type",
    "day_number",
    "day_quantity",
    "due_month_quantity",
    "only_business_days",
    "parcel_number",
    "due_day_locked",
    "contract__party__preferred_due_day",
    "accrual_month_quantity",
    "contract__charging_method",
    "next_n",
    "next_occurrence",
    "contract__organization__profile__extra_holidays",
    "contract__organization__profile__minimum_receivable",
    "contract__organization__profile__min_payment_days",
    "contract__organization__profile__refund_unused_days",
    "parked_reason",
    "contract__party__fold",
    *BillingOptions.OPTION_FIELDS,
)


def billable_rules(account: Account) -> QuerySet[InvoiceRule]:
    """Rules that still have something to create: active, of a live contract."""
    return InvoiceRule.objects.of(account).filter(
        ~Q(contract__status=Contract.Status.CANCELLED),
        status=InvoiceRule.Status.ACTIVE,
        next_occurrence__isnull=False,
    )


def load_terms(rules: QuerySet[InvoiceRule]) -> list[RuleTerms]:
    """Terms of `rules` with their services, in two queries, in the order of the queryset."""
    terms = [_terms(row) for row in rules.values_list(*_COLUMNS)]
    services = _services([rule.id for rule in terms])
    for rule in terms:
        rule.services = services.get(rule.id) or _one_service(rule)
    return terms


def _terms(row: Sequence[Any]) -> RuleTerms:
    # By position, not by name: this runs for every rule of every night.
    (
        pk, contract, organization, customer, title, gross, init, unit, months, end,
        charge_type, day_number, day_quantity, due_months, business, parcels,
        locked, preferred, accrual, charging, next_n, next_occurrence,
        holidays, minimum, min_days, refunds, parked, customer_fold, *options,
    ) = row  # fmt: skip
    return RuleTerms(
        id=pk,
        contract_id=contract,
        organization_id=organization,
        customer_id=customer,
        title=title or options[0][:200],
        gross_value=gross,
        schedule=sch.Schedule(init, unit, months, end),
        due_terms=due.DueTerms(
            charge_type or None, day_number, day_quantity, due_months, business, parcels
        ),
        preferred_day=None if locked else preferred,
        accrual=accrual,
        post_paid=charging == Contract.Charging.POST_PAID,
        next_n=next_n,
        next_occurrence=next_occurrence,
        calendar=calendar_with(tuple(holidays or ())),
        minimum_receivable=minimum or Decimal("0.01"),
        parked_reason=parked,
        options=tuple(options),
        fold=f"{fold(title or options[0][:200])} {customer_fold}",
        min_payment_days=min_days or 0,
        refunds_unused=bool(refunds),
    )


def _services(rule_ids: list[int]) -> dict[int, list[Service]]:
    rows: Iterable[Any] = (
        RuleService.objects.filter(rule_id__among=rule_ids)
        .order_by("rule_id", "position")
        .values_list(
            "rule_id",
            "service_item_id",
            "service_item__name",
            "description",
            "units",
            "unit_value",
            "value",
        )
    )
    found: dict[int, list[Service]] = defaultdict(list)
    for rule_id, *values in rows:
        found[rule_id].append(Service(*values))
    return found


def _one_service(rule: RuleTerms) -> list[Service]:
    """A rule priced by `gross_value` alone bills one line that stands for no service."""
    description = rule.options[0]
    value = rule.gross_value
    return [Service(None, rule.title, description, Decimal(1), value, value)] if value else []


def horizon_of(rule: RuleTerms, *, account: Account, today: date | None) -> date:
    """Last date up to which the rule's invoices must exist (DECISIONS 1)."""
    weekly = rule.schedule.period_unit == sch.WEEKLY
    return sch.horizon(
        rule.schedule,
        today=today,
        block_months=account.weekly_block_months if weekly else account.monthly_block_months,
        ahead_months=account.weekly_ahead_months if weekly else account.monthly_ahead_months,
    )


def pending_dates(rule: RuleTerms, *, until: date) -> list[tuple[int, date]]:
    """(n, date) of the occurrences still to create, to `until` inclusive."""
    return sch.occurrences(rule.schedule, start_n=rule.next_n, until=until)


def check(rule: RuleTerms) -> None:
    """Raise BadRule with every reason that keeps the rule from being billed."""
    reasons = [f"{name}: {text}" for name, text in sch.validate(rule.schedule)]
    reasons += [f"{name}: {text}" for name, text in due.validate(rule.due_terms)]
    if not rule.services:
        reasons.append("a regra não tem serviços nem valor")
    elif rule.total < 0:
        reasons.append(f"o total da regra é negativo ({brl(rule.total).replace(NBSP, ' ')})")
    if reasons:
        raise BadRule("; ".join(reasons))


def check_missed(dates: Iterable[tuple[int, date]], *, today: date) -> None:
    """REC-3: more than 36 past occurrences at once is a mistake to look at, not work to do."""
    missed = sum(1 for _, day in dates if day < today)
    if missed > MAX_MISSED:
        raise BadRule(
            f"{missed} ocorrências atrasadas (mais de {MAX_MISSED}): "
            "confira a data da primeira emissão"
        )


def plan(rule: RuleTerms, dates: Iterable[tuple[int, date]]) -> Iterator[PlannedInvoice]:
    """The invoices of `rule` for `dates`. Raises BadRule when its amounts cannot be collected."""
    total = rule.total
    shares = _shares(rule, total)
    for n, issue in dates:
        start, end = _period(rule, n, issue)
        dues = due_dates_of(rule, issue)
        yield PlannedInvoice(
            rule=rule,
            n=n,
            issue=issue,
            accrual=sch.accrual_month(issue, rule.accrual),  # type: ignore[arg-type]
            start=start,
            end=end,
            total=total,
            parcels=tuple(
                Parcel(day, percent, amount)
                for day, (percent, amount) in zip(dues, shares, strict=True)
            ),
        )


def _shares(rule: RuleTerms, total: Decimal) -> list[tuple[Decimal, Decimal]]:
    parts = max(1, rule.due_terms.parcel_number or 1)
    try:
        amounts = split_equal(total, parts)
        if total and parts > 1:
            check_minimum(amounts, minimum=rule.minimum_receivable)
    except ValueError as error:
        raise BadRule(str(error)) from error
    percent = equal_percent(parts)
    return [(percent, amount) for amount in amounts]


def _period(rule: RuleTerms, n: int, issue: date) -> tuple[date, date]:
    """Days the invoice pays for: from its date when pre-paid, up to its eve when post-paid."""
    return _period_days(rule.schedule, n - 1 if rule.post_paid else n)


@lru_cache(maxsize=50_000)
def _period_days(schedule: sch.Schedule, n: int) -> tuple[date, date]:
    return period_of(schedule, n)


def due_dates_of(rule: RuleTerms, issue: date) -> tuple[date, ...]:
    """When the parcels of an invoice of the rule, issued on that day, fall due."""
    days = rule.min_payment_days
    return _due_dates(rule.due_terms, issue, rule.calendar, rule.preferred_day, days)


@lru_cache(maxsize=50_000)
def _due_dates(
    terms: due.DueTerms, issue: date, calendar: Calendar, preferred: int | None, min_days: int
) -> tuple[date, ...]:
    """Most rules of a tenant share a few terms, and all share the calendar."""
    return tuple(
        due.due_dates(
            terms, issue=issue, calendar=calendar, preferred_day=preferred, min_days=min_days
        )
    )
