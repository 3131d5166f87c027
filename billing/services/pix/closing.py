"""Taking a Pix away: what is replaced, and telling the bank of what needs collecting no more."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from billing.gateways.pix.provider import (
    PixProvider,
    PixRefused,
    PixUnavailable,
    Registered,
    Status,
)
from billing.models import Charge
from billing.services.charge_closing import WRITE_OFF
from billing.services.pix.asking import known_at_bank
from billing.services.pix.claims import claim
from billing.services.pix.draft import kind_of
from billing.services.pix.receipts import take_in_all
from billing.services.pix.wiring import provider_of
from lib import clock

log = logging.getLogger(__name__)


def replace_others(charges: Iterable[Charge], *, at: datetime) -> list[Charge]:
    """Close locked Pix in favour of another one: shown no more, the bank told by the sweep."""
    closed = list(charges)
    for charge in closed:
        charge.ask_cancellation()
        charge.instruction = WRITE_OFF
        charge.next_attempt_at = at
        charge.attempts = 0
        charge.save()
    return closed


def cancel_at_bank(charge_id: int) -> bool:
    """Have the bank remove a Pix that is being cancelled; whether it is over with.

    One that was paid before the bank heard of it is a payment (§3.4). Raises PixUnavailable.
    """
    charge = claim(charge_id, Charge.State.CANCELLING)
    if charge is None:
        return False
    if charge.gateway is None:  # no bank knows a static code
        _cancelled(charge.pk)
        return True
    provider = provider_of(charge.gateway)
    found = _removed(provider, charge)
    if found is not None:
        take_in_all(charge.gateway, found.received)
        if found.status == Status.ACTIVE and _can_be_paid(charge):
            raise PixUnavailable("O banco ainda não removeu a cobrança.")
    _cancelled(charge.pk)
    return True


def _can_be_paid(charge: Charge) -> bool:
    return charge.expires_at is None or charge.expires_at > clock.now()


def _removed(provider: PixProvider, charge: Charge) -> Registered | None:
    """The charge as the bank has it after it was asked to remove it; None: it never had it."""
    try:
        return provider.cancel(kind_of(charge), charge.txid)
    except PixRefused:
        # Paid, removed or expired already: whatever it is, its register says it.
        return known_at_bank(provider, charge)


@transaction.atomic
def _cancelled(charge_id: int) -> None:
    """A payment that came meanwhile has had the last word."""
    charge = Charge.objects.select_for_update().get(pk=charge_id)
    if charge.state == Charge.State.CANCELLING:
        charge.cancel(at=clock.now())
        charge.save()
        log.info("pix.cancelled", extra={"charge_id": charge_id})
