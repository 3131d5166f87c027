"""The queue is a nudge: whatever Pix waits for its bank is found here and gone on with."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.db.models import Q

from billing.gateways.pix.provider import PixUnavailable
from billing.models import Charge
from billing.services.pix.claims import put_off
from billing.services.pix.closing import cancel_at_bank
from billing.services.pix.looking import look
from billing.services.pix.refunding import due_refunds, give_back, put_off_refund
from billing.services.pix.register import register
from lib import clock
from lib.locks import exclusive
from lib.queue import enqueue

log = logging.getLogger(__name__)

TASK = "billing.tasks.sweep_pix"
_BATCH = 100
_WORK: dict[str, Callable[[int], bool]] = {
    Charge.State.REGISTERING: register,
    Charge.State.CANCELLING: cancel_at_bank,
    Charge.State.OPEN: look,
}


def sweep_pix(limit_seconds: float = 90) -> int:
    """Register, cancel, look after and end what is due; answers how many were gone on with.

    One at a time in the installation; starts nothing more after `limit_seconds`, and queues
    itself again when more is due. A bank that does not answer is left alone until the next run.
    """
    with exclusive("pix-sweep", 0) as free:
        if not free:
            return 0
        deadline = time.monotonic() + limit_seconds
        done, left = _work_until(deadline)
        done += _refunds_until(deadline)
    if left:
        enqueue(TASK)
    return done


def _work_until(deadline: float) -> tuple[int, bool]:
    """How many were done, and whether more is due. Each is tried once."""
    silent: set[int] = set()
    done = last = 0
    while batch := _due(silent, after=last):
        for charge in batch:
            if time.monotonic() >= deadline:
                return done, True
            last = charge.pk
            if charge.gateway_id not in silent:
                done += _one(charge, silent)
    return done, False


def _due(silent: set[int], *, after: int) -> list[Charge]:
    found = Charge.objects.filter(
        kind=Charge.Kind.PIX,
        state__in=list(_WORK),
        next_attempt_at__lte=clock.now(),
        pk__gt=after,
    )
    # NOT IN would leave out the rows without gateway.
    heard = Q(gateway=None) | ~Q(gateway__in=silent)
    return list(found.filter(heard).order_by("pk")[:_BATCH])


def _one(charge: Charge, silent: set[int]) -> bool:
    try:
        is_over = _WORK[charge.state](charge.pk)
    except PixUnavailable as error:
        log.info("pix.put_off", extra={"charge_id": charge.pk, "reason": str(error)})
        put_off(Charge.objects.get(pk=charge.pk), at=clock.now())
        is_over = False
    except Exception:
        # One charge that nobody foresaw must not keep the others waiting.
        log.exception("pix.crashed", extra={"charge_id": charge.pk})
        put_off(Charge.objects.get(pk=charge.pk), at=clock.now())
        return False
    if not is_over and charge.gateway_id is not None:
        silent.add(charge.gateway_id)
    return is_over


def _refunds_until(deadline: float) -> int:
    """Returns that the bank has not decided, or has not answered about."""
    silent: set[int | None] = set()
    done = last = 0
    while time.monotonic() < deadline and (
        batch := due_refunds(clock.now(), after=last, limit=_BATCH)
    ):
        for refund in batch:
            last = refund.pk
            if refund.payment.gateway_id in silent or time.monotonic() >= deadline:
                continue
            try:
                done += give_back(refund.pk)
            except PixUnavailable as error:
                put_off_refund(refund.pk, why=str(error))
                silent.add(refund.payment.gateway_id)
    return done
