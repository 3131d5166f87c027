"""What became of an invoice, for its customer: payments, and the line of time (P07)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.models import Charge, Dispute, Invoice, Payment, PaymentAllocation, Refund
from billing.selectors.customer_notes import CustomerNote
from lib import clock
from lib.br import date_br
from lib.money import brl

_TOLD = (*Payment.SETTLED, *Payment.IN_FLIGHT)


@dataclass(frozen=True)
class Receipt:
    """A payment that settled something of an invoice, or is under way; `settled` BRL of it."""

    payment: Payment
    method: str
    settled: Decimal
    positions: tuple[int, ...]

    @property
    def has_receipt(self) -> bool:
        return self.payment.state in Payment.SETTLED


@dataclass(frozen=True)
class Event:
    """Something that happened; `code` names its kind for tests and styles."""

    at: datetime
    code: str
    text: str


def receipts_of(invoice: Invoice, payments: Iterable[Payment] | None = None) -> list[Receipt]:
    """Payments of the invoice that were confirmed or are under way, oldest first; two queries.

    `payments` are those that name the invoice, where they have been read.
    """
    named = Payment.objects.filter(invoice=invoice) if payments is None else payments
    # What was undone has no allocation that stands, and is told no more.
    found = {one.pk: one for one in named if one.undone_at is None and one.state in _TOLD}
    allocations: dict[int, list[PaymentAllocation]] = {}
    standing = PaymentAllocation.objects.filter(receivable__invoice=invoice, reversed_at=None)
    for one in standing.select_related("receivable", "payment").order_by("receivable__position"):
        allocations.setdefault(one.payment_id, []).append(one)
        found.setdefault(one.payment_id, one.payment)
    return sorted(
        (_receipt(payment, allocations.get(payment.pk, [])) for payment in found.values()),
        key=lambda one: (one.payment.received_on or date.max, one.payment.pk),
    )


def _receipt(payment: Payment, allocations: Sequence[PaymentAllocation]) -> Receipt:
    settled = sum((one.principal + one.fine + one.interest for one in allocations), Decimal("0.00"))
    positions = tuple(one.receivable.position for one in allocations)
    return Receipt(payment, payment.method_said, settled, positions)


def timeline(
    invoice: Invoice,
    *,
    receipts: Sequence[Receipt],
    notes: Sequence[CustomerNote],
    disputes: Sequence[Dispute],
    charges: Iterable[Charge] | None = None,
) -> list[Event]:
    """What happened, newest first: at most two queries beside what the caller has read.

    `charges` are all of the invoice, where they have been read.
    """
    events = [
        *_of_invoice(invoice),
        *_of_reissues(_reissues(invoice) if charges is None else charges),
        *_of_receipts(receipts, ZoneInfo(invoice.account.time_zone)),
        *_of_refunds(receipts),
        *_of_notes(notes),
        *_of_disputes(disputes),
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)


def _of_invoice(invoice: Invoice) -> Iterable[Event]:
    if invoice.emitted_at is not None:
        yield Event(invoice.emitted_at, "emitida", "Fatura emitida")
    if invoice.cancelled_at is not None:
        text = "Fatura anulada" if invoice.void else "Fatura cancelada"
        yield Event(invoice.cancelled_at, "anulada" if invoice.void else "cancelada", text)


def _reissues(invoice: Invoice) -> Iterable[Charge]:
    of_it = Charge.objects.of(invoice.account).filter(receivable__invoice=invoice)
    return of_it.filter(replaces__isnull=False)


def _of_reissues(charges: Iterable[Charge]) -> Iterable[Event]:
    """Boletos that took the place of another; those that the bank turned down are not told."""
    untold = (Charge.State.REJECTED, Charge.State.DRAFT)
    for charge in charges:
        if charge.kind != Charge.Kind.BOLETO or charge.replaces_id is None:
            continue
        if charge.state in untold:
            continue
        text = f"Boleto reemitido: {brl(charge.amount)}, vencimento {date_br(charge.due_date)}"
        yield Event(charge.created_at, "reemitida", text)


def _of_receipts(receipts: Sequence[Receipt], zone: ZoneInfo) -> Iterable[Event]:
    for one in receipts:
        payment = one.payment
        if not one.has_receipt:
            text = f"Pagamento de {brl(payment.amount)} em processamento ({one.method})"
            yield Event(payment.created_at, "processando", text)
        else:
            text = f"Pagamento de {brl(payment.amount)} recebido ({one.method})"
            yield Event(_moment(payment, zone), "paga", text)


def _moment(payment: Payment, zone: ZoneInfo) -> datetime:
    """When it was confirmed; of one told later, the day on which it was paid."""
    settled = payment.settled_at or payment.created_at
    paid = payment.received_on or clock.today(zone.key)
    if settled.astimezone(zone).date() == paid:
        return settled
    return _noon(paid, zone)


def _noon(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(12), tzinfo=zone)


def _of_refunds(receipts: Sequence[Receipt]) -> Iterable[Event]:
    given_back = [one.payment.pk for one in receipts if one.payment.refunded_total]
    if not given_back:
        return
    done = Refund.objects.filter(payment__in=given_back, state=Refund.State.SUCCEEDED)
    for refund in done:
        text = f"Reembolso de {brl(refund.amount)}"
        yield Event(refund.settled_at or refund.created_at, "reembolsada", text)


def _of_notes(notes: Sequence[CustomerNote]) -> Iterable[Event]:
    for note in notes:
        if note.is_issued and note.issued_at is not None:
            yield Event(note.issued_at, "nf", f"{note.kind} {note.number} emitida")


def _of_disputes(disputes: Sequence[Dispute]) -> Iterable[Event]:
    for one in disputes:
        yield Event(one.opened_at, "contestada", f"Contestada: {one.protocol}")
        if one.closed_at is not None:
            text = f"Contestação {one.protocol}: {one.get_state_display().lower()}"
            yield Event(one.closed_at, "contestacao_encerrada", text)
