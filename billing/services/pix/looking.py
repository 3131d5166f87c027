"""Looking after open Pix whose notice may never come, and ending those whose time is over."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db import transaction

from billing.models import Charge
from billing.services.pix.asking import known_at_bank
from billing.services.pix.claims import claim
from billing.services.pix.receipts import take_in_all
from billing.services.pix.wiring import provider_of
from lib import clock

EVENING = time(21, 0)
GRACE = timedelta(minutes=15)  # a payment of the last second is still being told
_IMMEDIATE = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6))
REMOVED = "O banco removeu a cobrança."
_PATIENCE = 5  # seconds


def next_look(charge: Charge, *, at: datetime) -> datetime | None:
    """When to ask the bank about an open Pix, after `at`; None for one that nobody can be asked.

    One with due date: in the evening of that day and of each one after it. An immediate one: soon,
    and then more and more seldom. Both once more when they can be paid no longer.
    """
    if charge.gateway_id is None or charge.expires_at is None:
        return charge.expires_at
    last = charge.expires_at + GRACE
    moments = _evenings(charge, at) if charge.limit_date else _soon(charge, at)
    return min(moments, last) if at < last else last


def _evenings(charge: Charge, at: datetime) -> datetime:
    zone = ZoneInfo(charge.account.time_zone)
    first = datetime.combine(charge.due_date, EVENING, tzinfo=zone)
    if first > at:
        return first
    tonight = datetime.combine(at.astimezone(zone).date(), EVENING, tzinfo=zone)
    return tonight if tonight > at else tonight + timedelta(days=1)


def _soon(charge: Charge, at: datetime) -> datetime:
    since = charge.registered_at or at
    for step in _IMMEDIATE:
        if since + step > at:
            return since + step
    return at + _IMMEDIATE[-1]


def look(charge_id: int) -> bool:
    """Ask about one open Pix that is due for it; whether it is over with. Raises PixUnavailable.

    What the bank received is booked; what it removed or what can no longer be paid is closed.
    """
    charge = claim(charge_id, Charge.State.OPEN)
    if charge is None:
        return False
    if charge.gateway is None:
        _put_in_step(charge.pk, is_removed=False)
        return True
    found = known_at_bank(provider_of(charge.gateway), charge)
    if found is not None and found.received:
        take_in_all(charge.gateway, found.received)
    _put_in_step(charge.pk, is_removed=found is not None and found.status.is_removed)
    return True


def look_now(charge_id: int) -> bool:
    """`look` out of turn, for somebody who has just paid; at most every five seconds.

    Raises PixUnavailable.
    """
    if not cache.add(f"pix-look:{charge_id}", 1, timeout=_PATIENCE):
        return False
    at = clock.now()
    Charge.objects.filter(
        pk=charge_id, kind=Charge.Kind.PIX, state=Charge.State.OPEN, gateway__isnull=False
    ).update(next_attempt_at=at)
    return look(charge_id)


@transaction.atomic
def _put_in_step(charge_id: int, *, is_removed: bool) -> None:
    """Close it, or say when to look again; a payment that was booked has done it already."""
    at = clock.now()
    charge = Charge.objects.select_for_update().get(pk=charge_id)
    if charge.state != Charge.State.OPEN:
        return
    charge.attempts = 0
    if is_removed:
        charge.cancel(at=at)
        charge.reason = REMOVED
    elif charge.expires_at is not None and charge.expires_at <= at:
        charge.expire(at=at)
        charge.next_attempt_at = None
    else:
        charge.next_attempt_at = next_look(charge, at=at)
    charge.save()
