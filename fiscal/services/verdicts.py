"""What an authority's answer about a document does to its row (§8.3, §8.4). No network here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fiscal.authorities.base import Answer, Protocol, Route
from fiscal.authorities.cstat import Class, classify
from fiscal.models import Attempt, FiscalDocument, State
from fiscal.selectors.hot_rows import keep_progress, remember_published
from fiscal.services import (
    archive,
    authority_status,
    company_queue,
    consumption,
    contingency,
    notices,
)

log = logging.getLogger(__name__)

FIRST_QUERY = timedelta(seconds=5)  # REC-6
PAUSE = timedelta(seconds=30)  # 108, and a connection that did not come to be
LONGEST_PAUSE = timedelta(minutes=15)
STOPPED = timedelta(minutes=15)  # CONFIG_ERROR: one document tries again after this
# A number that its document does not need any more is voided a day after the attempt (§2.5).
ABANDONED = timedelta(hours=24)
# 999, 402 and the like ask for the same bytes again; more often than this they mean it.
RETRIES = 5
# Not final for a document that was announced: 468 there is no EPEC of it, 142 others are overdue.
EPEC_WAITS = ("468", "142")
EPEC_TRIES = 20
Outcome = Attempt.Outcome

_NFE_PROC = b'<nfeProc xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00">'


@dataclass(frozen=True)
class Reply:
    """A document, the attempt that asked (None for a query) and what was said of the document."""

    document: FiscalDocument
    attempt: Attempt | None
    answer: Answer
    protocol: Protocol | None
    c_stat: str
    x_motivo: str
    route: Route
    now: datetime
    sent: bytes = b""


def apply(
    document: FiscalDocument,
    attempt: Attempt,
    answer: Answer,
    *,
    route: Route,
    now: datetime,
    sent: bytes = b"",
) -> None:
    """Move the locked document as the answer to its authorization says; the caller saves attempt.

    `sent` are the signed bytes that are answered. An answer that comes after somebody else settled
    the document changes nothing any more.
    """
    reply = _reply(document, attempt, answer, route, now, sent)
    attempt.outcome = Outcome.ANSWERED
    attempt.c_stat, attempt.x_motivo = reply.c_stat, reply.x_motivo
    if document.state not in (State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO):
        log.info("document.late_answer", extra={"nota_id": document.pk})
        return
    found = _class_of(reply)
    _EFFECTS.get(found, _recover)(reply)
    keep_progress(document)


def apply_receipt(
    document: FiscalDocument, answer: Answer, *, route: Route, again_at: datetime, now: datetime
) -> None:
    """Move a document `em_lote` as the answer about its receipt says (103, 105, 104, 106)."""
    reply = _reply(document, None, answer, route, now)
    found = _class_of(reply)
    if found is Class.PROCESSING:
        document.next_attempt_at = again_at
    elif found in _FINAL:
        _FINAL[found](reply)
    else:
        document.lose(again_at=now + FIRST_QUERY)
    document.save()


def _reply(
    document: FiscalDocument,
    attempt: Attempt | None,
    answer: Answer,
    route: Route,
    now: datetime,
    sent: bytes = b"",
) -> Reply:
    """ANS-2: 104 speaks of the batch; what counts is the protocol inside it."""
    protocol = answer.protocol_of(document.chave or "") or answer.protocol
    said = protocol or answer
    return Reply(document, attempt, answer, protocol, said.c_stat, said.x_motivo, route, now, sent)


def _class_of(reply: Reply) -> Class:
    has_protocol = reply.protocol is not None and bool(reply.protocol.protocolo)
    return classify(reply.c_stat, has_protocol=has_protocol)


def postpone(document: FiscalDocument, *, again_at: datetime) -> None:
    """Provably not processed: back to where it was, to be sent again at `again_at`."""
    if document.state != State.TRANSMITINDO:
        return
    if document.is_offline:
        document.wait_offline(again_at=again_at)
    elif document.is_epec:
        document.register_epec(again_at=again_at)
    else:
        document.not_sent(again_at=again_at)
    document.save()


def pause_after(document: FiscalDocument) -> timedelta:
    """How long to wait after the n-th attempt that was not processed."""
    return min(PAUSE * 2 ** min(document.n_attempts, 6) / 2, LONGEST_PAUSE)


# --- final answers -----------------------------------------------------------------------------


def adopt(
    document: FiscalDocument, protocol: Protocol, *, now: datetime, sent: bytes = b""
) -> None:
    """100 or 150: authorized, if it is about our bytes (ANS-3); `conflito` otherwise.

    The bytes may be those of an earlier signature of the same document (NUM-9, REC-4). The
    authorized XML is the signed bytes and the protocol's, one after the other (ANS-4). `sent` saves
    looking the bytes up.
    """
    _stand_by(document, protocol)
    wrong = protocol.differences(
        chave=document.chave or "",
        digest_value=document.digest_value,
        ambiente=document.ambiente,
    )
    if wrong:
        log.warning("document.dispute", extra={"nota_id": document.pk, "tags": wrong})
        dispute(document, protocol.c_stat, protocol.x_motivo)
        return
    document.authorize(
        protocolo=protocol.protocolo,
        at=protocol.dh_recbto,
        c_stat=protocol.c_stat,
        x_motivo=protocol.x_motivo,
    )
    document.notes = [
        {"codigo": one.codigo, "mensagem": one.texto} for one in protocol.messages
    ] + [note for note in document.notes if "campo" in note]
    document.is_effected = document.is_offline
    if document.superseded_by_id:
        document.next_attempt_at = now  # the sale has another document: this one is cancelled
    digest = f"<DigestValue>{document.digest_value}</DigestValue>".encode()
    signed = sent if digest in sent else archive.signed_xml(document)
    content = _NFE_PROC + signed + protocol.xml + b"</nfeProc>"
    name = archive.nfe_name(document.chave or "")
    # A document becomes authorized once.
    kept = archive.keep(document, archive.Kind.AUTHORIZED, name, content, at=now, is_first=True)
    remember_published(document, kept)
    notices.announce(document, "autorizado")


def _stand_by(document: FiscalDocument, protocol: Protocol) -> None:
    """Take up the signature that the authority holds, if it is one of ours."""
    held = (protocol.chave, protocol.digest_value or document.digest_value)
    if held == (document.chave, document.digest_value):
        return
    xml = archive.signed_with(document, chave=held[0], digest_value=held[1])
    if xml is None:
        return
    document.chave, document.digest_value = held
    document.cnf, document.tp_emis = held[0][35:43], int(held[0][34])
    dated = re.search(rb"<dhEmi>([^<]+)</dhEmi>", xml)
    if dated:
        document.dh_emi = datetime.fromisoformat(dated[1].decode())


def dispute(document: FiscalDocument, c_stat: str, x_motivo: str) -> None:
    """A person decides. A document that is disputed already stays as it is."""
    if document.state != State.CONFLITO:
        document.dispute(c_stat=c_stat, x_motivo=x_motivo)
        notices.alarm(document, "conflito")


def _authorized(reply: Reply) -> None:
    if reply.protocol is None:  # 100 without protNFe proves nothing
        _recover(reply)
    else:
        adopt(reply.document, reply.protocol, now=reply.now, sent=reply.sent)


def _denied(reply: Reply) -> None:
    protocolo = reply.protocol.protocolo if reply.protocol else ""
    reply.document.deny(protocolo=protocolo, c_stat=reply.c_stat, x_motivo=reply.x_motivo)
    notices.announce(reply.document, "denegado")


def _rejected(reply: Reply) -> None:
    document = reply.document
    if document.is_epec and reply.c_stat in EPEC_WAITS and document.n_attempts < EPEC_TRIES:
        # The AN shares EPECs with the authorities in its own time: it did not see ours yet.
        _not_processed(reply, pause_after(document))
        return
    document.reject(c_stat=reply.c_stat, x_motivo=reply.x_motivo)
    if document.is_offline:
        # CON-6: the buyer has it already. Both numbers are voided later (fiscal-api §3.4).
        document.next_attempt_at = reply.now + ABANDONED
        notices.alarm(document, "contingencia_recusada")
    elif document.is_epec:
        # CON-5: out with the goods as well. It must be corrected within the 168 hours.
        notices.alarm(document, "epec_recusado")
    notices.announce(document, "erro_autorizacao")


def _config_error(reply: Reply) -> None:
    """What is wrong with the company is wrong with all its documents: stop its queue."""
    company = reply.document.company
    until = reply.now + STOPPED
    company_queue.stop(company, ambiente=reply.document.ambiente, until=until, now=reply.now)
    notices.alarm(reply.document, "empresa_parada")
    _rejected(reply)


# --- not decided -------------------------------------------------------------------------------


def _processing(reply: Reply) -> None:
    if reply.document.state != State.TRANSMITINDO:
        return
    again_at = reply.now + timedelta(seconds=max(reply.answer.t_med or 0, 1))  # REC-7
    reply.document.queue(recibo=reply.answer.receipt, again_at=again_at)


def _recover(reply: Reply) -> None:
    """Only a query can tell: 204, 539, 613, unknown 1xx, an answer without its protocol."""
    if reply.document.state == State.INDEFINIDO:
        reply.document.next_attempt_at = reply.now
    else:
        reply.document.lose(again_at=reply.now)


def _retry(reply: Reply) -> None:
    if reply.document.n_attempts >= RETRIES:
        _rejected(reply)
    else:
        _recover(reply)


def _paused(reply: Reply) -> None:
    _told_of_itself(reply)
    _not_processed(reply, pause_after(reply.document))


def _down(reply: Reply) -> None:
    _told_of_itself(reply)
    _not_processed(reply, authority_status.EVERY)


def _told_of_itself(reply: Reply) -> None:
    authority_status.record_status(
        reply.route, c_stat=reply.c_stat, x_motivo=reply.x_motivo, now=reply.now
    )


def _throttled(reply: Reply) -> None:
    document = reply.document
    who = consumption.caller(document.company.document, document.ambiente)
    until = consumption.block(who, service=consumption.Service.AUTHORIZE, now=reply.now)
    notices.alarm(document, "consumo_indevido")
    _not_processed(reply, until - reply.now)


def _not_processed(reply: Reply, pause: timedelta) -> None:
    if reply.attempt is not None:
        reply.attempt.outcome = Outcome.NOT_PROCESSED
    postpone(reply.document, again_at=reply.now + pause)


def _svc_closed(reply: Reply) -> None:
    """113, 114: not here. The sweep signs it again for the normal way."""
    _told_of_itself(reply)
    contingency.close_svc(reply.route, now=reply.now)
    _not_processed(reply, timedelta(0))


Effect = Callable[[Reply], None]
_FINAL: dict[Class, Effect] = {
    Class.AUTHORIZED: _authorized,
    Class.DENIED: _denied,
    Class.REJECTED: _rejected,
    Class.BLOCKED: _rejected,
    Class.CONFIG_ERROR: _config_error,
}
_EFFECTS: dict[Class, Effect] = {
    **_FINAL,
    Class.PROCESSING: _processing,
    Class.RETRY: _retry,
    Class.SERVICE_PAUSED: _paused,
    Class.SERVICE_DOWN: _down,
    Class.SVC_CLOSING: _svc_closed,
    Class.SVC_DISABLED: _svc_closed,
    Class.THROTTLED: _throttled,
}
