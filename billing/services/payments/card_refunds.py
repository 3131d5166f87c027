"""Refunds of card payments by the provider: begun, asked for once, asked about (REF-1, REF-2).

`refunds` keeps the books; here the provider is asked. The row and its key are committed first, and
an outcome that is not known is looked for at the provider before the same key is used again.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.errors import CannotRefund, RefundRefused
from billing.gateways.cards import CardRefused, Returned
from billing.models import GatewayAccount, Payment, Refund
from billing.services import ledger
from billing.services.payments import refunds
from billing.services.payments.card_checks import KEYS_LIVE, LIMIT_SECONDS, WAITS
from billing.services.payments.card_gateway import provider_of
from billing.services.payments.chargebacks import chargeback_lost, chargeback_opened
from lib import clock
from lib.errors import DomainError, GatewayUnavailable
from lib.queue import enqueue

log = logging.getLogger(__name__)

LABEL = "refund"  # of a refund at the provider: our key
BY_HAND = "Reembolso feito no painel da operadora"
NO_ROOM = "Devolvido mais do que havia para reembolsar: a diferença saiu da carteira do cliente."
NOT_ARRIVED = "O pedido não chegou à operadora."
DAILY = timedelta(days=1)
ASKED = "Reembolso solicitado. O valor volta ao cartão em 3 a 7 dias úteis."


def refund_payment(
    payment_id: int,
    *,
    account: Account,
    actor: Actor,
    reason: str,
    amount: Decimal | None = None,
) -> Refund:
    """Give `amount` (BRL; default: all that is left) of a card payment back to the card.

    Not inside a transaction. An unknown outcome is no error: the refund stays pending and is asked
    about. Raises as `refunds.open_refund`, and RefundRefused when the provider says no.
    """
    with transaction.atomic():
        refund = refunds.open_refund(
            payment_id, account=account, actor=actor, reason=reason, amount=amount
        )
        Refund.objects.filter(pk=refund.pk).update(next_check_at=clock.now() + WAITS[0])
    return _ask(refund.pk, account=account, actor=actor)


def check_due() -> int:
    """Ask about every pending refund that is due; answers how many."""
    deadline, done = time.monotonic() + LIMIT_SECONDS, 0
    while time.monotonic() < deadline and (refund_id := _take()):
        try:
            check_refund(refund_id)
        except (GatewayUnavailable, CardRefused, DomainError) as error:
            log.warning("refund.unanswered", extra={"refund_id": refund_id, "error": str(error)})
        except Exception:
            log.exception("refund.check_crashed", extra={"refund_id": refund_id})
        done += 1
    return done


def check_refund(refund_id: int) -> Refund:
    """Ask about one; safe to repeat. Raises GatewayUnavailable, CardRefused, RefundRefused."""
    refund = _loaded(refund_id)
    payment = refund.payment
    if refund.state != Refund.State.PENDING or payment.gateway is None:
        return refund
    known = provider_of(payment.gateway).refunds(payment.external_id)
    for returned in known:
        if returned.labels.get(LABEL) == refund.key:
            return take_answer(refund_id, returned, account=refund.account, actor=SYSTEM)
    if clock.now() - refund.created_at < KEYS_LIVE:
        return _ask(refund_id, account=refund.account, actor=SYSTEM)
    return refunds.refund_failed(
        refund_id, account=refund.account, actor=SYSTEM, failure=NOT_ARRIVED
    )


def take_answer(refund_id: int, returned: Returned, *, account: Account, actor: Actor) -> Refund:
    """Bring a refund in step with the provider's. Told again, it changes nothing."""
    Refund.objects.filter(pk=refund_id, external_id="").update(external_id=returned.external_id)
    if returned.status == "succeeded":
        with transaction.atomic():
            refund = refunds.refund_succeeded(
                refund_id, account=account, actor=actor, external_id=returned.external_id
            )
            enqueue("billing.tasks.tell_card_refund", refund_id)  # written once, whoever asks
        return refund
    if returned.status in ("failed", "canceled"):
        failure = returned.failure or "recusado pelo banco"
        return refunds.refund_failed(refund_id, account=account, actor=actor, failure=failure)
    return _loaded(refund_id)


