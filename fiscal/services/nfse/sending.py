"""Signing and sending a note: the one path of tasks, sweeps and people.

Every function may run twice or be cut anywhere; the row says where to go on.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities.base import NotOffered
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import NoteState, ServiceAttempt, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services.nfse import notices, recovery, transmit
from fiscal.services.nfse.transmit import Pick
from lib import clock
from lib.errors import DomainError

log = logging.getLogger(__name__)

SET_ASIDE = timedelta(minutes=3)
WITHOUT_CERTIFICATE = "A nota espera por um certificado novo e segue assim que ele for enviado"
LOCAL = "local"  # the code of a refusal of ours
_UNSENT = (NoteState.RECEBIDO, NoteState.ASSINADO)
_ASKED = (NoteState.TRANSMITINDO, NoteState.EM_LOTE, NoteState.INDEFINIDO)


def advance(note_id: int) -> ServiceNote:
    """Sign the note if it is not, and send it once; what an answer asks for is asked at once.

    A note that cannot be signed any more is `rejeitado` by us, with the reason. One whose fate is
    not known is asked about instead.
    """
    return _advance(Pick(note_id)) or service_notes.note_with_company(note_id)


def advance_next() -> bool:
    """`advance` the note that has waited longest; False when none waits that may be sent.

    Many may do so at once: each has another note. One that fails by an error of ours, or is not
    moved by its turn, is left alone for a while, so that it holds up nobody.
    """
    now, pick = clock.now(), Pick()
    try:
        note = _advance(pick)
    except Exception:
        if pick.note_id is None:
            raise
        log.exception("note.failed", extra={"nota_id": pick.note_id})
        look_again(pick.note_id, SET_ASIDE)
        return True
    if note is not None and _is_still_due(note, now):
        look_again(note.pk, SET_ASIDE)
    return note is not None


def resume(note_id: int) -> None:
    """Go on with a note whose time has come, by where it stands."""
    note = service_notes.note_with_company(note_id)
    if note.state in _ASKED:
        recovery.recover(note_id)
        note = service_notes.note_with_company(note_id)
    if note.state in _UNSENT:
        advance(note_id)
    elif note.state not in _ASKED and note.next_attempt_at is not None:
        look_again(note_id, None)  # decided by somebody else, just before a time was set


def _is_still_due(note: ServiceNote, now: datetime) -> bool:
    due = note.next_attempt_at
    return note.state in _UNSENT and due is not None and due <= now


def _advance(pick: Pick) -> ServiceNote | None:
    """None when there was nothing to pick."""
    note = None
    try:
        note = transmit.transmit(pick)
    except (CertificateExpired, NoCertificate) as error:
        # It ended after the note was accepted (CRT-5): an upload of another sets it going.
        reason = f"{error.mensagem.rstrip('.')}. {WITHOUT_CERTIFICATE}"
        look_again(_id_of(pick), transmit.STOPPED, reason=reason)
        notices.alarm(service_notes.note_with_company(_id_of(pick)), "certificado")
    except NotOffered as error:  # the city left its system after the note was accepted
        _refuse(_id_of(pick), DomainError(str(error)))
    except DomainError as error:
        _refuse(_id_of(pick), error)
    if pick.note_id is None:
        return None
    return _asked_about(note or service_notes.note_with_company(pick.note_id))


def _id_of(pick: Pick) -> int:
    if pick.note_id is None:
        raise LookupError("nothing was picked")
    return pick.note_id


def _asked_about(note: ServiceNote) -> ServiceNote:
    """After E0014 or E10: the authority says that it has it."""
    if note.state == NoteState.INDEFINIDO and _was_answered(note):
        recovery.recover(note.pk)
        note = service_notes.note_with_company(note.pk)
    return note


def _was_answered(note: ServiceNote) -> bool:
    last = note.attempts.filter(order=None).order_by("-id").first()
    return last is not None and last.outcome == ServiceAttempt.Outcome.ANSWERED


@transaction.atomic
def _refuse(note_id: int, error: DomainError) -> None:
    """A fault of the body or of the company that came up after the request was accepted."""
    note = service_notes.locked_note(note_id)
    if note.state not in _UNSENT:
        return
    faults = [
        {"codigo": LOCAL, "mensagem": f"{one.campo}: {one.mensagem}", "correcao": None}
        for one in error.erros
    ]
    own = [{"codigo": LOCAL, "mensagem": error.mensagem, "correcao": None}]
    note.reject(errors=faults or own)
    note.last_code, note.last_message = LOCAL, error.mensagem
    service_notes.keep_progress(note)
    notices.announce(note, notices.REFUSED)


@transaction.atomic
def look_again(note_id: int, pause: timedelta | None, *, reason: str = "") -> None:
    """When to look again if what follows does not settle it; `reason` is what people read."""
    note = service_notes.locked_note(note_id)
    note.next_attempt_at = clock.now() + pause if pause else None
    note.last_message = reason or note.last_message
    note.save(update_fields=["next_attempt_at", "last_message", "updated_at"])
