"""One worker at a time for each Pix, its attempt counted before the bank is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from billing.models import Charge
from lib import clock

LEASE = timedelta(minutes=2)  # longer than the calls of one attempt may take
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
)
_MOST = 30_000


@transaction.atomic
def claim(charge_id: int, state: str, *, at: datetime | None = None) -> Charge | None:
    """The charge for this worker alone for two minutes; None when it is not due or not in `state`.

    `next_attempt_at` of what is given is when others may take it.
    """
    at = at or clock.now()
    found = Charge.objects.select_for_update(of=("self",), skip_locked=True).filter(
        pk=charge_id, kind=Charge.Kind.PIX, state=state, next_attempt_at__lte=at
    )
    charge: Charge | None = found.select_related("gateway", "gateway__account").first()
    if charge is None:
        return None
    charge.attempts = min(charge.attempts + 1, _MOST)
    charge.next_attempt_at = at + LEASE
    charge.save(update_fields=["attempts", "next_attempt_at"])
    return charge


def put_off(charge: Charge, *, at: datetime) -> None:
    """Try a claimed charge again later, unless it was asked for anew meanwhile."""
    again = at + BACK_OFF[min(charge.attempts, len(BACK_OFF)) - 1]
    ours = Charge.objects.filter(pk=charge.pk, next_attempt_at=charge.next_attempt_at)
    ours.update(next_attempt_at=again)
