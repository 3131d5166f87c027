"""Keeping the ruler from a parcel while it is disputed, or promised for a day (DUN-5, P-8, P-9)."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.engine.dunning import RESUMES_AFTER, held_since
from billing.errors import fault
from billing.models import DunningPause, Receivable
from billing.services.dunning.terms import start_of
from lib import clock
from lib.calendars import BR_BANK

PROMISE_NEEDS_DAY = "Informe até quando foi prometido o pagamento."
IN_THE_PAST = "Informe uma data de hoje em diante."


@transaction.atomic
def pause(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    reason: str,
    until: date | None = None,
    note: str = "",
) -> DunningPause:
    """Pause a parcel up to and including the day `until`, or until the pause is lifted.

    Raises NotFound, and InvalidInput for a promise without its day or a day in the past.
    """
    receivable = Receivable.objects.get_of(account, pk=receivable_id)
    if reason == DunningPause.Reason.PROMISE and until is None:
        raise fault("until", PROMISE_NEEDS_DAY)
    if until is not None and until < clock.today(account.time_zone):
        raise fault("until", IN_THE_PAST)
    row: DunningPause = DunningPause.objects.create(
        account=account,
        receivable=receivable,
        reason=DunningPause.Reason(reason),
        until=until,
        note=note,
        recorded_by=actor.label,
        created_at=clock.now(),
    )
    after = {"motivo": reason, "ate": until}
    record(account, actor=actor, action="cobranca.pausada", target=receivable, after=after)
    return row


@transaction.atomic
def lift(pause_id: int, *, account: Account, actor: Actor) -> DunningPause:
    """Lift a pause; that of a rejected dispute leaves its days of grace (P-9). Raises NotFound."""
    rows = DunningPause.objects.select_for_update(of=("self",))
    row: DunningPause = rows.select_related("receivable").get_of(account, pk=pause_id)
    if row.lifted_at is None:
        row.lifted_at = clock.now()
        row.save(update_fields=["lifted_at"])
        after = {"motivo": row.reason}
        record(account, actor=actor, action="cobranca.retomada", target=row.receivable, after=after)
    return row


def disputed(account: Account, *, today: date) -> Q:
    """The condition that nothing is collected for a parcel by itself: a dispute of it is open.

    Or was until just now: collecting begins again on the next business day (P-9).
    """
    since = held_since(today, business_days=RESUMES_AFTER, calendar=BR_BANK)
    holding = Q(lifted_at=None) | Q(lifted_at__gte=start_of(account, since))
    return Q(Exists(_of_disputes().filter(holding)))


def disputed_lately(account: Account, *, today: date, days: int) -> Q:
    """The condition that a dispute of a parcel ended within so many days before `today`."""
    since = start_of(account, today - timedelta(days=days))
    return Q(Exists(_of_disputes().filter(lifted_at__gte=since)))


def _of_disputes() -> QuerySet[DunningPause]:
    return DunningPause.objects.filter(
        receivable=OuterRef("pk"), reason=DunningPause.Reason.DISPUTE
    )
