"""Remessas: what waits to be told to a bank, in one file, generated once and sent once (BO-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotSendFile, NothingToSend, RegistersOnline
from billing.gateways.cnab.base import Layout
from billing.gateways.cnab.layout import InvalidRecord
from billing.gateways.cnab.titles import Movement, Sender, Title, daily_interest
from billing.models import BankAgreement, Charge, CnabFile, CnabRecord
from billing.services.bank_files.titles import (
    late_terms_of,
    layout_of,
    sender_of,
    titles_of,
)
from billing.services.boletos.answers import wanted_of
from billing.services.charge_closing import WRITE_OFF
from lib import clock

MAX_TITLES = 20_000
_RESULTS = {
    Movement.ENTRY: CnabRecord.Result.ENTRY,
    Movement.WRITE_OFF: CnabRecord.Result.WRITE_OFF,
}
_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Told:
    """A title in the file, of which charge."""

    charge: Charge
    title: Title


def waiting(agreement: BankAgreement) -> QuerySet[Charge]:
    """Boletos with something to tell the bank that no file has yet, oldest first."""
    pending = CnabRecord.objects.filter(
        charge=OuterRef("pk"),
        file__direction=CnabFile.Direction.REMESSA,
        file__state=CnabFile.State.GENERATED,
    )
    found: QuerySet[Charge] = (
        Charge.objects.filter(agreement=agreement, gateway=None, kind=Charge.Kind.BOLETO)
        .exclude(instruction="")
        .exclude(Exists(pending))
        .order_by("id")
    )
    return found


def generate(
    agreement_id: int,
    *,
    account: Account,
    actor: Actor,
    charges: Iterable[int] | None = None,
) -> CnabFile:
    """Write the next file of an agreement, of all that waits or of these charges.

    Its contents are frozen; the states of its boletos move when it is marked as sent. A boleto
    that the layout cannot say is left out, and told in `faults`; one that was given up before the
    bank heard of it ends here. Raises NotFound, RegistersOnline, or NothingToSend.
    """
    with transaction.atomic():
        file, faults = _generate(agreement_id, account, actor, charges)
    if file is None:
        raise NothingToSend(faults)
    return file


def _generate(
    agreement_id: int, account: Account, actor: Actor, charges: Iterable[int] | None
) -> tuple[CnabFile | None, list[dict[str, Any]]]:
    """None when nothing is left to be told, with the reasons."""
    agreement = _lock(account, agreement_id)
    layout = layout_of(agreement)
    if layout is None:
        raise RegistersOnline()
    rows = waiting(agreement)
    if charges is not None:
        rows = rows.filter(pk__in=list(charges))
    chosen = list(rows.select_related(*_PARTIES)[:MAX_TITLES])
    at = clock.now()
    told, faults = _tell(layout, sender_of(agreement), _known_to_bank(chosen, at=at))
    if not told:
        return None, faults
    file = _write(agreement, layout, told, faults, actor=actor, at=at)
    after = {"numero": file.sequence, "titulos": len(told), "sha256": file.sha256}
    record(account, actor=actor, action="cnab.gerado", target=file, after=after)
    return file, faults


@transaction.atomic
def mark_sent(file_id: int, *, account: Account, actor: Actor) -> CnabFile:
    """The file went to the bank: its boletos wait for the answer. Told again, nothing changes.

    What became pending of a boleto since the file was written stays for the next one. Raises
    NotFound, or CannotSendFile for a discarded one.
    """
    file = _lock_file(account, file_id)
    if file.state == CnabFile.State.SENT:
        return file
    if file.state != CnabFile.State.GENERATED:
        raise CannotSendFile()
    layout = layout_of(file.agreement) if file.agreement else None
    records = file.records.filter(charge__isnull=False).order_by("line")
    told: dict[int, CnabRecord] = {one.charge_id: one for one in records if one.charge_id}
    charges = Charge.objects.select_for_update().filter(pk__in=told).order_by("id")
    for charge in charges:
        _sent(charge, told[charge.pk], layout)
    file.state, file.closed_at = CnabFile.State.SENT, clock.now()
    file.save()
    after = {"numero": file.sequence, "titulos": len(told)}
    record(account, actor=actor, action="cnab.enviado", target=file, after=after)
    return file


@transaction.atomic
def discard(file_id: int, *, account: Account, actor: Actor) -> CnabFile:
    """Never sent: its boletos go with another file; its number is not given again."""
    file = _lock_file(account, file_id)
    if file.state != CnabFile.State.GENERATED:
        raise CannotSendFile()
    file.state, file.closed_at = CnabFile.State.DISCARDED, clock.now()
    file.save()
    record(account, actor=actor, action="cnab.descartado", target=file)
    return file


def _lock(account: Account, agreement_id: int) -> BankAgreement:
    """One file at a time: the number is taken from the locked row."""
    agreement: BankAgreement = (
        BankAgreement.objects.select_for_update(of=("self",))
        .select_related("financial_account__organization")
        .get_of(account, pk=agreement_id)
    )
    return agreement


def _lock_file(account: Account, file_id: int) -> CnabFile:
    file: CnabFile = CnabFile.objects.select_for_update().get_of(
        account, pk=file_id, direction=CnabFile.Direction.REMESSA
    )
    return file


_PARTIES = (
    "agreement__financial_account",
    "receivable__invoice__customer_snapshot",
)


def _known_to_bank(charges: Sequence[Charge], *, at: datetime) -> list[Charge]:
    """Without those that are given up and were never told: they end here."""
    asked = {one.pk for one in charges if one.instruction == WRITE_OFF and not one.registered_at}
    entered = set(
        CnabRecord.objects.filter(charge__in=asked, result=CnabRecord.Result.ENTRY)
        .exclude(file__state=CnabFile.State.DISCARDED)
        .values_list("charge_id", flat=True)
    )
    unknown = asked - entered
    for charge in Charge.objects.select_for_update().filter(pk__in=unknown).order_by("id"):
        if charge.state == Charge.State.CANCELLING:
            charge.cancel(at=at)
        charge.instruction = ""
        charge.save()
    return [one for one in charges if one.pk not in unknown]


def _tell(
    layout: Layout, sender: Sender, charges: Sequence[Charge]
) -> tuple[list[Told], list[dict[str, Any]]]:
    """The titles that can be written, and why the others cannot."""
    told, faults = [], []
    at = clock.now()
    for charge in charges:
        try:
            titles = titles_of(charge, layout)
            layout.write(sender, titles, number=1, made_at=at)
        except InvalidRecord as error:
            faults.append({"charge": charge.pk, "text": f"{charge}: {error}"})
        else:
            told += [Told(charge, title) for title in titles]
    return told, faults


def _write(
    agreement: BankAgreement,
    layout: Layout,
    told: Sequence[Told],
    faults: list[dict[str, Any]],
    *,
    actor: Actor,
    at: datetime,
) -> CnabFile:
    number = agreement.next_file
    local = at.astimezone(ZoneInfo(agreement.account.time_zone))
    content = layout.write(
        sender_of(agreement), [one.title for one in told], number=number, made_at=local
    )
    agreement.next_file += 1
    agreement.save(update_fields=["next_file"])
    file: CnabFile = CnabFile.objects.create(
        account_id=agreement.account_id,
        agreement=agreement,
        direction=CnabFile.Direction.REMESSA,
        layout=layout.code,
        bank_code=layout.bank,
        sequence=number,
        filename=f"CB{local:%d%m}{number:04d}.REM",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        state=CnabFile.State.GENERATED,
        declared_total=sum((one.title.amount for one in told), _ZERO),
        faults=faults,
        recorded_by=actor.label,
        created_at=at,
    )
    CnabRecord.objects.bulk_create(_record(file, line, one) for line, one in enumerate(told, 1))
    return file


def _record(file: CnabFile, line: int, told: Told) -> CnabRecord:
    """`line` counts titles: in how many lines one is told is the layout's affair."""
    title = told.title
    return CnabRecord(
        file=file,
        account_id=file.account_id,
        line=line,
        key=f"remessa|{file.pk}|{line}",
        occurrence=title.movement.value,
        nosso_numero=title.number.number,
        document_number=title.document_number,
        company_use=title.company_use,
        payer=title.payer.name[:60],
        due_date=title.due,
        value=title.amount,
        charge=told.charge,
        result=_RESULTS.get(title.movement, CnabRecord.Result.CHANGE),
    )


_INSTRUCTION = {
    CnabRecord.Result.ENTRY: "entry",
    CnabRecord.Result.WRITE_OFF: WRITE_OFF,
    CnabRecord.Result.CHANGE: "change",
}


def _sent(charge: Charge, told: CnabRecord, layout: Layout | None) -> None:
    kind = CnabRecord.Result(told.result)
    if charge.state == Charge.State.DRAFT:
        charge.submit()
    if charge.instruction == _INSTRUCTION[kind] and not _wants_more(charge, told):
        charge.instruction = ""
    if layout is not None and kind == CnabRecord.Result.ENTRY:
        _keep_daily(charge, layout)
    charge.save()


def _wants_more(charge: Charge, told: CnabRecord) -> bool:
    """Another change was asked for since the file was written."""
    if told.result != CnabRecord.Result.CHANGE or not charge.change:
        return False
    return wanted_of(charge) != (told.due_date, told.value)


def _keep_daily(charge: Charge, layout: Layout) -> None:
    """What was registered in reais a day counts for us, too (LATE-3)."""
    late = late_terms_of(charge)
    if late.interest_month is not None and layout.is_daily(late):
        charge.terms["daily_registered"] = str(daily_interest(charge.amount, late))
