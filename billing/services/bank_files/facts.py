"""What a line of a retorno does: money that arrived, or a bank's answer about a boleto."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.services.audit import Actor
from billing.gateways.cnab import occurrences
from billing.gateways.cnab.registry import layout
from billing.gateways.cnab.titles import Meaning, Occurrence, Order
from billing.models import Charge, CnabFile, CnabRecord, Payment
from billing.services.bank_files.registrations import registered_many
from billing.services.bank_files.results import MONEY, Result
from billing.services.boletos import answers
from billing.services.books import Books
from billing.services.payments.arrivals import Money, arrived_many

Resolution = CnabRecord.Resolution
_REASON_SIZE = 500


def apply_facts(file: CnabFile, records: Sequence[CnabRecord], *, actor: Actor) -> None:
    """Do what each says, in the caller's transaction, and note on it what came of it.

    Each has `parcel`, the receivable of its boleto, beside its columns.
    """
    money = [one for one in records if _is_money(one)]
    _settle(file, money, actor)
    entered = [one.charge_id for one in records if one.result == Result.REGISTERED]
    if entered:
        registered_many(filter(None, entered), account=file.account, actor=actor)
    for one in records:
        if one.resolution == Resolution.CREDITED:
            _credit(file, one, actor)
        elif one.charge_id is not None and not _is_money(one):
            _answer(file, one, one.charge_id, actor)


def _is_money(record: CnabRecord) -> bool:
    return record.result in MONEY or record.resolution == Resolution.LINKED


def _settle(file: CnabFile, records: Sequence[CnabRecord], actor: Actor) -> None:
    """Put it on the books together; each line keeps its payment and what is to be known of it."""
    moneys = [_money(file, one) for one in records]
    if not moneys:
        return
    for one, arrival in zip(records, arrived_many(file.account, moneys, actor=actor), strict=True):
        one.payment = arrival.payment
        one.note = "; ".join(filter(None, (one.note, arrival.note)))[:_REASON_SIZE]


def _money(file: CnabFile, record: CnabRecord) -> Money:
    """The boleto says what was paid; a line that a person linked says only how much."""
    is_linked = record.resolution == Resolution.LINKED
    receivable_id = record.receivable_id if is_linked else record.parcel  # type: ignore[attr-defined]
    assert receivable_id is not None
    return Money(
        receivable_id=receivable_id,
        method=Payment.Method.BOLETO,
        amount=record.paid,
        received_on=_day(file, record),
        external_id=record.key,
        charge_id=None if is_linked else record.charge_id,
        credited_on=record.credited_on,
        fee=record.fee,
        discount=record.discount,
        reference=_reference(file, record),
    )


def _day(file: CnabFile, record: CnabRecord) -> date:
    """A settlement without a day came on the day of its credit, or of the file."""
    found = record.occurred_on or record.credited_on
    return found or file.created_at.astimezone(ZoneInfo(file.account.time_zone)).date()


def _credit(file: CnabFile, record: CnabRecord, actor: Actor) -> None:
    """Money of no parcel: all of it is the customer's credit."""
    known = Payment.objects.of(file.account).filter(
        method=Payment.Method.BOLETO, external_id=record.key
    )
    record.payment = known.first()
    if record.payment is not None:
        return
    assert record.customer_id is not None
    books = Books(file.account, actor=actor)
    payment = Payment(
        account=file.account, key=uuid.uuid4(), customer_id=record.customer_id,
        method=Payment.Method.BOLETO, amount=record.paid, external_id=record.key,
        provider_fee=record.fee, credited_on=record.credited_on,
        reference=_reference(file, record), recorded_by=actor.label, created_at=books.at,
    )  # fmt: skip
    payment.succeed(on=_day(file, record), at=books.at)
    books.settle(None, payment, [])
    books.write()
    record.payment = payment


def _reference(file: CnabFile, record: CnabRecord) -> str:
    return f"{file.filename[:200]}, linha {record.line}"


def _answer(file: CnabFile, record: CnabRecord, charge_id: int, actor: Actor) -> None:
    """The bank's answer, by the transition that its API uses, too."""
    account = file.account
    if record.result == Result.CANCELLED:
        on = _day(file, record)
        answers.written_off(charge_id, account=account, on=on, reason=record.message, actor=actor)
    elif record.result == Result.CHANGED:
        _confirm(file, record, charge_id, actor)
    elif record.result == Result.REJECTED:
        _refuse(file, record, charge_id, actor)


def _confirm(file: CnabFile, record: CnabRecord, charge_id: int, actor: Actor) -> None:
    """Due date and value are two orders; of a change that we asked for in none nothing follows."""
    order = _told(file, record).confirms
    charge: Charge = Charge.objects.get_of(file.account, pk=charge_id)
    if order is None or not charge.change:
        return
    due, amount = _ordered(charge)
    if order is Order.DUE or amount == charge.amount:
        answers.changed(charge_id, account=file.account, actor=actor, due=due)
    else:
        answers.changed(charge_id, account=file.account, actor=actor, amount=amount)


def _ordered(charge: Charge) -> tuple[date, Decimal]:
    """Due date and value (BRL) as the bank was last asked for them, whatever is wanted since."""
    sent = CnabRecord.objects.filter(
        charge=charge, result=Result.CHANGE, file__direction=CnabFile.Direction.REMESSA,
        file__state=CnabFile.State.SENT,
    )  # fmt: skip
    last = sent.order_by("-file", "-line").values_list("due_date", "value").first()
    if last is None or last[0] is None:
        return answers.wanted_of(charge)
    return last[0], last[1]


def _refuse(file: CnabFile, record: CnabRecord, charge_id: int, actor: Actor) -> None:
    """The entry itself, or an order about a boleto that stays as it was."""
    account, reason = file.account, record.message
    charge: Charge = Charge.objects.get_of(account, pk=charge_id)
    if _told(file, record).meaning is Meaning.REJECTED:
        answers.rejected(charge_id, account=account, reason=reason, actor=actor)
    elif charge.change:
        due, amount = _ordered(charge)
        answers.change_refused(
            charge_id, account=account, reason=reason, actor=actor, due=due, amount=amount
        )
    else:
        answers.write_off_refused(charge_id, account=account, reason=reason)


def _told(file: CnabFile, record: CnabRecord) -> Occurrence:
    """In the words of the layout that the file was read with."""
    width = int(file.layout.partition("-")[0])
    found = layout(file.bank_code, width)
    table = found.occurrences if found is not None else occurrences.FEBRABAN
    return occurrences.told(table, record.occurrence)
