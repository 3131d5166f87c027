"""Receipts told through the API (billing-api §6.4): a call settles the whole parcel."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.errors import CannotReceive, CannotUndoReceipt, PaymentInProgress, fault
from billing.models import Payment, PaymentAllocation, Receivable
from billing.services import ledger
from billing.services.books import Books
from billing.services.drafts import MAX_TOTAL
from billing.services.ledger import Held, Part
from billing.services.payments import undoing
from lib import clock
from lib.money import half_up


@transaction.atomic
def receive(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    value: Decimal | None = None,
    on: date | None = None,
) -> Receivable:
    """Settle a receivable with `value` (default: what is open) on `on` (default: today).

    Less than open: the rest is let off as discount. More: the surplus is interest (DECISIONS 8).
    The same receipt told twice is one; another one on a received receivable, or a receivable that
    is not to be received, raises CannotReceive; a payment under way raises PaymentInProgress.
    """
    held, receivable = ledger.hold_receivable(account, receivable_id)
    amount = _checked(receivable.open_principal if value is None else value)
    if _already_told(receivable, None if value is None else amount, on):
        return receivable
    today = clock.today(account.time_zone)
    if on is not None and on > today:
        raise fault("received_at", "a data não pode ser futura")
    if receivable.state != Receivable.State.TO_RECEIVE:
        raise CannotReceive()
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()
    books = Books(account, actor=actor)
    _settle(held, receivable, amount, on=on or today, books=books)
    books.audit(
        "recebimento.confirmado",
        receivable,
        after={
            "received_value": receivable.received_value,
            "received_at": receivable.received_at,
            "written_off": receivable.written_off,
            "paid_interest": receivable.paid_interest,
        },
    )
    books.write()
    return receivable


def _settle(held: Held, receivable: Receivable, amount: Decimal, *, on: date, books: Books) -> None:
    if not amount:  # let off altogether: nothing was paid
        books.let_off(held, receivable, on=on)
        return
    principal = min(amount, receivable.open_principal)
    part = Part(
        principal,
        interest=amount - principal,
        discount=receivable.open_principal - principal,
    )
    payment = ledger.new_payment(
        held, receivable, method=Payment.Method.TRANSFER, amount=amount,
        recorded_by=books.actor.label,
    )  # fmt: skip
    payment.succeed(on=on, at=books.at)
    books.settle(held, payment, [(receivable, part)])


@transaction.atomic
def undo_receipt(receivable_id: int, *, account: Account, actor: Actor) -> Receivable:
    """Open a received receivable again; its last value and date stay readable but no longer count.

    What was told by hand is undone; money that a provider or a bank did receive stays the
    customer's, as credit. Raises CannotUndoReceipt when it is not received, or its money was
    refunded or is contested.
    """
    found: Receivable = Receivable.objects.select_related("invoice").get_of(
        account, pk=receivable_id
    )
    ledger.hold_wallet([found.invoice.customer_id])
    held, receivable = ledger.hold_receivable(account, receivable_id)
    before = {"received_value": receivable.received_value, "received_at": receivable.received_at}
    if receivable.state != Receivable.State.RECEIVED:
        raise CannotUndoReceipt()
    allocations = _standing(receivable)
    if any(undoing.is_going_back(one.payment) for one in allocations):
        raise CannotUndoReceipt()
    books = Books(account, actor=actor)
    undoing.release(books, held, allocations)
    books.forget_let_off(held, receivable)
    books.audit("recebimento.desfeito", receivable, before=before, after={})
    books.write()
    return receivable


def _standing(receivable: Receivable) -> list[PaymentAllocation]:
    """What settles a held receivable, the payments locked."""
    found = list(receivable.allocations.filter(reversed_at=None).order_by("id"))
    payments = Payment.objects.select_for_update().order_by("pk")
    by_id = payments.in_bulk([one.payment_id for one in found])
    for one in found:
        one.payment = by_id[one.payment_id]
    return found


def _checked(value: Decimal) -> Decimal:
    amount = half_up(value)
    if not 0 <= amount < MAX_TOTAL:
        raise fault("received_value", "inválido")
    return amount


def _already_told(receivable: Receivable, amount: Decimal | None, on: date | None) -> bool:
    """The receipt is on record with these very values; no date means "whenever it was"."""
    if receivable.state != Receivable.State.RECEIVED or on not in (None, receivable.received_at):
        return False
    if receivable.received_value == (receivable.payment_value if amount is None else amount):
        return True
    last = receivable.allocations.filter(reversed_at=None).order_by("-id").first()
    return last is not None and last.payment.amount == amount
