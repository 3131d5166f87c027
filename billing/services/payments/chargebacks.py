"""A payment contested at the issuer, or a Pix that comes back by MED: opened, won, lost (PX-5).

While it is open nothing changes but that the payment can neither be refunded nor undone. Lost, the
money is gone: its credit leaves the wallet and what it settled is owed again.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from django.db import transaction
from django_fsm import can_proceed

from accounts.models import Account
from accounts.services.audit import Actor
from billing.models import Chargeback, CustomerCredit, Payment, Refund
from billing.services import ledger
from billing.services.books import Books
from billing.services.ledger import ZERO, Held, Part
from billing.services.payments.undoing import paid_by
from lib.money import half_up


@transaction.atomic
def chargeback_opened(
    payment_id: int,
    *,
    account: Account,
    actor: Actor,
    amount: Decimal,
    external_id: str,
    reason: str = "",
) -> Chargeback:
    """Record that a payment is contested; told again (same `external_id`), it changes nothing.

    Raises NotFound.
    """
    _, payment = ledger.hold_payment(account, payment_id)
    known = payment.chargebacks.filter(external_id=external_id).first()
    if known is not None:
        return known
    books = Books(account, actor=actor)
    chargeback: Chargeback = Chargeback.objects.create(
        account=account,
        payment=payment,
        amount=half_up(amount),
        external_id=external_id,
        reason=reason[:100],
        opened_at=books.at,
    )
    if can_proceed(payment.dispute):
        payment.dispute()
        books.payment(payment)
    after = {"amount": chargeback.amount, "reason": reason, "payment": payment.pk}
    books.audit("pagamento.contestado", chargeback, after=after)
    books.write()
    return chargeback


@transaction.atomic
def chargeback_won(chargeback_id: int, *, account: Account, actor: Actor) -> Chargeback:
    """The money stays; told again, it changes nothing. Raises NotFound."""
    _, payment, chargeback = _held(chargeback_id, account)
    if not can_proceed(chargeback.win):
        return chargeback
    books = Books(account, actor=actor)
    chargeback.win(at=books.at)
    chargeback.save()
    others = payment.chargebacks.exclude(pk=chargeback.pk).exclude(state=Chargeback.State.WON)
    if payment.state == Payment.State.DISPUTED and not others.exists():
        payment.win_dispute()
        if payment.refunded_total == payment.amount:
            payment.refund()
        elif payment.refunded_total:
            payment.refund_in_part()
        books.payment(payment)
    books.audit("pagamento.contestacao_ganha", chargeback, after={"amount": chargeback.amount})
    books.write()
    return chargeback


@transaction.atomic
def chargeback_lost(chargeback_id: int, *, account: Account, actor: Actor) -> Chargeback:
    """The money is gone: first what it left in the wallet, then what it settled is owed again.

    What was refunded to the wallet leaves it, too: the customer has it back by the bank. The wallet
    goes below zero when that credit was used meanwhile. Told again, it changes nothing. Raises
    NotFound.
    """
    held, payment, chargeback = _held(chargeback_id, account)
    if not can_proceed(chargeback.lose):
        return chargeback
    books = Books(account, actor=actor)
    from_credit = min(chargeback.amount, max(ZERO, _left_in_wallet(payment)))
    if from_credit:
        books.credit(
            payment,
            amount=-from_credit,
            origin=CustomerCredit.Origin.RETURNED,
            reason="Contestação perdida",
        )
    chargeback.reopened = _reopen(books, held, payment, chargeback.amount - from_credit)
    chargeback.lose(at=books.at)
    chargeback.save()
    after = {
        "amount": chargeback.amount,
        "from_credit": from_credit,
        "reopened": chargeback.reopened,
    }
    books.audit("pagamento.contestacao_perdida", chargeback, after=after)
    books.write()
    return chargeback


def _left_in_wallet(payment: Payment) -> Decimal:
    """What a payment brought to the wallet, by surplus or refunds to it, less what went back."""
    to_wallet = payment.credits.filter(origin=CustomerCredit.Origin.REFUND)
    return ledger.credit_of(payment) + sum(to_wallet.values_list("amount", flat=True), ZERO)


def _reopen(books: Books, held: Held | None, payment: Payment, lost: Decimal) -> Decimal:
    """Take back what the lost money settled; answers how much. What was refunded was owed no more.

    A loss of a part takes the principal of the last parcel first, then fine and interest.
    """
    allocations = ledger.standing_allocations(payment)
    if held is None or not allocations or not lost:
        return ZERO
    counted = payment.refunds.filter(state__in=(Refund.State.PENDING, Refund.State.SUCCEEDED))
    refunded = sum((r.amount - r.from_credit for r in counted), ZERO)
    settled = paid_by(allocations)
    taken = min(lost, settled - refunded)
    kept = settled - taken
    books.reverse(held, allocations)
    for allocation in allocations:
        due = Part(allocation.principal, allocation.fine, allocation.interest)
        part = ledger.in_order(kept, due)
        if part == due:  # nothing of this one is lost, nor what it was let off
            part = replace(part, discount=allocation.discount)
        if part.paid:
            receivable = held.receivable(allocation.receivable_id)
            books.allocate_again(held, payment, receivable, part)
        kept -= part.paid
    return taken


def _held(chargeback_id: int, account: Account) -> tuple[Held | None, Payment, Chargeback]:
    found: Chargeback = Chargeback.objects.get_of(account, pk=chargeback_id)
    held, payment = ledger.hold_payment(account, found.payment_id)
    return held, payment, Chargeback.objects.select_for_update().get(pk=chargeback_id)
