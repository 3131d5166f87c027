"""Which steps are due for which open parcels, found and written down by set (DUN-3, DUN-5, P-9).

One statement for each step of a ruler puts the executions that are due into their table, where a
unique key keeps each to once a cycle. Nothing is remembered between runs: whatever was missed,
paused or undone is found again from the rows as they are.
"""

from __future__ import annotations

import functools
import logging
import operator
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from billing.engine import dunning
from billing.engine.dunning import ACTS_AFTER, RESUMES_AFTER, Condition, Moment, Step
from billing.models import (
    DunningPause,
    NotificationRuler,
    Payment,
    Receivable,
    RulerExecution,
)
from billing.services.dunning.terms import calendar_of, moment_at, served_by, start_of, terms_of
from lib.calendars import Calendar

log = logging.getLogger(__name__)

_INSERT = """
INSERT INTO billing_rulerexecution (account_id, receivable_id, cycle, step_id, state, note,
    next_attempt_at, created_at)
SELECT q.*, %s, 'pending', '', %s, %s FROM ({query}) AS q
WHERE true ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class _Task:
    """What is the same for all steps of a selection."""

    account: Account
    served: Q
    terms: dunning.Ruler
    moment: Moment
    calendar: Calendar
    now: datetime


def select_due(account: Account, *, now: datetime) -> int:
    """Write down the steps that are due now of all active rulers; answers how many are new.

    Safe to repeat, and to run twice at once.
    """
    rulers = NotificationRuler.objects.of(account).filter(
        is_active=True, activated_on__isnull=False
    )
    found = 0
    for ruler in rulers.order_by("id"):
        try:
            found += select_of(ruler, account=account, now=now)
        except ValueError as error:
            # Written past the forms: the other rulers go on.
            log.warning("dunning.bad_condition", extra={"ruler_id": ruler.pk, "error": str(error)})
    return found


def select_of(ruler: NotificationRuler, *, account: Account, now: datetime) -> int:
    """`select_due` of one active ruler. Raises ValueError when a step's condition means nothing."""
    since = ruler.activated_on
    if since is None:
        return 0
    terms = terms_of(ruler, ruler.steps.all(), since=since)
    calendar = calendar_of(ruler.organization_id)
    served = served_by(ruler, path="invoice__")
    task = _Task(account, served, terms, moment_at(account, now), calendar, now)
    return sum(_insert(task, step) for step in terms.steps)


def _insert(task: _Task, step: Step) -> int:
    rows = due_for(task.terms, step, moment=task.moment, calendar=task.calendar)
    if rows is None:
        return 0
    # Found before their invoices are looked at: on most days few are left of very many.
    new = rows.filter(~Exists(_done(step)), account=task.account).values("id")
    stopped = held(task.account, step, task.moment, task.calendar)
    rows = Receivable.objects.filter(
        task.served, ~Exists(stopped), ~Exists(in_flight()), id__among=new
    )
    try:
        sql, params = rows.values_list("account_id", "id", "due_date").query.sql_with_params()
    except EmptyResultSet:
        return 0
    now = connection.ops.adapt_datetimefield_value(task.now)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(query=sql), [step.id, now, now, *params])
        return int(cursor.rowcount)


def due_for(
    ruler: dunning.Ruler, step: Step, *, moment: Moment, calendar: Calendar
) -> QuerySet[Receivable] | None:
    """Open parcels for which the step is due, whoever's they are; None when it is due for none.

    The same as `dunning.due_steps`, as limits of due dates.
    """
    last = dunning.latest_due(step, moment, calendar)
    if last is None:
        return None
    due = Q(due_date__lte=last) & narrowed(step.condition)
    first = dunning.earliest_due(step, ruler, calendar)
    if first is not None:
        due &= Q(due_date__gte=first)
    for later in dunning.replaced_by(step, ruler.steps):
        overtaken = dunning.latest_due(later, moment, calendar)
        if overtaken is not None:
            due &= ~(Q(due_date__lte=overtaken) & narrowed(later.condition))
    rows = Receivable.objects.filter(state=Receivable.State.TO_RECEIVE, open_principal__gt=0)
    return rows.filter(due)


def narrowed(condition: Condition) -> Q:
    """A step's condition over parcels."""
    parts = []
    if condition.methods is not None:
        parts.append(Q(invoice__payment_method__in=sorted(condition.methods)))
    if condition.least is not None:
        parts.append(Q(open_principal__gte=condition.least))
    if condition.most is not None:
        parts.append(Q(open_principal__lte=condition.most))
    if condition.is_consumer is not None:
        parts.append(Q(invoice__customer__is_consumer=condition.is_consumer))
    return functools.reduce(operator.and_, parts, Q())


def _done(step: Step) -> QuerySet[RulerExecution]:
    return RulerExecution.objects.filter(
        receivable=OuterRef("pk"), step=step.id, cycle=OuterRef("due_date")
    )


def held(
    account: Account, step: Step, moment: Moment, calendar: Calendar
) -> QuerySet[DunningPause]:
    """Pauses that keep a step from a parcel: live ones, and disputes rejected a moment ago."""
    days = RESUMES_AFTER if step.is_contact else ACTS_AFTER
    since = dunning.held_since(moment.day, business_days=days, calendar=calendar)
    live = Q(lifted_at=None) & (Q(until=None) | Q(until__gte=moment.day))
    rejected = Q(reason=DunningPause.Reason.DISPUTE, lifted_at__gte=start_of(account, since))
    return DunningPause.objects.filter(live | rejected, receivable=OuterRef("pk"))


def chaseable(
    rows: QuerySet[Receivable], *, account: Account, now: datetime
) -> QuerySet[Receivable]:
    """Those of `rows` that a message about them may still go out for (DUN-5)."""
    paused = DunningPause.objects.filter(
        Q(until=None) | Q(until__gte=moment_at(account, now).day),
        receivable=OuterRef("pk"), lifted_at=None,
    )  # fmt: skip
    return rows.filter(~Exists(paused), state=Receivable.State.TO_RECEIVE, open_principal__gt=0)


def in_flight() -> QuerySet[Payment]:
    """A payment whose outcome is not known: nobody is chased while it may have been paid."""
    return Payment.objects.filter(receivable=OuterRef("pk"), state__in=Payment.IN_FLIGHT)
