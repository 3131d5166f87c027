"""The ledger's rows: what is locked to settle a parcel, and what a parcel costs (§10).

Whoever settles holds the contract, the invoice, its receivables, the charges and then the payment,
in this order; who takes from a customer's wallet holds that before all. A card's notice, a line of
a bank file and a click of staff meet here and go one by one. `books.Books` writes what they decide.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from accounts.models import Account
from billing.engine.late_charges import LateTerms, late_charges
from billing.models import (
    Contract,
    CustomerCredit,
    Invoice,
    OrganizationProfile,
    Party,
    Payment,
    PaymentAllocation,
    Receivable,
)
from lib import clock
from lib.calendars import Calendar
from lib.errors import NotFound
from lib.money import half_up

ZERO = Decimal("0.00")
OPEN = (Receivable.State.TO_EMIT, Receivable.State.TO_RECEIVE)
MANUAL = (
    Payment.Method.CASH, Payment.Method.CREDIT, Payment.Method.POS, Payment.Method.TRANSFER,
)  # fmt: skip


@dataclass
class Held:
    """An invoice and its receivables, in order of position, locked until the commit."""

    account: Account
    invoice: Invoice
    receivables: list[Receivable] = field(default_factory=list)
    is_subscription: bool = False

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

    def has_open(self) -> bool:
        return any(r.state in OPEN for r in self.receivables)


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


# --- holding -----------------------------------------------------------------------------------


def hold(account: Account, *, invoice_id: int) -> Held:
    """Lock what a receipt of this invoice changes. Raises NotFound."""
    held = hold_many(account, invoice_ids=[invoice_id])
    if not held:
        raise NotFound()
    return held[invoice_id]


def hold_receivable(account: Account, receivable_id: int) -> tuple[Held, Receivable]:
    """`hold` the invoice of a receivable. Raises NotFound, also when it was remade meanwhile."""
    found: Receivable = Receivable.objects.get_of(account, pk=receivable_id)
    held = hold(account, invoice_id=found.invoice_id)
    return held, held.receivable(receivable_id)


def hold_many(account: Account, *, invoice_ids: Collection[int]) -> dict[int, Held]:
    """Lock the account's invoices among these, each with its receivables, all in order of id.

    A subscription, whose validity follows what is paid, comes first: whoever changes its rule
    locks the contract first, too.
    """
    mine = Invoice.objects.of(account).filter(pk__among=list(invoice_ids))
    subscriptions = Contract.objects.filter(
        pk__in=mine.values("contract"), registration_method=Contract.Registration.SUBSCRIPTION
    ).order_by("pk")
    held_first = set(subscriptions.select_for_update(no_key=True).values_list("pk", flat=True))
    found: dict[int, Held] = {}
    for invoice in mine.select_for_update().order_by("pk"):
        found[invoice.pk] = Held(
            account, invoice, is_subscription=invoice.contract_id in held_first
        )
    parcels = Receivable.objects.filter(invoice__among=list(found)).select_for_update()
    for receivable in parcels.order_by("invoice_id", "position"):
        receivable.invoice = found[receivable.invoice_id].invoice
        found[receivable.invoice_id].receivables.append(receivable)
    return found


def hold_wallet(customer_ids: Iterable[int]) -> None:
    """Let nobody else take from these customers' credit; before anything else is held."""
    mine = Party.objects.filter(pk__in=list(customer_ids)).order_by("pk")
    list(mine.select_for_update(no_key=True).values_list("pk"))


def hold_payment(account: Account, payment_id: int) -> tuple[Held | None, Payment]:
    """A payment with its customer's wallet and its invoice, if any, locked. Raises NotFound."""
    found: Payment = Payment.objects.get_of(account, pk=payment_id)
    hold_wallet([found.customer_id])
    held = hold(account, invoice_id=found.invoice_id) if found.invoice_id else None
    return held, Payment.objects.select_for_update().get(pk=payment_id)


