"""Sending a signed event and recording what came back, whatever its kind (§2.3, §8.5).

The signed bytes are made once. A lost answer is settled by asking for the document, whose list of
events tells; what is not there goes again at once, the same bytes, and 573 says if it is after all.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal import access_key
from fiscal.authorities import registry
from fiscal.authorities.base import TP_AMB, Answer, EventAnswer, Lost, Misconfigured, NotSent
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Attempt, EventState, FiscalDocument, FiscalEvent
from fiscal.services import archive, consumption, contingency, event_adoption, notices, transmit
from fiscal.services.certificates import credentials_of
from fiscal.services.consumption import Service
from lib import clock

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=2)
WITHOUT_CERTIFICATE = timedelta(hours=1)
_Outcome = Attempt.Outcome
_PASSING = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN, Class.THROTTLED, Class.SVC_CLOSING,
            Class.SVC_DISABLED, Class.RETRY)  # fmt: skip
_THERE = (Class.EVENT_DUPLICATE, Class.CANCELLED)
# Codes that speak of no event at all: only the document's list can tell (ANS-6).
_UNCLEAR = (Class.UNKNOWN, Class.RECOVER, Class.READ_INSIDE)


@dataclass(frozen=True)
class _Sending:
    attempt_id: int
    event_id: int
    subject: str
    id_lote: str
    xml: bytes
    to: Sefaz


def send(event_id: int) -> None:
    """Send the event once, or ask what became of it if an answer was lost. Safe to run again.

    What was lost and is provably not there is sent once more at once: somebody is waiting.
    """
    try:
        _attempt(event_id)
        if _is_absent(event_id):
            _attempt(event_id)
            _is_absent(event_id)
    except (CertificateExpired, NoCertificate):
        _wait_for_certificate(event_id, now=clock.now())


def _attempt(event_id: int) -> None:
    sending = _begin(event_id, now=clock.now())
    if sending is None:
        return
    try:
        answer = sending.to.event(sending.xml, id_lote=sending.id_lote)
    except (NotSent, Misconfigured) as error:
        _not_sent(sending, error, now=clock.now())
    except Lost as error:
        _lost(sending, error, now=clock.now())
    else:
        _record(sending, answer, now=clock.now())


# --- transaction A -----------------------------------------------------------------------------


def route_of(document: FiscalDocument, tp_evento: str) -> registry.Route:
    """EVT-8: to the SVC only while the UF is there, and for what was authorized there."""
    company = document.company
    mode = contingency.mode_for(company, modelo=document.modelo, ambiente=document.ambiente)
    return registry.event_route(
        tp_evento,
        uf=company.uf,
        modelo=document.modelo,
        ambiente=document.ambiente,
        tp_emis=document.tp_emis if mode.tp_emis == document.tp_emis else 1,
    )


def _begin(event_id: int, *, now: datetime) -> _Sending | None:
    row = FiscalEvent.objects.select_related("document__company").get(pk=event_id)
    if row.state not in (EventState.ASSINADO, EventState.TRANSMITINDO):
        return None
    document = row.document
    to = registry.at(route_of(document, row.tp_evento), credentials_of(document.company))
    subject = access_key.event_id(row.tp_evento, document.chave or "", row.n_seq)
    with transaction.atomic():
        event = FiscalEvent.objects.select_for_update().get(pk=event_id)
        _bury(event, subject, now)
        if event.state != EventState.ASSINADO or _is_throttled(event, document, subject, now):
            return None
        return _open(event, document, subject, to, now)


def _bury(event: FiscalEvent, subject: str, now: datetime) -> None:
    """Whoever sent it is gone without recording an answer: from here on, ask."""
    if event.state != EventState.TRANSMITINDO or transmit.is_being_sent(subject, now=now):
        return
    event.lose(again_at=now + pause(event))
    event.save()
    rows = Attempt.objects.filter(subject=subject, outcome=_Outcome.OPEN)
    rows.update(outcome=_Outcome.LOST, ended_at=now, error="Processo interrompido.")


def _is_throttled(
    event: FiscalEvent, document: FiscalDocument, subject: str, now: datetime
) -> bool:
    try:
        consumption.spend(_who(document), service=Service.EVENT, subject=subject, now=now)
    except consumption.Throttled as error:
        event.next_attempt_at = error.until
        event.save()
        return True
    return False


def _open(
    event: FiscalEvent, document: FiscalDocument, subject: str, to: Sefaz, now: datetime
) -> _Sending:
    content = archive.unpacked(event.xml)
    attempt = Attempt.objects.create(
        account_id=event.account_id,
        company_id=document.company_id,
        document=document,
        kind=Attempt.Kind.EVENT,
        subject=subject,
        authority=to.route.authority,
        id_lote=transmit.new_lote(now),
        sha256=hashlib.sha256(content).hexdigest(),
        started_at=now,
    )
    event.authority = to.route.authority
    event.begin(again_at=now + transmit.DEADLINE)
    event.save()
    return _Sending(attempt.pk, event.pk, subject, attempt.id_lote, content, to)


# --- transaction B -----------------------------------------------------------------------------


@transaction.atomic
def _not_sent(sending: _Sending, error: Exception, *, now: datetime) -> None:
    event = FiscalEvent.objects.select_for_update().get(pk=sending.event_id)
    if event.state == EventState.TRANSMITINDO:
        event.not_sent(again_at=now + pause(event))
        event.save()
    if isinstance(error, NotSent):
        who = _who(event.document)
        consumption.give_back(who, service=Service.EVENT, subject=sending.subject)
    _close(sending, _Outcome.NOT_SENT, now, error=str(error)[:300])


@transaction.atomic
def _lost(sending: _Sending, error: Lost, *, now: datetime) -> None:
    event = FiscalEvent.objects.select_for_update().get(pk=sending.event_id)
    if event.state == EventState.TRANSMITINDO:
        event.lose(again_at=now + pause(event))
        event.save()
    _close(sending, _Outcome.LOST, now, error=str(error)[:300])


@transaction.atomic
def _record(sending: _Sending, answer: Answer, *, now: datetime) -> None:
    """128 speaks of the batch; retEvento inside says what became of the event (ANS-2)."""
    document, event = _locked(sending.event_id)
    said = _said(document, event, answer)
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    _close(
        sending, _Outcome.ANSWERED, now, c_stat=c_stat, x_motivo=x_motivo,
        reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip
    if event.state not in (EventState.TRANSMITINDO, EventState.INDEFINIDO):
        return
    found = classify(c_stat)
    if said is not None and c_stat in event_adoption.REGISTERED:
        event_adoption.registered(document, event, said, now=now)
    elif said is None and answer.events:
        event.lose(again_at=now)  # an answer about something else proves nothing
    elif found in _THERE or found in _UNCLEAR:
        event.lose(again_at=now)  # it may be there: fetch it and compare
    elif found in _PASSING:
        event.not_sent(again_at=_after_pause(document, event, found, now))
    else:
        event.reject(c_stat=c_stat, x_motivo=x_motivo)
    event.save()


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


def _after_pause(
    document: FiscalDocument, event: FiscalEvent, found: Class, now: datetime
) -> datetime:
    if found is not Class.THROTTLED:
        return now + pause(event)
    notices.alarm(document, "consumo_indevido")
    return consumption.block(_who(document), service=Service.EVENT, now=now)


def pause(event: FiscalEvent) -> timedelta:
    """Longer each time: the authorities count refused events (§8.6)."""
    return AGAIN * 2 ** min(event.n_attempts, 4) / 2


def _close(sending: _Sending, outcome: str, now: datetime, **facts: object) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(outcome=outcome, ended_at=now, **facts)


def _locked(event_id: int) -> tuple[FiscalDocument, FiscalEvent]:
    """Document first, as everywhere."""
    document_id = FiscalEvent.objects.values_list("document_id", flat=True).get(pk=event_id)
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    return document, FiscalEvent.objects.select_for_update().get(pk=event_id)


def _who(document: FiscalDocument) -> consumption.Caller:
    return consumption.caller(document.company.document, document.ambiente)


# --- asking ------------------------------------------------------------------------------------


def _is_absent(event_id: int) -> bool:
    """Ask, if the outcome is unknown: is it provably not there, so that it may go again?"""
    row = FiscalEvent.objects.select_related("document__company").get(pk=event_id)
    if row.state != EventState.INDEFINIDO or not _may_ask(row, now=clock.now()):
        return False
    try:
        answer = _keeper(row).consult(row.document.chave or "")
    except (NotSent, Lost, Misconfigured):
        return False  # the sweep asks again: the time is set
    return _settle(event_id, answer, now=clock.now())


def _keeper(row: FiscalEvent) -> Sefaz:
    """Who is asked: the authority of the document, which hears of the events at AN and SVRS.

    Those that went to an SVC are asked for there (REC-5).
    """
    is_svc = row.authority in registry.SVC.values()
    return transmit.authority_of(row.document, tp_emis=None if is_svc else 1)


@transaction.atomic
def _may_ask(row: FiscalEvent, *, now: datetime) -> bool:
    """Count the question (§8.6); the next one is set, should nobody answer."""
    event = FiscalEvent.objects.select_for_update().get(pk=row.pk)
    event.next_attempt_at = now + pause(event)
    subject = row.document.chave or ""
    may = True
    try:
        consumption.spend(_who(row.document), service=Service.CONSULT, subject=subject, now=now)
    except consumption.Throttled as error:
        event.next_attempt_at, may = error.until, False
    event.save()
    return may


@transaction.atomic
def _settle(event_id: int, answer: Answer, *, now: datetime) -> bool:
    document, event = _locked(event_id)
    if event.state != EventState.INDEFINIDO:
        return False
    said = event_adoption.found(answer, event.tp_evento, event.n_seq)
    other = event_adoption.cancelled_by(answer) if event.tp_evento in _CANCELLATIONS else None
    if said is not None and event_adoption.is_same(event, said):
        event_adoption.registered(document, event, said, now=now)
    elif said is not None or other is not None:
        event_adoption.taken(document, event, said or other, now=now)
    elif not _shows_document(answer) or _was_told_it_is_there(event):
        log.info("event.unknown", extra={"event_id": event.pk, "cstat": answer.c_stat})
        event.next_attempt_at = now + pause(event)
    else:
        event.absent(again_at=now)
        event.save()
        return True
    event.save()
    return False


_CANCELLATIONS = event_adoption.CANCELLATIONS


def _shows_document(answer: Answer) -> bool:
    """Only an answer that has the document proves what is not among its events."""
    return bool(answer.protocols) and classify(answer.c_stat) in (
        Class.AUTHORIZED, Class.CANCELLED, Class.DENIED, Class.READ_INSIDE,
    )  # fmt: skip


def _was_told_it_is_there(event: FiscalEvent) -> bool:
    """573 before: the list of the document is behind, and sending again would bring 573 again."""
    subject = access_key.event_id(event.tp_evento, event.document.chave or "", event.n_seq)
    last = Attempt.objects.filter(subject=subject).exclude(c_stat="").order_by("-id").first()
    return last is not None and classify(last.c_stat) is Class.EVENT_DUPLICATE


@transaction.atomic
def _wait_for_certificate(event_id: int, *, now: datetime) -> None:
    """Nobody answers without one; a person has to send another."""
    _, event = _locked(event_id)
    if event.next_attempt_at is not None:
        event.next_attempt_at = now + WITHOUT_CERTIFICATE
        event.save()
        notices.alarm(event.document, "certificado")
