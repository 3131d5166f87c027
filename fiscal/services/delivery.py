"""Signing and sending a document: the one path of requests, tasks and sweeps.

Every function may run twice or be cut anywhere; the row says where to go on (resuming).
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Attempt, FiscalDocument, State
from fiscal.selectors.hot_rows import document_with_company
from fiscal.services import (
    company_queue,
    contingency,
    event_epec,
    notices,
    receipts,
    recovery,
    replacing,
    resigning,
    signing_step,
    transmit,
    verdicts,
)
from fiscal.services.signing_step import NORMAL, Mode, Signature
from fiscal.services.transmit import Pick, Sending
from lib import clock
from lib.errors import DomainError

log = logging.getLogger(__name__)

# A loss that came quickly was a broken connection: asking at once is worth it while a client
# waits. One that took long will hardly answer a question sooner.
QUICK_MS = 15_000
WITHOUT_CERTIFICATE = "A nota espera por um certificado novo e segue assim que ele for enviado"
SET_ASIDE = timedelta(minutes=3)
_UNSENT = (State.RECEBIDO, State.ASSINADO)


def advance(document_id: int) -> FiscalDocument:
    """Sign the document if it is not, and send it once; what an answer asks for is asked at once.

    A document that cannot be signed any more is `rejeitado` by us, with the reason.
    """
    return _advance(Pick(document_id)) or _current(document_id)


def advance_next() -> bool:
    """`advance` the document that has waited longest; False when none waits that may be sent.

    Many may do so at once: each has another document. One that fails by an error of ours, or is
    not moved by its turn, is left alone for a while, so that it holds up nobody.
    """
    now, pick = clock.now(), Pick()
    try:
        document = _advance(pick)
    except Exception:
        if pick.document_id is None:
            raise
        log.exception("document.failed", extra={"nota_id": pick.document_id})
        look_again(pick.document_id, SET_ASIDE)
        return True
    if document is not None and _is_still_due(document, now):
        look_again(document.pk, SET_ASIDE)
    return document is not None


def _is_still_due(document: FiscalDocument, now: datetime) -> bool:
    due = document.next_attempt_at
    return document.state in (*_UNSENT, State.CONTINGENCIA) and due is not None and due <= now


def _advance(pick: Pick) -> FiscalDocument | None:
    """None when there was nothing to pick."""
    document = None
    try:
        document = transmit.transmit(pick, sign=_signature_due)
    except _Unsignable as error:
        _refuse(_id_of(pick), error.reason)
    except (CertificateExpired, NoCertificate) as error:
        # It ended after the document was accepted (CRT-5): an upload of another sets it going.
        reason = f"{error.mensagem.rstrip('.')}. {WITHOUT_CERTIFICATE}"
        look_again(_id_of(pick), verdicts.STOPPED, reason=reason)
        notices.alarm(_current(_id_of(pick)), "certificado")
    if pick.document_id is None:
        return None
    return _asked_about(_announced(document or _current(pick.document_id)))


def _id_of(pick: Pick) -> int:
    if pick.document_id is None:
        raise LookupError("nothing was picked")
    return pick.document_id


def _announced(document: FiscalDocument) -> FiscalDocument:
    """CON-5: the EPEC goes first; the document itself when its authority is back."""
    if not document.awaits_epec:
        return document
    if event_epec.announce(document.pk):
        transmit.transmit(Pick(document.pk))
    return _current(document.pk)


def _asked_about(document: FiscalDocument) -> FiscalDocument:
    """After 204 or 539: the authority says that it has it."""
    if document.state == State.INDEFINIDO and _was_answered(document):
        recovery.recover(document.pk)
        document = _current(document.pk)
    return document


def issue_now(document_id: int, sending: Sending | None = None) -> FiscalDocument:
    """`advance` while a client waits for the answer; answers the document that it is to be told of.

    `sending` is the attempt that was opened when the document was accepted.

    An NFC-e whose authority is silent is issued offline where that is allowed (§3.4), under
    another number elsewhere (§3.6).
    """
    document = _asked_about(transmit.send(sending)) if sending else advance(document_id)
    if document.state == State.EM_LOTE:
        document = _wait_for_batch(document)
    if document.state == State.INDEFINIDO and _was_quick(document):
        document = _asked_at_once(document_id)
    if document.modelo != contingency.NFCE:
        return document
    if _may_go_offline(document):
        return replacing.go_offline(document.pk, now=clock.now()) or _current(document.pk)
    if document.state == State.INDEFINIDO:
        return _corrected(document)
    return document


def _may_go_offline(document: FiscalDocument) -> bool:
    """Silence is a reason; a company that has to be put in order first is none."""
    allows = contingency.allows_offline(document.company, modelo=document.modelo)
    if not allows or document.state not in (*_UNSENT, State.INDEFINIDO):
        return False
    stopped = company_queue.stopped_until(
        document.company, ambiente=document.ambiente, now=clock.now()
    )
    return stopped is None


def _current(document_id: int) -> FiscalDocument:
    return document_with_company(document_id)


# --- signing -----------------------------------------------------------------------------------


class _Unsignable(Exception):
    """The document cannot be signed, for `reason`."""

    def __init__(self, reason: DomainError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _signature_due(document: FiscalDocument) -> Signature | None:
    """First signature, a dated NFC-e (704), or the way that contingency asks for now (CON-2).

    For `transmit.begin`, whose transaction it runs in. Raises _Unsignable.
    """
    if document.state not in _UNSENT:
        return None
    if event_epec.is_bound(document):
        return None
    now, mode = clock.now(), mode_of(document)
    is_signed = document.state == State.ASSINADO and document.tp_emis == mode.tp_emis
    if is_signed and not signing_step.is_too_old(document, now=now):
        return resigning.under_new_certificate(document, now=now)
    try:
        data = signing_step.data_of(document, now=now, mode=mode)
        return signing_step.sign_row(document, data=data, now=now, mode=mode)
    except (CertificateExpired, NoCertificate):
        raise  # no fault of the document's
    except DomainError as error:
        raise _Unsignable(error) from error


def mode_of(document: FiscalDocument) -> Mode:
    """Offline is never a mode to send in: such documents are sent as they were printed."""
    if document.modelo == contingency.NFCE:
        return NORMAL
    return contingency.mode_for(
        document.company, modelo=document.modelo, ambiente=document.ambiente
    )


@transaction.atomic
def _refuse(document_id: int, error: DomainError) -> None:
    """A fault of the payload or of the company that came up after the request was accepted."""
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if document.state not in _UNSENT:
        return
    reasons = [error.mensagem, *(f"{one.campo}: {one.mensagem}" for one in error.erros)]
    document.reject(c_stat="", x_motivo="; ".join(reasons))
    document.save()
    notices.announce(document, "erro_autorizacao")


@transaction.atomic
def look_again(document_id: int, pause: timedelta | None, *, reason: str = "") -> None:
    """When to look again if what follows does not settle it; `reason` is what the API tells."""
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    document.next_attempt_at = clock.now() + pause if pause else None
    document.x_motivo = reason or document.x_motivo
    document.save(update_fields=["next_attempt_at", "x_motivo", "updated_at"])


# --- while a client waits ----------------------------------------------------------------------


def _was_answered(document: FiscalDocument) -> bool:
    last = document.attempts.filter(kind=Attempt.Kind.AUTHORIZE).order_by("-id").first()
    return last is not None and last.outcome == Attempt.Outcome.ANSWERED


def _was_quick(document: FiscalDocument) -> bool:
    last = document.attempts.filter(kind=Attempt.Kind.AUTHORIZE).order_by("-id").first()
    return last is not None and (last.elapsed_ms or 0) < QUICK_MS


def _asked_at_once(document_id: int) -> FiscalDocument:
    recovery.recover(document_id)
    document = _current(document_id)
    # 217: no trace of it, so the same bytes go again, once.
    return advance(document_id) if document.state == State.ASSINADO else document


def _wait_for_batch(document: FiscalDocument) -> FiscalDocument:
    """A few seconds for 103 to become an answer (REC-7)."""
    for seconds in (1, 2, 4):
        time.sleep(seconds)
        receipts.poll(document.pk)
        document = _current(document.pk)
        if document.state != State.EM_LOTE:
            break
    return document


def _corrected(document: FiscalDocument) -> FiscalDocument:
    """§3.6: the same sale under the next number, once in a request."""
    second = replacing.replace(document.pk, mode=NORMAL, now=clock.now())
    return advance(second.pk) if second else _current(document.pk)
