"""The ledger: what a payment settles, what is left of it, and taking it back (billing-engine §10).

Whoever settles holds the contract, the invoice, its receivables and then the payment, in this
order: a card's notice, a line of a bank file and a click of staff meet here and go one by one.
What a payment does not settle is the customer's credit, never lost (INV-5).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.engine.late_charges import LateTerms, late_charges
from billing.models import (
    Charge,
    Contract,
    CustomerCredit,
    Invoice,
    Payment,
    PaymentAllocation,
    Receivable,
    Transaction,
)
from billing.services.charge_closing import close_charges
from billing.services.invoices import lock_invoice, lock_receivables, save_receivables
from billing.services.note_schedule import after_receipt
from billing.services.outbox import Event, announce
from billing.services.subscription_billing import refresh_validity
from lib import clock
from lib.calendars import Calendar
from lib.errors import NotFound

ZERO = Decimal("0.00")
OPEN = (Receivable.State.TO_EMIT, Receivable.State.TO_RECEIVE)
MANUAL = (
    Payment.Method.CASH, Payment.Method.CREDIT, Payment.Method.POS, Payment.Method.TRANSFER,
)  # fmt: skip


@dataclass(frozen=True)
class Held:
    """An invoice and its receivables, in order of position, locked until the commit."""

    account: Account
    invoice: Invoice
    receivables: Sequence[Receivable]

    def receivable(self, pk: int) -> Receivable:
        """Raises NotFound when it is not of this invoice any more."""
        for one in self.receivables:
            if one.pk == pk:
                return one
        raise NotFound()

    def open(self) -> list[Receivable]:
        """Those that something is to be received of, oldest due first."""
        found = [r for r in self.receivables if r.state == Receivable.State.TO_RECEIVE]
        return sorted(found, key=lambda r: (r.due_date, r.position))


@dataclass(frozen=True)
class Part:
    """How much of a payment goes to which part of a receivable; `discount` is let off with it."""

    principal: Decimal = ZERO
    fine: Decimal = ZERO
    interest: Decimal = ZERO
    discount: Decimal = ZERO

    @property
    def paid(self) -> Decimal:
        return self.principal + self.fine + self.interest


def hold(account: Account, *, invoice_id: int) -> Held:
    """Lock what a receipt of this invoice changes. Raises NotFound.

    A subscription, whose validity follows what is paid, comes first: whoever changes its rule
    locks the contract first, too.
    """
    subscriptions = Contract.objects.filter(
        pk__in=Invoice.objects.of(account).filter(pk=invoice_id).values("contract"),
        registration_method=Contract.Registration.SUBSCRIPTION,
    )
    list(subscriptions.select_for_update(no_key=True).values_list("pk"))
    invoice = lock_invoice(invoice_id, account=account)
    return Held(account, invoice, lock_receivables(invoice))


def hold_receivable(account: Account, receivable_id: int) -> tuple[Held, Receivable]:
    """`hold` the invoice of a receivable. Raises NotFound, also when it was remade meanwhile."""
    found: Receivable = Receivable.objects.get_of(account, pk=receivable_id)
    held = hold(account, invoice_id=found.invoice_id)
    return held, held.receivable(receivable_id)


def new_payment(
    held: Held, receivable: Receivable | None, *, method: str, amount: Decimal, **given: Any
) -> Payment:
    """A payment of the held invoice that is not saved yet; `given` are further columns."""
    return Payment(
        account=held.account,
        key=uuid.uuid4(),
        customer_id=held.invoice.customer_id,
        invoice=held.invoice,
        receivable=receivable,
        method=method,
        amount=amount,
        created_at=clock.now(),
        **given,
    )


def owed(receivable: Receivable, *, on: date, terms: LateTerms, calendar: Calendar) -> Part:
    """What a receivable costs when it is paid on `on` (LATE-1)."""
    found = late_charges(
        receivable.open_principal,
        due=receivable.due_date,
        paid_on=on,
        terms=terms,
        calendar=calendar,
        charged_until=receivable.charged_until,
    )
    return Part(receivable.open_principal, found.fine, found.interest)


def in_order(amount: Decimal, due: Part) -> Part:
    """Interest first, then fine, then principal (ALLOC-1); never more than is due."""
    interest = min(amount, due.interest)
    fine = min(amount - interest, due.fine)
    return Part(min(amount - interest - fine, due.principal), fine, interest)


def settle(
    held: Held,
    payment: Payment,
    parts: Sequence[tuple[Receivable, Part]],
    *,
    actor: Actor,
    paid_charge: Charge | None = None,
) -> Decimal:
    """Put a saved payment that has just succeeded on the books; answers what became credit.

    Allocates `parts`, receives what has nothing open left, closes the charges of that, writes the
    manual payment's transaction, credits the customer with the rest, brings the invoice in step
    and tells everyone. `paid_charge` is what was paid by, already in its own state.
    """
    at = clock.now()
    on = payment.received_on or clock.today(held.account.time_zone)
    PaymentAllocation.objects.bulk_create(
        PaymentAllocation(
            payment=payment, receivable=receivable, principal=part.principal, fine=part.fine,
            interest=part.interest, discount=part.discount, created_at=at,
        )
        for receivable, part in parts
    )  # fmt: skip
    for receivable, part in parts:
        _take(receivable, part, on=on)
    _settle_empty(held, on=on)
    save_receivables(held.receivables)
    if payment.method in MANUAL:
        write_entry(held.invoice, payment, amount=-payment.amount, at=at)
    rest = payment.amount - sum((part.paid for _, part in parts), ZERO)
    if rest:
        add_credit(
            payment.customer_id, held.account, amount=rest, payment=payment,
            origin=CustomerCredit.Origin.OVERPAYMENT, actor=actor,
        )  # fmt: skip
    close_received(held, but=paid_charge)
    bring_in_step(held)
    return rest


def close_received(held: Held, *, but: Charge | None = None) -> None:
    """Nothing collects any more what is received (INV-9)."""
    received = [r for r in held.receivables if r.state == Receivable.State.RECEIVED]
    close_charges(received, at=clock.now(), but=but)


def reverse(held: Held, allocations: Sequence[PaymentAllocation]) -> None:
    """Take allocations of the held receivables back: they are history, and the parcels are open."""
    at = clock.now()
    for allocation in allocations:
        receivable = held.receivable(allocation.receivable_id)
        allocation.reversed_at = at
        receivable.paid_principal -= allocation.principal
        receivable.paid_fine -= allocation.fine
        receivable.paid_interest -= allocation.interest
        receivable.written_off -= allocation.discount
        receivable.open_principal += allocation.principal + allocation.discount
        receivable.charged_until = None
        if receivable.state == Receivable.State.RECEIVED:
            receivable.reopen()
    PaymentAllocation.objects.bulk_update(allocations, ["reversed_at"])
    reopen_empty(held)
    save_receivables(held.receivables)
    bring_in_step(held)


def write_entry(invoice: Invoice, payment: Payment, *, amount: Decimal, at: Any) -> Transaction:
    """The transaction of a manual payment (PAYM-3): negative, or positive when it is undone."""
    name = Payment.Method(payment.method).label
    title = f"Pagamento - {name}" if amount < 0 else f"Pagamento desfeito - {name}"
    entry: Transaction = Transaction.objects.create(
        account_id=payment.account_id,
        customer_id=payment.customer_id,
        contract_id=invoice.contract_id,
        invoice=invoice,
        payment=payment,
        kind=Transaction.Kind.PAYMENT,
        created_at=at,
        title=title,
        description=payment.reference,
        retail_cost=amount,
        source="pagamento",
    )
    return entry


def add_credit(
    customer_id: int,
    account: Account,
    *,
    amount: Decimal,
    origin: str,
    actor: Actor,
    payment: Payment | None = None,
    reason: str = "",
) -> CustomerCredit:
    """A line of the customer's wallet; `amount` is negative when credit is used."""
    credit: CustomerCredit = CustomerCredit.objects.create(
        account=account,
        customer_id=customer_id,
        amount=amount,
        origin=origin,
        payment=payment,
        reason=reason,
        recorded_by=actor.label,
        created_at=clock.now(),
    )
    after = {"amount": amount, "origin": origin, "reason": reason}
    record(account, actor=actor, action="credito.lancado", target=credit, after=after)
    return credit