def bring_in_step(payment: Payment, *, actor: Actor) -> int:
    """Every refund that the provider knows of this payment; answers how many there are.

    Also those that somebody made at the provider's own pages. Raises GatewayUnavailable.
    """
    assert payment.gateway is not None
    found = provider_of(payment.gateway).refunds(payment.external_id)
    for returned in reversed(found):
        refund = _ours(payment, returned) or _foreign(payment, returned, actor)
        if refund is not None:
            take_answer(refund.pk, returned, account=payment.account, actor=actor)
    return len(found)


def _ask(refund_id: int, *, account: Account, actor: Actor) -> Refund:
    refund = _loaded(refund_id)
    payment = refund.payment
    gateway: GatewayAccount | None = payment.gateway
    assert gateway is not None
    try:
        returned = provider_of(gateway).refund(
            payment.external_id,
            key=refund.key,
            amount=refund.amount,
            labels={LABEL: refund.key, "payment": str(payment.key)},
        )
    except CardRefused as error:
        refunds.refund_failed(refund_id, account=account, actor=actor, failure=str(error))
        raise RefundRefused(str(error)) from error
    except GatewayUnavailable:
        return refund
    return take_answer(refund_id, returned, account=account, actor=actor)


def _take() -> int | None:
    now = clock.now()
    with transaction.atomic():
        row = (
            Refund.objects.filter(
                state=Refund.State.PENDING,
                next_check_at__lte=now,
                payment__method=Payment.Method.CARD,
            )
            .order_by("next_check_at", "id")
            .select_for_update(of=("self",), skip_locked=True)
            .values_list("pk", "checks")
            .first()
        )
        if row is None:
            return None
        pk, checks = row
        wait = WAITS[checks + 1] if checks + 1 < len(WAITS) else DAILY
        Refund.objects.filter(pk=pk).update(
            checks=min(checks + 1, 30_000), next_check_at=now + wait
        )
    return int(pk)


def _loaded(refund_id: int) -> Refund:
    return Refund.objects.select_related("account", "payment__gateway").get(pk=refund_id)


def _ours(payment: Payment, returned: Returned) -> Refund | None:
    mine = payment.refunds.filter(to=Refund.To.PROVIDER)
    key = returned.labels.get(LABEL)
    if key and (found := mine.filter(key=key).first()):
        return found
    return mine.filter(external_id=returned.external_id).first()


def _foreign(payment: Payment, returned: Returned, actor: Actor) -> Refund | None:
    """One that was made without us; None where the books cannot have it as a refund: an alert."""
    if returned.status in ("failed", "canceled"):
        return None
    try:
        with transaction.atomic():
            return _booked(payment, returned, actor)
    except DomainError as error:
        _alert(payment, returned, actor, why=error.mensagem)
        return None


def _booked(payment: Payment, returned: Returned, actor: Actor) -> Refund | None:
    """As much of it as may be refunded is a refund; the rest of the money is gone all the same.

    Its credit was used, or the wallet had it back before. Raises CannotRefund while it is
    contested.
    """
    account = payment.account
    _, payment = ledger.hold_payment(account, payment.pk)
    if known := _ours(payment, returned):
        return known
    if payment.chargebacks.filter(external_id=returned.external_id).exists():
        return None
    if payment.state == Payment.State.DISPUTED:
        raise CannotRefund()
    room = min(returned.amount, refunds.refundable(payment))
    rest = returned.amount - room
    if rest and returned.status != "succeeded":
        return None  # until it is
    refund = None
    if room:
        refund = refunds.open_refund(
            payment.pk, account=account, actor=actor, reason=BY_HAND, amount=room
        )
        Refund.objects.filter(pk=refund.pk).update(external_id=returned.external_id)
    if rest:
        gone = chargeback_opened(
            payment.pk, account=account, actor=actor, amount=rest,
            external_id=returned.external_id, reason=BY_HAND,
        )  # fmt: skip
        chargeback_lost(gone.pk, account=account, actor=actor)
        _alert(payment, returned, actor, why=NO_ROOM)
    return refund


def _alert(payment: Payment, returned: Returned, actor: Actor, *, why: str) -> None:
    after = {"operadora": returned.external_id, "valor": returned.amount, "motivo": why}
    log.error("refund.no_room", extra={"payment_id": payment.pk, "error": why})
    account = payment.account
    record(account, actor=actor, action="reembolso.divergente", target=payment, after=after)
