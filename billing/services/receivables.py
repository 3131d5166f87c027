"""Receipts told by hand or through the API (billing-api §6.4): a call settles the whole parcel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotReceive, CannotUndoReceipt, fault
from billing.models import Contract, Invoice, Receivable
from billing.services.drafts import MAX_TOTAL
from billing.services.invoices import (
    lock_invoice,
    lock_receivables,
    refusing,
    save_receivables,
)
from billing.services.note_schedule import after_receipt
from billing.services.outbox import Event, announce
from billing.services.subscription_billing import refresh_validity
from lib import clock
from lib.errors import NotFound
from lib.money import half_up

_OPEN = (Receivable.State.TO_EMIT, Receivable.State.TO_RECEIVE)


@transaction.atomic
def receive(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    value: Decimal | None = None,
    on: date | None = None,
) -> Receivable:
    """Settle a receivable with `value` (default: what is due) on `on` (default: today).

    Less than due: the rest is written off as discount. More: the surplus is interest (DECISIONS 8).
    The same receipt told twice is one; another one on a received receivable, or a receivable that
    is not to be received, raises CannotReceive.
    """
    invoice, receivables, receivable = _locked(receivable_id, account)
    amount = _checked(receivable.payment_value if value is None else value)
    if _already_told(receivable, amount, on):
        return receivable
    if on is not None and on > clock.today(account.time_zone):
        raise fault("received_at", "a data não pode ser futura")
    with refusing(CannotReceive):
        receivable.settle(value=amount, on=on or clock.today(account.time_zone))
    if not any(r.state in _OPEN and r.open_principal for r in receivables):
        _settle_empty(receivables, on=receivable.received_at)
    save_receivables(receivables)
    _update_invoice(invoice, receivables)
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


@transaction.atomic
def undo_receipt(receivable_id: int, *, account: Account, actor: Actor) -> Receivable:
    """Open a received receivable again; its last value and date stay readable but no longer count.

    Raises CannotUndoReceipt when it is not received.
    """
    invoice, receivables, receivable = _locked(receivable_id, account)
    before = {"received_value": receivable.received_value, "received_at": receivable.received_at}
    with refusing(CannotUndoReceipt):
        receivable.undo_receipt()
    _reopen_empty(receivables)
    save_receivables(receivables)
    _update_invoice(invoice, receivables)
    record(account, actor=actor, action="recebimento.desfeito", target=receivable, before=before)
    return receivable


def _locked(receivable_id: int, account: Account) -> tuple[Invoice, list[Receivable], Receivable]:
    """The invoice, then its receivables, locked in this order; and the one asked for among them.

    Before them a subscription, whose validity follows what is paid: whoever changes its rule locks
    the contract first, too.
    """
    found = Receivable.objects.get_of(account, pk=receivable_id)
    subscriptions = Contract.objects.filter(
        pk__in=Invoice.objects.filter(pk=found.invoice_id).values("contract"),
        registration_method=Contract.Registration.SUBSCRIPTION,
    )
    list(subscriptions.select_for_update(no_key=True).values_list("pk"))
    invoice = lock_invoice(found.invoice_id, account=account)
    receivables = lock_receivables(invoice)
    for receivable in receivables:
        if receivable.pk == found.pk:
            return invoice, receivables, receivable
    raise NotFound()  # remade with its rule meanwhile


def _checked(value: Decimal) -> Decimal:
    amount = half_up(value)
    if not 0 <= amount < MAX_TOTAL:
        raise fault("received_value", "inválido")
    return amount


def _already_told(receivable: Receivable, amount: Decimal, on: date | None) -> bool:
    """The receipt is on record with these very values; no date means "whenever it was"."""
    return (
        receivable.state == Receivable.State.RECEIVED
        and receivable.received_value == amount
        and on in (None, receivable.received_at)
    )


def _settle_empty(receivables: Sequence[Receivable], *, on: date | None) -> None:
    """Parcels of R$ 0,00 go with the last one that had something to receive."""
    for receivable in receivables:
        if receivable.state == Receivable.State.TO_RECEIVE:
            receivable.settle(value=Decimal("0.00"), on=on)


def _reopen_empty(receivables: Sequence[Receivable]) -> None:
    """Parcels of R$ 0,00 come back with the first one that does."""
    for receivable in receivables:
        if receivable.state == Receivable.State.RECEIVED and not receivable.payment_value:
            receivable.undo_receipt()


def _update_invoice(invoice: Invoice, receivables: Sequence[Receivable]) -> None:
    """Bring the invoice's stored totals and state in step with its receivables, and tell."""
    is_open = any(r.state in _OPEN for r in receivables)
    invoice.paid_total = sum(
        (r.paid_principal + r.paid_fine + r.paid_interest for r in receivables), Decimal("0.00")
    )
    event = None
    if not is_open:
        invoice.confirm_receival(at=clock.now())
        event = Event.CONFIRM_RECEIVAL
    else:
        if invoice.state == Invoice.State.RECEIVED:
            invoice.undo_receival()
            event = Event.UNDO_RECEIVAL
        invoice.payment_status = _status(receivables)
    invoice.save()
    if event:
        last = (
            None
            if is_open
            else max((r.received_at for r in receivables if r.received_at), default=None)
        )
        after_receipt(invoice, last_paid_on=last)
        announce(invoice, event)
        if invoice.contract_id is not None:
            refresh_validity(invoice.contract_id)


def _status(receivables: Sequence[Receivable]) -> str:
    """Payment status of an invoice that still has something open (§3.2)."""
    if any(r.state == Receivable.State.RECEIVED or r.paid_principal for r in receivables):
        return Invoice.PaymentStatus.PARTIALLY_PAID
    return Invoice.PaymentStatus.UNPAID
