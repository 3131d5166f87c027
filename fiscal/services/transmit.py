"""Sending a signed document and recording what came back (§8.5).

Transaction A opens the attempt and commits before the first byte leaves; the network is outside of
any transaction; transaction B records the reply. Whoever dies in between leaves an open attempt,
which the sweep finds (fiscal.services.recovery).
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.authorities import registry
from fiscal.authorities.base import Answer, Credentials, Lost, Misconfigured, NotSent, Route
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import Attempt, Company, FiscalDocument, State
from fiscal.selectors import hot_rows
from fiscal.services import archive, authority_status, company_queue, consumption, verdicts
from fiscal.services.authority_status import Situation
from fiscal.services.certificates import credentials_of
from fiscal.services.signing_step import Signature
from lib import clock
from lib.compiled import CompiledInsert, CompiledUpdate

log = logging.getLogger(__name__)

# The longest call (TLS-5) and a margin: past this nobody is waiting for the answer any more.
DEADLINE = timedelta(seconds=120)
# The first attempts of a document cannot come near the ceiling of 30: counting them would cost
# every document a locked row.
COUNTED_FROM = 5
SENDABLE = (State.ASSINADO, State.CONTINGENCIA, State.EPEC)
Outcome = Attempt.Outcome
_INSERT = CompiledInsert(Attempt)
_CLOSE = CompiledUpdate(
    Attempt, "outcome", "c_stat", "x_motivo", "error", "reply", "elapsed_ms", "ended_at"
)


@dataclass(frozen=True)
class Sending:
    """An open attempt: what goes where."""

    attempt_id: int
    document_id: int
    company: Company
    id_lote: str
    xml: bytes
    to: Sefaz
    is_healthy: bool  # no failure of the authority was known: an answer forgives nothing


# Signs the locked document if it has to be signed (now), without saving it (signing_step.sign_row);
# None when its signature stands.
Sign = Callable[[FiscalDocument], Signature | None]


class Pick:
    """The document of an id; without one that which has waited longest and nobody is at."""

    def __init__(self, document_id: int | None = None) -> None:
        self.document_id = document_id

    def locked(self, now: datetime) -> FiscalDocument | None:
        """Its row, locked; `document_id` tells which it is. Raises DoesNotExist for an id."""
        if self.document_id is not None:
            return hot_rows.locked_document(self.document_id)
        row = hot_rows.locked_next_to_send(now)
        self.document_id = row.pk if row else None
        return row


def transmit(pick: Pick, *, sign: Sign | None = None) -> FiscalDocument | None:
    """Send the document once, if it is to be sent and may be now. Safe to run again.

    Answers the document as the attempt left it, or None when there was none. Its state tells how it
    went; `indefinido` must only be asked about, never sent.
    """
    sending = begin(pick, now=clock.now(), sign=sign)
    return send(sending) if sending else None


def send(sending: Sending) -> FiscalDocument:
    """Make the call of an open attempt, outside of any transaction, and record what came."""
    try:
        answer = sending.to.authorize(sending.xml, id_lote=sending.id_lote, sync=True)
    except NotSent as error:
        return record_not_sent(sending, error, now=clock.now())
    except Misconfigured as error:
        return record_misconfigured(sending, error, now=clock.now())
    except Lost as error:
        return record_lost(sending, error, now=clock.now())
    return record_answer(sending, answer, now=clock.now())


def authority_of(
    document: FiscalDocument,
    *,
    tp_emis: int | None = None,
    credentials: Credentials | None = None,
) -> Sefaz:
    """Who answers for the document: the SVC for tpEmis 6 and 7, home for all others.

    `credentials` spares looking up the company's certificate.
    """
    company = document.company
    return registry.sefaz(
        uf=company.uf,
        modelo=document.modelo,
        ambiente=document.ambiente,
        credentials=credentials or credentials_of(company),
        tp_emis=document.tp_emis if tp_emis is None else tp_emis,
    )


@transaction.atomic
def begin(pick: Pick, *, now: datetime, sign: Sign | None = None) -> Sending | None:
    """Transaction A. None when there is nothing to send, or not now (then `next_attempt_at` says).

    A signature that is due is made in the same transaction, so that the row is written once. A
    document that was replaced by another in a contingency is never sent again (CON-3).
    """
    document = pick.locked(now)
    if document is None or document.superseded_by_id:
        return None
    return begin_row(document, sign(document) if sign else None, now=now)


def begin_row(
    document: FiscalDocument, signature: Signature | None, *, now: datetime
) -> Sending | None:
    """`begin` on a row that this transaction has locked, or has not inserted yet.

    A `signature` that was just made is kept with the row.
    """
    if document.state not in SENDABLE:
        return None
    until: datetime | None = now + DEADLINE
    if not document.awaits_epec:  # what is to be announced first is only saved (CON-5)
        to = authority_of(document, credentials=signature.credentials if signature else None)
        known = authority_status.situation(to.route, now=now)
        until = _blocked_until(document, to.route, known, now)
        if until is None:
            return _open(document, signature, to, now, is_healthy=known.is_healthy)
    document.next_attempt_at = until
    hot_rows.keep_progress(document)
    if signature:
        signature.keep()
    return None


def _blocked_until(
    document: FiscalDocument, route: Route, known: Situation, now: datetime
) -> datetime | None:
    """When it may go, if not now: the company stopped, the taxpayer throttled, nobody there."""
    blocked = _told_to_wait(document, now)
    if blocked is not None:
        return blocked
    if not known.lets_through(route, now=now):
        return now + authority_status.EVERY
    return _counted_out(document, now)


def _told_to_wait(document: FiscalDocument, now: datetime) -> datetime | None:
    """The company stopped, or the taxpayer told to stop by the authority (656)."""
    who = consumption.caller(document.company.document, document.ambiente)
    blocks = hot_rows.blocks(
        who.base,
        who.ambiente,
        one=(company_queue.SERVICE, str(document.company_id)),
        other=(consumption.Service.AUTHORIZE, document.chave or ""),
        now=now,
    )
    return max(blocks, default=None)


def _counted_out(document: FiscalDocument, now: datetime) -> datetime | None:
    if document.n_attempts < COUNTED_FROM:
        return None
    who = consumption.caller(document.company.document, document.ambiente)
    service, subject = consumption.Service.AUTHORIZE, document.chave or ""
    try:
        consumption.spend(who, service=service, subject=subject, now=now)
    except consumption.Throttled as error:
        return error.until
    return None


def _open(
    document: FiscalDocument,
    signature: Signature | None,
    to: Sefaz,
    now: datetime,
    *,
    is_healthy: bool,
) -> Sending:
    document.begin(again_at=now + DEADLINE)
    document.id_lote = new_lote(now)
    hot_rows.keep_progress(document)
    xml = signature.keep() if signature else archive.signed_xml(document)
    attempt = Attempt(
        account_id=document.account_id,
        company_id=document.company_id,
        document=document,
        kind=Attempt.Kind.AUTHORIZE,
        subject=document.chave or "",
        authority=to.route.authority,
        id_lote=document.id_lote,
        sha256=hashlib.sha256(xml).hexdigest(),
        started_at=now,
    )
    _INSERT.insert(attempt)
    return Sending(attempt.pk, document.pk, document.company, document.id_lote, xml, to, is_healthy)


def new_lote(now: datetime) -> str:
    """15 digits, ordered by time, never the same twice (§8.1)."""
    return f"{int(now.timestamp() * 1000):013d}{secrets.randbelow(100):02d}"


def is_being_sent(subject: str, *, now: datetime) -> bool:
    """Is somebody still waiting for the answer about that event or voiding?"""
    return Attempt.objects.filter(
        subject=subject, outcome=Outcome.OPEN, started_at__gt=now - DEADLINE
    ).exists()


# --- transaction B -----------------------------------------------------------------------------


@transaction.atomic
def record_answer(sending: Sending, answer: Answer, *, now: datetime) -> FiscalDocument:
    """The reply, whatever it says: kept with the attempt, and the document moves accordingly."""
    document, attempt = _locked(sending)
    attempt.reply = archive.packed(answer.raw)
    attempt.elapsed_ms = answer.elapsed_ms
    if not sending.is_healthy:
        authority_status.record_success(sending.to.route, now=now)
    verdicts.apply(document, attempt, answer, route=sending.to.route, now=now, sent=sending.xml)
    _close(attempt, now)
    return document


@transaction.atomic
def record_not_sent(sending: Sending, error: NotSent, *, now: datetime) -> FiscalDocument:
    """REC-8: no byte left, so the same bytes may go at the next occasion."""
    document, attempt = _locked(sending)
    authority_status.record_failure(sending.to.route, now=now)
    attempt.outcome, attempt.error = Outcome.NOT_SENT, str(error)[:300]
    attempt.elapsed_ms = error.elapsed_ms
    verdicts.postpone(document, again_at=now + verdicts.pause_after(document))
    _close(attempt, now)
    return document


@transaction.atomic
def record_misconfigured(
    sending: Sending, error: Misconfigured, *, now: datetime
) -> FiscalDocument:
    """Refused at the door (403, 495, 496): nothing was processed, and nothing will be for now."""
    document, attempt = _locked(sending)
    until = now + verdicts.STOPPED
    company_queue.stop(document.company, ambiente=document.ambiente, until=until, now=now)
    attempt.outcome, attempt.error = Outcome.NOT_PROCESSED, str(error)[:300]
    attempt.elapsed_ms = error.elapsed_ms
    verdicts.postpone(document, again_at=until)
    _close(attempt, now)
    log.warning("company.stopped", extra={"company_id": document.company_id})
    return document


@transaction.atomic
def record_lost(sending: Sending, error: Lost, *, now: datetime) -> FiscalDocument:
    """The outcome is unknown: from here on only a query may follow (REC-1)."""
    document, attempt = _locked(sending)
    authority_status.record_failure(sending.to.route, now=now)
    attempt.outcome, attempt.error = Outcome.LOST, str(error)[:300]
    attempt.reply = archive.packed(error.raw) if error.raw else None
    attempt.elapsed_ms = error.elapsed_ms
    if document.state == State.TRANSMITINDO:
        document.lose(again_at=now + verdicts.FIRST_QUERY)
        document.save()
    _close(attempt, now)
    return document


def _locked(sending: Sending) -> tuple[FiscalDocument, Attempt]:
    # The lock on the document is the one on its attempts.
    document = hot_rows.relocked_document(sending.document_id, sending.company)
    return document, Attempt(pk=sending.attempt_id)  # only what _CLOSE writes is of use


def _close(attempt: Attempt, now: datetime) -> None:
    attempt.ended_at = now
    _CLOSE.write(attempt)
