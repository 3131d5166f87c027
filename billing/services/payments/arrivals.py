"""Money that really came: by a bank's file, by Pix or by a card's confirmation (ALLOC-1, BO-5).

It is never refused for what became of the parcel meanwhile: what nothing is owed for any more
becomes the customer's credit, and staff are alerted (§3.4). Told twice, it counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.models import Charge, Payment, Receivable
from billing.services import ledger
from billing.services.books import Books
from billing.services.ledger import ZERO, Held, Part
from billing.services.payments.costs import Costs
from lib import clock
from lib.errors import NotFound
from lib.money import brl
from lib.queue import enqueue

__all__ = ["Arrival", "Costs", "Money", "arrived", "arrived_many", "confirm"]

TOLD_FOR = timedelta(days=10)
DUPLICATE = "Pagamento em duplicidade: {credit} viraram crédito do cliente."
SURPLUS = "Pago a maior: {credit} viraram crédito do cliente."
SHORT = "Pago a menor: faltam {open}."


@dataclass(frozen=True)
class Arrival:
    """What became of money that came: `credit` (BRL) is the part that settled nothing.

    `note` says in pt-BR what staff should know, "" when the parcel was simply settled; it is empty,
    too, when the money was on the books already (`is_new` False).
    """

    payment: Payment
    is_new: bool
    credit: Decimal
    note: str = ""


@dataclass(frozen=True)
class Money:
    """Money that came, as a bank or provider tells it (BRL).

    `external_id` is its one natural key (end-to-end id, line of a bank file, intent). `fee` was
    kept by the provider and is not the customer's concern; `discount` was granted by the bank.
    """

    receivable_id: int
    method: str
    amount: Decimal
    received_on: date
    external_id: str
    charge_id: int | None = None
    gateway_id: int | None = None
    credited_on: date | None = None
    fee: Decimal = ZERO
    discount: Decimal = ZERO
    reference: str = ""


def arrived(
    account: Account,
    *,
    receivable_id: int,
    method: str,
    amount: Decimal,
    received_on: date,
    external_id: str,
    actor: Actor,
    charge_id: int | None = None,
    gateway_id: int | None = None,
    credited_on: date | None = None,
    fee: Decimal | int = ZERO,
    discount: Decimal | int = ZERO,
    reference: str = "",
) -> Arrival:
    """Put one arrival of money on the books; see `arrived_many`."""
    money = Money(
        receivable_id, method, amount, received_on, external_id, charge_id, gateway_id,
        credited_on, Decimal(fee), Decimal(discount), reference,
    )  # fmt: skip
    return arrived_many(account, [money], actor=actor)[0]


@transaction.atomic
def arrived_many(account: Account, moneys: Sequence[Money], *, actor: Actor) -> list[Arrival]:
    """Put arrivals of money on the books, all or none; answers one for each, in their order.

    Settles the parcel of each: interest, fine, principal, by what its charge says when it is paid
    in time (SV-4), else by LATE-1; `discount` is let off with it. What settles nothing is credit.
    The same (method, external id) told again changes nothing and answers the first payment.
    Raises NotFound for a receivable or charge of another account, nothing else that a person or a
    bank could cause. A statement per table however many they are: call it with some hundreds.
    """
    if not all(money.external_id for money in moneys):
        raise ValueError("money that came has an id of its own")
    try:
        with transaction.atomic():
            return _arrive(account, moneys, actor)
    except IntegrityError:
        if len(moneys) > 1:
            return [arrived_many(account, [money], actor=actor)[0] for money in moneys]
        # The same money told for another parcel at this instant: the first one counts.
        for known in _known(account, moneys).values():
            return [Arrival(known, is_new=False, credit=ZERO)]
        raise


@transaction.atomic
def confirm(
    payment_id: int,
    *,
    account: Account,
    received_on: date,
    actor: Actor,
    fee: Decimal | int = ZERO,
) -> Arrival:
    """An attempt succeeded at its provider: settle what it was for. Told again, it changes nothing.

    The one transition for the answer of the call, the notice and the poll (ST-6); also for what
    was given up or taken for refused. Raises NotFound.
    """
    payment: Payment = Payment.objects.get_of(account, pk=payment_id)
    held = ledger.hold(account, invoice_id=payment.invoice_id) if payment.invoice_id else None
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if payment.state in Payment.SETTLED:
        return Arrival(payment, is_new=False, credit=ZERO)
    books = Books(account, actor=actor)
    payment.provider_fee = Decimal(fee)
    payment.succeed(on=received_on, at=books.at)
    arrival = _settle(books, Costs(), held, payment)
    books.write()
    _tell_customers(account, [arrival])
    return arrival


def _arrive(account: Account, moneys: Sequence[Money], actor: Actor) -> list[Arrival]:
    """Hold everything, decide one after the other, write."""
    helds = _hold(account, moneys)
    charges = _charges(account, moneys)
    seen = {key: Arrival(one, False, ZERO) for key, one in _known(account, moneys).items()}
    books, answers = Books(account, actor=actor), []
    costs = Costs([money.receivable_id for money in moneys if money.charge_id is None])
    for money in moneys:
        key = (money.method, money.external_id)
        if known := seen.get(key):
            answers.append(Arrival(known.payment, is_new=False, credit=ZERO))
            continue
        charge = charges.get((money.charge_id, money.receivable_id))
        if charge is None and money.charge_id is not None:
            raise NotFound()
        payment = _payment(helds[money.receivable_id], money, charge, books)
        seen[key] = _settle(
            books, costs, helds[money.receivable_id], payment, charge, money.discount
        )
        answers.append(seen[key])
    books.write()
    _tell_customers(account, answers)
    return answers


def _tell_customers(account: Account, found: Sequence[Arrival]) -> None:
    """A receipt by e-mail of what is new; not of what came long ago, as an old bank file tells."""
    since = clock.today(account.time_zone) - TOLD_FOR
    new = [one.payment for one in found if one.is_new and one.payment.invoice_id]
    told = [one.pk for one in new if one.received_on is not None and one.received_on >= since]
    if told:
        enqueue("billing.tasks.tell_paid", *told)


def _hold(account: Account, moneys: Sequence[Money]) -> dict[int, Held]:
    """By id of receivable: its invoice, held. Raises NotFound."""
    wanted = {money.receivable_id for money in moneys}
    rows = Receivable.objects.of(account).filter(pk__among=list(wanted))
    invoices = dict(rows.values_list("pk", "invoice_id"))
    helds = ledger.hold_many(account, invoice_ids=set(invoices.values()))
    found = {r.pk: held for held in helds.values() for r in held.receivables if r.pk in wanted}
    if len(found) < len(wanted):
        raise NotFound()
    return found


def _charges(account: Account, moneys: Sequence[Money]) -> dict[tuple[int | None, int], Charge]:
    """By (charge, receivable): the charges that were paid, locked."""
    wanted = [money.charge_id for money in moneys if money.charge_id is not None]
    rows = Charge.objects.of(account).filter(pk__among=wanted).order_by("pk")
    return {(row.pk, row.receivable_id): row for row in rows.select_for_update()}


def _known(account: Account, moneys: Sequence[Money]) -> dict[tuple[str, str], Payment]:
    """What of it is on the books, by (method, external id)."""
    ids = {money.external_id for money in moneys}
    rows = Payment.objects.of(account).filter(
        method__in={money.method for money in moneys}, external_id__in=ids
    )
    keys = {(money.method, money.external_id) for money in moneys}
    found = {(row.method, row.external_id): row for row in rows}
    return {key: row for key, row in found.items() if key in keys}


def _payment(held: Held, money: Money, charge: Charge | None, books: Books) -> Payment:
    """The payment to be, and its charge in the state that follows."""
    if charge is not None and charge.state not in (
        Charge.State.PAID, Charge.State.PAID_AFTER_CANCEL,
    ):  # fmt: skip
        if charge.state in (*Charge.LIVE, Charge.State.EXPIRED):
            charge.pay(at=books.at)
        else:
            charge.pay_after_cancel(at=books.at)
            books.audit("cobranca.paga_depois_de_cancelada", charge, after={"amount": money.amount})
        books.charge(charge)
    payment = ledger.new_payment(
        held, held.receivable(money.receivable_id), method=money.method, amount=money.amount,
        charge=charge, gateway_id=money.gateway_id, external_id=money.external_id,
        provider_fee=money.fee, credited_on=money.credited_on, reference=money.reference[:255],
        recorded_by=books.actor.label,
    )  # fmt: skip
    payment.succeed(on=money.received_on, at=books.at)
    return payment


def _settle(
    books: Books,
    costs: Costs,
    held: Held | None,
    payment: Payment,
    charge: Charge | None = None,
    discount: Decimal = ZERO,
) -> Arrival:
    """Allocate a payment that has just succeeded and say what came of it."""
    after = {"amount": payment.amount, "method": payment.method, "on": payment.received_on}
    books.audit("pagamento.confirmado", payment, after=after)
    parts: list[tuple[Receivable, Part]] = []
    left = payment.amount
    for receivable in _targets(held, payment):
        assert held is not None
        due = costs.due(held, receivable, payment, charge, discount)
        parts.append((receivable, ledger.in_order(left, due)))
        left -= parts[-1][1].paid
        if not left:
            break
    credit = books.settle(held, payment, parts)
    if not parts:
        books.audit("pagamento.em_duplicidade", payment, after=after)
        return Arrival(payment, True, credit, DUPLICATE.format(credit=brl(credit)))
    return Arrival(payment, True, credit, _note(credit, parts[-1][0]))


def _targets(held: Held | None, payment: Payment) -> list[Receivable]:
    """What the payment is for and still open: its parcel, or else all of its invoice."""
    if held is None:
        return []
    found = held.open()
    if payment.receivable_id is not None:
        found = [r for r in found if r.pk == payment.receivable_id]
    return found


def _note(credit: Decimal, receivable: Receivable) -> str:
    if credit:
        return SURPLUS.format(credit=brl(credit))
    if receivable.open_principal:
        return SHORT.format(open=brl(receivable.open_principal))
    return ""
