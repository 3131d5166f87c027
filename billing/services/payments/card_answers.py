"""What a provider says of an attempt, put on the books: one transition for all (ST-4, ST-6).

The answer of the call, a notice and the poll come here, in any order and however often.
"""

from __future__ import annotations

import logging
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.gateways.cards import Attempt, Status
from billing.models import GatewayAccount, Payment
from billing.services import ledger
from billing.services.outbox import Event, announce
from billing.services.payments import arrivals
from lib.queue import enqueue

log = logging.getLogger(__name__)

HOSTED = "cs_"  # ids of pages of the provider that take a card
LABEL = "payment"  # of everything at the provider that is about a payment of ours: its key


def take_answer(payment_id: int, *, account: Account, attempt: Attempt, actor: Actor) -> Payment:
    """Bring a payment in step with its attempt at the provider. Raises NotFound.

    What the provider says of another amount or another payment changes nothing: it is an alert.
    """
    payment: Payment = Payment.objects.get_of(account, pk=payment_id)
    if not _is_of(payment, attempt):
        log.error("payment.mismatch", extra={"payment_id": payment_id})
        record(
            account,
            actor=actor,
            action="pagamento.divergente",
            target=payment,
            after={"operadora": attempt.external_id, "valor": attempt.amount},
        )
        return payment
    if attempt.status is Status.SUCCEEDED:
        return _succeed(payment, account=account, attempt=attempt, actor=actor)
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(pk=payment_id)
        if payment.is_in_flight and not _goes_on(payment, attempt):
            _in_flight(payment, attempt, actor)
            payment.save()
    return payment


def refuse(
    payment_id: int, *, account: Account, actor: Actor, code: str, decline_code: str = ""
) -> Payment:
    """The provider took nothing and will not (ST-8). Told again, it changes nothing."""
    with transaction.atomic():
        payment: Payment = Payment.objects.select_for_update().get_of(account, pk=payment_id)
        if payment.is_in_flight:
            _fail(payment, actor, code=code, decline_code=decline_code)
            payment.save()
    return payment


def abandon(payment_id: int, *, account: Account, actor: Actor) -> Payment:
    """Nothing was charged and nothing will be."""
    with transaction.atomic():
        payment: Payment = Payment.objects.select_for_update().get_of(account, pk=payment_id)
        if payment.is_in_flight:
            _give_up(payment, actor)
            payment.save()
    return payment


def payment_labelled(gateway: GatewayAccount, labels: dict[str, str]) -> Payment | None:
    """The payment that an object of the provider is about; None for none of this gateway's.

    Labels are free text at the provider's side, and tenants may share an account with it.
    """
    if labels.get("account") != str(gateway.account_id):
        return None
    try:
        key = UUID(labels.get(LABEL, ""))
    except ValueError:
        return None
    mine = Payment.objects.filter(gateway=gateway, method=Payment.Method.CARD, key=key)
    return mine.select_related("account", "gateway").first()


def return_url(payment: Payment) -> str:
    """Where the bank's page sends the customer back to; the same at every call (ST-3)."""
    return settings.PUBLIC_URL + reverse("card-return", args=[payment.key])


def action_url(payment: Payment) -> str:
    """Where a customer who was not there completes a payment."""
    return settings.PUBLIC_URL + reverse("card-action", args=[payment.key])


def _is_of(payment: Payment, attempt: Attempt) -> bool:
    label = attempt.labels.get(LABEL)
    return attempt.amount == payment.amount and label == str(payment.key)


def _goes_on(payment: Payment, attempt: Attempt) -> bool:
    """A card was refused, or its bank asks, on a page where another card may follow."""
    is_on_page = payment.external_id.startswith(HOSTED)
    is_of_page = attempt.external_id.startswith(HOSTED)
    return is_on_page and not is_of_page and attempt.status is not Status.PROCESSING


def _succeed(payment: Payment, *, account: Account, attempt: Attempt, actor: Actor) -> Payment:
    with transaction.atomic():
        if payment.invoice_id:  # in the order of whoever settles
            ledger.hold(account, invoice_id=payment.invoice_id)
        Payment.objects.filter(pk=payment.pk).exclude(external_id=attempt.external_id).update(
            external_id=attempt.external_id
        )
        # Late charges were reckoned for the day on which the card was asked.
        on = payment.created_at.astimezone(ZoneInfo(account.time_zone)).date()
        arrival = arrivals.confirm(
            payment.pk, account=account, received_on=on, actor=actor, fee=attempt.fee
        )
    return arrival.payment


def _in_flight(payment: Payment, attempt: Attempt, actor: Actor) -> None:
    payment.external_id = attempt.external_id
    if attempt.status is Status.FAILED:
        _fail(payment, actor, code=attempt.failure_code, decline_code=attempt.decline_code)
    elif attempt.status is Status.CANCELED:
        _give_up(payment, actor)
    elif attempt.status is Status.REQUIRES_ACTION:
        _ask_customer(payment, attempt)
    elif attempt.status is Status.PROCESSING or payment.state != Payment.State.REQUIRES_ACTION:
        payment.process()


def _ask_customer(payment: Payment, attempt: Attempt) -> None:
    """To the bank's page, or by a link to ours when nobody was there (ST-4)."""
    was_asked = payment.state == Payment.State.REQUIRES_ACTION
    payment.failure_code, payment.decline_code = attempt.failure_code, attempt.decline_code
    payment.require_action(url=attempt.action_url or action_url(payment))
    if not attempt.action_url and not was_asked:
        enqueue("billing.tasks.tell_card_action", payment.pk)


def _fail(payment: Payment, actor: Actor, *, code: str, decline_code: str) -> None:
    payment.fail(code=code or "card_declined", decline_code=decline_code)
    record(
        payment.account,
        actor=actor,
        action="pagamento.recusado",
        target=payment,
        after={"motivo": decline_code or code},
    )
    if payment.invoice is not None:
        announce(payment.invoice, Event.RECEIVEMENT_ERROR)


def _give_up(payment: Payment, actor: Actor) -> None:
    payment.abandon()
    record(payment.account, actor=actor, action="pagamento.abandonado", target=payment)
