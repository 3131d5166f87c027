"""What an outcome does to the row of a note (§12, NAC-9, NAC-10, ABR-5, ABR-6). No network here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from fiscal.authorities.provider import IssuedNote, Kind, Outcome
from fiscal.models import NOTE_LIVE, NoteState, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services.nfse import amounts, files, notices

log = logging.getLogger(__name__)

FIRST_QUERY = timedelta(seconds=5)  # REC-6
FIRST_POLL = timedelta(seconds=5)  # ABR-5
_OPEN = (NoteState.TRANSMITINDO, NoteState.EM_LOTE, NoteState.INDEFINIDO)


def apply(note: ServiceNote, outcome: Outcome, *, now: datetime) -> None:
    """Move the locked note as the answer to its sending says, and save it.

    An answer that comes after somebody else settled the note changes nothing any more.
    """
    if note.state not in _OPEN:
        log.info("note.late_answer", extra={"nota_id": note.pk})
        return
    _SENT.get(outcome.kind, _unknown)(note, outcome, now)
    service_notes.keep_progress(note)


def _authorized(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    issued = outcome.note
    if issued is None or not issued.number or not is_about(note, issued):
        _unknown(note, outcome, now)  # proves nothing: ask
    else:
        adopt(note, outcome, now=now, is_first=True)


def is_about(note: ServiceNote, issued: IssuedNote) -> bool:
    """Does the answer speak of our declaration? Some providers do not repeat what was sent."""
    told = issued.identity
    if told is None:
        return True
    ours = (note.series.lstrip("0"), note.rps_number, note.rps_kind)
    return (told.series.lstrip("0"), told.number, told.kind) == ours


def _in_process(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    if note.state == NoteState.EM_LOTE:
        return
    note.queue(protocol=outcome.protocol[:60], again_at=now + FIRST_POLL)


def rejected(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    """Refused: the number stays with the note, which takes a corrected body."""
    errors = errors_of(outcome)
    note.reject(errors=errors)
    note.last_code = (errors[0]["codigo"] or "")[:10] if errors else ""
    note.last_message = (errors[0]["mensagem"] or "") if errors else ""
    notices.announce(note, notices.REFUSED)


def _duplicate(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    """E0014, E10: that number was used. REC-4: ask what became of it."""
    remember(note, outcome)
    _unknown(note, outcome, now)


def _unknown(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    """Only a query can tell."""
    if note.state == NoteState.INDEFINIDO:
        note.next_attempt_at = now
    else:
        note.lose(again_at=now)


_Effect = Callable[[ServiceNote, Outcome, datetime], None]
_SENT: dict[Kind, _Effect] = {
    Kind.AUTHORIZED: _authorized,
    Kind.IN_PROCESS: _in_process,
    Kind.REJECTED: rejected,
    Kind.DUPLICATE: _duplicate,
}


# --- an issued note ----------------------------------------------------------------------------


def adopt(note: ServiceNote, outcome: Outcome, *, now: datetime, is_first: bool = False) -> None:
    """The note is there: number, file, what differs from what was declared; and what it replaces.

    The caller saves it.
    """
    issued = outcome.note
    if issued is None:
        raise LookupError(f"service note {note.pk}: an authorization without a note")
    note.key = issued.key or None
    note.url, note.url_pdf = issued.url[:500], issued.url_pdf[:500]
    note.returned = amounts.returned_of(issued)
    told = [{"codigo": one.code, "mensagem": one.text} for one in outcome.messages]
    own = [one for one in note.notes if one.get("codigo") != amounts.DIFFERENCE]
    note.notes = [*own, *told, *amounts.differences(note)]
    note.last_code, note.last_message = issued.code[:10], ""
    note.authorize(
        number=issued.number[:15],
        verification_code=(issued.key or issued.verification_code)[:60],
        issued_at=issued.issued_at or now,
    )
    if issued.xml:
        name = files.note_name(note)
        files.keep(note, files.Kind.NOTE, name, issued.xml, at=now, is_first=is_first)
    _replace(note, now)
    notices.announce(note, notices.AUTHORIZED)


def _replace(note: ServiceNote, now: datetime) -> None:
    """§2.2: one act; the note in whose place this one stands is `substituido` with it."""
    if note.replaces_id is None:
        return
    old = service_notes.locked_note(note.replaces_id)
    if old.state in NOTE_LIVE:
        old.replace(at=note.issued_at or now)
        service_notes.keep_progress(old)
        notices.announce(old, notices.REPLACED)


def dispute(note: ServiceNote, text: str, *, now: datetime) -> None:
    """The authority has another note under our number: a person decides."""
    if note.state == NoteState.CONFLITO:
        return
    note.dispute(errors=[{"codigo": "conflito", "mensagem": text, "correcao": None}])
    notices.alarm(note, "conflito")


def errors_of(outcome: Outcome) -> list[dict[str, str | None]]:
    """Messages as the API tells errors (fiscal-api §1.6)."""
    return [
        {"codigo": one.code, "mensagem": one.text, "correcao": one.correction}
        for one in outcome.messages
    ]


def remember(note: ServiceNote, outcome: Outcome) -> None:
    """The first message of an answer that settled nothing."""
    if outcome.messages:
        note.last_code = outcome.messages[0].code[:10]
        note.last_message = outcome.messages[0].text
