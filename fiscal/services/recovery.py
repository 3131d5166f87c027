"""What became of an attempt whose answer was lost: ask, never send first (§8.5, REC-1 to REC-9)."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities.base import (
    Answer,
    Lost,
    Misconfigured,
    NotSent,
    Protocol,
    quoted_keys,
)
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Attempt, FiscalDocument, State
from fiscal.services import authority_status, consumption, events, notices, transmit, verdicts
from fiscal.services.consumption import Service
from lib import clock

log = logging.getLogger(__name__)

# REC-6: seconds after the attempt began → pause before the next question.
_PAUSES = ((5, 5), (20, 15), (50, 30), (110, 60), (230, 120), (530, 300), (1130, 600))
_LAST_PAUSE = 900
ALARM_AFTER = timedelta(minutes=30)
BEHIND = timedelta(minutes=30)  # the longest that a query is believed to lag behind a 204
OPEN, LOST = Attempt.Outcome.OPEN, Attempt.Outcome.LOST
SVC = (6, 7)


@dataclass(frozen=True)
class Finding:
    """What an authority said of a key; `chave` is the one that was asked about."""

    chave: str
    answer: Answer
    to: Sefaz


def recover(document_id: int) -> Class | None:
    """Ask the authority what it has under the document's key, and believe it. Safe to run again.

    Answers what it said; None when it was not asked, or did not answer: the document then waits
    for the next time. Also for `conflito`, when an operator asks for it.
    """
    document = claim(document_id, now=clock.now())
    if document is None:
        return None
    try:
        finding = _ask(document)
    except (NotSent, Lost, Misconfigured) as error:
        _no_answer(document, error, now=clock.now())
        return None
    except (CertificateExpired, NoCertificate):
        notices.alarm(document, "certificado")  # nobody answers without one; asked again later
        return None
    return settle(document_id, finding, now=clock.now())


@transaction.atomic
def claim(document_id: int, *, now: datetime) -> FiscalDocument | None:
    """Take the document for one question; None when it is decided, fresh or asked too often.

    An attempt that is open past its deadline is closed as lost: whoever made it is gone.
    """
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if document.state == State.TRANSMITINDO and not _bury(document, now):
        return None
    if document.state not in (State.INDEFINIDO, State.CONFLITO):
        return None
    until = _may_ask(document, now)
    document.next_attempt_at = until or now + pause(document, now=now)
    if document.state == State.CONFLITO:
        document.next_attempt_at = None
    document.save()
    return None if until else document


def _bury(document: FiscalDocument, now: datetime) -> bool:
    attempt = document.attempts.filter(outcome=OPEN, kind=Attempt.Kind.AUTHORIZE).first()
    if attempt is not None and attempt.started_at + transmit.DEADLINE > now:
        return False
    if attempt is not None:
        attempt.outcome, attempt.ended_at = LOST, now
        attempt.error = "Processo interrompido."
        attempt.save()
    document.lose(again_at=now)
    return True


def _may_ask(document: FiscalDocument, now: datetime) -> datetime | None:
    return spend(document, Service.CONSULT, document.chave or "", now)


def spend(
    document: FiscalDocument, service: Service, subject: str, now: datetime
) -> datetime | None:
    """Count one question (§8.6); the moment to come back when there were too many."""
    try:
        consumption.spend(_who(document), service=service, subject=subject, now=now)
    except consumption.Throttled as error:
        return error.until
    return None


def _who(document: FiscalDocument) -> consumption.Caller:
    return consumption.caller(document.company.document, document.ambiente)


def pause(document: FiscalDocument, *, now: datetime) -> timedelta:
    """REC-6: by the time since the last attempt, give or take a fifth."""
    last = document.attempts.order_by("-id").first()
    since = (now - last.started_at).total_seconds() if last else 0.0
    if since > ALARM_AFTER.total_seconds():
        notices.alarm(document, "indefinido")
    return from_table(_PAUSES, _LAST_PAUSE, since)


def from_table(table: tuple[tuple[int, int], ...], last: int, since: float) -> timedelta:
    """The pause that the table has for so many seconds since, give or take a fifth."""
    seconds = next((wait for until, wait in table if since < until), last)
    # Jitter, so that documents lost together do not ask together; nothing secret about it.
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311


# --- asking ------------------------------------------------------------------------------------


def _ask(document: FiscalDocument) -> Finding:
    """The document's key at whoever got it; an SVC that has no trace of it is not the last word."""
    to = transmit.authority_of(document)
    finding = _consult(document.chave or "", to)
    found = classify(finding.answer.c_stat)
    if document.tp_emis in SVC and found is not Class.AUTHORIZED:
        finding = _at_home(document, finding)  # REC-5
    for chave in quoted_keys(finding.answer.x_motivo)[:1]:
        if classify(finding.answer.c_stat) is Class.RECOVER and chave != finding.chave:
            return _consult(chave, finding.to)  # 613: it has the number under another key
    other = _quoted_by_the_refusal(document)
    if other and classify(finding.answer.c_stat) is Class.NOT_FOUND:
        return _consult(other, to)  # 539 (NUM-9)
    return finding


def _consult(chave: str, to: Sefaz) -> Finding:
    return Finding(chave, to.consult(chave), to)


