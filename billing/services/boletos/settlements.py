"""Boletos that banks with an API say were paid: asked for, each put on the books once."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import IntegrityError, transaction

from accounts.services.audit import SYSTEM
from billing.gateways.boleto.registrar import Capability, Settlement
from billing.models import Charge, GatewayAccount, InboundEvent, Payment
from billing.services.boletos.banks import key_of, registrar_of
from billing.services.payments.arrivals import arrived
from lib import clock
from lib.errors import GatewayRefused, GatewayUnavailable

log = logging.getLogger(__name__)

KIND = "boleto.liquidado"
# Banks tell late, and on days on which nobody asked.
LOOK_BACK = timedelta(days=7)
UNMATCHED = "Boleto não localizado; vincule o pagamento a uma fatura."


def fetch_settlements() -> int:
    """Ask every active account with a bank for what was paid lately; answers how many were new."""
    gateways = GatewayAccount.objects.filter(
        provider=GatewayAccount.Provider.BOLETO, is_active=True, account__is_active=True
    )
    return sum(_fetch(one) for one in gateways.select_related("account").order_by("id"))


def _fetch(gateway: GatewayAccount) -> int:
    n = 0
    try:
        registrar = registrar_of(gateway)
        if Capability.SETTLEMENTS not in registrar.capabilities:
            return 0
        since = clock.today(gateway.account.time_zone) - LOOK_BACK
        for one in registrar.settled_since(since):
            n += _safely(gateway, one)
    except (GatewayUnavailable, GatewayRefused) as error:
        log.warning("boleto.not_asked", extra={"gateway_id": gateway.pk, "error": str(error)})
    return n


def _safely(gateway: GatewayAccount, settlement: Settlement) -> bool:
    """One that nobody foresaw keeps neither the others nor other banks waiting."""
    try:
        return take_settlement(gateway, settlement)
    except Exception:
        # A stranger's data: whatever it does to us ends here, in the log.
        log.exception("boleto.settlement_crashed", extra={"gateway_id": gateway.pk})
        return False


def take_settlement(gateway: GatewayAccount, settlement: Settlement) -> bool:
    """Put one on the books, with the event that proves it; False when it was there already.

    One whose boleto is not known stays as a failed event, for a person.
    """
    known = InboundEvent.objects.filter(gateway=gateway, external_id=settlement.id, kind=KIND)
    if known.exists():
        return False
    try:
        with transaction.atomic():
            _book(gateway, settlement, _charge_of(gateway, settlement))
    except IntegrityError:
        if not known.exists():
            raise
        return False  # another worker was first
    return True


def _book(gateway: GatewayAccount, settlement: Settlement, charge: Charge | None) -> None:
    result, state = UNMATCHED, InboundEvent.State.FAILED
    if charge is not None:
        arrival = arrived(
            gateway.account,
            receivable_id=charge.receivable_id,
            method=Payment.Method.BOLETO,
            amount=settlement.amount,
            received_on=settlement.paid_on,
            external_id=external_id(gateway, settlement.id),
            actor=SYSTEM,
            charge_id=charge.pk,
            gateway_id=gateway.pk,
            credited_on=settlement.credited_on,
            fee=settlement.fee,
        )
        result, state = arrival.note, InboundEvent.State.DONE
    else:
        log.warning("boleto.unmatched", extra={"gateway_id": gateway.pk})
    now = clock.now()
    InboundEvent.objects.create(
        account=gateway.account, gateway=gateway, external_id=settlement.id, kind=KIND,
        payload=_kept(settlement), state=state, result=result, attempts=1, next_attempt_at=now,
        received_at=now, processed_at=now,
    )  # fmt: skip


def external_id(gateway: GatewayAccount, settlement_id: str) -> str:
    """What the payment of a settlement is known by."""
    return f"boleto:{gateway.pk}:{settlement_id}"


def _kept(settlement: Settlement) -> dict[str, str]:
    """As the bank told it, and in our words, which somebody may have to book it by."""
    credited = settlement.credited_on
    ours = {
        "valor": str(settlement.amount), "tarifa": str(settlement.fee),
        "pago_em": settlement.paid_on.isoformat(),
        "credito": credited.isoformat() if credited else "",
    }  # fmt: skip
    return settlement.raw | ours


def _charge_of(gateway: GatewayAccount, settlement: Settlement) -> Charge | None:
    """By our key, else by the bank's number."""
    ours = Charge.objects.of(gateway.account).filter(gateway=gateway, kind=Charge.Kind.BOLETO)
    pk = settlement.key.partition("-")[0]
    if pk.isascii() and pk.isdecimal() and len(pk) < 19:
        found: Charge | None = ours.filter(pk=int(pk)).first()
        if found is not None and key_of(found) == settlement.key:
            return found
    if not settlement.nosso_numero:
        return None
    # Two agreements of one provider may count their numbers apart: then nothing is guessed.
    by_number = list(ours.filter(nosso_numero=settlement.nosso_numero)[:2])
    return by_number[0] if len(by_number) == 1 else None
