"""What became of a note whose answer was lost or is still to come: ask, never send first.

§8.5, REC-1 to REC-9, NAC-9 (national), ABR-5 (lots) and ABR-6 (by our number).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities.base import Lost, Misconfigured, NotOffered, NotSent
from fiscal.authorities.provider import IssuedNote, Kind, Outcome, Provider, ProviderMessage
from fiscal.authorities.providers import NATIONAL
from fiscal.documents.service import NoteRef, RpsIdentity
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import NoteState, ServiceAttempt, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services import authority_status
from fiscal.services.certificates import credentials_of
from fiscal.services.nfse import amounts, choice, files, notices, numbering, verdicts
from fiscal.services.nfse.issuers import declarant_of
from fiscal.services.nfse.transmit import DEADLINE, route_of
from fiscal.services.recovery import from_table
from lib import clock

# Seconds after the attempt began → pause before the next question: REC-6, and ABR-5 for lots.
_PAUSES = ((5, 5), (20, 15), (50, 30), (110, 60), (230, 120), (530, 300), (1130, 600))
_POLLS = ((5, 5), (15, 10), (35, 20), (75, 40), (135, 60), (1200, 120), (7200, 300))
_LAST_PAUSE = 900
ALARM_AFTER = timedelta(minutes=30)
# An asynchronous system may still be about to take what it does not know yet (REC-2).
SETTLES = timedelta(seconds=15)
# The longest that a query is believed to lag behind an answer that the number is used.
BEHIND = timedelta(minutes=30)
# What no query finds and must not be sent again is looked for this long; then a person decides.
GIVEN_UP = timedelta(hours=24)
ANOTHER = "O número da declaração está com outra nota na prefeitura ou no sistema nacional."
USED = "O conjunto de série e número da DPS já foi utilizado em outra NFS-e deste emitente."
NEXT_NUMBER = (
    "Envie de novo: a nota toma o próximo número da série. Se outro sistema já emitiu nesta série, "
    "ajuste proximo_numero_nfsen no cadastro da empresa, ou use outra série."
)
UNSEEN = "O número da declaração consta como usado, mas a nota não pode ser consultada."
NOT_FOUND = "A prefeitura não tem esta nota; por segurança ela só é reenviada por uma pessoa."
_ASKED = (NoteState.EM_LOTE, NoteState.INDEFINIDO, NoteState.CONFLITO)
Result = ServiceAttempt.Outcome
_UNKNOWN = (Result.OPEN, Result.LOST)
_DECLARATION = re.compile(rb"<DPS[\s>].*?</DPS>", re.DOTALL)


def recover(note_id: int) -> Kind | None:
    """Ask who has the note what became of it, and believe it. Safe to run again.

    Answers what was said; None when nobody was asked, or did not answer: the note then waits for
    the next time. Also for `conflito`, when an operator asks for it.
    """
    note = claim(note_id, now=clock.now())
    if note is None:
        return None
    try:
        provider = choice.provider_of(note)
        outcome = provider.find(ref_of(note), credentials=credentials_of(note.company))
    except (CertificateExpired, NoCertificate, NotOffered):
        notices.alarm(note, "certificado")  # nobody answers without one; asked again later
        return None
    except (NotSent, Lost, Misconfigured) as error:
        if not isinstance(error, Misconfigured):
            authority_status.record_failure(route_of(provider), now=clock.now())
        return None
    return settle(note_id, outcome, provider, now=clock.now())


def ref_of(note: ServiceNote) -> NoteRef:
    """What a provider needs to find the note."""
    return NoteRef(
        issuer=declarant_of(note),
        municipality=note.municipality,
        identity=RpsIdentity(
            note.ambiente, note.series, note.rps_number or 0, note.rps_kind, note.batch_number
        ),
        id=note.sent_id,
        number=note.number,
        key=note.key or "",
        verification_code=note.verification_code,
        protocol=note.protocol,
        issued_at=note.issued_at or note.dh_emi,
    )


@transaction.atomic
def claim(note_id: int, *, now: datetime) -> ServiceNote | None:
    """Take the note for one question; None when it is decided, or somebody still waits for it.

    An attempt that is open past its deadline is closed as lost: whoever made it is gone.
    """
    note = service_notes.locked_note(note_id)
    if note.state == NoteState.TRANSMITINDO and not _bury(note, now):
        return None
    if note.state not in _ASKED:
        return None
    if note.state != NoteState.CONFLITO:
        note.next_attempt_at = now + _pause(note, now)
    service_notes.keep_progress(note)
    return note


def _bury(note: ServiceNote, now: datetime) -> bool:
    attempt = note.attempts.filter(outcome=Result.OPEN, order=None).first()
    if attempt is not None and attempt.started_at + DEADLINE > now:
        return False
    if attempt is not None:
        attempt.outcome, attempt.ended_at = Result.LOST, now
        attempt.error = "Processo interrompido."
        attempt.save()
    note.lose(again_at=now)
    return True


def _last(note: ServiceNote) -> ServiceAttempt | None:
    found: ServiceAttempt | None = note.attempts.filter(order=None).order_by("-id").first()
    return found


def _since(note: ServiceNote, now: datetime) -> timedelta:
    last = _last(note)
    return now - last.started_at if last else timedelta(0)


def _pause(note: ServiceNote, now: datetime) -> timedelta:
    """By the time since the last attempt, give or take a fifth."""
    since = _since(note, now)
    if note.state == NoteState.EM_LOTE:
        return from_table(_POLLS, _LAST_PAUSE, since.total_seconds())
    if since > ALARM_AFTER:
        notices.alarm(note, "indefinido")
    return from_table(_PAUSES, _LAST_PAUSE, since.total_seconds())


# --- believing ---------------------------------------------------------------------------------


@transaction.atomic
def settle(note_id: int, outcome: Outcome, provider: Provider, *, now: datetime) -> Kind | None:
    """Move the note as the answer to the question says; None when it was decided meanwhile."""
    note = service_notes.locked_note(note_id)
    if note.state not in _ASKED:
        return None
    authority_status.record_success(route_of(provider), now=now)
    if outcome.kind in (Kind.AUTHORIZED, Kind.CANCELLED, Kind.REPLACED):
        _found(note, outcome, provider, now)
    elif outcome.kind is Kind.REJECTED and note.state == NoteState.EM_LOTE:
        _close(note, Result.ANSWERED, now)
        verdicts.rejected(note, outcome, now)
    elif outcome.kind is Kind.REJECTED and note.state == NoteState.INDEFINIDO:
        _lot_refused(note, outcome, now)
    elif outcome.kind is Kind.IN_PROCESS and note.state == NoteState.INDEFINIDO:
        note.queue(protocol=outcome.protocol or note.protocol, again_at=now + verdicts.FIRST_POLL)
    elif outcome.kind is Kind.NOT_FOUND:
        _absent(note, provider, now)
    service_notes.keep_progress(note)
    return outcome.kind


def _lot_refused(note: ServiceNote, outcome: Outcome, now: datetime) -> None:
    """A lot that was refused. A query that was refused says nothing about the note."""
    if note.protocol:
        _close(note, Result.ANSWERED, now)
        verdicts.rejected(note, outcome, now)
    else:
        verdicts.remember(note, outcome)


def _found(note: ServiceNote, outcome: Outcome, provider: Provider, now: datetime) -> None:
    """The authority has a note under our number: adopt it if it is ours (NAC-9, ABR-6)."""
    issued = outcome.note
    if issued is None or not issued.number:
        if outcome.kind is Kind.AUTHORIZED:
            return  # proves nothing; asked again
        verdicts.dispute(note, ANOTHER, now=now)
        return
    if not is_ours(note, issued):
        _taken(note, issued, provider, now)
        return
    _close(note, Result.ANSWERED, now)
    verdicts.adopt(note, outcome, now=now)
    if outcome.kind is Kind.CANCELLED:
        note.cancel(at=outcome.registered_at or now)
        if outcome.event_xml:
            name = files.cancellation_name(note)
            files.keep(note, files.Kind.EVENT, name, outcome.event_xml, at=now)
        notices.announce(note, notices.CANCELLED, is_awaited=False)
    elif outcome.kind is Kind.REPLACED:
        note.replace(at=outcome.registered_at or now)
        notices.announce(note, notices.REPLACED, is_awaited=False)


def _taken(note: ServiceNote, issued: IssuedNote, provider: Provider, now: datetime) -> None:
    """Another note has our number. Where it carries what was signed for it, ours cannot be there.

    Then it is a refusal like any other (fiscal-api §5.3), and the next try takes another number;
    else a person decides.
    """
    is_signed = _is_signed(issued) and not _is_of_our_bytes(note, issued)
    is_proven = provider.slug == NATIONAL and is_signed
    if not is_proven or note.state == NoteState.CONFLITO:
        verdicts.dispute(note, ANOTHER, now=now)
        return
    _close(note, Result.ANSWERED, now)
    message = ProviderMessage(numbering.TAKEN_ELSEWHERE, USED, NEXT_NUMBER)
    verdicts.rejected(note, Outcome(Kind.REJECTED, messages=(message,)), now)


def is_ours(note: ServiceNote, issued: IssuedNote) -> bool:
    """By what was signed where the note repeats it, else by what was declared."""
    if not verdicts.is_about(note, issued) or _is_another_rows(note, issued):
        return False
    if _is_of_our_bytes(note, issued):
        return True
    # The same service for the same taker every month: values prove nothing beside a signature.
    return not _is_signed(issued) and amounts.agrees(note, issued)


def _is_of_our_bytes(note: ServiceNote, issued: IssuedNote) -> bool:
    return any(digest.encode() in issued.xml for digest in files.digests_of(note))


def _is_signed(issued: IssuedNote) -> bool:
    """Does the note carry the declaration that it was made of, with its signature?"""
    carried = _DECLARATION.search(issued.xml)
    return carried is not None and b"DigestValue>" in carried[0]


def _is_another_rows(note: ServiceNote, issued: IssuedNote) -> bool:
    if not issued.key:
        return False
    held = service_notes.note_of_key(note.company, ambiente=note.ambiente, key=issued.key)
    return held is not None and held.pk != note.pk


def _absent(note: ServiceNote, provider: Provider, now: datetime) -> None:
    """No trace of it: the same bytes may go again, where that is safe and nobody said otherwise."""
    last, since = _last(note), _since(note, now)
    if note.state == NoteState.CONFLITO:
        return
    if note.state == NoteState.EM_LOTE:
        note.protocol = ""  # the lot is unknown: from now on by our own number
        if last is not None:
            note.attempts.filter(pk=last.pk).update(outcome=Result.LOST)
        note.lose(again_at=now + verdicts.FIRST_QUERY)
    elif last is not None and last.outcome == Result.ANSWERED:
        # It said that the number was used (E0014, E10), and has nothing to show for it.
        if since > BEHIND:
            verdicts.dispute(note, UNSEEN, now=now)
    elif provider.features.polls and since < SETTLES:
        note.next_attempt_at = now + SETTLES - since
    elif provider.features.resends_safely:
        _close(note, Result.NOT_PROCESSED, now)
        note.absent(again_at=now)
    else:
        _left_to_a_person(note, since)


def _left_to_a_person(note: ServiceNote, since: timedelta) -> None:
    note.last_message = NOT_FOUND
    if since > GIVEN_UP:
        note.next_attempt_at = None
    notices.alarm(note, "reenvio_manual")


@transaction.atomic
def allow_resending(note_id: int, *, now: datetime) -> ServiceNote:
    """A person decides that a note that nobody has may be sent again. Raises TransitionNotAllowed
    unless it is `indefinido`."""
    note = service_notes.locked_note(note_id)
    note.absent(again_at=now)
    _close(note, Result.NOT_PROCESSED, now)
    service_notes.keep_progress(note)
    return note


def _close(note: ServiceNote, outcome: str, now: datetime) -> None:
    note.attempts.filter(order=None, outcome__in=_UNKNOWN).update(outcome=outcome, ended_at=now)
