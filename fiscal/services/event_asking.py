"""What became of an event whose answer was lost: its document is asked for (§2.3, REC-1)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from fiscal import access_key
from fiscal.authorities import registry
from fiscal.authorities.base import Answer, Lost, Misconfigured, NotSent
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.documents.nfe.events import CANCELLATIONS, EPEC
from fiscal.models import Attempt, EventState, FiscalDocument, FiscalEvent
from fiscal.services import authority_status, consumption, event_adoption, notices, transmit
from fiscal.services.consumption import Service
from fiscal.services.event_outcome import locked, pause, who
from lib import clock

log = logging.getLogger(__name__)


def is_absent(event_id: int) -> bool:
    """Ask, if the outcome is unknown: is it provably not there, so that it may go again?"""
    row = FiscalEvent.objects.select_related("document__company").get(pk=event_id)
    if row.state != EventState.INDEFINIDO or row.tp_evento == EPEC:
        return False
    if not _may_ask(row, now=clock.now()):
        return False
    to = _keeper(row)
    try:
        answer = to.consult(row.document.chave or "")
    except (NotSent, Lost, Misconfigured) as error:
        _no_answer(row.document, to, error, now=clock.now())
        return False  # the sweep asks again: the time is set
    return _settle(event_id, answer, to, now=clock.now())


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
        consumption.spend(who(row.document), service=Service.CONSULT, subject=subject, now=now)
    except consumption.Throttled as error:
        event.next_attempt_at, may = error.until, False
    event.save()
    return may


def _no_answer(document: FiscalDocument, to: Sefaz, error: Exception, *, now: datetime) -> None:
    """Counts against the authority; what never left is given back to the taxpayer."""
    if isinstance(error, NotSent):
        subject = document.chave or ""
        consumption.give_back(who(document), service=Service.CONSULT, subject=subject)
    if not isinstance(error, Misconfigured):
        authority_status.record_failure(to.route, now=now)


@transaction.atomic
def _settle(event_id: int, answer: Answer, to: Sefaz, *, now: datetime) -> bool:
    document, event = locked(event_id)
    authority_status.record_success(to.route, now=now)
    if event.state != EventState.INDEFINIDO:
        return False
    said = event_adoption.found(answer, event.tp_evento, event.n_seq)
    other = event_adoption.cancelled_by(answer) if event.tp_evento in CANCELLATIONS else None
    is_gone = False
    if said is not None and event_adoption.is_same(event, said):
        event_adoption.registered(document, event, said, now=now)
    elif said is not None or other is not None:
        event_adoption.taken(document, event, said or other, now=now)
    elif classify(answer.c_stat) is Class.THROTTLED:
        event.next_attempt_at = consumption.block(who(document), service=Service.CONSULT, now=now)
        notices.alarm(document, "consumo_indevido")
    elif not _shows_document(answer) or _was_told_it_is_there(event):
        log.info("event.unknown", extra={"event_id": event.pk, "cstat": answer.c_stat})
        event.next_attempt_at = now + pause(event)
    else:
        event.absent(again_at=now)
        is_gone = True
    event.save()
    return is_gone


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
