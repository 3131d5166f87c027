"""Retornos: read, matched and judged, with nothing of it done yet (BO-4, B17)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotApplyFile, FileNotRead, FileProcessed
from billing.gateways.cnab.base import Layout
from billing.gateways.cnab.reader import NotRetorno, Reading, entries
from billing.gateways.cnab.reading import Fault
from billing.gateways.cnab.titles import MAX_AMOUNT, Entry
from billing.models import BankAgreement, CnabFile, CnabRecord
from billing.services.bank_files.matching import Known, Matcher
from billing.services.bank_files.results import Decision, Judge
from billing.services.bank_files.titles import sender_of
from lib import clock
from lib.br import date_br
from lib.bulk import chunks, insert_rows
from lib.money import brl

MAX_BYTES = 50_000_000
BATCH = 500
TOO_BIG = "O arquivo passa de 50 MB."
_COLUMNS = (
    "file", "account", "line", "key", "occurrence", "reasons", "nosso_numero", "document_number",
    "company_use", "payer", "due_date", "value", "paid", "credited", "fee", "additions",
    "discount", "occurred_on", "credited_on", "charge", "result", "message", "resolution", "note",
)  # fmt: skip


def receive(content: bytes, *, filename: str, account: Account, actor: Actor) -> CnabFile:
    """Read a retorno: a row for each fact with what applying it would do; nothing else changes.

    The same bytes sent again before they are applied are read anew, as the books are now. Raises
    FileNotRead when it is no retorno or of no agreement of ours, FileProcessed when it was applied.
    """
    if len(content) > MAX_BYTES:
        raise FileNotRead(TOO_BIG)
    try:
        reading = Reading(content)
    except NotRetorno as error:
        raise FileNotRead(str(error)) from error
    agreements = agreements_of(reading, account)
    try:
        with transaction.atomic():
            return _receive(reading, agreements, filename=filename, account=account, actor=actor)
    except IntegrityError:
        # The same file at this instant, by somebody else.
        sha = hashlib.sha256(content).hexdigest()
        return CnabFile.objects.get(_alive(account, sha))


def agreements_of(reading: Reading, account: Account) -> list[BankAgreement]:
    """Those that the file's first line may mean; the one in use first. Raises FileNotRead."""
    rows = (
        BankAgreement.objects.of(account)
        .filter(financial_account__bank_code=reading.heading.bank)
        .select_related("financial_account__organization")
        .order_by("-is_active", "id")
    )
    found = [one for one in rows if reading.layout.is_of(reading.heading, sender_of(one))]
    if not found:
        raise FileNotRead(f"Convênio {reading.heading.shown} não cadastrado.")
    return found


@transaction.atomic
def refresh(file_id: int, *, account: Account) -> CnabFile:
    """Judge a retorno that is not applied yet again, as the books are now.

    What a person decided about its lines is kept. Raises NotFound.
    """
    file: CnabFile = CnabFile.objects.select_for_update().get_of(
        account, pk=file_id, direction=CnabFile.Direction.RETORNO
    )
    if file.state == CnabFile.State.READ:
        decided = {
            row["line"]: row
            for row in file.records.exclude(resolution="").values(
                "line", "resolution", "note", "receivable_id", "customer_id"
            )
        }
        file.records.all().delete()
        reading = Reading(bytes(file.content))
        _fill(file, reading, agreements_of(reading, account))
        for line, row in decided.items():
            file.records.filter(line=line).update(**row)
    return file


@transaction.atomic
def discard(file_id: int, *, account: Account, actor: Actor) -> CnabFile:
    """Not to be applied: the same file may be sent again. Raises NotFound or CannotApplyFile."""
    file: CnabFile = CnabFile.objects.select_for_update().get_of(
        account, pk=file_id, direction=CnabFile.Direction.RETORNO
    )
    if file.state != CnabFile.State.READ:
        raise CannotApplyFile()
    file.state, file.closed_at = CnabFile.State.DISCARDED, clock.now()
    file.save(update_fields=["state", "closed_at"])
    record(account, actor=actor, action="cnab.descartado", target=file)
    return file


