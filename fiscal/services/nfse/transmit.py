"""Sending a signed note and recording what came back (§8.5), as fiscal.services.transmit does.

Transaction A signs where that is due, opens the attempt and commits before the first byte leaves;
the network is outside of any transaction; transaction B records the answer.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities.base import Lost, Misconfigured, NotSent, Route
from fiscal.authorities.provider import Outcome, Provider
from fiscal.models import Company, NoteState, ServiceAttempt, ServiceNote
from fiscal.selectors import hot_rows, service_notes
from fiscal.services import archive, authority_status, company_queue, consumption
from fiscal.services.nfse import choice, signing, verdicts
from fiscal.services.nfse.signing import Signed
from lib import clock
from lib.compiled import CompiledInsert, CompiledUpdate

log = logging.getLogger(__name__)

# The longest call (TLS-5) and a margin: past this nobody is waiting for the answer any more.
DEADLINE = timedelta(seconds=120)
COUNTED_FROM = 5
PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=1)  # of what an authority may ask for
STOPPED = timedelta(minutes=15)
SENDABLE = (NoteState.RECEBIDO, NoteState.ASSINADO)
Result = ServiceAttempt.Outcome
_INSERT = CompiledInsert(ServiceAttempt)
_CLOSE = CompiledUpdate(
    ServiceAttempt, "outcome", "code", "message", "error", "reply", "elapsed_ms", "ended_at"
)


@dataclass(frozen=True)
class Sending:
    """An open attempt: what goes where."""

    attempt_id: int
    note_id: int
    company: Company
    signed: Signed
    provider: Provider
    is_healthy: bool  # no failure of the authority was known: an answer forgives nothing


class Pick:
    """The note of an id; without one that which has waited longest and nobody is at."""

    def __init__(self, note_id: int | None = None) -> None:
        self.note_id = note_id

    def locked(self, now: datetime) -> ServiceNote | None:
        """Its row, locked; `note_id` tells which it is. Raises DoesNotExist for an id."""
        if self.note_id is not None:
            return service_notes.locked_note(self.note_id)
        row = service_notes.locked_next_to_send(now)
        self.note_id = row.pk if row else None
        return row


def transmit(pick: Pick) -> ServiceNote | None:
    """Send the note once, if it is to be sent and may be now. Safe to run again.

    Answers the note as the attempt left it, or None when nothing was sent. Raises what signing
    raises, and NotOffered.
    """
    sending = begin(pick, now=clock.now())
    return send(sending) if sending else None


def send(sending: Sending) -> ServiceNote:
    """Make the call of an open attempt, outside of any transaction, and record what came."""
    signed = sending.signed
    try:
        outcome = sending.provider.send(signed.prepared, credentials=signed.credentials)
    except NotSent as error:
        return record_not_sent(sending, error, now=clock.now())
    except Misconfigured as error:
        return record_misconfigured(sending, error, now=clock.now())
    except Lost as error:
        return record_lost(sending, error, now=clock.now())
    return record_outcome(sending, outcome, now=clock.now())


def route_of(provider: Provider) -> Route:
    """What breaker and status know a provider by."""
    return Route(provider.route, "", 0, provider.ambiente)


@transaction.atomic
def begin(pick: Pick, *, now: datetime) -> Sending | None:
    """Transaction A. None where there is nothing to send, or not now (see `next_attempt_at`)."""
    note = pick.locked(now)
    if note is None or note.state not in SENDABLE:
        return None
    provider = choice.provider_of(note)
    signed = signing.signed(note, provider, now=now)
    route = route_of(provider)
    known = authority_status.situation(route, now=now)
    until = _blocked_until(note, route, known, now)
    if until is not None:
        note.next_attempt_at = until
        service_notes.keep_progress(note)
        signed.keep()
        return None
    return _open(note, signed, provider, now, is_healthy=known.is_healthy)


def _blocked_until(
    note: ServiceNote, route: Route, known: authority_status.Situation, now: datetime
) -> datetime | None:
    """When it may go, if not now: the company stopped, the taxpayer throttled, nobody there."""
    who = consumption.caller(note.company.document, note.ambiente)
    blocks = hot_rows.blocks(
        who.base,
        who.ambiente,
        one=(company_queue.SERVICE, str(note.company_id)),
        other=(consumption.Service.AUTHORIZE, note.sent_id),
        now=now,
    )
    if blocks:
        return max(blocks)
    if not known.lets_through(route, now=now):
        return now + authority_status.EVERY
    return _counted_out(note, who, now)


def _counted_out(note: ServiceNote, who: consumption.Caller, now: datetime) -> datetime | None:
    """A loop that sends the same again and again is stopped (§8.6)."""
    if note.n_attempts < COUNTED_FROM:
        return None
    try:
        service = consumption.Service.AUTHORIZE
        consumption.spend(who, service=service, subject=note.sent_id, now=now)
    except consumption.Throttled as error:
        return error.until
    return None


def _open(
    note: ServiceNote, signed: Signed, provider: Provider, now: datetime, *, is_healthy: bool
) -> Sending:
    note.begin(again_at=now + DEADLINE)
    service_notes.keep_progress(note)
    signed.keep()
    attempt = new_attempt(note, provider, signed.prepared.xml, now)
    _INSERT.insert(attempt)
    return Sending(attempt.pk, note.pk, note.company, signed, provider, is_healthy)


def new_attempt(note: ServiceNote, provider: Provider, xml: bytes, now: datetime) -> ServiceAttempt:
    """The row of a call that is about to be made; not inserted."""
    return ServiceAttempt(
        account_id=note.account_id,
        note=note,
        route=provider.route,
        sha256=hashlib.sha256(xml).hexdigest(),
        started_at=now,
    )


# --- transaction B -----------------------------------------------------------------------------


@transaction.atomic
def record_outcome(sending: Sending, outcome: Outcome, *, now: datetime) -> ServiceNote:
    """The answer, whatever it says: kept with the attempt, and the note moves accordingly."""
    note, attempt = _locked(sending)
    if not sending.is_healthy:
        authority_status.record_success(route_of(sending.provider), now=now)
    fill(attempt, outcome)
    verdicts.apply(note, outcome, now=now)
    close(attempt, now)
    return note


def fill(attempt: ServiceAttempt, outcome: Outcome) -> None:
    """What came, into the row of its attempt."""
    attempt.outcome = Result.ANSWERED
    attempt.reply = archive.packed(outcome.raw) if outcome.raw else None
    attempt.elapsed_ms = outcome.elapsed_ms
    if outcome.messages:
        attempt.code = outcome.messages[0].code[:10]
        attempt.message = outcome.messages[0].text
    else:
        attempt.code = outcome.note.code[:10] if outcome.note else ""
        attempt.message = outcome.kind.value


@transaction.atomic
def record_not_sent(sending: Sending, error: NotSent, *, now: datetime) -> ServiceNote:
    """REC-8: no byte left, so the same bytes may go at the next occasion."""
    note, attempt = _locked(sending)
    authority_status.record_failure(route_of(sending.provider), now=now)
    attempt.outcome, attempt.error = Result.NOT_SENT, str(error)[:300]
    attempt.elapsed_ms = error.elapsed_ms
    _postpone(note, now + pause_of(error, note.n_attempts))
    close(attempt, now)
    return note


@transaction.atomic
def record_misconfigured(sending: Sending, error: Misconfigured, *, now: datetime) -> ServiceNote:
    """Refused at the door (403, 495, 496): nothing was processed, and nothing will be for now."""
    note, attempt = _locked(sending)
    until = now + STOPPED
    company_queue.stop(note.company, ambiente=note.ambiente, until=until, now=now)
    attempt.outcome, attempt.error = Result.NOT_PROCESSED, str(error)[:300]
    attempt.elapsed_ms = error.elapsed_ms
    note.last_message = str(error)
    _postpone(note, until)
    close(attempt, now)
    log.warning("company.stopped", extra={"company_id": note.company_id})
    return note


@transaction.atomic
def record_lost(sending: Sending, error: Lost, *, now: datetime) -> ServiceNote:
    """The outcome is unknown: from here on only a query may follow (REC-1)."""
    note, attempt = _locked(sending)
    authority_status.record_failure(route_of(sending.provider), now=now)
    attempt.outcome, attempt.error = Result.LOST, str(error)[:300]
    attempt.reply = archive.packed(error.raw) if error.raw else None
    attempt.elapsed_ms = error.elapsed_ms
    if note.state == NoteState.TRANSMITINDO:
        note.lose(again_at=now + verdicts.FIRST_QUERY)
        service_notes.keep_progress(note)
    close(attempt, now)
    return note


def _postpone(note: ServiceNote, again_at: datetime) -> None:
    """Provably not processed: to be sent again at `again_at`."""
    if note.state == NoteState.TRANSMITINDO:
        note.not_sent(again_at=again_at)
        service_notes.keep_progress(note)


def pause_after(n_attempts: int) -> timedelta:
    """How long to wait after the n-th attempt that was not processed."""
    return min(PAUSE * 2 ** min(n_attempts, 6) / 2, LONGEST_PAUSE)


def pause_of(error: NotSent, n_attempts: int) -> timedelta:
    """As `pause_after`, and not before the authority wants us (Retry-After)."""
    wanted = min(timedelta(seconds=error.wait), LONGEST_WAIT)
    return max(pause_after(n_attempts), wanted)


def close(attempt: ServiceAttempt, now: datetime) -> None:
    attempt.ended_at = now
    _CLOSE.write(attempt)


def _locked(sending: Sending) -> tuple[ServiceNote, ServiceAttempt]:
    # The lock on the note is the one on its attempts.
    note = service_notes.relocked_note(sending.note_id, sending.company)
    return note, ServiceAttempt(pk=sending.attempt_id)  # only what _CLOSE writes is of use
