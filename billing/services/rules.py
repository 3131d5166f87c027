"""Changes to rules, followed by their invoices not yet emitted (DECISIONS 1, billing-api §6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from billing.engine.schedule import first_n_after, occurrence
from billing.models import BillingOptions, Invoice, InvoiceLine, InvoiceRule, Receivable
from billing.services.materialise import (
    LINE_COLUMNS,
    RECEIVABLE_COLUMNS,
    Materialised,
    line_rows,
    materialise,
    receivable_rows,
)
from billing.services.planning import BadRule, PlannedInvoice, RuleTerms, check, load_terms, plan
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
        return _reschedule(rule, account)
    _rewrite(rule, today)
    return Materialised()


def _reschedule(rule: InvoiceRule, account: Account) -> Materialised:
    """SCH-5: drop what was not emitted and make it again; what was blocked stays blocked."""
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
    last = _last_kept(rule, [day for _, day, _ in dropped if day is not None])
    rule.last_occurrence = last
    rule.next_n, rule.next_occurrence = _next(rule, last)
    rule.save(update_fields=["last_occurrence", "next_n", "next_occurrence"])
    done = materialise(account, rule_ids=[rule.pk])
    blocked = [day for _, day, status in dropped if status == Invoice.Approval.BLOCKED]
    replaceable(rule).filter(occurrence_date__in=blocked).update(
        approval_status=Invoice.Approval.BLOCKED
    )
    return done


def _last_kept(rule: InvoiceRule, dropped: list[date]) -> date | None:
    """The occurrence after which the schedule is made again.

    It is the one before the first that was dropped, so that what fell between two that stay comes
    back. When the dates themselves changed, it is the last that stays: a later one of the old
    dates has billed its period already.
    """
    days = Invoice.objects.filter(rule=rule).values_list("occurrence_date", flat=True)
    kept = [day for day in days if day is not None]
    first = min(dropped, default=None)
    if first is None or not all(_falls_on(rule, day) for day in kept if day > first):
        return max(kept, default=None)
    return max((day for day in kept if day < first), default=None)


def _falls_on(rule: InvoiceRule, day: date) -> bool:
    """The rule's present schedule has an occurrence on `day`."""
    if rule.init_date is None or day < rule.init_date:
        return False
    (terms,) = load_terms(InvoiceRule.objects.filter(pk=rule.pk))
    n = first_n_after(terms.schedule, day) - 1
    return n >= 0 and occurrence(terms.schedule, n) == day


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
