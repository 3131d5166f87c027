"""Receipts told through the API (billing-api §6.4): a call settles the whole parcel."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotReceive, CannotUndoReceipt, PaymentInProgress, fault
from billing.models import CustomerCredit, Payment, PaymentAllocation, Receivable
from billing.services import ledger
from billing.services.drafts import MAX_TOTAL
from billing.services.invoices import save_receivables
from billing.services.ledger import Held, Part
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
    _settle(held, receivable, amount, on=on or today, actor=actor)
    record(
        account,
        actor=actor,
        action="recebimento.confirmado",
        target=receivable,
        after={
            "received_value": receivable.received_value,
            "received_at": receivable.received_at,
            "written_off": receivable.written_off,
            "paid_interest": receivable.paid_interest,
        },
    )
    return receivable


def _settle(held: Held, receivable: Receivable, amount: Decimal, *, on: date, actor: Actor) -> None:
    if not amount:  # let off altogether: nothing was paid
        receivable.settle(value=ledger.ZERO, on=on)
        save_receivables(held.receivables)
        ledger.close_received(held)
        ledger.bring_in_step(held)
        return
    principal = min(amount, receivable.open_principal)
    part = Part(
        principal,
        interest=amount - principal,
        discount=receivable.open_principal - principal,
    )
    payment = ledger.new_payment(
        held, receivable, method=Payment.Method.TRANSFER, amount=amount, recorded_by=actor.label
    )
    payment.succeed(on=on, at=clock.now())
    payment.save()
    ledger.settle(held, payment, [(receivable, part)], actor=actor)


@transaction.atomic
def undo_receipt(receivable_id: int, *, account: Account, actor: Actor) -> Receivable:
    """Open a received receivable again; its last value and date stay readable but no longer count.

    What was told by hand is undone; money that a provider or a bank did receive stays the
    customer's, as credit. Raises CannotUndoReceipt when it is not received.
    """
    held, receivable = ledger.hold_receivable(account, receivable_id)
    before = {"received_value": receivable.received_value, "received_at": receivable.received_at}
    if receivable.state != Receivable.State.RECEIVED:
        raise CannotUndoReceipt()
    allocations = list(
        PaymentAllocation.objects.filter(receivable=receivable, reversed_at=None)
        .select_related("payment")
        .order_by("id")
    )
    for allocation in allocations:
        _release(held, allocation, actor=actor)
    ledger.reverse(held, allocations)
    _forget(held, receivable)
    record(account, actor=actor, action="recebimento.desfeito", target=receivable, before=before)
    return receivable


def _release(held: Held, allocation: PaymentAllocation, *, actor: Actor) -> None:
    """What becomes of the money of an allocation that is taken back (INV-5)."""
    payment = allocation.payment
    others = payment.allocations.filter(reversed_at=None).exclude(pk=allocation.pk)
    is_told = payment.method in ledger.MANUAL and payment.method != Payment.Method.CREDIT
    if is_told and not others.exists() and not payment.credits.exists():
        at = clock.now()
        payment.undone_at = at
        payment.save()
        ledger.write_entry(held.invoice, payment, amount=payment.amount, at=at)
        return
    ledger.add_credit(
        payment.customer_id,
        held.account,
        amount=allocation.principal + allocation.fine + allocation.interest,
        origin=CustomerCredit.Origin.REVERSAL,
        payment=payment,
        reason=f"Baixa desfeita da fatura {held.invoice.label}",
        actor=actor,
    )


def _forget(held: Held, receivable: Receivable) -> None:
    """Amounts that no allocation tells: let off whole, or received before payments were kept."""
    if receivable.state == Receivable.State.TO_RECEIVE and not (
        receivable.paid_principal or receivable.written_off
    ):
        return
    receivable.paid_principal = receivable.written_off = ledger.ZERO
    receivable.paid_fine = receivable.paid_interest = ledger.ZERO
    receivable.open_principal = receivable.payment_value
    if receivable.state == Receivable.State.RECEIVED:
        receivable.reopen()
    ledger.reopen_empty(held)
    save_receivables(held.receivables)
    ledger.bring_in_step(held)


def _checked(value: Decimal) -> Decimal:
    amount = half_up(value)
    if not 0 <= amount < MAX_TOTAL:
        raise fault("received_value", "inválido")
    return amount


def _already_told(receivable: Receivable, amount: Decimal | None, on: date | None) -> bool:
    """The receipt is on record with these very values; no date means "whenever it was"."""
    expected = receivable.payment_value if amount is None else amount
    return (
        receivable.state == Receivable.State.RECEIVED
        and receivable.received_value == expected
        and on in (None, receivable.received_at)
    )
