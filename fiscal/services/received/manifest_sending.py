"""Sending a signed manifestation, as events of our own documents are sent (§8.5).

The signed bytes are made once. After a lost answer they simply go again: 573 says that the kind is
registered, and the query of the note's key whether with our bytes or with another program's.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from fiscal import access_key
from fiscal.authorities import registry
from fiscal.authorities.base import Answer, EventAnswer, Lost, Misconfigured, NotSent
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Attempt, EventState, Manifestation, ReceivedNfe
from fiscal.services import (
    archive,
    authority_status,
    company_queue,
    consumption,
    event_adoption,
    transmit,
)
from fiscal.services.certificates import credentials_of
from fiscal.services.consumption import Service
from fiscal.services.received import manifest_outcome as outcome
from fiscal.services.received.manifest_outcome import Sending, locked
from lib import clock

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=2)
TOGETHER = 20  # events of one message (XML-13, DIS-6)
WITHOUT_CERTIFICATE = timedelta(hours=1)
_Outcome = Attempt.Outcome
_UFS = {str(code): uf for uf, code in access_key.UF_CODES.items()}


def send(row_id: int) -> None:
    """Send the manifestation, if it is to be sent and may be now. Safe to run again.

    After a lost answer the same bytes go once more at once: somebody is waiting.
    """
    send_together([row_id])
    if Manifestation.objects.filter(pk=row_id, state=EventState.INDEFINIDO).exists():
        send_together([row_id])


def send_together(row_ids: Sequence[int]) -> bool:
    """Send manifestations of one company in one environment, TOGETHER at most, as one message.

    Those that may not go now are left out. False when nobody answered: more of them would wait for
    nothing; each goes on by itself, as after `send`.
    """
    lote = transmit.new_lote(clock.now())
    opened = [one for pk in row_ids if (one := _opened(pk, lote)) is not None]
    if not opened:
        return True
    try:
        answer = opened[0].to.event([one.xml for one in opened], id_lote=lote)
    except NotSent as error:
        return _each(outcome.not_sent, opened, error)
    except Misconfigured as error:
        return _each(outcome.misconfigured, opened, error)
    except Lost as error:
        return _each(outcome.lost, opened, error)
    if len(opened) > 1 and outcome.is_of_the_message(answer):
        return _one_by_one(opened, answer)
    for sending in opened:
        _record(sending, answer, is_alone=len(opened) == 1)
    return True


def _each(tell: Callable[..., None], opened: list[Sending], error: Exception) -> bool:
    for sending in opened:
        tell(sending, error, now=clock.now())
    return False


def _one_by_one(opened: list[Sending], answer: Answer) -> bool:
    """One of them made the authority refuse the message: the others shall not share its fate."""
    for sending in opened:
        outcome.put_back(sending, answer, now=clock.now())
    return all(send_together([sending.row_id]) for sending in opened)


def _record(sending: Sending, answer: Answer, *, is_alone: bool) -> None:
    told = outcome.said(sending, answer, is_alone=is_alone)
    is_there = told is not None and classify(told.c_stat) is Class.EVENT_DUPLICATE
    held = _held(sending) if is_there else None
    outcome.record(sending, answer, told, held, now=clock.now())


def _opened(row_id: int, lote: str) -> Sending | None:
    """The open attempt of what may go now."""
    try:
        return _begin(row_id, lote, now=clock.now())
    except (CertificateExpired, NoCertificate):
        _postpone(row_id, clock.now() + WITHOUT_CERTIFICATE)
        return None


def _begin(row_id: int, lote: str, *, now: datetime) -> Sending | None:
    row = Manifestation.objects.select_related("received__company").get(pk=row_id)
    received = row.received
    company = received.company
    route = registry.event_route(
        row.tp_evento, uf=company.uf, modelo=55, ambiente=received.ambiente
    )
    to = registry.at(route, credentials_of(company))
    subject = access_key.event_id(row.tp_evento, received.chave, row.n_seq)
    with transaction.atomic():
        row = locked(row_id)
        _bury(row, subject, now)
        if row.state not in (EventState.ASSINADO, EventState.INDEFINIDO):
            return None
        until = _blocked_until(received, subject, route, now)
        if until is None:
            return _open(row, subject, to, lote, now)
        row.next_attempt_at = until
        row.save()
        return None


def _bury(row: Manifestation, subject: str, now: datetime) -> None:
    """Whoever sent it is gone without recording an answer."""
    if row.state != EventState.TRANSMITINDO or transmit.is_being_sent(subject, now=now):
        return
    row.lose(again_at=now)
    row.save()
    rows = Attempt.objects.filter(subject=subject, outcome=_Outcome.OPEN)
    rows.update(outcome=_Outcome.LOST, ended_at=now, error="Processo interrompido.")


def _blocked_until(
    received: ReceivedNfe, subject: str, route: registry.Route, now: datetime
) -> datetime | None:
    company, ambiente = received.company, received.ambiente
    stopped = company_queue.stopped_until(company, ambiente=ambiente, now=now)
    if stopped is not None:
        return stopped
    if not authority_status.may_call(route, now=now):
        return now + authority_status.EVERY
    try:
        who = consumption.caller(company.document, ambiente)
        consumption.spend(who, service=Service.EVENT, subject=subject, now=now)
    except consumption.Throttled as error:
        return error.until
    return None


def _open(row: Manifestation, subject: str, to: Sefaz, lote: str, now: datetime) -> Sending:
    content = archive.unpacked(row.xml)
    received = row.received
    attempt = Attempt.objects.create(
        account_id=row.account_id,
        company_id=received.company_id,
        kind=Attempt.Kind.EVENT,
        subject=subject,
        authority=to.route.authority,
        id_lote=lote,
        sha256=hashlib.sha256(content).hexdigest(),
        started_at=now,
    )
    row.begin(again_at=now + transmit.DEADLINE)
    row.save()
    return Sending(
        attempt.pk, row.pk, received.company, received.ambiente, received.chave, subject, content,
        to,
    )  # fmt: skip


@transaction.atomic
def _postpone(row_id: int, at: datetime) -> None:
    row = locked(row_id)
    if row.next_attempt_at is not None:
        row.next_attempt_at = at
        row.save()


def _held(sending: Sending) -> EventAnswer | None:
    """The registered event of the kind, as the authority of the note has it; None: unknown."""
    route = registry.route(uf=_UFS[sending.chave[:2]], modelo=55, ambiente=sending.ambiente)
    who = consumption.caller(sending.company.document, sending.ambiente)
    try:
        consumption.spend(who, service=Service.CONSULT, subject=sending.chave, now=clock.now())
        answer = registry.at(route, sending.to.credentials).consult(sending.chave)
    except (NotSent, Lost, Misconfigured, consumption.Throttled) as error:
        log.info("manifestation.not_shown", extra={"chave": sending.chave, "reason": str(error)})
        return None
    return event_adoption.found(answer, sending.subject[2:8], int(sending.subject[-2:]))
