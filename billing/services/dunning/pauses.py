"""Keeping the ruler from a parcel while it is disputed, or promised for a day (DUN-5, P-8, P-9)."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import fault
from billing.models import DunningPause, Receivable
from lib import clock

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
