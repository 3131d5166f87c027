"""Charging a receivable to a saved card (ST-2…4, PAY-1).

The row and its idempotency key are committed, then the provider is asked, then its answer is
recorded. Whatever is cut in between is found by `card_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import (
    AmountChanged,
    CardExpired,
    NoOpenAmount,
    NoPaymentMethod,
    PaymentInProgress,
)
from billing.gateways.cards import CardRefused, Order
from billing.models import GatewayAccount, Payment, Receivable, SavedMethod
from billing.selectors.late_terms import invoice_calendar, receivable_terms
from billing.services import ledger
from billing.services.ledger import Held
from billing.services.payments import card_answers
from billing.services.payments.card_answers import LABEL
from billing.services.payments.card_gateway import customer_reference, gateway_of, provider_of
from billing.services.payments.card_texts import outcome_text
from lib import clock
from lib.errors import GatewayUnavailable, NotFound, RateLimited

FIRST_CHECK = timedelta(minutes=1)  # PAY-1
MOST_AN_HOUR = 15  # attempts by the customer at one receivable
TOO_MANY = "Muitas tentativas com cartão. Tente de novo em uma hora ou pague de outra forma."
AUTHENTICATION = "authentication"  # our key was not taken: says nothing of earlier calls


@dataclass(frozen=True)
class CardOutcome:
    """An attempt, what to tell the customer, and where the customer goes on ("" nowhere)."""

    payment: Payment
    text: str
    action_url: str = ""


def charge_card(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    on_session: bool,
    saved_method_id: int | None = None,
    return_path: str = "",
    key: UUID | None = None,
    shown: Decimal | None = None,
) -> CardOutcome:
    """Charge all that a receivable costs today to a saved card (default: the customer's default).

    `on_session`: the customer is there and can be sent to the bank's page; `return_path` is where
    on this site it goes on afterwards. The same `key` again answers the first attempt; `shown` is
    the amount (BRL) that the customer was told. Not inside a transaction. Raises NotFound,
    NoCardGateway, NoOpenAmount, PaymentInProgress, NoPaymentMethod, CardExpired, AmountChanged:
    nothing was asked then. An unknown outcome is an answer, too: the payment stays in processing
    and is asked about.
    """
    payment, is_new = _begin(
        receivable_id,
        account=account,
        actor=actor,
        on_session=on_session,
        saved_method_id=saved_method_id,
        return_path=return_path,
        key=key,
        shown=shown,
    )
    if not is_new:
        return outcome(payment)
    return outcome(ask(payment.pk, account=account, actor=actor))


def outcome(payment: Payment) -> CardOutcome:
    """How an attempt stands, for the customer."""
    return CardOutcome(payment, outcome_text(payment), payment.action_url)


def ask(payment_id: int, *, account: Account, actor: Actor) -> Payment:
    """Ask the provider to charge; also again, for the same key is the same charge (ST-3)."""
    payment, is_first = _process(payment_id, account)
    if payment is None:
        return Payment.objects.get_of(account, pk=payment_id)  # type: ignore[no-any-return]
    assert payment.gateway is not None
    try:
        attempt = provider_of(payment.gateway).charge(_order(payment))
    except CardRefused as error:
        if error.code == AUTHENTICATION and not is_first:
            return payment
        return card_answers.refuse(payment_id, account=account, actor=actor, code=error.code)
    except GatewayUnavailable:
        return payment
    return card_answers.take_answer(payment_id, account=account, attempt=attempt, actor=actor)


def cards_of(receivable: Receivable, gateway: GatewayAccount) -> list[SavedMethod]:
    """What this receivable's customer can be charged by, the default one first."""
    mine = SavedMethod.objects.filter(
        gateway=gateway,
        customer=receivable.invoice.customer_id,
        state=SavedMethod.State.ACTIVE,
    )
    return list(mine.order_by("-is_default", "-id"))


def check_pace(receivable: Receivable) -> None:
    """Raises RateLimited: whoever tries one card after the other is not paying a bill."""
    since = clock.now() - timedelta(hours=1)
    tried = receivable.payments.filter(
        method=Payment.Method.CARD, is_on_session=True, created_at__gt=since
    )
    if tried.count() >= MOST_AN_HOUR:
        raise RateLimited(TOO_MANY)


@transaction.atomic
def _begin(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    on_session: bool,
    saved_method_id: int | None,
    return_path: str,
    key: UUID | None,
    shown: Decimal | None,
) -> tuple[Payment, bool]:
    """The row of an attempt, committed before anything is asked; and whether it is new."""
    held, receivable = ledger.hold_receivable(account, receivable_id)
    known = receivable.payments.filter(key=key).first() if key is not None else None
    if known is not None:
        return known, False
    if receivable.state != Receivable.State.TO_RECEIVE or not receivable.open_principal:
        raise NoOpenAmount()
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()
    if on_session:
        check_pace(receivable)
    gateway = gateway_of(held.invoice)
    method = _chosen(receivable, gateway, saved_method_id, account)
    payment = new_card_payment(
        held,
        receivable,
        gateway=gateway,
        saved_method=method,
        is_on_session=on_session,
        return_path=return_path[:500],
        recorded_by=actor.label,
        next_check_at=clock.now() + FIRST_CHECK,
        key=key,
    )
    if shown is not None and shown != payment.amount:
        raise AmountChanged()
    try:
        with transaction.atomic():
            payment.save()
    except IntegrityError:
        raise PaymentInProgress() from None
    after = {"valor": payment.amount, "final": method.last4, "parcela": receivable.pk}
    record(account, actor=actor, action="pagamento.tentativa", target=payment, after=after)
    return payment, True


def new_card_payment(held: Held, receivable: Receivable, **given: object) -> Payment:
    """Of all that a held receivable costs today; not saved yet."""
    today = clock.today(held.account.time_zone)
    due = ledger.owed(
        receivable,
        on=today,
        terms=receivable_terms(receivable, held.invoice),
        calendar=invoice_calendar(held.invoice),
    )
    return ledger.new_payment(
        held, receivable, method=Payment.Method.CARD, amount=due.paid, **given
    )


def _chosen(
    receivable: Receivable,
    gateway: GatewayAccount,
    saved_method_id: int | None,
    account: Account,
) -> SavedMethod:
    """Raises NoPaymentMethod, NotFound, CardExpired."""
    cards = cards_of(receivable, gateway)
    if saved_method_id is not None:
        cards = [card for card in cards if card.pk == saved_method_id]
        if not cards:
            raise NotFound()
    if not cards:
        raise NoPaymentMethod()
    today = clock.today(account.time_zone)
    if cards[0].is_expired(year=today.year, month=today.month):
        raise CardExpired()
    return cards[0]


@transaction.atomic
def _process(payment_id: int, account: Account) -> tuple[Payment | None, bool]:
    """The payment, about to be asked for, and whether for the first time; None once it ended."""
    rows = Payment.objects.select_for_update(of=("self",)).select_related(
        "gateway", "saved_method", "customer"
    )
    payment: Payment = rows.get_of(account, pk=payment_id)
    is_first = payment.state == Payment.State.CREATED
    if payment.state not in (Payment.State.CREATED, Payment.State.PROCESSING):
        return None, False
    payment.process()
    payment.save()
    return payment, is_first


def _order(payment: Payment) -> Order:
    """The same for the same payment, whenever it is made (ST-3)."""
    assert payment.gateway is not None
    assert payment.saved_method is not None
    return Order(
        key=f"pay:{payment.key}",
        amount=payment.amount,
        customer=customer_reference(payment.gateway, payment.customer),
        method=payment.saved_method.reference,
        is_on_session=payment.is_on_session,
        return_url=card_answers.return_url(payment),
        labels=labels_of(payment),
    )


def labels_of(payment: Payment) -> dict[str, str]:
    """What the provider keeps with everything about a payment (ST-2)."""
    return {
        "account": str(payment.account_id),
        "invoice": str(payment.invoice_id),
        "receivable": str(payment.receivable_id),
        LABEL: str(payment.key),
    }
