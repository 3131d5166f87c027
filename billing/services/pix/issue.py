"""The live Pix of a receivable: found, or made (PX-1, PX-2, PX-3)."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.errors import PixRejected
from billing.gateways.pix.brcode import InvalidBrCode
from billing.models import Charge, GatewayAccount
from billing.services import ledger
from billing.services.boletos.held import check_open
from billing.services.ledger import Held
from billing.services.pix import draft
from billing.services.pix.closing import replace_others
from billing.services.pix.looking import next_look
from billing.services.pix.register import register
from billing.services.pix.wiring import gateway_of, receiver_of
from lib import clock


def issue_pix(
    receivable_id: int,
    account: Account,
    *,
    actor: Actor = SYSTEM,
    on: date | None = None,
) -> Charge:
    """The Pix by which the receivable can be paid now; safe to repeat.

    With due date and late charges told to the bank (cobv); of a late one the value of the day
    `on` (default: today), payable until its last second (cob, P08), one that is still good being
    given again. What asks for another value or day replaces what there was.

    Not inside a transaction: the bank is asked here. When it does not answer the charge is given
    in registration, and the sweep goes on with it. Raises NotFound, NoOpenAmount, InvoiceBlocked,
    PixNotSetUp, InvalidInput, or PixRejected with the bank's reason.
    """
    charge = _intend(receivable_id, account, actor=actor, on=on)
    if charge.state == Charge.State.REGISTERING:
        register(charge.pk)
        charge = Charge.objects.get(pk=charge.pk)
    if charge.state == Charge.State.REJECTED:
        raise PixRejected(charge.reason)
    return charge


@transaction.atomic
def _intend(receivable_id: int, account: Account, *, actor: Actor, on: date | None) -> Charge:
    """The row, committed before the bank hears of it."""
    held, receivable = ledger.hold_receivable(account, receivable_id)
    check_open(held.invoice, receivable)
    gateway = gateway_of(held.invoice)
    at, today = clock.now(), clock.today(account.time_zone)
    found = receivable.charges.select_for_update().filter(
        kind=Charge.Kind.PIX, state__in=Charge.LIVE
    )
    live = list(found.order_by("-id"))
    given = draft.wanted(held, receivable, gateway, today=today, on=_day(live, on, at))
    for one in live:
        if given.is_met_by(one, at=at):
            return one
    for one in live:
        if one.state != Charge.State.OPEN:  # its place is wanted
            replace_others([one], at=at)
    charge = draft.write_pix(held, receivable, gateway, given, today=today, at=at)
    _start(held, charge, gateway, at=at)
    after = {"txid": charge.txid, "amount": charge.amount, "due": charge.due_date}
    record(account, actor=actor, action="pix.gerado", target=charge, after=after)
    return charge


def _day(live: list[Charge], on: date | None, at: datetime) -> date | None:
    """A late parcel's Pix that is still good stands for the day it was made for (P08)."""
    if on is not None:
        return on
    for one in live:
        if one.limit_date is None and one.expires_at is not None and one.expires_at > at:
            return one.due_date
    return None


def _start(held: Held, charge: Charge, gateway: GatewayAccount, *, at: datetime) -> None:
    """Open at once when no bank has to know it."""
    if charge.gateway_id is not None:
        charge.submit()
        charge.next_attempt_at = at
        charge.save()
        return
    try:
        charge.brcode = draft.static_code(charge, receiver_of(gateway, held.invoice))
    except InvalidBrCode as error:
        raise PixRejected(str(error)) from error
    others = charge.receivable.charges.select_for_update().filter(
        kind=Charge.Kind.PIX, state=Charge.State.OPEN
    )
    replace_others(others, at=at)
    charge.confirm(at=at)
    charge.next_attempt_at = next_look(charge, at=at)
    charge.save()
