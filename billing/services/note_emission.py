"""Handing the notes of invoices over to fiscal: each once, whatever is cut or repeated.

The row of the note is taken by moving its next attempt into the future. Its reference is made of
the invoice, so whoever comes after a crash finds the note that fiscal already has. Nothing here
runs inside a transaction: fiscal may have to ask the city.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from accounts.services import calls
from billing.models import InvoiceNote, NfseTemplate
from billing.models.invoice_note import NoteStage
from billing.services.nfse_rows import frozen_of
from billing.services.note_bodies import body_of
from billing.services.note_goods import goods_body
from billing.services.note_known import MODELO, kind_of, known
from billing.services.note_outcome import follow
from billing.services.note_schedule import TASK, queue_due
from billing.services.note_source import Source, local_moment
from billing.services.note_sources import sources_of
from fiscal.errors import AlreadyAuthorized, InProcessing
from fiscal.models import FiscalDocument, ServiceNote
from fiscal.services.issue import issue_document
from fiscal.services.nfse.issue import issue_note
from lib import clock
from lib.bulk import update_rows
from lib.errors import DomainError, GatewayUnavailable

log = logging.getLogger(__name__)

CHUNK = 100
LEASE = timedelta(minutes=5)  # longer than the queue lets a task run
MAX_ATTEMPTS = 5
_WRITTEN = (
    "id", "state", "kind", "service_note", "document", "memory", "issued_with", "error",
    "next_attempt_at", "updated_at",
)  # fmt: skip
Known = Mapping[tuple[int, str], ServiceNote | FiscalDocument]
UNEXPECTED = "Erro inesperado; veja o registro do servidor."


def work_off(*, seconds: float = 60) -> int:
    """Queue what is due, hand over what is queued, take in what was decided. Safe to repeat.

    Answers how many notes were handed over; starts nothing more after `seconds`.
    """
    calls.begin(TASK)
    until = time.monotonic() + seconds
    queue_due(now=clock.now())
    n = 0
    while time.monotonic() < until and (done := hand_over()):
        n += done
    while time.monotonic() < until and follow():
        pass
    if _queued(clock.now()).exists():
        calls.call(TASK)
    return n


def hand_over(only: Sequence[int] | None = None, *, limit: int = CHUNK) -> int:
    """Hand over up to `limit` queued notes (of `only`: ids of notes); answers how many were taken.

    Each ends sent, refused with its reason, or is tried again after a while. What came of them is
    written together: whoever is cut off before finds what fiscal has by its reference.
    """
    notes = _take(clock.now(), only=only, limit=limit)
    sources = sources_of(notes) if notes else {}
    has = known(
        [
            (source.company.pk, note.ref)
            for note in notes
            if isinstance(source := sources[note.pk], Source)
        ]
    )
    _write([_handed_over(note, sources[note.pk], has) for note in notes])
    return len(notes)


def _queued(now: datetime) -> QuerySet[InvoiceNote]:
    return InvoiceNote.objects.filter(state=NoteStage.QUEUED, next_attempt_at__lte=now)


@transaction.atomic
def _take(now: datetime, *, only: Sequence[int] | None, limit: int) -> list[InvoiceNote]:
    """Notes that are ours until their lease ends."""
    rows = _queued(now) if only is None else _queued(now).filter(pk__in=only)
    found = list(
        rows.order_by("next_attempt_at", "id")
        .select_related("replaces__service_note")
        .select_for_update(of=("self",), skip_locked=True)[:limit]
    )
    lease = now + LEASE
    for note in found:
        note.next_attempt_at, note.attempts = lease, note.attempts + 1
    InvoiceNote.objects.filter(pk__in=[note.pk for note in found]).update(
        next_attempt_at=lease, attempts=F("attempts") + 1
    )
    return found


@dataclass(frozen=True)
class _Result:
    """What came of handing a note over; `again_at` is set where it is tried again."""

    note: InvoiceNote
    state: str
    error: str = ""
    again_at: datetime | None = None
    kind: str = ""
    issued: ServiceNote | FiscalDocument | None = None
    memory: Sequence[dict[str, Any]] = ()
    issued_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> tuple[Any, ...]:
        is_goods = isinstance(self.issued, FiscalDocument)
        pk = self.issued.pk if self.issued is not None else None
        service, document = (None, pk) if is_goods else (pk, None)
        if self.issued is None:  # keeps what it had
            service, document = self.note.service_note_id, self.note.document_id
        kind, memory = self.kind or self.note.kind, list(self.memory) or self.note.memory
        issued_with = dict(self.issued_with) or self.note.issued_with
        return (
            self.note.pk, self.state, kind, service, document, memory, issued_with, self.error,
            self.again_at, clock.now(),
        )  # fmt: skip


def _handed_over(note: InvoiceNote, source: Source | str, has: Known) -> _Result:
    if isinstance(source, str):
        return _Result(note, NoteStage.REFUSED, source)
    try:
        issued = has.get((source.company.pk, note.ref)) or _issued(note, source)
    except (GatewayUnavailable, OSError) as error:
        return _later(note, str(error) or UNEXPECTED)
    except DomainError as error:
        return _Result(note, NoteStage.REFUSED, text_of(error))
    except Exception:
        # One invoice that nobody foresaw must not keep the others waiting.
        log.exception("invoice_note.failed", extra={"note_id": note.pk})
        return _later(note, UNEXPECTED)
    return _Result(
        note,
        NoteStage.SENT,
        kind=kind_of(issued),
        issued=issued,
        memory=source.taxed.memory,
        issued_with=frozen_of(source, on=local_moment(source, clock.now()).date()),
    )


def _later(note: InvoiceNote, text: str) -> _Result:
    if note.attempts >= MAX_ATTEMPTS:
        return _Result(note, NoteStage.REFUSED, text)
    again_at = clock.now() + timedelta(minutes=2**note.attempts)
    return _Result(note, NoteStage.QUEUED, text, again_at)


@transaction.atomic
def _write(results: Sequence[_Result]) -> None:
    """Keep what came of the rows that are still ours: nobody took or dropped them meanwhile."""
    found = {one.note.pk: one for one in results}
    rows = InvoiceNote.objects.filter(pk__in=found, state=NoteStage.QUEUED)
    held = rows.order_by("id").select_for_update().values_list("pk", "next_attempt_at")
    ours = [found[pk] for pk, lease in held if lease == found[pk].note.next_attempt_at]
    update_rows(InvoiceNote, _WRITTEN, [one.row for one in ours])
    for one in ours:
        if one.state == NoteStage.REFUSED:
            log.info("invoice_note.refused", extra={"note_id": one.note.pk})


def _issued(note: InvoiceNote, source: Source) -> ServiceNote | FiscalDocument:
    """The note that fiscal has under our reference, accepted now or before."""
    try:
        return _issue(note, source)
    except (AlreadyAuthorized, InProcessing):
        key = (source.company.pk, note.ref)
        found = known([key]).get(key)
        if found is None:
            raise
        return found


def _issue(note: InvoiceNote, source: Source) -> ServiceNote | FiscalDocument:
    company, now = source.company, clock.now()
    if source.template.tipo_nota == NfseTemplate.Tipo.NFE:
        return issue_document(
            company,
            ambiente=settings.AMBIENTE,
            modelo=MODELO,
            ref=note.ref,
            body=goods_body(source, now=now),
        )
    return issue_note(
        company,
        ambiente=settings.AMBIENTE,
        tipo=source.template.tipo_nota,
        ref=note.ref,
        body=body_of(source, now=now),
    )


def text_of(error: DomainError) -> str:
    """What staff read of a refusal: the message, and each fault with its field."""
    faults = [f"{one.campo}: {one.mensagem}" for one in error.erros]
    return "\n".join([error.mensagem, *faults]) if faults else error.mensagem