def credit_balance(customer_id: int) -> Decimal:
    """What a customer's wallet has (BRL); below zero after a chargeback of what was used."""
    lines = CustomerCredit.objects.filter(customer_id=customer_id).values_list("amount", flat=True)
    return sum(lines, ZERO)


def uses_credit(account: Account) -> bool:
    """Is there an organization that takes its customers' credit by itself (MN-3)?"""
    profiles = OrganizationProfile.objects.filter(party__account=account, credit_use="oldest")
    return bool(profiles.exists())


class Priced(Protocol):
    """A receivable, or what a list has read of one."""

    @property
    def pk(self) -> int: ...

    @property
    def due_date(self) -> date: ...

    @property
    def open_principal(self) -> Decimal: ...

    @property
    def paid_fine(self) -> Decimal: ...

    @property
    def paid_interest(self) -> Decimal: ...

    @property
    def charged_until(self) -> date | None: ...

    @property
    def grace_until(self) -> date | None: ...


# --- what it costs -----------------------------------------------------------------------------


def owed(receivable: Priced, *, on: date, terms: LateTerms, calendar: Calendar) -> Part:
    """What a receivable costs when it is paid on `on` (LATE-1, MN-2).

    What a payment too small for all fine and interest gave to them is not asked for again.
    """
    found = late_charges(
        receivable.open_principal,
        due=receivable.due_date,
        paid_on=on,
        terms=terms,
        calendar=calendar,
        charged_until=receivable.charged_until,
        grace_until=receivable.grace_until,
    )
    fine, interest = found.fine, found.interest
    if (fine or interest) and (receivable.paid_fine or receivable.paid_interest):
        paid = _paid_since(receivable)
        fine, interest = max(ZERO, fine - paid.fine), max(ZERO, interest - paid.interest)
    return Part(receivable.open_principal, fine, interest)


def _paid_since(receivable: Priced) -> Part:
    """Fine and interest paid after the last payment that reached the principal."""
    standing = PaymentAllocation.objects.filter(receivable_id=receivable.pk, reversed_at=None)
    if receivable.charged_until is not None:
        standing = standing.filter(payment__received_on__gt=receivable.charged_until)
    sums = [(row.fine, row.interest) for row in standing.only("fine", "interest")]
    return Part(ZERO, sum((f for f, _ in sums), ZERO), sum((i for _, i in sums), ZERO))


def in_order(amount: Decimal, due: Part) -> Part:
    """Interest first, then fine, then principal (ALLOC-1), never more than is due.

    The discount that is due is let off however much is paid.
    """
    interest = min(amount, due.interest)
    fine = min(amount - interest, due.fine)
    return Part(min(amount - interest - fine, due.principal), fine, interest, due.discount)


# --- rows to be -------------------------------------------------------------------------------


def new_payment(
    held: Held, receivable: Receivable | None, *, method: str, amount: Decimal, **given: Any
) -> Payment:
    """A payment of the held invoice that is not saved yet; `given` are further columns."""
    return Payment(
        account=held.account,
        key=given.pop("key", None) or uuid.uuid4(),
        customer_id=held.invoice.customer_id,
        invoice=held.invoice,
        receivable=receivable,
        method=method,
        amount=half_up(amount),
        created_at=clock.now(),
        **({"refunded_total": ZERO, "provider_fee": ZERO} | given),
    )


def standing_allocations(payment: Payment) -> list[PaymentAllocation]:
    """What a payment settles now."""
    return list(payment.allocations.filter(reversed_at=None).order_by("id"))


def credit_of(payment: Payment) -> Decimal:
    """How much credit a payment brought that has not gone back with it (BRL)."""
    origins = CustomerCredit.Origin
    lines = payment.credits.filter(
        origin__in=(origins.OVERPAYMENT, origins.REVERSAL, origins.RETURNED)
    )
    return sum(lines.values_list("amount", flat=True), ZERO)
