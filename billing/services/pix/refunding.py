"""Giving a Pix back by the bank (PX-5): asked once, and asked about until it is known."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor
from billing.errors import PixRefundTooLate, PixRefundUnavailable
from billing.gateways.pix.provider import PixProvider, PixRefused, PixUnavailable, Return
from billing.models import Payment, Refund
from billing.services.payments.refunds import open_refund, refund_failed
from billing.services.pix.claims import BACK_OFF, LEASE
from billing.services.pix.returns import return_id, settle_refund
from billing.services.pix.wiring import has_provider, provider_of
from lib import clock

DAYS = 90  # PX-5, from the day it was received
_MOST = 30_000


def refund_pix(
    payment_id: int,
    *,
    account: Account,
    actor: Actor,
    reason: str,
    amount: Decimal | None = None,
) -> Refund:
    """Give `amount` (BRL; default: all that is left) of a received Pix back to its payer.

    Not inside a transaction: the bank is asked here; without an answer, or while it works on it,
    the refund is pending and the sweep goes on with it. Raises what `open_refund` raises,
    PixRefundTooLate, or PixRefundUnavailable for money that came by no bank of ours.
    """
    refund = _intend(payment_id, account, actor=actor, reason=reason, amount=amount)
    try:
        give_back(refund.pk)
    except PixUnavailable as error:
        put_off_refund(refund.pk, why=str(error))
    found: Refund = Refund.objects.get(pk=refund.pk)
    return found


@transaction.atomic
def _intend(
    payment_id: int, account: Account, *, actor: Actor, reason: str, amount: Decimal | None
) -> Refund:
    """The row and its id at the bank, committed before the bank is asked."""
    payment: Payment = Payment.objects.get_of(account, pk=payment_id)
    today = clock.today(account.time_zone)
    is_pix = payment.method == Payment.Method.PIX and bool(payment.external_id)
    if not is_pix or payment.gateway is None or not has_provider(payment.gateway):
        raise PixRefundUnavailable()
    if payment.received_on is None or (today - payment.received_on).days > DAYS:
        raise PixRefundTooLate()
    refund = open_refund(payment_id, account=account, actor=actor, reason=reason, amount=amount)
    refund.next_check_at = clock.now()
    refund.save(update_fields=["next_check_at"])
    return refund


def give_back(refund_id: int) -> bool:
    """One attempt; whether its outcome is known. Raises PixUnavailable.

    An earlier one may have been cut off after the bank took it: it is asked first.
    """
    refund = _claim(refund_id)
    if refund is None:
        return False
    payment = refund.payment
    assert payment.gateway is not None
    try:
        found = _known_or_made(provider_of(payment.gateway), refund)
    except PixRefused as error:
        refund_failed(refund.pk, account=refund.account, actor=SYSTEM, failure=str(error))
        return True
    settle_refund(refund.account, refund, found)
    if Refund.objects.get(pk=refund.pk).state == Refund.State.PENDING:
        put_off_refund(refund.pk, why="")
        return False
    return True


def _known_or_made(provider: PixProvider, refund: Refund) -> Return:
    end_to_end_id, own = refund.payment.external_id, return_id(refund)
    if refund.checks > 1:
        known = provider.returned(end_to_end_id, own)
        if known is not None:
            return known
    try:
        return provider.give_back(end_to_end_id, own, refund.amount, refund.reason)
    except PixRefused:
        # It may refuse to do again what it has done.
        known = provider.returned(end_to_end_id, own)
        if known is None:
            raise
        return known


@transaction.atomic
def _claim(refund_id: int) -> Refund | None:
    """The refund for this worker alone for a while; None when it is decided or not due."""
    at = clock.now()
    found = Refund.objects.select_for_update(of=("self",), skip_locked=True).filter(
        pk=refund_id, state=Refund.State.PENDING, next_check_at__lte=at
    )
    refund: Refund | None = found.select_related("account", "payment__gateway").first()
    if refund is None:
        return None
    refund.checks = min(refund.checks + 1, _MOST)
    refund.next_check_at = at + LEASE
    refund.save(update_fields=["checks", "next_check_at"])
    return refund


def put_off_refund(refund_id: int, *, why: str) -> None:
    """Ask again later; `why` is shown to staff meanwhile."""
    refund = Refund.objects.get(pk=refund_id)
    again = clock.now() + BACK_OFF[min(max(refund.checks, 1), len(BACK_OFF)) - 1]
    pending = Refund.objects.filter(pk=refund_id, state=Refund.State.PENDING)
    pending.update(next_check_at=again, failure=why)


def due_refunds(at: datetime, *, after: int, limit: int) -> list[Refund]:
    """Returns of Pix whose outcome is to be asked for, by id from `after` on."""
    found = Refund.objects.filter(
        state=Refund.State.PENDING,
        payment__method=Payment.Method.PIX,
        next_check_at__lte=at,
        pk__gt=after,
    )
    return list(found.select_related("payment").order_by("pk")[:limit])
