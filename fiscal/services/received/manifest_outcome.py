"""Recording what came back of a manifestation: transaction B (§8.5). No network here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from fiscal.authorities.answers import proc_evento
from fiscal.authorities.base import Answer, EventAnswer, Lost, Misconfigured, NotSent
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import (
    Attempt,
    Company,
    DistributionCursor,
    EventState,
    Manifestation,
    ReceivedNfe,
    Source,
)
from fiscal.services import (
    archive,
    authority_status,
    company_queue,
    consumption,
    event_adoption,
    event_outcome,
    verdicts,
)
from fiscal.services.consumption import Service
from fiscal.services.received import cursors, inbox, manifested
from fiscal.services.received.reading import Event

log = logging.getLogger(__name__)

_Outcome = Attempt.Outcome
_OF_ITSELF = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN)
_PASSING = (*_OF_ITSELF, Class.THROTTLED, Class.RETRY)
_UNCLEAR = (Class.UNKNOWN, Class.RECOVER, Class.READ_INSIDE)


@dataclass(frozen=True)
class Sending:
    """An open attempt: what goes where."""

    attempt_id: int
    row_id: int
    company: Company
    ambiente: str
    chave: str
    subject: str
    xml: bytes
    to: Sefaz


def locked(row_id: int) -> Manifestation:
    rows = Manifestation.objects.select_for_update(of=("self",))
    found: Manifestation = rows.select_related("received__company").get(pk=row_id)
    return found


@transaction.atomic
def not_sent(sending: Sending, error: NotSent, *, now: datetime) -> None:
    """REC-8: no byte left."""
    row = locked(sending.row_id)
    authority_status.record_failure(sending.to.route, now=now)
    who = consumption.caller(sending.company.document, sending.ambiente)
    consumption.give_back(who, service=Service.EVENT, subject=sending.subject)
    if row.state == EventState.TRANSMITINDO:
        row.not_sent(again_at=now + event_outcome.pause(row))
        row.save()
    _close(sending, _Outcome.NOT_SENT, error, now)


@transaction.atomic
def misconfigured(sending: Sending, error: Misconfigured, *, now: datetime) -> None:
    row = locked(sending.row_id)
    until = now + verdicts.STOPPED
    company_queue.stop(sending.company, ambiente=sending.ambiente, until=until, now=now)
    if row.state == EventState.TRANSMITINDO:
        row.not_sent(again_at=until)
        row.save()
    _close(sending, _Outcome.NOT_PROCESSED, error, now)


@transaction.atomic
def lost(sending: Sending, error: Lost, *, now: datetime) -> None:
    """The outcome is unknown: the same bytes go again, and 573 tells."""
    row = locked(sending.row_id)
    authority_status.record_failure(sending.to.route, now=now)
    if row.state == EventState.TRANSMITINDO:
        row.lose(again_at=now + event_outcome.pause(row))
        row.save()
    _close(sending, _Outcome.LOST, error, now)


def _close(sending: Sending, outcome: str, error: Exception, now: datetime) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(
        outcome=outcome, ended_at=now, error=str(error)[:300]
    )


def said(sending: Sending, answer: Answer, *, is_alone: bool = True) -> EventAnswer | None:
    """The result that is about our event; refusals may leave parts of its identity out.

    Among others only its key tells which it is, whatever their order (SBX 20.4, ordem_trocada).
    """
    tp_evento = sending.subject[2:8]
    keys = ("", sending.chave) if is_alone else (sending.chave,)
    return next(
        (one for one in answer.events if one.chave in keys and one.tp_evento in ("", tp_evento)),
        None,
    )


def is_of_the_message(answer: Answer) -> bool:
    """Was the message refused as a whole, for what is in it?"""
    if answer.events:
        return False
    kind = classify(answer.c_stat)
    return kind not in (*_PASSING, *_UNCLEAR, Class.CONFIG_ERROR)


@transaction.atomic
def put_back(sending: Sending, answer: Answer, *, now: datetime) -> None:
    """The message that it went with was refused: nothing was said about it."""
    row = locked(sending.row_id)
    if row.state == EventState.TRANSMITINDO:
        row.not_sent(again_at=now)
        row.save()
    Attempt.objects.filter(pk=sending.attempt_id).update(
        outcome=_Outcome.NOT_PROCESSED, ended_at=now, c_stat=answer.c_stat,
        x_motivo=answer.x_motivo, reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip


@transaction.atomic
def record(
    sending: Sending,
    answer: Answer,
    said: EventAnswer | None,
    held: EventAnswer | None,
    *,
    now: datetime,
) -> None:
    cursor = _cursor(sending, now)  # before the note: as those who deliver lock them
    row = locked(sending.row_id)
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    Attempt.objects.filter(pk=sending.attempt_id).update(
        outcome=_Outcome.ANSWERED, ended_at=now, c_stat=c_stat, x_motivo=x_motivo,
        reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip
    authority_status.record_success(sending.to.route, now=now)
    if row.state != EventState.TRANSMITINDO:
        return
    _decide(row, sending, answer, said, held, now)
    row.save()
    _publish(cursor, row, now)


def _decide(
    row: Manifestation,
    sending: Sending,
    answer: Answer,
    said: EventAnswer | None,
    held: EventAnswer | None,
    now: datetime,
) -> None:
    """Registered, taken, refused, or to be sent again."""
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    kind = classify(c_stat)
    if said is not None and event_adoption.is_registered(said):
        _registered(row, said, archive.unpacked(row.xml), now)
    elif kind is Class.EVENT_DUPLICATE:
        _duplicate(row, said, held, now)
    elif kind in _UNCLEAR or (said is None and answer.events):
        row.lose(again_at=now + event_outcome.pause(row))
    elif kind in _PASSING:
        row.not_sent(again_at=_after_pause(row, sending, c_stat, x_motivo, now))
    else:
        if kind is Class.CONFIG_ERROR:
            until = now + verdicts.STOPPED
            company_queue.stop(sending.company, ambiente=sending.ambiente, until=until, now=now)
        row.reject(c_stat=c_stat, x_motivo=x_motivo)


def _registered(row: Manifestation, said: EventAnswer, evento: bytes, now: datetime) -> None:
    row.register(
        protocolo=said.protocolo, at=said.dh_registro or now, c_stat=said.c_stat,
        x_motivo=said.x_motivo,
    )  # fmt: skip
    row.proc = archive.packed(said.proc or proc_evento(evento, said.xml))
    log.info("manifestation.registered", extra={"manifestation_id": row.pk, "cstat": said.c_stat})


def _duplicate(
    row: Manifestation, said: EventAnswer | None, held: EventAnswer | None, now: datetime
) -> None:
    """573: ours, whose answer was lost, or another program's. Without proof, ours if it may be."""
    if held is not None and _is_same(row, held):
        _registered(row, held, archive.unpacked(row.xml), now)
        return
    if held is None and row.n_attempts > 1 and said is not None:
        row.register(
            protocolo=said.protocolo, at=said.dh_registro or now, c_stat=said.c_stat,
            x_motivo=said.x_motivo,
        )  # fmt: skip
        return
    row.reject(c_stat="573", x_motivo=(said.x_motivo if said else "Duplicidade de evento"))
    row.save()  # first: the kind belongs to theirs from here on
    log.warning("manifestation.taken", extra={"manifestation_id": row.pk})
    manifested.adopt(row.received, _as_event(row, held), now=now, proc=held.proc if held else b"")


