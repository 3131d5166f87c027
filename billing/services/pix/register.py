"""Telling the bank of a new Pix, and asking it where its answer did not come."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.gateways.pix import brcode
from billing.gateways.pix.provider import PixProvider, PixRefused, PixUnavailable, Registered
from billing.models import Charge
from billing.services import ledger
from billing.services.pix.asking import about, known_at_bank
from billing.services.pix.claims import claim, put_off
from billing.services.pix.closing import replace_others
from billing.services.pix.draft import order_of
from billing.services.pix.looking import next_look
from billing.services.pix.receipts import take_in_all
from billing.services.pix.wiring import provider_of, receiver_of
from lib import clock

TOO_LATE = "O prazo para pagar este Pix acabou antes de o banco o registrar."
REMOVED = "O banco removeu a cobrança."
OTHER_AMOUNT = "O banco registrou a cobrança com outro valor."


def register(charge_id: int) -> bool:
    """One attempt to have a Pix in registration known to the bank; whether it is over with.

    An earlier attempt may have been cut off after the bank had taken it: it is asked first. An
    attempt without answer is put off; False.
    """
    charge = claim(charge_id, Charge.State.REGISTERING)
    if charge is None:
        return False
    assert charge.gateway is not None
    try:
        provider = provider_of(charge.gateway)
        found = _known_or_made(provider, charge)
        code = _code(found, charge) if found is not None else ""
    except PixRefused as error:
        _rejected(charge.pk, reason=str(error))
        return True
    except PixUnavailable as error:
        Charge.objects.filter(pk=charge.pk).update(reason=str(error))
        put_off(charge, at=clock.now())
        return False
    if found is None or found.amount != charge.amount:
        _rejected(charge.pk, reason=TOO_LATE if found is None else OTHER_AMOUNT)
        return True
    _registered(charge, found, code)
    take_in_all(charge.gateway, found.received)
    return True


def _known_or_made(provider: PixProvider, charge: Charge) -> Registered | None:
    if charge.attempts > 1:
        known = known_at_bank(provider, charge)
        if known is not None:
            return known
    invoice = charge.receivable.invoice
    assert charge.gateway is not None
    order = order_of(charge, invoice, str(charge.gateway.options["key"]), at=clock.now())
    if order is None:
        return None
    try:
        return about(charge, provider.create(order))
    except PixRefused:
        # Some banks refuse to make again what they have made.
        known = known_at_bank(provider, charge)
        if known is None:
            raise
        return known


@transaction.atomic
def _registered(claimed: Charge, found: Registered, code: str) -> None:
    """Open it in place of what there was; what was closed meanwhile keeps its way out."""
    at = clock.now()
    _, receivable = ledger.hold_receivable(claimed.account, claimed.receivable_id)
    pix = receivable.charges.select_for_update().filter(kind=Charge.Kind.PIX).order_by("id")
    charges = list(pix)
    charge = next(one for one in charges if one.pk == claimed.pk)
    charge.location = found.location[:200]
    charge.brcode = code
    if charge.state == Charge.State.REGISTERING:
        if found.status.is_removed:
            charge.reject(reason=REMOVED, at=at)
        else:
            _open(charge, charges, at=at)
    charge.save()


def _open(charge: Charge, charges: list[Charge], *, at: datetime) -> None:
    others = [one for one in charges if one.state == Charge.State.OPEN and one.pk != charge.pk]
    replace_others(others, at=at)
    if others and not Charge.objects.filter(replaces=others[-1]).exists():
        charge.replaces = others[-1]
    charge.confirm(at=at)
    charge.reason, charge.attempts = "", 0
    charge.next_attempt_at = next_look(charge, at=at)


def _code(found: Registered, charge: Charge) -> str:
    """The bank's text if it is a good one, else one made of the location."""
    try:
        brcode.read(found.brcode)
        return found.brcode
    except brcode.InvalidBrCode:
        pass
    assert charge.gateway is not None
    receiver = receiver_of(charge.gateway, charge.receivable.invoice)
    try:
        return brcode.dynamic(location=found.location, name=receiver.name, city=receiver.city)
    except brcode.InvalidBrCode as error:
        raise PixUnavailable(f"O banco não deu um código que se possa pagar: {error}") from error


@transaction.atomic
def _rejected(charge_id: int, *, reason: str) -> None:
    charge = Charge.objects.select_for_update().get(pk=charge_id)
    if charge.state == Charge.State.REGISTERING:
        charge.reject(reason=reason, at=clock.now())
        charge.save()
