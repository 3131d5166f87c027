"""Staff say which receivable a boleto pays that a bank's API told of and nobody knows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.models import InboundEvent, Payment
from billing.services.boletos.settlements import KIND, external_id
from billing.services.payments.arrivals import Arrival, arrived
from lib import clock
from lib.errors import Conflict

TAKEN = "Este pagamento já foi atribuído."


@transaction.atomic
def assign(event_id: int, *, account: Account, receivable_id: int, actor: Actor) -> Arrival:
    """Book a kept settlement for a receivable of the account; what it does not owe is credit.

    Raises NotFound for either of another account, Conflict when it is assigned already.
    """
    found: InboundEvent = InboundEvent.objects.get_of(account, pk=event_id, kind=KIND)
    event = InboundEvent.objects.select_for_update().get(pk=found.pk)
    if event.state != InboundEvent.State.FAILED:
        raise Conflict(TAKEN)
    told = event.payload
    arrival = arrived(
        account,
        receivable_id=receivable_id,
        method=Payment.Method.BOLETO,
        amount=Decimal(told["valor"]),
        received_on=date.fromisoformat(told["pago_em"]),
        external_id=external_id(event.gateway, event.external_id),
        actor=actor,
        gateway_id=event.gateway_id,
        credited_on=date.fromisoformat(told["credito"]) if told["credito"] else None,
        fee=Decimal(told["tarifa"]),
    )
    event.state, event.processed_at = InboundEvent.State.DONE, clock.now()
    event.result = f"Atribuído por {actor.label or 'sistema'}."
    event.save(update_fields=["state", "processed_at", "result"])
    return arrival
