"""Recording what came back of an event: transaction B (§8.5). No network here.

What an authority says of itself, its silence and its refusal of the whole company count for events
as they do for documents: one breaker, one queue of the company, one limit of consumption.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities.base import TP_AMB, Answer, EventAnswer, Lost, Misconfigured, NotSent
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.documents.nfe.events import EPEC
from fiscal.models import Attempt, EventState, FiscalDocument, FiscalEvent
from fiscal.models.event import EventSteps
from fiscal.services import (
    archive,
    authority_status,
    company_queue,
    consumption,
    contingency,
    event_adoption,
    notices,
    verdicts,
)
from fiscal.services.consumption import Service

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=2)
_Outcome = Attempt.Outcome
_OF_ITSELF = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN, Class.SVC_CLOSING, Class.SVC_DISABLED)
_PASSING = (*_OF_ITSELF, Class.THROTTLED, Class.RETRY)
_THERE = (Class.EVENT_DUPLICATE, Class.CANCELLED)
# Codes that speak of no event at all: only the document's list can tell (ANS-6).
_UNCLEAR = (Class.UNKNOWN, Class.RECOVER, Class.READ_INSIDE)


@dataclass(frozen=True)
class Sending:
    """An open attempt: what goes where. `subject` is the event's Id."""

    attempt_id: int
    event_id: int
    subject: str
    id_lote: str
    xml: bytes
    to: Sefaz


@transaction.atomic
def not_sent(sending: Sending, error: NotSent, *, now: datetime) -> None:
    """REC-8: no byte left, so the same bytes may go at the next occasion."""
    document, event = locked(sending.event_id)
    authority_status.record_failure(sending.to.route, now=now)
    _postpone(event, now + pause(event))
    consumption.give_back(who(document), service=Service.EVENT, subject=sending.subject)
    _close(sending, _Outcome.NOT_SENT, now, error)


@transaction.atomic
def misconfigured(sending: Sending, error: Misconfigured, *, now: datetime) -> None:
    """Refused at the door (403, 495, 496): the company's queue stops, as for documents (§8.4)."""
    document, event = locked(sending.event_id)
    until = _stop_company(document, now)
    _postpone(event, until)
    _close(sending, _Outcome.NOT_PROCESSED, now, error)


@transaction.atomic
def lost(sending: Sending, error: Lost, *, now: datetime) -> None:
    """The outcome is unknown: asked about, or sent again where nobody can be asked (EPEC)."""
    _, event = locked(sending.event_id)
    authority_status.record_failure(sending.to.route, now=now)
    if event.state == EventState.TRANSMITINDO:
        event.lose(again_at=now + pause(event))
        event.save()
    _close(sending, _Outcome.LOST, now, error)


@transaction.atomic
def record(sending: Sending, answer: Answer, *, now: datetime) -> None:
    """128 speaks of the batch; retEvento inside says what became of the event (ANS-2)."""
    document, event = locked(sending.event_id)
    said = _said(document, event, answer)
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    Attempt.objects.filter(pk=sending.attempt_id).update(
        outcome=_Outcome.ANSWERED, ended_at=now, c_stat=c_stat, x_motivo=x_motivo,
        reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip
    authority_status.record_success(sending.to.route, now=now)
    if event.state not in (EventState.TRANSMITINDO, EventState.INDEFINIDO):
        return
    _apply(_Told(document, event, sending, answer, said, c_stat, x_motivo, now))
    event.save()


@dataclass(frozen=True)
class _Told:
    """An event, what was answered, and what of it is about the event (None: nothing is)."""

    document: FiscalDocument
    event: FiscalEvent
    sending: Sending
    answer: Answer
    said: EventAnswer | None
    c_stat: str
    x_motivo: str
    now: datetime


def _apply(told: _Told) -> None:
    document, event, said, now = told.document, told.event, told.said, told.now
    found = classify(told.c_stat)
    if said is not None and event_adoption.is_registered(said):
        event_adoption.registered(document, event, said, now=now)
    elif said is not None and found in _THERE and event.tp_evento == EPEC:
        # Its bytes were signed once, under a key that nobody else has: it is ours.
        event_adoption.registered(document, event, said, now=now)
    elif said is None and told.answer.events:
        event.lose(again_at=now)  # an answer about something else proves nothing
    elif found in _THERE or found in _UNCLEAR:
        event.lose(again_at=now)  # it may be there: fetch it and compare
    elif found in _PASSING:
        event.not_sent(again_at=_after_pause(told, found))
    else:
        _refused(told, found)


def _refused(told: _Told, found: Class) -> None:
    if found is Class.CONFIG_ERROR:
        _stop_company(told.document, told.now)
    told.event.reject(c_stat=told.c_stat, x_motivo=told.x_motivo)
    if told.event.tp_evento == EPEC:
        event_adoption.epec_refused(told.document, told.event, now=told.now)


def _after_pause(told: _Told, found: Class) -> datetime:
    """When to send again; what the authority said of itself, or of the taxpayer, is kept."""
    if found in _OF_ITSELF:
        authority_status.record_status(
            told.sending.to.route, c_stat=told.c_stat, x_motivo=told.x_motivo, now=told.now
        )
    if found in (Class.SVC_CLOSING, Class.SVC_DISABLED):
        contingency.close_svc(told.sending.to.route, now=told.now)
    if found is not Class.THROTTLED:
        return told.now + pause(told.event)
    notices.alarm(told.document, "consumo_indevido")
    return consumption.block(who(told.document), service=Service.EVENT, now=told.now)


def _stop_company(document: FiscalDocument, now: datetime) -> datetime:
    until = now + verdicts.STOPPED
    company_queue.stop(document.company, ambiente=document.ambiente, until=until, now=now)
    notices.alarm(document, "empresa_parada")
    return until


def _said(document: FiscalDocument, event: FiscalEvent, answer: Answer) -> EventAnswer | None:
    """The result that is about our event; refusals may leave parts of its identity out."""
    mine = {
        "chave": document.chave, "tp_evento": event.tp_evento, "n_seq": event.n_seq,
        "tp_amb": TP_AMB[document.ambiente],
    }  # fmt: skip
    return next(
        (
            one
            for one in answer.events
            if all(getattr(one, name) in ("", None, value) for name, value in mine.items())
        ),
        None,
    )


def pause(event: EventSteps) -> timedelta:
    """Longer each time: the authorities count refused events (§8.6)."""
    return AGAIN * 2 ** min(event.n_attempts, 4) / 2


def locked(event_id: int) -> tuple[FiscalDocument, FiscalEvent]:
    """The event and its document, both locked; the document first, as everywhere."""
    document_id = FiscalEvent.objects.values_list("document_id", flat=True).get(pk=event_id)
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    return document, FiscalEvent.objects.select_for_update().get(pk=event_id)


def who(document: FiscalDocument) -> consumption.Caller:
    """Whose calls are counted."""
    return consumption.caller(document.company.document, document.ambiente)


def _postpone(event: FiscalEvent, again_at: datetime) -> None:
    if event.state == EventState.TRANSMITINDO:
        event.not_sent(again_at=again_at)
        event.save()


def _close(
    sending: Sending, outcome: str, now: datetime, error: NotSent | Misconfigured | Lost
) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(
        outcome=outcome, ended_at=now, error=str(error)[:300], elapsed_ms=error.elapsed_ms
    )
