"""Customers choose the day of the month on which they pay (P-11, P16).

It holds for invoices that were not emitted yet of rules with a fixed day; emitted ones never
change. Locks: customer, rules by id, invoices by id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.engine.due_dates import FIXED_DAY, FIXED_DAY_AND_MONTH_QUANTITY
from billing.engine.due_dates import validate as validate_due
from billing.engine.schedule import occurrence
from billing.engine.schedule import validate as validate_schedule
from billing.models import Contract, Invoice, InvoiceRule, OrganizationProfile, Party, Receivable
from billing.selectors.endings import ends_before
from billing.services import outbox
from billing.services.planning import RuleTerms, due_dates_of, load_terms
from lib import clock
from lib.br import date_br
from lib.bulk import update_rows
from lib.errors import Conflict, FieldError, InvalidInput

OFFERED = (5, 10, 15)  # where the organization says nothing else
PREVIEWED = 3
_FIXED = (FIXED_DAY, FIXED_DAY_AND_MONTH_QUANTITY)


class DueDayChanged(Conflict):
    codigo = "pagina_desatualizada"
    http_status = 409


class TooSoon(Conflict):
    codigo = "vencimento_trocado_ha_pouco"


@dataclass(frozen=True)
class NextDue:
    """An invoice to come: issued on `issue`, due on `due`, without the change on `otherwise`."""

    title: str
    issue: date
    due: date
    otherwise: date

    @property
    def is_moved(self) -> bool:
        return self.due != self.otherwise


@dataclass(frozen=True)
class Choice:
    """A day that is offered, and the next invoices with it; none where no rule follows it."""

    day: int
    next: tuple[NextDue, ...]


def offered_days(profile: OrganizationProfile) -> tuple[int, ...]:
    """The days that the organization offers, in order."""
    own = sorted({day for day in profile.due_day_options if isinstance(day, int) and 0 < day < 32})
    return tuple(own) or OFFERED


def due_day_of(account: Account, customer: Party) -> int | None:
    """The day that the customer pays on: the one chosen, else what most rules say."""
    if customer.preferred_due_day:
        return customer.preferred_due_day
    days = rules_with_day(account, customer).exclude(day_number=None)
    common = Counter(days.values_list("day_number", flat=True)).most_common(1)
    return common[0][0] if common else None


def rules_with_day(account: Account, customer: Party) -> QuerySet[InvoiceRule]:
    """Live rules of the customer whose invoices follow the chosen day (DUE-6)."""
    live = InvoiceRule.objects.of(account).exclude(status=InvoiceRule.Status.ENDED)
    found: QuerySet[InvoiceRule] = live.filter(
        contract__party=customer,
        contract__kind=Contract.Kind.SALE,
        charge_type__in=_FIXED,
        due_day_locked=False,
        init_date__isnull=False,
    )
    return found.exclude(contract__status=Contract.Status.CANCELLED)


def free_from(customer: Party, profile: OrganizationProfile, *, today: date) -> date | None:
    """The first day on which the day may be changed again; None when that is now."""
    last, days = customer.due_day_changed_on, profile.due_day_change_days
    if not days or last is None or today >= last + timedelta(days=days):
        return None
    return last + timedelta(days=days)


def _terms(rules: QuerySet[InvoiceRule]) -> dict[int, RuleTerms]:
    """What they bill, by id; without those that are parked because nobody can bill them."""
    found = load_terms(rules.order_by("id"))
    return {
        one.id: one
        for one in found
        if not validate_due(one.due_terms) and not validate_schedule(one.schedule)
    }


# --- preview -------------------------------------------------------------------------------------


def choices_of(
    account: Account, customer: Party, profile: OrganizationProfile, *, today: date
) -> list[Choice]:
    """Each day that is offered, with the due dates of the next three invoices."""
    terms = _terms(rules_with_day(account, customer))
    coming = _coming(terms, today=today)
    return [
        Choice(day, tuple(_next(terms[rule_id], issue, due, day) for issue, rule_id, due in coming))
        for day in offered_days(profile)
    ]


def _coming(terms: dict[int, RuleTerms], *, today: date) -> list[tuple[date, int, date]]:
    """(issue, rule, due date as it stands) of the next invoices, in the order of issue."""
    planned = (
        _changeable(terms)
        .filter(~ends_before("issue_date"), issue_date__gte=today)
        .order_by("issue_date", "rule_id")
        .values_list("issue_date", "rule_id", "due_date")[:PREVIEWED]
    )
    found = [(issue, rule_id, due or issue) for issue, rule_id, due in planned]
    if len(found) < PREVIEWED:
        found += [row for one in terms.values() for row in _not_made_yet(one)]
    return sorted(found)[:PREVIEWED]


def _not_made_yet(terms: RuleTerms) -> list[tuple[date, int, date]]:
    """The first occurrences that no invoice stands for."""
    if terms.next_occurrence is None:
        return []
    days = [occurrence(terms.schedule, terms.next_n + k) for k in range(PREVIEWED)]
    last = terms.schedule.end_date
    return [
        (day, terms.id, due_dates_of(terms, day)[0]) for day in days if last is None or day <= last
    ]


def _next(terms: RuleTerms, issue: date, otherwise: date, day: int) -> NextDue:
    (due, *_) = due_dates_of(replace(terms, preferred_day=day), issue)
    return NextDue(terms.title, issue, due, otherwise)


# --- changing ------------------------------------------------------------------------------------


@transaction.atomic
def change_due_day(
    day: int | None,
    *,
    account: Account,
    customer: Party,
    profile: OrganizationProfile,
    seen: str,
    actor: Actor,
) -> bool:
    """Let the customer pay on that day from now on; False when it was theirs already.

    `seen` is the day that the page has shown, "" for none. Raises InvalidInput for a day that is
    not offered, DueDayChanged, TooSoon.
    """
    days = offered_days(profile)
    if day not in days:
        raise InvalidInput(erros=[FieldError("dia", f"Escolha {_listed(days)}.")])
    mine: Party = Party.objects.select_for_update(no_key=True).get_of(account, pk=customer.pk)
    if mine.preferred_due_day == day:
        return False
    if str(mine.preferred_due_day or "") != seen:
        raise DueDayChanged(
            "O dia de vencimento mudou enquanto você estava aqui "
            f"(agora: {mine.preferred_due_day}). Nada foi feito."
        )
    today = clock.today(account.time_zone)
    _refuse_early(mine, profile, today)
    before, mine.preferred_due_day = mine.preferred_due_day, day
    mine.due_day_changed_on = today
    mine.save(update_fields=["preferred_due_day", "due_day_changed_on", "updated_at"])
    moved = _move(account, mine)
    record(
        account,
        actor=actor,
        action="vencimento.alterado",
        target=mine,
        before={"dia": before},
        after={"dia": day, "faturas": moved},
    )
    return True


def _listed(days: Sequence[int]) -> str:
    *first, last = map(str, days)
    return f"{', '.join(first)} ou {last}" if first else last


def _refuse_early(customer: Party, profile: OrganizationProfile, today: date) -> None:
    free = free_from(customer, profile, today=today)
    if free is not None:
        raise TooSoon(f"Você pode trocar o dia de vencimento de novo em {date_br(free)}.")


def _move(account: Account, customer: Party) -> int:
    """New due dates for what was not emitted; answers how many invoices have others."""
    rules = rules_with_day(account, customer).order_by("id")
    ids = list(rules.select_for_update(of=("self",), no_key=True).values_list("id", flat=True))
    terms = _terms(InvoiceRule.objects.filter(id__in=ids))
    invoices = list(
        _changeable(terms).select_for_update(of=("self",)).select_related("contract").order_by("id")
    )
    parcels = _parcels(invoices)
    moved = [one for one in invoices if _move_one(one, parcels[one.pk], terms[one.rule_id or 0])]
    _write(moved, [parcel for one in moved for parcel in parcels[one.pk]])
    outbox.announce_many(
        account.pk,
        outbox.Event.UPDATE,
        invoices=[
            (one.pk, one.contract_id, one.contract.token if one.contract else None) for one in moved
        ],
        at=clock.now(),
    )
    return len(moved)


def _changeable(rule_ids: Iterable[int]) -> QuerySet[Invoice]:
    """Invoices of these rules that nobody has seen or edited."""
    found: QuerySet[Invoice] = Invoice.objects.filter(
        rule_id__in=list(rule_ids),
        state=Invoice.State.TO_EMIT,
        number=None,
        edited_by_hand=False,
        is_final=False,
    )
    return found


def _parcels(invoices: Sequence[Invoice]) -> dict[int, list[Receivable]]:
    grouped: dict[int, list[Receivable]] = defaultdict(list)
    ids = [one.pk for one in invoices]
    for row in Receivable.objects.filter(invoice_id__among=ids).order_by("invoice_id", "position"):
        grouped[row.invoice_id].append(row)
    return grouped


def _move_one(invoice: Invoice, parcels: Sequence[Receivable], terms: RuleTerms) -> bool:
    """Set the dates in memory; False when they are what they were, or cannot be paired."""
    dues = due_dates_of(terms, invoice.issue_date)
    if len(dues) != len(parcels) or [one.due_date for one in parcels] == list(dues):
        return False
    invoice.due_date = dues[0]
    for parcel, due in zip(parcels, dues, strict=True):
        parcel.due_date = parcel.original_due_date = due
    return True


def _write(invoices: Sequence[Invoice], parcels: Sequence[Receivable]) -> None:
    update_rows(Invoice, ("id", "due_date"), [(one.pk, one.due_date) for one in invoices])
    update_rows(
        Receivable,
        ("id", "due_date", "original_due_date"),
        [(one.pk, one.due_date, one.original_due_date) for one in parcels],
    )
