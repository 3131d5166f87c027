"""What a payment changes in the rows of a held invoice: amounts and states, in memory only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Max

from billing.models import Invoice, Payment, PaymentAllocation, Receivable
from billing.services.ledger import ZERO, Held, Part
from billing.services.outbox import Event


def payment_status(held: Held) -> str:
    """Payment status of an invoice (§3.2): what is still to be received comes before refunds."""
    invoice, status = held.invoice, Invoice.PaymentStatus
    kept = invoice.paid_total - invoice.refunded_total
    if held.has_open():
        received = any(r.state == Receivable.State.RECEIVED for r in held.receivables)
        is_begun = kept or (received and not invoice.paid_total)
        return status.PARTIALLY_PAID if is_begun else status.UNPAID
    if not invoice.refunded_total:
        return status.PAID
    return status.PARTIALLY_REFUNDED if kept else status.REFUNDED


def bring_in_step(held: Held, at: datetime) -> Event | None:
    """The invoice's stored totals and state follow its receivables; answers what to tell."""
    invoice = held.invoice
    invoice.paid_total = sum((paid(r) for r in held.receivables), ZERO)
    event = None
    if not held.has_open() and invoice.state == Invoice.State.TO_RECEIVE:
        invoice.confirm_receival(at=at)
        event = Event.CONFIRM_RECEIVAL
    elif held.has_open() and invoice.state == Invoice.State.RECEIVED:
        invoice.undo_receival()
        event = Event.UNDO_RECEIVAL
    if not invoice.paid_total:
        invoice.payment_reference = ""
    if invoice.state != Invoice.State.CANCELLED:
        invoice.payment_status = payment_status(held)
    return event


def refer(held: Held, payment: Payment, parts: Sequence[tuple[Receivable, Part]]) -> None:
    """The last payment that settled something is the one that the invoice names."""
    reference = payment.external_id or payment.reference
    if reference and any(part.paid for _, part in parts):
        held.invoice.payment_reference = reference[:100]


def take(receivable: Receivable, part: Part, *, on: date) -> None:
    """One part into the amounts of its receivable; received once nothing is open."""
    receivable.paid_principal += part.principal
    receivable.paid_fine += part.fine
    receivable.paid_interest += part.interest
    receivable.written_off += part.discount
    receivable.open_principal -= part.principal + part.discount
    if part.principal:  # all fine and interest up to now are behind (MN-2)
        receivable.charged_until = max(on, receivable.charged_until or on)
    if not receivable.open_principal:
        receivable.settle(value=paid(receivable), on=on)


def give_back(receivable: Receivable, allocation: PaymentAllocation, gone: Sequence[int]) -> None:
    """One allocation out of its receivable, and with it what was let off beyond the others.

    `gone` are the keys of all that are being taken back.
    """
    receivable.paid_principal -= allocation.principal
    receivable.paid_fine -= allocation.fine
    receivable.paid_interest -= allocation.interest
    stand = receivable.allocations.filter(reversed_at=None).exclude(pk__in=gone)
    receivable.written_off = sum(stand.values_list("discount", flat=True), ZERO)
    open_now = receivable.payment_value - receivable.paid_principal - receivable.written_off
    receivable.open_principal = open_now
    days = stand.filter(principal__gt=0).aggregate(last=Max("payment__received_on"))
    receivable.charged_until = days["last"]
    if receivable.state == Receivable.State.RECEIVED:
        receivable.reopen()


def settle_empty(held: Held, *, on: date) -> None:
    """Parcels of R$ 0,00 go with the last one that had something to receive."""
    if any(r.open_principal for r in held.receivables if r.state == Receivable.State.TO_RECEIVE):
        return
    for receivable in held.receivables:
        if receivable.state == Receivable.State.TO_RECEIVE:
            receivable.settle(value=ZERO, on=on)


def reopen_empty(held: Held) -> None:
    """Parcels of R$ 0,00 come back with the first one that does."""
    if not held.has_open():
        return
    for receivable in held.receivables:
        if receivable.state == Receivable.State.RECEIVED and not receivable.payment_value:
            receivable.reopen()


def paid(receivable: Receivable) -> Decimal:
    """All that was received of it (BRL)."""
    return receivable.paid_principal + receivable.paid_fine + receivable.paid_interest
