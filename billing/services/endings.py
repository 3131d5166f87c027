"""What the end of a contract on some day would cost: the figures that a customer is told (P13).

They come from the functions that bill the real end (billing.services.contracts), on a copy of the
contract that nobody saves.
"""

from __future__ import annotations

import copy
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Q, QuerySet, prefetch_related_objects

from billing.engine import proration
from billing.engine.schedule import MONTHLY
from billing.models import Contract, Invoice, InvoiceRule
from billing.services.contracts import (
    FinalLine,
    final_lines,
    minimum_term_fine,
    unused_days,
)
from billing.services.planning import RuleTerms, load_terms, pending_dates

_ZERO = Decimal("0.00")
_NEAR = timedelta(days=31)  # further ahead, a period that nobody has paid is no default


class Why(StrEnum):
    """What makes a day a last day of service; the value is told to the customer."""

    PERIOD = "fim do período em curso"
    PAID = "fim do período já cobrado"
    MINIMUM_TERM = "fim da fidelidade, sem multa"
    END = "fim do contrato"
    TODAY = "hoje"


@dataclass(frozen=True)
class Ending:
    """The end of a contract with the day `on`, BRL.

    `final` is what is billed for the period in course, of `days` days (None where services differ);
    `fine` the one of the minimum term; `monthly` what is issued in the usual way until then, in
    `n_monthly` invoices; `credit` what was billed for days after the end.
    """

    on: date
    why: Why
    final: Decimal = _ZERO
    days: int | None = None
    fine: Decimal = _ZERO
    monthly: Decimal = _ZERO
    n_monthly: int = 0
    credit: Decimal = _ZERO

    @property
    def total(self) -> Decimal:
        """What the final invoice will say."""
        return self.final + self.fine


def endings_of(contract: Contract, *, today: date) -> list[Ending]:
    """The last days that the contract allows, each with what it costs; the usual one first."""
    return endings_of_all([contract], today=today)[0]


def endings_of_all(contracts: Sequence[Contract], *, today: date) -> list[list[Ending]]:
    """The same for each of these contracts of one account; the same queries for any number."""
    books = _books(contracts, today)
    return [
        [_ending(contract, books, day, why) for day, why in _last_days(contract, books, today)]
        for contract in contracts
    ]


def fingerprint(contract: Contract, endings: Sequence[Ending]) -> str:
    """What a page has told of the end of a contract; another one means that it is out of date."""
    told = f"{contract.pk} {contract.status} {endings!r}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


# --- what is known -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Books:
    """What the figures are made of; rows that end before the day of asking do not matter."""

    terms: dict[int, list[RuleTerms]]  # by contract
    emitted: dict[int, list[Invoice]]  # by rule
    periods: dict[int, set[date | None]]  # by rule: first days of periods with an invoice
    planned: dict[int, list[tuple[date, Decimal]]]  # by contract: issue and amount


def _books(contracts: Sequence[Contract], today: date) -> _Books:
    ids = [one.pk for one in contracts]
    books = _Books(defaultdict(list), defaultdict(list), defaultdict(set), defaultdict(list))
    for terms in load_terms(InvoiceRule.objects.filter(contract_id__in=ids).order_by("id")):
        books.terms[terms.contract_id].append(terms)
    for invoice in _invoices(ids, today):
        books.periods[invoice.rule_id or 0].add(invoice.start_date)
        if invoice.state == Invoice.State.TO_EMIT:
            planned = (invoice.issue_date, invoice.payment_value)
            books.planned[invoice.contract_id or 0].append(planned)
        elif invoice.state != Invoice.State.CANCELLED:
            books.emitted[invoice.rule_id or 0].append(invoice)
    emitted = [one for mine in books.emitted.values() for one in mine]
    prefetch_related_objects(emitted, "lines")
    return books


def _invoices(contract_ids: Sequence[int], today: date) -> QuerySet[Invoice]:
    """Those that bill days from today on, or are not emitted yet; no finals."""
    rows: QuerySet[Invoice] = Invoice.objects.filter(contract_id__in=contract_ids, is_final=False)
    return rows.filter(Q(end_date__gte=today) | Q(state=Invoice.State.TO_EMIT)).only(
        "contract", "rule", "state", "start_date", "end_date", "issue_date", "payment_value"
    )


# --- days ----------------------------------------------------------------------------------------


