"""Staff say which receivable a Pix without charge pays."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.gateways.pix.provider import Received
from billing.models import InboundEvent
from billing.services.payments.arrivals import Arrival
from billing.services.pix.receipts import book
from billing.services.pix.unmatched import KIND
from lib import clock
from lib.errors import Conflict

TAKEN = "Este Pix já foi atribuído."


@transaction.atomic
def assign(event_id: int, *, account: Account, receivable_id: int, actor: Actor) -> Arrival:
    """Book a kept Pix for a receivable of the account; what it does not owe becomes credit.

    Raises NotFound for either of another account, Conflict when it is assigned already.
    """
    found: InboundEvent = InboundEvent.objects.get_of(account, pk=event_id, kind=KIND)
    event = InboundEvent.objects.select_for_update().get(pk=found.pk)
    if event.state != InboundEvent.State.IGNORED:
        raise Conflict(TAKEN)
    given = event.payload
    pix = Received(
        end_to_end_id=given["endToEndId"],
        txid=given["txid"],
        amount=Decimal(given["valor"]),
        at=datetime.fromisoformat(given["horario"]),
    )
    arrival = book(event.gateway, pix, receivable_id=receivable_id, actor=actor)
    event.state, event.processed_at = InboundEvent.State.DONE, clock.now()
    event.result = f"Atribuído por {actor.label or 'sistema'}."
    event.save(update_fields=["state", "processed_at", "result"])
    return arrival