def bring_in_step(held: Held) -> None:
    """The invoice's stored totals and state follow its receivables, and everyone is told."""
    invoice, receivables = held.invoice, held.receivables
    is_open = any(r.state in OPEN for r in receivables)
    invoice.paid_total = sum(
        (r.paid_principal + r.paid_fine + r.paid_interest for r in receivables), ZERO
    )
    event = None
    if not is_open and invoice.state == Invoice.State.TO_RECEIVE:
        invoice.confirm_receival(at=clock.now())
        event = Event.CONFIRM_RECEIVAL
    elif is_open:
        if invoice.state == Invoice.State.RECEIVED:
            invoice.undo_receival()
            event = Event.UNDO_RECEIVAL
        invoice.payment_status = _status(receivables)
    invoice.save()
    if event:
        days = [r.received_at for r in receivables if r.received_at]
        after_receipt(invoice, last_paid_on=None if is_open else max(days, default=None))
        announce(invoice, event)
        if invoice.contract_id is not None:
            refresh_validity(invoice.contract_id)


def _take(receivable: Receivable, part: Part, *, on: date) -> None:
    """One part into the amounts of its receivable; received once nothing is open."""
    receivable.paid_principal += part.principal
    receivable.paid_fine += part.fine
    receivable.paid_interest += part.interest
    receivable.written_off += part.discount
    receivable.open_principal -= part.principal + part.discount
    if not receivable.open_principal:
        total = receivable.paid_principal + receivable.paid_fine + receivable.paid_interest
        receivable.settle(value=total, on=on)
    elif part.fine or part.interest:
        receivable.charged_until = on


def _settle_empty(held: Held, *, on: date) -> None:
    """Parcels of R$ 0,00 go with the last one that had something to receive."""
    if any(r.state in OPEN and r.open_principal for r in held.receivables):
        return
    for receivable in held.receivables:
        if receivable.state == Receivable.State.TO_RECEIVE:
            receivable.settle(value=ZERO, on=on)


def reopen_empty(held: Held) -> None:
    """Parcels of R$ 0,00 come back with the first one that does."""
    if not any(r.state in OPEN for r in held.receivables):
        return
    for receivable in held.receivables:
        if receivable.state == Receivable.State.RECEIVED and not receivable.payment_value:
            receivable.reopen()


def _status(receivables: Sequence[Receivable]) -> str:
    """Payment status of an invoice that still has something open (§3.2)."""
    if any(r.state == Receivable.State.RECEIVED or r.paid_principal for r in receivables):
        return Invoice.PaymentStatus.PARTIALLY_PAID
    return Invoice.PaymentStatus.UNPAID