def _last_days(contract: Contract, books: _Books, today: date) -> list[tuple[date, Why]]:
    found: dict[date, Why] = {today: Why.TODAY}
    mine = books.terms[contract.pk]
    ends = [end for one in mine if (end := _period_end(one, books, today)) is not None]
    for day, is_billed in ends:
        found[day] = Why.PAID if is_billed else Why.PERIOD
    if contract.registration_method == Contract.Registration.SUBSCRIPTION:
        _offer(found, contract.valid_until, Why.PAID, today)
    if contract.minimum_term_fine:
        _offer(found, contract.minimum_term_until, Why.MINIMUM_TERM, today)
    last = contract.end_date
    if last is not None and last >= today:
        found = {day: why for day, why in found.items() if day <= last}
        _offer(found, last, Why.END, today)
    usual = _usual(found, today)
    return sorted(found.items(), key=lambda one: (one[0] != usual, one[0]))


def _offer(found: dict[date, Why], day: date | None, why: Why, today: date) -> None:
    if day is not None and day >= today:
        found.setdefault(day, why)


def _usual(found: dict[date, Why], today: date) -> date:
    """The end of what was paid, or of a period that ends soon; else today."""
    paid = [day for day, why in found.items() if why == Why.PAID]
    near = [
        day for day, why in found.items() if why in (Why.PERIOD, Why.END) and day - today <= _NEAR
    ]
    return min(paid or near or [today])


def _period_end(terms: RuleTerms, books: _Books, today: date) -> tuple[date, bool] | None:
    """Last day of the period in course, and whether it was billed; None when none is."""
    schedule = terms.schedule
    if schedule.init_date is None or not schedule.period_unit:
        return None
    if schedule.period_unit == MONTHLY and not schedule.month_quantity:
        return None
    n = proration.period_containing(schedule, today)
    if n is None:
        n = -1  # before its first invoice, a post-paid rule is in the period that this will bill
    start, end = proration.period_of(schedule, n)
    if not start <= today <= end or (n < 0 and not terms.post_paid):
        return None
    if any(one.start_date == start for one in books.emitted[terms.id]):
        return end, True
    # One that the rule has passed without an invoice was billed before its contract came here.
    is_past = not terms.post_paid and terms.next_n > n
    return end, is_past and start not in books.periods[terms.id]


# --- figures -------------------------------------------------------------------------------------


def _ending(contract: Contract, books: _Books, on: date, why: Why) -> Ending:
    ended = copy.copy(contract)
    ended.cancel_date = on
    n_monthly, monthly = _until(contract, books, on)
    if contract.registration_method == Contract.Registration.SUBSCRIPTION:
        return Ending(on, why, monthly=monthly, n_monthly=n_monthly)  # no final invoice by days
    terms, emitted = books.terms[contract.pk], books.emitted
    lines = [line for one in terms for line in final_lines(ended, one, emitted=emitted[one.id])]
    unused = [part for one in terms for _, part in unused_days(ended, one, emitted=emitted[one.id])]
    return Ending(
        on=on,
        why=why,
        final=_sum(lines),
        days=_days(lines),
        fine=_sum(minimum_term_fine(ended)) if terms else _ZERO,
        monthly=monthly,
        n_monthly=n_monthly,
        credit=sum((part.total for part in unused), _ZERO),
    )


def _sum(lines: Sequence[FinalLine]) -> Decimal:
    return sum((line.value for line in lines), _ZERO)


def _days(lines: Sequence[FinalLine]) -> int | None:
    lengths = {(line.end - line.start).days + 1 for line in lines if line.start and line.end}
    return lengths.pop() if len(lengths) == 1 else None


def _until(contract: Contract, books: _Books, on: date) -> tuple[int, Decimal]:
    """Number and sum of the invoices that are still issued in the usual way up to that day."""
    amounts = [amount for issue, amount in books.planned[contract.pk] if issue <= on]
    ahead = [
        one
        for one in books.terms[contract.pk]
        if one.next_occurrence is not None and one.next_occurrence <= on
    ]
    for terms in _creating(ahead):
        amounts += [terms.total] * len(pending_dates(terms, until=on))
    return len(amounts), sum(amounts, _ZERO)


def _creating(terms: Sequence[RuleTerms]) -> list[RuleTerms]:
    """Those that are not paused. Seldom asked: invoices are made long before their day."""
    if not terms:
        return []
    rules = InvoiceRule.objects.filter(id__in=[one.id for one in terms])
    active = set(rules.filter(status=InvoiceRule.Status.ACTIVE).values_list("id", flat=True))
    return [one for one in terms if one.id in active]
