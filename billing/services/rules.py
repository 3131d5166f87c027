"""Changes to rules, followed by their invoices not yet emitted (DECISIONS 1, billing-api §6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from billing.engine.schedule import first_n_after, occurrence, validate
from billing.models import BillingOptions, Invoice, InvoiceLine, InvoiceRule, Receivable
from billing.services.materialise import (
    LINE_COLUMNS,
    RECEIVABLE_COLUMNS,
    Materialised,
    line_rows,
    materialise,
    receivable_rows,
)
from billing.services.planning import (
    BadRule,
    PlannedInvoice,
    RuleTerms,
    check,
    horizon_of,
    load_terms,
    plan,
)
from lib import clock
from lib.bulk import insert_rows, update_rows
from lib.errors import Conflict


@transaction.atomic
def reapply_rule(
    rule_id: int, *, account: Account, reschedule: bool = True, today: date | None = None
) -> Materialised:
    """Make the rule's future follow its present terms; emitted invoices never change.

    With `reschedule` (dates or due terms changed) the invoices not yet emitted are made again from
    the schedule. Otherwise (texts, services, values) they are rewritten in place, keeping their
    ids, from `today` on. Invoices edited by hand are left alone. Raises Conflict when the new terms
    cannot be billed.
    """
    today = today or clock.today(account.time_zone)
    rule: InvoiceRule = InvoiceRule.objects.select_for_update(no_key=True).get_of(
        account, pk=rule_id
    )
    if reschedule:
        return _reschedule(rule, account, today)
    _rewrite(rule, today)
    return Materialised()


def _reschedule(rule: InvoiceRule, account: Account, today: date) -> Materialised:
    """§6.3: drop what was not emitted and make it again; what was blocked stays blocked.

    The new schedule goes on where the old one was still open, whatever was emitted, cancelled or
    edited by hand further ahead, so that nothing that was dropped is lost. A date that has an
    invoice is skipped, and so is a period that is billed already (see `remake`).
    """
    if rule.status == InvoiceRule.Status.ENDED:
        raise Conflict("Esta regra está encerrada.")
    dropped = list(
        replaceable(rule)
        .select_for_update()
        .order_by("id")
        .values_list("id", "occurrence_date", "approval_status")
    )
    # By the ids that are locked: one that is being emitted right now is not among them.
    Invoice.objects.filter(id__among=[pk for pk, _, _ in dropped]).delete()
    last = _last_settled(rule, [day for _, day, _ in dropped if day is not None], today)
    rule.last_occurrence = last
    rule.next_n, rule.next_occurrence = _next(rule, last)
    rule.save(update_fields=["last_occurrence", "next_n", "next_occurrence"])
    done = remake(rule, account)
    blocked = [day for _, day, status in dropped if status == Invoice.Approval.BLOCKED]
    replaceable(rule).filter(occurrence_date__in=blocked).update(
        approval_status=Invoice.Approval.BLOCKED
    )
    return done


def _last_settled(rule: InvoiceRule, dropped: Sequence[date], today: date) -> date | None:
    """The occurrence after which the schedule is made again (SCH-5): none that was dropped, and
    none still to come, lies before it."""
    days = Invoice.objects.filter(
        rule=rule, occurrence_date__lte=today, occurrence_date__lt=min(dropped, default=date.max)
    )
    return days.order_by("-occurrence_date").values_list("occurrence_date", flat=True).first()


def _next(rule: InvoiceRule, last: date | None) -> tuple[int, date | None]:
    if rule.init_date is None or not rule.period_unit or rule.status == InvoiceRule.Status.ENDED:
        return 0, None
    (terms,) = load_terms(
        InvoiceRule.objects.filter(pk=rule.pk)
    )  # the schedule as materialisation reads it
    n = first_n_after(terms.schedule, last) if last else 0
    following = occurrence(terms.schedule, n)
    ended = rule.end_date is not None and following > rule.end_date
    return n, None if ended else following


def remake(rule: InvoiceRule, account: Account) -> Materialised:
    """Create what the rule has to create from its position on, once each period.

    Besides the dates that exist, an occurrence is left out when most of its days are billed by an
    invoice of the rule that stays (any but a cancelled one). So a schedule moved by some days does
    not bill a period twice. What is left out never lasts longer than what was billed: a year does
    not go for the one month of it that was emitted.
    """
    billed = _billed_spans(rule)
    before = set(Invoice.objects.filter(rule=rule).values_list("id", flat=True))
    done = materialise(account, rule_ids=[rule.pk], limit=_limit(rule, account, billed))
    made = {
        pk: (start, end, amount)
        for pk, start, end, amount in Invoice.objects.filter(rule=rule).values_list(
            "id", "start_date", "end_date", "gross_value"
        )
        if pk not in before and start and end
    }
    twice = _billed_twice([(pk, start, end) for pk, (start, end, _) in made.items()], billed)
    # Only now: the rule's position is past them, so that no night makes them again.
    Invoice.objects.filter(id__among=sorted(twice)).delete()
    done.created -= len(twice)
    done.amount -= sum((made[pk][2] for pk in twice), Decimal(0))
    return done


Span = tuple[date, date]  # first and last day


def _billed_spans(rule: InvoiceRule) -> list[Span]:
    """Days that invoices of the rule bill, in order; periods that touch are one span."""
    periods = (
        Invoice.objects.filter(rule=rule)
        .exclude(state=Invoice.State.CANCELLED)
        .order_by("start_date", "end_date")
        .values_list("start_date", "end_date")
    )
    spans: list[Span] = []
    for start, end in periods:
        if start is None or end is None or end < start:
            continue
        if spans and start <= spans[-1][1] + timedelta(days=1):
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def _limit(rule: InvoiceRule, account: Account, billed: Sequence[Span]) -> date | None:
    """None for the usual horizon, or the end of what is billed beyond it: nightly runs, which look
    at dates alone, begin after that."""
    if rule.next_occurrence is None or not billed:
        return None
    (terms,) = load_terms(InvoiceRule.objects.filter(pk=rule.pk))
    if validate(terms.schedule):
        return None  # materialisation parks it and says why
    return max(horizon_of(terms, account=account, today=None), billed[-1][1])


def _billed_twice(made: Sequence[tuple[int, date, date]], billed: Sequence[Span]) -> set[int]:
    """Those of `made` (id, first and last day) whose days are mostly `billed`.

    A span stands for those that share most days with it, as many as it is long.
    """
    twice: set[int] = set()
    for first, last in billed:
        left = _days(first, last)
        left += _slack(left)
        shared = [
            (_days(max(start, first), min(end, last)), _days(start, end), pk)
            for pk, start, end in made
        ]
        for common, length, pk in sorted(shared, key=lambda one: -one[0]):
            if pk in twice or 2 * common + _slack(length) < length or length > left:
                continue
            twice.add(pk)
            left -= length
    return twice


def _days(first: date, last: date) -> int:
    return max(0, (last - first).days + 1)


def _slack(days: int) -> int:
    """Periods of as many months differ by up to three days; those of weeks do not."""
    return min(3, days // 9)


def replaceable(rule: InvoiceRule) -> QuerySet[Invoice]:
    """Invoices of the rule that may still be remade."""
    return Invoice.objects.filter(
        rule=rule, state=Invoice.State.TO_EMIT, number=None, edited_by_hand=False, is_final=False
    )


def rewritable(rule: InvoiceRule, *, today: date) -> QuerySet[Invoice]:
    """Invoices of the rule that follow its texts and values: to be emitted from `today` on."""
    return Invoice.objects.filter(
        rule=rule,
        state=Invoice.State.TO_EMIT,
        edited_by_hand=False,
        is_final=False,
        issue_date__gte=today,
    )


def _rewrite(rule: InvoiceRule, today: date) -> None:
    (terms,) = load_terms(InvoiceRule.objects.filter(pk=rule.pk))
    found = list(rewritable(rule, today=today).select_for_update().order_by("id"))
    if not found:
        return
    try:
        check(terms)
        plans = list(plan(terms, [(_n(terms, i), i.issue_date) for i in found]))
    except BadRule as error:
        raise Conflict(f"A regra não pode ser faturada: {error}.") from error
    _replace(terms, found, plans)


def _n(terms: RuleTerms, invoice: Invoice) -> int:
    assert invoice.occurrence_date is not None
    return first_n_after(terms.schedule, invoice.occurrence_date) - 1


def _replace(
    terms: RuleTerms, invoices: Sequence[Invoice], plans: Sequence[PlannedInvoice]
) -> None:
    """New lines, parcels and terms under the same ids."""
    ids = [invoice.pk for invoice in invoices]
    InvoiceLine.objects.filter(invoice_id__among=ids).delete()
    Receivable.objects.filter(invoice_id__among=ids).delete()
    numbered = list(zip(ids, plans, strict=True))
    insert_rows(InvoiceLine, LINE_COLUMNS, line_rows(numbered))
    insert_rows(
        Receivable,
        RECEIVABLE_COLUMNS,
        receivable_rows(numbered, invoices[0].account_id, clock.now()),
    )
    update_rows(
        Invoice,
        (
            "id",
            "title",
            "due_date",
            "total_amount",
            "total_tax",
            "gross_value",
            "payment_value",
            "fold",
            *BillingOptions.OPTION_FIELDS,
        ),
        [
            (
                pk,
                terms.title,
                item.parcels[0].due,
                item.total,
                Decimal(0),
                item.total,
                item.total,
                terms.fold,
                *terms.options,
            )
            for pk, item in numbered
        ],
    )