def _receive(
    reading: Reading,
    agreements: Sequence[BankAgreement],
    *,
    filename: str,
    account: Account,
    actor: Actor,
) -> CnabFile:
    sha = hashlib.sha256(reading.content).hexdigest()
    known = CnabFile.objects.filter(_alive(account, sha)).first()
    if known is not None:
        if known.state == CnabFile.State.READ:
            return refresh(known.pk, account=account)
        day = (known.closed_at or known.created_at).astimezone(ZoneInfo(account.time_zone))
        raise FileProcessed(date_br(day.date()))
    heading, layout = reading.heading, reading.layout
    file = CnabFile.objects.create(
        account=account, agreement=agreements[0], direction=CnabFile.Direction.RETORNO,
        layout=layout.code, bank_code=layout.bank, sequence=heading.number,
        filename=_name(filename), content=reading.content, sha256=sha, state=CnabFile.State.READ,
        recorded_by=actor.label, created_at=clock.now(),
    )  # fmt: skip
    _fill(file, reading, agreements)
    after = {"arquivo": file.filename, "registros": file.records.count(), "sha256": sha}
    record(account, actor=actor, action="cnab.lido", target=file, after=after)
    return file


def _alive(account: Account, sha: str) -> Any:

    return Q(account=account, direction=CnabFile.Direction.RETORNO, sha256=sha) & ~Q(
        state=CnabFile.State.DISCARDED
    )


def _name(filename: str) -> str:
    """What the person called it, without folders."""
    return filename.replace("\\", "/").rpartition("/")[2][:255] or "retorno.ret"


def _fill(file: CnabFile, reading: Reading, agreements: Sequence[BankAgreement]) -> None:
    """The file's records, some hundreds at a time, then what is to be said of it as a whole."""
    matcher, judge = Matcher(agreements), Judge()
    keys = Keys(reading.layout, agreements, reading)
    for some in chunks(entries(reading), BATCH):
        named = [(entry, keys.of(entry)) for entry in some]
        found = matcher.find([entry for entry, _ in named])
        applied = keys_applied(file.account, [key for _, key in named])
        insert_rows(
            CnabRecord,
            _COLUMNS,
            [
                _row(
                    file, entry, key, known, judge.decide(entry, known, is_on_books=key in applied)
                )
                for (entry, key), known in zip(named, found, strict=True)
            ],
        )
    # A trailer may tell more than any file comes to: that is among the faults.
    is_kept = reading.declared is not None and reading.declared <= MAX_AMOUNT
    file.declared_total = reading.declared if is_kept else None
    file.faults = [{"line": one.line, "text": one.text} for one in _faults(reading)]
    file.save(update_fields=["declared_total", "faults"])


class Keys:
    """Names of facts (§6.5): bank, agreement, number, occurrence, day, value, and which of equals.

    Two payments alike on one day are two facts, told apart by their order among equals, which is
    the same in whatever file tells them again.
    """

    def __init__(
        self, layout: Layout, agreements: Sequence[BankAgreement], reading: Reading
    ) -> None:
        # The oldest one, active or not: the same fact has the same name next year.
        self._of = f"{layout.bank}|{min(one.pk for one in agreements)}"
        self._day = reading.heading.made_on
        self._seen: Counter[str] = Counter()

    def of(self, entry: Entry) -> str:
        if entry.fault:  # it is not known what it says: of this file only, for a person
            fact = f"{self._of}|?|{self._day}|{entry.line}"
        else:
            day = entry.occurred_on or self._day
            number = entry.nosso_numero or entry.company_use or entry.document_number
            fact = f"{self._of}|{entry.carteira}|{number}|{entry.occurrence}|{day}|{entry.paid}"
            if not entry.paid:
                fact += f"|{entry.reasons}|{entry.fee}"
        self._seen[fact] += 1
        return f"{fact}|{self._seen[fact]}"


def keys_applied(account: Account, keys: Iterable[str]) -> set[str]:
    """Which of these facts are on the books."""
    rows = CnabRecord.objects.filter(account=account, key__in=list(keys), applied_at__isnull=False)
    return set(rows.values_list("key", flat=True))


def _row(
    file: CnabFile, entry: Entry, key: str, known: Known | None, decision: Decision
) -> tuple[Any, ...]:
    return (
        file.pk, file.account_id, entry.line, key, entry.occurrence[:2], entry.reasons,
        entry.nosso_numero[:20], entry.document_number[:25], entry.company_use[:25],
        entry.payer[:60], entry.due, entry.value, entry.paid, entry.credited, entry.fee,
        entry.additions, entry.discount, entry.occurred_on, entry.credited_on,
        known.charge_id if known else None, str(decision.result), decision.message[:500], "", "",
    )  # fmt: skip


def _faults(reading: Reading) -> Iterator[Fault]:
    yield from reading.faults
    hidden = reading.n_faults - len(reading.faults)
    if hidden:
        yield Fault(0, f"E mais {hidden} aviso(s) como estes.")
    if reading.declared is not None and reading.declared != reading.counted:
        yield Fault(
            0,
            f"O total do arquivo ({brl(reading.declared)}) não confere com as linhas "
            f"({brl(reading.counted)}).",
        )