def _is_same(row: Manifestation, held: EventAnswer) -> bool:
    theirs = event_adoption.digest_of(held.evento)
    return theirs is not None and theirs == event_adoption.digest_of(archive.unpacked(row.xml))


def _as_event(row: Manifestation, held: EventAnswer | None) -> Event:
    return Event(
        chave=row.received.chave,
        tp_evento=row.tp_evento,
        n_seq=row.n_seq,
        author=row.received.company.document,
        at=held.dh_registro if held else None,
        protocolo=held.protocolo if held else "",
        c_stat=held.c_stat if held else "573",
        x_motivo=held.x_motivo if held else "Duplicidade de evento",
        text="",
        is_whole=held is not None,
    )


def _after_pause(
    row: Manifestation, sending: Sending, c_stat: str, x_motivo: str, now: datetime
) -> datetime:
    kind = classify(c_stat)
    if kind in _OF_ITSELF:
        authority_status.record_status(sending.to.route, c_stat=c_stat, x_motivo=x_motivo, now=now)
    if kind is not Class.THROTTLED:
        return now + event_outcome.pause(row)
    who = consumption.caller(sending.company.document, sending.ambiente)
    return consumption.block(who, service=Service.EVENT, now=now)


# --- the note ----------------------------------------------------------------------------------


def _cursor(sending: Sending, now: datetime) -> DistributionCursor:
    made = cursors.cursor_of(sending.company, source=Source.NFE, ambiente=sending.ambiente, now=now)
    return cursors.locked(made.pk)


def _publish(cursor: DistributionCursor, row: Manifestation, now: datetime) -> None:
    """The note shows the word that counts; after it the whole XML is to be expected (DIS-3)."""
    rows = ReceivedNfe.objects.select_for_update(of=("self",)).select_related("company")
    received = rows.get(pk=row.received_id)
    if not manifested.settle(received):
        return
    inbox.publish(cursor, received, now=now)
    cursor.save()
    if not received.is_complete:
        company, ambiente = received.company, received.ambiente
        cursors.hasten(company, source=Source.NFE, ambiente=ambiente, now=now)