def _at_home(document: FiscalDocument, finding: Finding) -> Finding:
    home = transmit.authority_of(document, tp_emis=1)
    try:
        at_home = _consult(document.chave or "", home)
    except (NotSent, Lost, Misconfigured):
        return finding
    absent_here = classify(finding.answer.c_stat) is Class.NOT_FOUND
    absent_there = classify(at_home.answer.c_stat) is Class.NOT_FOUND
    # Home learns later of what the SVC took: its 217 alone proves nothing.
    return at_home if absent_here or not absent_there else finding


def _quoted_by_the_refusal(document: FiscalDocument) -> str:
    """The key that a 539 named when the document was sent last."""
    last = document.attempts.filter(kind=Attempt.Kind.AUTHORIZE).order_by("-id").first()
    keys = quoted_keys(last.x_motivo) if last is not None and last.c_stat == "539" else ()
    return next((key for key in keys if key != document.chave), "")


def _no_answer(document: FiscalDocument, error: Exception, *, now: datetime) -> None:
    """Nobody there: the time of the next question is set already. What never left is free."""
    if isinstance(error, NotSent):
        subject = document.chave or ""
        consumption.give_back(_who(document), service=Service.CONSULT, subject=subject)
    if not isinstance(error, Misconfigured):
        authority_status.record_failure(transmit.authority_of(document).route, now=now)


# --- believing ---------------------------------------------------------------------------------


@transaction.atomic
def settle(document_id: int, finding: Finding, *, now: datetime) -> Class | None:
    """Move the document as the table of §8.5 says; what was found, None when it was decided."""
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if document.state not in (State.INDEFINIDO, State.CONFLITO):
        return None
    answer = finding.answer
    protocol = answer.protocol_of(finding.chave) or answer.protocol
    found = classify(answer.c_stat)
    if found is Class.READ_INSIDE and protocol is not None:
        found = classify(protocol.c_stat)
    authority_status.record_success(finding.to.route, now=now)
    if found is Class.CANCELLED or events.cancelled_by(answer):
        _cancelled(document, finding, protocol, now)
    elif found is Class.AUTHORIZED and protocol is not None:
        _close_attempts(document, Attempt.Outcome.ANSWERED, now)
        verdicts.adopt(document, protocol, now=now)
    elif found is Class.DENIED:
        _close_attempts(document, Attempt.Outcome.ANSWERED, now)
        nprot = protocol.protocolo if protocol else ""
        document.deny(protocolo=nprot, c_stat=answer.c_stat, x_motivo=answer.x_motivo)
        notices.announce(document, "denegado")
    elif found in (Class.NOT_FOUND, Class.EPEC_REGISTERED):  # 124: only its EPEC is there
        _absent(document, finding, now)
    elif found is Class.THROTTLED:
        _throttled(document, now)
    elif found in (Class.RECOVER, Class.CANNOT_QUERY):
        verdicts.dispute(document, answer.c_stat, answer.x_motivo)
    document.save()
    return found


def _cancelled(
    document: FiscalDocument, finding: Finding, protocol: Protocol | None, now: datetime
) -> None:
    """Authorized and cancelled since: adopt both."""
    _close_attempts(document, Attempt.Outcome.ANSWERED, now)
    if protocol is not None and classify(protocol.c_stat) is Class.AUTHORIZED:
        verdicts.adopt(document, protocol, now=now)
        if document.state == State.CONFLITO:
            return
    answer = finding.answer
    document.cancel(c_stat=answer.c_stat, x_motivo=answer.x_motivo)
    events.adopt_cancellation(document, answer, now=now)
    notices.announce(document, "cancelado")


def _absent(document: FiscalDocument, finding: Finding, now: datetime) -> None:
    """217: no trace of it, so the same bytes may go again; unless somebody said it was there."""
    if document.state == State.CONFLITO:
        return
    last = document.attempts.filter(kind=Attempt.Kind.AUTHORIZE).order_by("-id").first()
    if finding.chave != document.chave:
        # 539 or 613 with a key that nobody has: what holds the number cannot be seen.
        verdicts.dispute(document, finding.answer.c_stat, finding.answer.x_motivo)
        return
    if last is not None and _is_behind(last, now):
        return
    if document.superseded_by_id:
        # Its number is not needed any more; it is voided a day after the attempt (§2.5).
        began = last.started_at if last else document.created_at
        document.next_attempt_at = max(began + verdicts.ABANDONED, now)
        return
    _close_attempts(document, Attempt.Outcome.NOT_PROCESSED, now)
    if document.is_offline:
        document.wait_offline(again_at=now)
    elif document.is_epec:
        document.register_epec(again_at=now)
    else:
        document.absent(again_at=now)


def _is_behind(last: Attempt, now: datetime) -> bool:
    """204 and then 217: the query is behind, and sending again would only bring 204 again.

    Not for ever: a query that still has nothing after so long says that the 204 was wrong, and
    the same bytes can do no harm (REC-3).
    """
    return classify(last.c_stat or "0") is Class.RECOVER and last.started_at + BEHIND > now


def _throttled(document: FiscalDocument, now: datetime) -> None:
    until = consumption.block(_who(document), service=Service.CONSULT, now=now)
    document.next_attempt_at = until
    notices.alarm(document, "consumo_indevido")


def _close_attempts(document: FiscalDocument, outcome: str, now: datetime) -> None:
    document.attempts.filter(kind=Attempt.Kind.AUTHORIZE, outcome__in=(OPEN, LOST)).update(
        outcome=outcome, ended_at=now
    )
