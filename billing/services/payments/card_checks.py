"""Asking about attempts whose outcome is not known (PAY-1), and giving up those nobody completes.

A payment is asked about after one minute, five minutes, an hour, then daily. First it is looked
for at the provider; only one that is not there is asked for again, with its own key while the
provider still keeps that (ST-3).
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor
from billing.errors import CardNotReady
from billing.gateways.cards import Attempt, CardRefused, Status
from billing.gateways.stripe.adapter import Stripe
from billing.models import Payment
from billing.services.payments import card_answers, card_charging, card_hosted
from billing.services.payments.card_answers import HOSTED, LABEL
from billing.services.payments.card_gateway import customer_reference, provider_of
from lib import clock
from lib.errors import GatewayUnavailable

log = logging.getLogger(__name__)

WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1))
DAILY = timedelta(days=1)
KEYS_LIVE = timedelta(hours=24)
PATIENCE = timedelta(hours=24)  # for a customer who is to authenticate (ST-4)
SKEW = timedelta(days=2)  # between the provider's clock and ours, and then some
LIMIT_SECONDS = 90.0
IMPATIENCE = 5  # seconds


def check_due() -> int:
    """Ask about every attempt that is due; answers how many were asked about."""
    deadline, done = time.monotonic() + LIMIT_SECONDS, 0
    while time.monotonic() < deadline and (payment_id := _take(clock.now())):
        try:
            check_payment(payment_id)
        except (GatewayUnavailable, CardRefused) as error:
            log.warning("payment.unanswered", extra={"payment_id": payment_id, "error": str(error)})
        except Exception:
            # One payment that nobody foresaw must not keep the others waiting.
            log.exception("payment.check_crashed", extra={"payment_id": payment_id})
        done += 1
    return done


def check_payment(payment_id: int, *, actor: Actor = SYSTEM) -> Payment:
    """Ask about one attempt and record the answer; safe to repeat.

    Raises GatewayUnavailable, CardRefused: then nothing is known more than before.
    """
    payment = Payment.objects.select_related("account", "gateway", "customer", "saved_method").get(
        pk=payment_id
    )
    if not payment.is_in_flight or payment.gateway is None:
        return payment
    account, provider = payment.account, provider_of(payment.gateway)
    attempt = _found(payment, provider)
    if attempt is None:
        return _not_there(payment, account, actor)
    if attempt.status is Status.REQUIRES_ACTION and _age(payment) >= PATIENCE:
        attempt = _given_up(payment, provider)
    return card_answers.take_answer(payment.pk, account=account, attempt=attempt, actor=actor)


def look_now(payment_id: int, *, actor: Actor) -> Payment:
    """`check_payment` out of turn, for somebody who waits; asked at most every five seconds.

    Raises as it does.
    """
    if not cache.add(f"card-look:{payment_id}", 1, timeout=IMPATIENCE):
        return Payment.objects.get(pk=payment_id)
    return check_payment(payment_id, actor=actor)


def complete_with_customer(payment_id: int, *, account: Account, actor: Actor) -> Payment:
    """The customer has come by the link: try once more, with the bank's page at hand (ST-4).

    `action_url` of the answer leads to the bank when it still wants something. Raises CardNotReady
    when there is nothing to complete, GatewayUnavailable, CardRefused.
    """
    payment: Payment = Payment.objects.select_related("gateway", "saved_method").get_of(
        account, pk=payment_id
    )
    if payment.state != Payment.State.REQUIRES_ACTION or payment.gateway is None:
        raise CardNotReady()
    provider = provider_of(payment.gateway)
    attempt = _known(payment, provider)
    if attempt.status is Status.REQUIRES_ACTION and not attempt.action_url:
        assert payment.saved_method is not None
        attempt = provider.confirm(
            payment.external_id,
            method=payment.saved_method.reference,
            return_url=card_answers.return_url(payment),
        )
    return card_answers.take_answer(payment.pk, account=account, attempt=attempt, actor=actor)


def cancel_attempt(payment_id: int, *, account: Account, actor: Actor) -> Payment:
    """The customer wants to pay in another way: end an attempt that waits for the bank's page.

    What succeeded meanwhile is answered as such. Raises CardNotReady for one that does not wait
    for the customer, GatewayUnavailable, CardRefused.
    """
    payment: Payment = Payment.objects.select_related("gateway").get_of(account, pk=payment_id)
    if payment.state != Payment.State.REQUIRES_ACTION or payment.gateway is None:
        raise CardNotReady()
    attempt = _given_up(payment, provider_of(payment.gateway))
    return card_answers.take_answer(payment.pk, account=account, attempt=attempt, actor=actor)


def _take(now: datetime) -> int | None:
    """The longest waiting attempt, its next check put off; None at the end."""
    with transaction.atomic():
        row = (
            Payment.objects.filter(
                next_check_at__lte=now,
                method=Payment.Method.CARD,
                state__in=Payment.IN_FLIGHT,
            )
            .order_by("next_check_at", "id")
            .select_for_update(skip_locked=True)
            .values_list("pk", "checks", "created_at")
            .first()
        )
        if row is None:
            return None
        pk, checks, created_at = row
        again = max(_next(created_at, checks + 1), now + WAITS[0])
        Payment.objects.filter(pk=pk).update(checks=min(checks + 1, 30_000), next_check_at=again)
    return int(pk)


def _next(created_at: datetime, checks: int) -> datetime:
    """When the check number `checks` (from 0) is due."""
    if checks < len(WAITS):
        return created_at + WAITS[checks]
    return created_at + DAILY * (checks - len(WAITS) + 1)


def _found(payment: Payment, provider: Stripe) -> Attempt | None:
    """The attempt at the provider; None when it knows of none."""
    if payment.external_id:
        return _known(payment, provider)
    assert payment.gateway is not None
    return provider.find(
        customer=customer_reference(payment.gateway, payment.customer),
        label=LABEL,
        value=str(payment.key),
        since=payment.created_at - SKEW,
    )


def _known(payment: Payment, provider: Stripe) -> Attempt:
    """What has an id at the provider."""
    if payment.external_id.startswith(HOSTED):
        return card_hosted.look_at_page(payment, provider)
    return provider.attempt(payment.external_id)


def _given_up(payment: Payment, provider: Stripe) -> Attempt:
    if payment.external_id.startswith(HOSTED):
        return card_hosted.close_page(payment, provider)
    return provider.cancel(payment.external_id)


def _not_there(payment: Payment, account: Account, actor: Actor) -> Payment:
    """Never arrived: the same key again while it is kept, else the end of it."""
    # Of a page whose address never arrived: nobody can pay on it.
    if payment.saved_method_id is not None and _age(payment) < KEYS_LIVE:
        return card_charging.ask(payment.pk, account=account, actor=actor)
    return card_answers.abandon(payment.pk, account=account, actor=actor)


def _age(payment: Payment) -> timedelta:
    return clock.now() - payment.created_at
