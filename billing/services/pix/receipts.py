"""Booking Pix that the bank has told us of, whoever asked: a notice, a look, the daily list."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django.db.models import Q

from accounts.services.audit import SYSTEM, Actor
from billing.gateways.pix.provider import Received
from billing.models import Charge, GatewayAccount, Payment
from billing.services.payments.arrivals import Arrival, arrived
from billing.services.pix import unmatched
from billing.services.pix.returns import put_returns_in_step


def take_in_all(gateway: GatewayAccount, found: Iterable[Received]) -> int:
    """`take_in` each; answers how many payments are new."""
    return sum(take_in(gateway, one) is not None for one in found)


def take_in(gateway: GatewayAccount, pix: Received, *, actor: Actor = SYSTEM) -> Arrival | None:
    """Book a Pix and what went back of it; None when it was known or belongs to no charge.

    `pix` must come from the bank's own answer, never from what somebody posted. Any value is
    taken (PX-4). One of no charge is kept for staff, once, with an alert.
    """
    known = payment_of(gateway, pix.end_to_end_id)
    arrival = None
    if known is None:
        charge = charge_of(gateway, pix)
        if charge is None:
            unmatched.keep(gateway, pix)
            return None
        arrival = book(gateway, pix, charge=charge, actor=actor)
        known = arrival.payment
    put_returns_in_step(gateway.account, known, pix.returns)
    return arrival if arrival is not None and arrival.is_new else None


def book(
    gateway: GatewayAccount,
    pix: Received,
    *,
    actor: Actor,
    charge: Charge | None = None,
    receivable_id: int | None = None,
) -> Arrival:
    """The payment of a charge, or of a receivable that staff have found for it."""
    account = gateway.account
    on = pix.at.astimezone(ZoneInfo(account.time_zone)).date()
    target = charge.receivable_id if charge is not None else receivable_id
    assert target is not None
    return arrived(
        account,
        receivable_id=target,
        method=Payment.Method.PIX,
        amount=pix.amount,
        received_on=on,
        credited_on=on,
        external_id=pix.end_to_end_id,
        charge_id=charge.pk if charge is not None else None,
        gateway_id=gateway.pk,
        reference=pix.txid,
        actor=actor,
    )


def payment_of(gateway: GatewayAccount, end_to_end_id: str) -> Payment | None:
    """What a Pix was booked as."""
    found: Payment | None = (
        Payment.objects.of(gateway.account)
        .filter(method=Payment.Method.PIX, external_id=end_to_end_id)
        .first()
    )
    return found


def charge_of(gateway: GatewayAccount, pix: Received) -> Charge | None:
    """The charge with that txid, of this tenant; of this account with the bank if it has one.

    A static code is no bank's, and has one txid for all values of a receivable (PX-1).
    """
    if not pix.txid:
        return None
    banks = GatewayAccount.objects.of(gateway.account).filter(provider=gateway.provider)
    # As the index has them: by account with the bank, without the empty ones.
    whose = Q(gateway__in=list(banks.values_list("pk", flat=True))) | Q(gateway=None)
    charges = Charge.objects.of(gateway.account).filter(whose, kind=Charge.Kind.PIX)
    named = charges.filter(txid=pix.txid).exclude(txid="")

    def rank(charge: Charge) -> tuple[bool, bool, int]:
        return charge.gateway_id == gateway.pk, charge.amount == pix.amount, charge.pk

    return max(named, key=rank, default=None)
