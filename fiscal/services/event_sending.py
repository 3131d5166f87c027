"""Sending a signed event, whatever its kind (§2.3, §8.5).

The signed bytes are made once. A lost answer is settled by asking for the document, whose list of
events tells; what is not there goes again at once, the same bytes, and 573 says if it is after all.
An EPEC is never asked for: nobody has its document yet, so its bytes simply go again.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta

from django.db import transaction

from fiscal import access_key
from fiscal.authorities import registry
from fiscal.authorities.base import Lost, Misconfigured, NotSent
from fiscal.authorities.sefaz import Sefaz
from fiscal.documents.nfe.events import EPEC
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Attempt, EventState, FiscalDocument, FiscalEvent
from fiscal.services import (
    archive,
    authority_status,
    company_queue,
    consumption,
    contingency,
    event_asking,
    event_outcome,
    notices,
    transmit,
)
from fiscal.services.certificates import credentials_of
from fiscal.services.consumption import Service
from fiscal.services.event_outcome import Sending, locked, who
from fiscal.services.event_outcome import pause as pause
from lib import clock

log = logging.getLogger(__name__)

AGAIN = event_outcome.AGAIN
WITHOUT_CERTIFICATE = timedelta(hours=1)


def send(event_id: int) -> None:
    """Send the event once, or ask what became of it if an answer was lost. Safe to run again.

    What was lost and is provably not there is sent once more at once: somebody is waiting.
    """
    try:
        _attempt(event_id)
        if event_asking.is_absent(event_id):
            _attempt(event_id)
            event_asking.is_absent(event_id)
    except (CertificateExpired, NoCertificate):
        _wait_for_certificate(event_id, now=clock.now())


def _attempt(event_id: int) -> None:
    sending = _begin(event_id, now=clock.now())
    if sending is None:
        return
    try:
        answer = sending.to.event(sending.xml, id_lote=sending.id_lote)
    except NotSent as error:
        event_outcome.not_sent(sending, error, now=clock.now())
    except Misconfigured as error:
        event_outcome.misconfigured(sending, error, now=clock.now())
    except Lost as error:
        event_outcome.lost(sending, error, now=clock.now())
    else:
        event_outcome.record(sending, answer, now=clock.now())


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


# --- transaction A -----------------------------------------------------------------------------


def _begin(event_id: int, *, now: datetime) -> Sending | None:
    row = FiscalEvent.objects.select_related("document__company").get(pk=event_id)
    if row.state not in _begins_from(row):
        return None
    document = row.document
    to = registry.at(route_of(document, row.tp_evento), credentials_of(document.company))
    subject = access_key.event_id(row.tp_evento, document.chave or "", row.n_seq)
    with transaction.atomic():
        event = FiscalEvent.objects.select_for_update().get(pk=event_id)
        _bury(event, subject, now)
        if event.state not in _begins_from(event) or event.state == EventState.TRANSMITINDO:
            return None
        until = _blocked_until(document, subject, to.route, now)
        if until is None:
            return _open(event, document, subject, to, now)
        event.next_attempt_at = until
        event.save()
        return None


def _begins_from(event: FiscalEvent) -> tuple[EventState, ...]:
    """TRANSMITINDO to see whether anybody still waits for its answer."""
    known = (EventState.ASSINADO, EventState.TRANSMITINDO)
    return (*known, EventState.INDEFINIDO) if event.tp_evento == EPEC else known


def _bury(event: FiscalEvent, subject: str, now: datetime) -> None:
    """Whoever sent it is gone without recording an answer: from here on, ask."""
    if event.state != EventState.TRANSMITINDO or transmit.is_being_sent(subject, now=now):
        return
    event.lose(again_at=now + pause(event))
    event.save()
    rows = Attempt.objects.filter(subject=subject, outcome=Attempt.Outcome.OPEN)
    rows.update(outcome=Attempt.Outcome.LOST, ended_at=now, error="Processo interrompido.")


def _blocked_until(
    document: FiscalDocument, subject: str, route: registry.Route, now: datetime
) -> datetime | None:
    """When it may go, if not now: the company stopped, nobody there, or counted out (§8.6)."""
    stopped = company_queue.stopped_until(document.company, ambiente=document.ambiente, now=now)
    if stopped is not None:
        return stopped
    if not authority_status.may_call(route, now=now):
        return now + authority_status.EVERY
    try:
        consumption.spend(who(document), service=Service.EVENT, subject=subject, now=now)
    except consumption.Throttled as error:
        return error.until
    return None


def _open(
    event: FiscalEvent, document: FiscalDocument, subject: str, to: Sefaz, now: datetime
) -> Sending:
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
    return Sending(attempt.pk, event.pk, subject, attempt.id_lote, content, to)


@transaction.atomic
def _wait_for_certificate(event_id: int, *, now: datetime) -> None:
    """Nobody answers without one; a person has to send another."""
    _, event = locked(event_id)
    if event.next_attempt_at is not None:
        event.next_attempt_at = now + WITHOUT_CERTIFICATE
        event.save()
        notices.alarm(event.document, "certificado")
