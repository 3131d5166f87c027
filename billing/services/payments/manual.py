"""Payments that staff tell of: cash, POS, transfer, and the use of a customer's credit (§10.4)."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from accounts.services.idempotency import KeyUsed
from billing.errors import (
    InsufficientCredit,
    NoOpenAmount,
    PaymentInProgress,
    SurplusNotConfirmed,
    fault,
)
from billing.models import CustomerCredit, Payment, Receivable
from billing.selectors.late_terms import invoice_calendar, receivable_terms
from billing.services import ledger
from billing.services.books import Books
from billing.services.drafts import MAX_TOTAL
from billing.services.ledger import MANUAL, ZERO, Held, Part
from lib import clock
from lib.money import half_up

CREDIT = Payment.Method.CREDIT
_KEYS = uuid.UUID("3d6a3a86-6c0f-4a4e-9a3c-6f4d0a5e3b11")  # names of payment keys of forms


def amount_owed(receivable_id: int, *, account: Account, on: date, waive: bool = False) -> Part:
    """What a parcel costs when it is paid on `on`, in parts (BRL). Raises NotFound."""
    found: Receivable = Receivable.objects.select_related("invoice").get_of(
        account, pk=receivable_id
    )
    return _owed(found, on=on, waive=waive)


@transaction.atomic
def pay_manually(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    method: str,
    amount: Decimal | None = None,
    on: date | None = None,
    reference: str = "",
    reason: str = "",
    take_surplus: bool = False,
    waive: bool = False,
    key: str = "",
) -> Payment:
    """Record that a parcel was paid by a method of MANUAL on `on` (default: today).

    `amount` (default: all that is owed on that day) settles interest, fine and principal (ALLOC-1);
    less leaves the rest open (MN-2), more becomes credit once `take_surplus` says so (PAYM-4).
    `waive` lets fine and interest off (SV-5) and needs a reason. By credit, at most what is owed is
    taken from the wallet; what is missing there is granted by hand when a `reason` is given
    (PAYM-5). A form sends a `key` of its own: sent twice it pays once. Raises NotFound,
    InvalidInput, NoOpenAmount, PaymentInProgress, SurplusNotConfirmed, InsufficientCredit, or
    KeyUsed when the key has paid something else.
    """
    given = _checked(account, method, amount, on)
    if waive and not reason.strip():
        raise fault("reason", "informe o motivo da dispensa de multa e juros")
    if method == CREDIT:
        _hold_wallet(receivable_id, account)
    held, receivable = ledger.hold_receivable(account, receivable_id)
    name = uuid.uuid5(_KEYS, f"{account.pk}:{key}") if key else None
    if name and (known := Payment.objects.of(account).filter(key=name).first()):
        if (known.receivable_id, known.method) != (receivable.pk, method):
            raise KeyUsed()  # a form that was gone back to, and changed
        return known
    _refuse_unpayable(receivable)
    day = on or clock.today(account.time_zone)
    due = _owed(receivable, on=day, waive=waive)
    owed = due.paid
    if not owed:  # an instalment of R$ 0,00 goes with the others
        raise NoOpenAmount()
    value = owed if given is None else given
    books = Books(account, actor=actor)
    payment = ledger.new_payment(
        held, receivable, method=method, amount=min(value, owed) if method == CREDIT else value,
        key=name, reference=reference.strip()[:255], recorded_by=actor.label,
    )  # fmt: skip
    if method == CREDIT:
        _take_credit(books, payment, reason.strip())
    elif value > owed and not take_surplus:
        raise SurplusNotConfirmed(value - owed)
    _settle(books, held, receivable, payment, due, on=day, reason=reason.strip())
    return payment


def _settle(
    books: Books,
    held: Held,
    receivable: Receivable,
    payment: Payment,
    due: Part,
    *,
    on: date,
    reason: str,
) -> None:
    payment.succeed(on=on, at=books.at)
    books.settle(held, payment, [(receivable, ledger.in_order(payment.amount, due))])
    after = {
        "amount": payment.amount,
        "method": payment.method,
        "reference": payment.reference,
        "reason": reason,
        "on": on,
        "receivable": receivable.pk,
    }
    books.audit("fatura.paga", held.invoice, after=after)
    books.write()


def _take_credit(books: Books, payment: Payment, reason: str) -> None:
    """Use the wallet; what is missing there is granted when somebody says why."""
    balance = max(ZERO, ledger.credit_balance(payment.customer_id))
    missing = payment.amount - balance
    if missing > 0:
        if not reason:
            raise InsufficientCredit(balance, payment.amount)
        books.credit(
            None,
            customer_id=payment.customer_id,
            amount=missing,
            origin=CustomerCredit.Origin.MANUAL,
            reason=reason,
        )
    books.credit(payment, amount=-payment.amount, origin=CustomerCredit.Origin.USE, reason=reason)


def _checked(
    account: Account, method: str, amount: Decimal | None, on: date | None
) -> Decimal | None:
    """The amount in cents. Raises InvalidInput for what no payment can be."""
    if method not in MANUAL:
        raise fault("method", "não pode ser registrado à mão")
    if on is not None and on > clock.today(account.time_zone):
        raise fault("received_on", "a data não pode ser futura")
    if amount is None:
        return None
    value = half_up(amount)
    if not 0 < value < MAX_TOTAL:
        raise fault("amount", "o valor deve ser maior do que zero")
    return value


def _hold_wallet(receivable_id: int, account: Account) -> None:
    row = Receivable.objects.select_related("invoice").get_of(account, pk=receivable_id)
    ledger.hold_wallet([row.invoice.customer_id])


def _refuse_unpayable(receivable: Receivable) -> None:
    if receivable.state != Receivable.State.TO_RECEIVE:
        raise NoOpenAmount()
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()


def _owed(receivable: Receivable, *, on: date, waive: bool) -> Part:
    if waive:
        return Part(receivable.open_principal)
    invoice = receivable.invoice
    return ledger.owed(
        receivable,
        on=on,
        terms=receivable_terms(receivable, invoice),
        calendar=invoice_calendar(invoice),
    )
