"""Taking back what a payment settled: the parcels open again, and its money goes somewhere.

What was told by hand is told to be wrong and counts no more; money that a provider or a bank did
receive stays the customer's, as credit (INV-5). Both records stay (MN-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.errors import CannotUndoPayment
from billing.models import Chargeback, CustomerCredit, Payment, PaymentAllocation, Refund
from billing.services import ledger
from billing.services.books import Books
from billing.services.ledger import MANUAL, ZERO, Held

NOT_BY_HAND = "Só pagamentos registrados à mão podem ser desfeitos. Use o reembolso."
CREDIT_USED = "O crédito gerado por este pagamento já foi usado."
GOING_BACK = "O pagamento foi reembolsado ou está contestado no cartão."


@transaction.atomic
def undo_payment(payment_id: int, *, account: Account, actor: Actor, reason: str = "") -> Payment:
    """Take back a payment told by hand; asked again, it changes nothing.

    Its parcels are open, its surplus leaves the wallet, and used credit returns to it. Raises
    CannotUndoPayment for another kind of payment, and when its surplus was used meanwhile or a
    part of it was refunded; NotFound.
    """
    payment: Payment = Payment.objects.get_of(account, pk=payment_id)
    if payment.method not in MANUAL or payment.invoice_id is None:
        raise CannotUndoPayment(NOT_BY_HAND)
    held, payment = ledger.hold_payment(account, payment_id)
    assert held is not None
    if payment.undone_at is not None:
        return payment
    if is_going_back(payment):
        raise CannotUndoPayment(GOING_BACK)
    if not surplus_is_there(payment):
        raise CannotUndoPayment(CREDIT_USED)
    books = Books(account, actor=actor)
    allocations = ledger.standing_allocations(payment)
    undo(books, payment, allocations)
    books.reverse(held, allocations)
    before = {"amount": payment.amount, "method": payment.method}
    books.audit("pagamento.desfeito", payment, before=before, after={"reason": reason})
    books.write()
    return payment


def release(books: Books, held: Held, allocations: Sequence[PaymentAllocation]) -> None:
    """Take allocations of a held invoice back, of whatever payments; what is theirs is locked."""
    for payment in {one.payment_id: one.payment for one in allocations}.values():
        mine = [one for one in allocations if one.payment_id == payment.pk]
        if payment.method in MANUAL and _is_all(payment, mine) and surplus_is_there(payment):
            undo(books, payment, mine)
        else:
            books.credit(
                payment,
                amount=paid_by(mine),
                origin=CustomerCredit.Origin.REVERSAL,
                reason=f"Baixa desfeita da fatura {held.invoice.label}",
            )
    books.reverse(held, allocations)


def undo(books: Books, payment: Payment, allocations: Sequence[PaymentAllocation]) -> None:
    """A payment told by hand counts no more; `allocations` are all that stand."""
    payment.undone_at = books.at
    books.payment(payment)
    books.entry(payment, amount=payment.amount)
    if payment.method == Payment.Method.CREDIT:
        amount, origin = paid_by(allocations), CustomerCredit.Origin.REVERSAL
    else:
        amount, origin = -ledger.credit_of(payment), CustomerCredit.Origin.RETURNED
    if amount:
        books.credit(payment, amount=amount, origin=origin, reason="Pagamento desfeito")


def surplus_is_there(payment: Payment) -> bool:
    """The credit that the payment brought has not been used; the wallet is locked."""
    if payment.method == Payment.Method.CREDIT:
        return True
    brought = ledger.credit_of(payment)
    return not brought or brought <= ledger.credit_balance(payment.customer_id)


def is_going_back(payment: Payment) -> bool:
    """Some of it was refunded, or may be, or is contested."""
    under_way = payment.refunds.filter(state=Refund.State.PENDING)
    contested = payment.chargebacks.filter(state=Chargeback.State.OPEN)
    return bool(payment.refunded_total or under_way.exists() or contested.exists())


def paid_by(allocations: Sequence[PaymentAllocation]) -> Decimal:
    """What allocations took out of their payments."""
    return sum((one.principal + one.fine + one.interest for one in allocations), ZERO)


def _is_all(payment: Payment, allocations: Sequence[PaymentAllocation]) -> bool:
    return len(allocations) == len(ledger.standing_allocations(payment))
