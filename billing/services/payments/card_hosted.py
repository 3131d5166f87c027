"""Paying with a card that is not saved, on the provider's own page (P17): redirects, no scripts.

The page stays open for half an hour and the customer may try several cards on it. Only what it
ends in counts: a card that it refuses leaves the payment waiting.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import NoOpenAmount, PaymentInProgress
from billing.gateways.cards import Attempt, CardRefused, HostedPage, Order, Status
from billing.gateways.stripe.adapter import Stripe
from billing.models import Payment, Receivable
from billing.services import ledger
from billing.services.payments import card_answers
from billing.services.payments.card_answers import HOSTED
from billing.services.payments.card_charging import (
    FIRST_CHECK,
    CardOutcome,
    check_pace,
    labels_of,
    new_card_payment,
    outcome,
)
from billing.services.payments.card_gateway import for_customer, gateway_of, provider_of
from billing.services.payments.card_texts import OUT_OF_ORDER
from lib import clock
from lib.errors import GatewayUnavailable

# The provider takes no less than thirty minutes.
OPEN_FOR = timedelta(minutes=31)


def open_card_page(
    receivable_id: int, *, account: Account, actor: Actor, return_path: str = ""
) -> CardOutcome:
    """Begin to pay all that a receivable costs today on the provider's page: `action_url`.

    The customer comes back to `return_path` on this site. Not inside a transaction. Without a page
    there is no address, the payment is given up and another attempt may be made at once. Raises
    NotFound, NoCardGateway, NoOpenAmount, PaymentInProgress, RateLimited.
    """
    payment = _begin(receivable_id, account=account, actor=actor, return_path=return_path)
    try:
        page = _open(payment)
    except (CardRefused, GatewayUnavailable):
        # Where there is a page all the same, nobody has its address.
        gone = card_answers.abandon(payment.pk, account=account, actor=actor)
        return CardOutcome(gone, OUT_OF_ORDER)
    attempt = _waiting(payment, page)
    return outcome(
        card_answers.take_answer(payment.pk, account=account, attempt=attempt, actor=actor)
    )


def look_at_page(payment: Payment, provider: Stripe) -> Attempt:
    """How the page of a payment stands, as an attempt. Raises GatewayUnavailable, CardRefused."""
    page = provider.hosted(payment.external_id)
    if page.attempt_id:
        attempt = provider.attempt(page.attempt_id)
        if attempt.status in (Status.SUCCEEDED, Status.PROCESSING):
            return attempt
    return _waiting(payment, page)


def close_page(payment: Payment, provider: Stripe) -> Attempt:
    """Have nobody pay on it any more; what was paid meanwhile is the answer."""
    provider.close_hosted(payment.external_id)
    return look_at_page(payment, provider)


def _waiting(payment: Payment, page: HostedPage) -> Attempt:
    return Attempt(
        external_id=page.external_id,
        status=Status.REQUIRES_ACTION if page.is_open else Status.CANCELED,
        amount=payment.amount,
        labels=labels_of(payment),
        action_url=page.url,
    )


@transaction.atomic
def _begin(receivable_id: int, *, account: Account, actor: Actor, return_path: str) -> Payment:
    """The row of the attempt, committed before anything is asked (PAY-1)."""
    held, receivable = ledger.hold_receivable(account, receivable_id)
    if receivable.state != Receivable.State.TO_RECEIVE or not receivable.open_principal:
        raise NoOpenAmount()
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()
    check_pace(receivable)
    payment = new_card_payment(
        held,
        receivable,
        gateway=gateway_of(held.invoice),
        is_on_session=True,
        return_path=return_path[:500],
        recorded_by=actor.label,
        next_check_at=clock.now() + FIRST_CHECK,
    )
    payment.process()
    try:
        with transaction.atomic():
            payment.save()
    except IntegrityError:
        raise PaymentInProgress() from None
    after = {"valor": payment.amount, "parcela": receivable.pk}
    record(account, actor=actor, action="pagamento.tentativa", target=payment, after=after)
    return payment


def _open(payment: Payment) -> HostedPage:
    assert payment.gateway is not None
    assert payment.invoice is not None
    title, provider = f"Fatura {payment.invoice.label}", provider_of(payment.gateway)

    def ask(customer: str) -> HostedPage:
        return provider.hosted_payment(
            _order(payment, customer),
            title=title,
            cancel_url=card_answers.action_url(payment),
            expires_at=clock.now() + OPEN_FOR,
        )

    page = for_customer(payment.gateway, payment.customer, ask)
    if not page.external_id.startswith(HOSTED):
        raise GatewayUnavailable("a resposta não pôde ser entendida")
    return page


def _order(payment: Payment, customer: str) -> Order:
    """Its key is of this very page: nobody is sent to two of them."""
    return Order(
        key=f"pay:{payment.key}:{customer}",
        amount=payment.amount,
        customer=customer,
        method="",
        is_on_session=True,
        return_url=card_answers.return_url(payment),
        labels=labels_of(payment),
    )
