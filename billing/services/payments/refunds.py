"""Giving money of a payment back: what may be, what is under way, what became of it (REF-1..3).

The row and its key are there before a provider is asked; what it answers comes here through
`refund_succeeded` and `refund_failed`, in any order and however often.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from django.db import transaction
from django_fsm import can_proceed

from accounts.models import Account
from accounts.services.audit import Actor
from billing.errors import CannotRefund, RefundAmount, RefundNotCard, RefundTwice, fault
from billing.models import CustomerCredit, Payment, Refund
from billing.services import ledger
from billing.services.books import Books
from billing.services.ledger import ZERO, Held
from lib.money import half_up

REFUNDABLE = (Payment.Method.CARD, Payment.Method.PIX)  # by the provider itself
_CONFIRMED = (Payment.State.SUCCEEDED, Payment.State.PARTIALLY_REFUNDED)
_COUNTED = (Refund.State.PENDING, Refund.State.SUCCEEDED)


@transaction.atomic
def open_refund(
    payment_id: int,
    *,
    account: Account,
    actor: Actor,
    reason: str,
    amount: Decimal | None = None,
    to: str = Refund.To.PROVIDER,
) -> Refund:
    """Begin to give `amount` (BRL; default: all that is left) of a payment back.

    To the provider: answers a pending row, whose `key` is the provider's idempotency key; credit
    that the payment brought and that is still there is taken first. To the wallet: done at once,
    out of what the payment settled. Raises NotFound, InvalidInput without a reason, CannotRefund,
    RefundNotCard, RefundTwice, RefundAmount.
    """
    if not reason.strip():
        raise fault("reason", "não pode ficar em branco")
    held, payment = ledger.hold_payment(account, payment_id)
    _check(payment, to)
    left, from_wallet = _left(payment)
    if to == Refund.To.CREDIT:
        left, from_wallet = left - from_wallet, ZERO
    value = left if amount is None else half_up(amount)
    if not left:
        raise RefundTwice()
    if not 0 < value <= left:
        raise RefundAmount(left)
    books = Books(account, actor=actor)
    refund = _new(books, payment, value, to, reason.strip(), from_credit=min(value, from_wallet))
    if to == Refund.To.CREDIT:
        origin = CustomerCredit.Origin.REFUND
        books.credit(payment, amount=value, origin=origin, reason=refund.reason)
        _succeed(books, held, payment, refund)
    elif refund.from_credit:
        _return_credit(books, refund, -refund.from_credit)
    books.write()
    return refund


def refund_succeeded(
    refund_id: int, *, account: Account, actor: Actor, external_id: str = ""
) -> Refund:
    """The provider gave it back; told again, it changes nothing. Raises NotFound."""

    def act(books: Books, held: Held | None, refund: Refund) -> None:
        if can_proceed(refund.succeed):
            refund.external_id = external_id or refund.external_id
            _succeed(books, held, refund.payment, refund)

    return _change(refund_id, account, actor, act)


def refund_failed(refund_id: int, *, account: Account, actor: Actor, failure: str) -> Refund:
    """The provider, or days later the bank, turned it down: everything is as before it.

    Told again, it changes nothing; nor does it for what went to the wallet, which no provider had
    a say in. Raises NotFound.
    """

    def act(books: Books, held: Held | None, refund: Refund) -> None:
        if refund.to == Refund.To.CREDIT or not can_proceed(refund.fail):
            return
        was_done = refund.state == Refund.State.SUCCEEDED
        refund.fail(reason=failure)
        if refund.from_credit:
            _return_credit(books, refund, refund.from_credit)
        if was_done:
            _count(books, held, refund.payment, refund, sign=-1)
        refund.save()
        books.audit("reembolso.recusado", refund, after={"failure": failure})

    return _change(refund_id, account, actor, act)


def refundable(payment: Payment) -> Decimal:
    """What may still go back to where a payment came from (INV-6), in BRL."""
    return _left(payment)[0]


def refundable_to_credit(payment: Payment) -> Decimal:
    """What may still go to the wallet (BRL): of what is not there already."""
    left, from_wallet = _left(payment)
    return left - from_wallet


# --- details -----------------------------------------------------------------------------------


def _check(payment: Payment, to: str) -> None:
    if to == Refund.To.PROVIDER and payment.method not in REFUNDABLE:
        raise RefundNotCard()
    if payment.state == Payment.State.REFUNDED:
        raise RefundTwice()
    if payment.undone_at is not None or payment.state not in _CONFIRMED:
        raise CannotRefund()


def _left(payment: Payment) -> tuple[Decimal, Decimal]:
    """What may go back, and how much of that is credit of the payment which is still there.

    Credit that was used is paid out no more: it settled something else.
    """
    counted = payment.refunds.filter(state__in=_COUNTED)
    gone = [amount - credit for amount, credit in counted.values_list("amount", "from_credit")]
    settled = ledger.standing_allocations(payment)
    from_invoice = sum((a.principal + a.fine + a.interest for a in settled), ZERO) - sum(gone, ZERO)
    there = max(ZERO, ledger.credit_balance(payment.customer_id))
    from_wallet = min(ledger.credit_of(payment), there)
    return max(ZERO, from_invoice) + from_wallet, from_wallet


def _new(
    books: Books, payment: Payment, amount: Decimal, to: str, reason: str, *, from_credit: Decimal
) -> Refund:
    number = payment.refunds.count() + 1
    refund: Refund = Refund.objects.create(
        account=books.account,
        payment=payment,
        number=number,
        key=f"refund:{payment.key}:{number}",
        to=to,
        amount=amount,
        from_credit=from_credit,
        reason=reason[:500],
        recorded_by=books.actor.label,
        created_at=books.at,
    )
    after = {"amount": amount, "to": to, "reason": reason}
    books.audit("reembolso.pedido", refund, after=after)
    return refund


def _change(
    refund_id: int,
    account: Account,
    actor: Actor,
    act: Callable[[Books, Held | None, Refund], None],
) -> Refund:
    """Do `act` to a refund whose wallet, invoice and payment are locked, then the row itself."""
    found: Refund = Refund.objects.get_of(account, pk=refund_id)
    with transaction.atomic():
        held, payment = ledger.hold_payment(account, found.payment_id)
        refund = Refund.objects.select_for_update().get(pk=refund_id)
        refund.payment = payment
        books = Books(account, actor=actor)
        act(books, held, refund)
        books.write()
    return refund


def _succeed(books: Books, held: Held | None, payment: Payment, refund: Refund) -> None:
    refund.succeed(at=books.at)
    refund.save()
    _count(books, held, payment, refund, sign=1)
    after = {"amount": refund.amount, "to": refund.to, "reason": refund.reason}
    books.audit("fatura.reembolsada", held.invoice if held else payment, after=after)


def _count(books: Books, held: Held | None, payment: Payment, refund: Refund, *, sign: int) -> None:
    """A refund in the totals of its payment and its invoice, or out of them again."""
    payment.refunded_total += sign * refund.amount
    _move(payment)
    books.payment(payment)
    if held is None:
        return
    invoice = held.invoice
    invoice.refunded_total += sign * (refund.amount - refund.from_credit)
    if refund.to == Refund.To.PROVIDER and refund.amount > refund.from_credit:
        invoice.refund_reference = refund.external_id[:100] if sign > 0 else ""
    books.touch(held)


def _move(payment: Payment) -> None:
    """The state that the refunded total means; one that is contested stays so."""
    if payment.state == Payment.State.DISPUTED:
        return
    if not payment.refunded_total:
        payment.keep()
        return
    if payment.state == Payment.State.REFUNDED:
        payment.keep()
    if payment.refunded_total == payment.amount:
        payment.refund()
    else:
        payment.refund_in_part()


def _return_credit(books: Books, refund: Refund, amount: Decimal) -> None:
    reason = refund.reason if amount < 0 else f"Reembolso recusado: {refund.failure}"[:500]
    origin = CustomerCredit.Origin.RETURNED
    books.credit(refund.payment, amount=amount, origin=origin, reason=reason)
