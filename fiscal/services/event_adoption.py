"""Believing that an event is registered: what it does to the rows and to the archive (EVT-7).

No network here. Events come from the answer to our own sending, or from a query of the document.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta

from fiscal.authorities import cstat
from fiscal.authorities.answers import proc_evento
from fiscal.authorities.base import Answer, EventAnswer
from fiscal.documents.nfe import events as kinds
from fiscal.documents.nfe.events import CANCELLATION, CANCELLATIONS, EPEC
from fiscal.models import EventState, FiscalDocument, FiscalEvent, State
from fiscal.selectors.documents import CCE
from fiscal.services import archive, authority_status, mail, notices

log = logging.getLogger(__name__)

EPEC_STANDS = "124"
REGISTERED = (EPEC_STANDS, "135", "136", "155")
BLOCKED = "142"
# Looked at again after this when its EPEC was refused: then home may be back.
REFUSED = timedelta(minutes=15)
LIVE = (EventState.ASSINADO, EventState.TRANSMITINDO, EventState.INDEFINIDO)
_PROTOCOL = re.compile(r"\[nProt:\s*([0-9]{15}(?:[0-9]{2})?)\s*\]", re.IGNORECASE)
_DIGEST = re.compile(rb"<(?:\w+:)?DigestValue>([^<]+)</")


def registered(
    document: FiscalDocument, event: FiscalEvent, said: EventAnswer, *, now: datetime
) -> None:
    """The event stands: it is kept, and a cancellation cancels the document. The caller saves it.

    `said` is about our own bytes. A duplicate (573) may quote the protocol that it has.
    """
    quoted = _PROTOCOL.search(said.x_motivo)
    event.register(
        protocolo=said.protocolo or (quoted[1] if quoted else ""),
        at=said.dh_registro,
        c_stat=said.c_stat,
        x_motivo=said.x_motivo,
    )
    if is_registered(said):  # a duplicate's answer is no proof of the registration
        content = said.proc or proc_evento(archive.unpacked(event.xml), said.xml)
        archive.keep(document, archive.Kind.EVENT, published_name(document, event), content, at=now)
    log.info("event.registered", extra={"event_id": event.pk, "cstat": said.c_stat})
    if event.tp_evento in CANCELLATIONS:
        _cancel(document, said)
    elif event.tp_evento == CCE:
        mail.tell_recipient(document, "carta_correcao", now=now, n_seq=event.n_seq)
    elif event.tp_evento == EPEC:
        _announced(document, said, now=now)


def is_registered(said: EventAnswer) -> bool:
    """Does the answer say that the event stands?"""
    return said.c_stat in REGISTERED


def epec_refused(document: FiscalDocument, event: FiscalEvent, *, now: datetime) -> None:
    """The document waits for its authority, signed as it is; an operator is told (CON-5).

    142: older ones were never delivered, and no other is taken before they are: they go first.
    """
    is_blocked = event.c_stat == BLOCKED
    if is_blocked:
        pending = FiscalDocument.objects.filter(
            company_id=document.company_id, ambiente=document.ambiente, state=State.EPEC
        )
        pending.update(next_attempt_at=now)
    if document.state == State.ASSINADO:
        document.c_stat, document.x_motivo = event.c_stat, event.x_motivo
        document.next_attempt_at = now + REFUSED
        document.save()
    notices.alarm(document, "epec_bloqueado" if is_blocked else "epec_recusado")


def _announced(document: FiscalDocument, said: EventAnswer, *, now: datetime) -> None:
    """The DANFE may go with the goods; the NF-e itself follows when its authority is back."""
    if document.state != State.ASSINADO:
        return
    document.register_epec(again_at=now + authority_status.EVERY)
    document.c_stat, document.x_motivo = said.c_stat, said.x_motivo
    if not is_registered(said):  # 573: it stood already
        document.c_stat, document.x_motivo = EPEC_STANDS, cstat.official(EPEC_STANDS)
    document.save()
    notices.announce(document, "epec")


def taken(
    document: FiscalDocument, event: FiscalEvent, said: EventAnswer | None, *, now: datetime
) -> None:
    """Somebody else registered what stands in our place: theirs is adopted, ours is refused.

    For a cancellation that is all the same: the document is cancelled. The caller saves `event`.
    """
    if said is None:
        raise ValueError("nothing was found")
    log.warning("event.taken", extra={"event_id": event.pk, "tp_evento": said.tp_evento})
    event.reject(c_stat="573", x_motivo="Rejeicao: Duplicidade de Evento")
    event.save()  # first: the sequence belongs to theirs from here on
    _adopt(document, said, now=now)
    if said.tp_evento in CANCELLATIONS:
        _cancel(document, said)


def is_same(event: FiscalEvent, said: EventAnswer) -> bool:
    """Is what the authority holds made of our bytes? Without its bytes nothing says otherwise."""
    theirs, ours = digest_of(said.evento), digest_of(archive.unpacked(event.xml))
    return theirs is None or ours is None or theirs == ours


def digest_of(evento: bytes) -> bytes | None:
    """What the signature of an event covers; None without the event's bytes."""
    found = _DIGEST.search(evento)
    return found[1] if found else None


def found(answer: Answer, tp_evento: str, n_seq: int) -> EventAnswer | None:
    """The registered event of that kind and sequence in the answer to a query."""
    return next(
        (
            one
            for one in answer.events
            if one.tp_evento == tp_evento and one.n_seq == n_seq and is_registered(one)
        ),
        None,
    )


def cancelled_by(answer: Answer) -> EventAnswer | None:
    """The registered cancellation in the answer to a query, if there is one."""
    both = (found(answer, tp_evento, 1) for tp_evento in CANCELLATIONS)
    return next((one for one in both if one is not None), None)


def adopt_cancellation(document: FiscalDocument, answer: Answer, *, now: datetime) -> None:
    """A query shows that the document was cancelled: keep the event; the caller moves the row."""
    said = cancelled_by(answer)
    tp_evento = said.tp_evento if said else CANCELLATION
    event = document.events.filter(tp_evento=tp_evento, n_seq=1, state__in=LIVE).first()
    if event is None:
        if not document.events.filter(tp_evento=tp_evento, state=EventState.REGISTRADO).exists():
            _adopt(document, said, now=now, answer=answer)
        return
    _keep(document, said, now=now)
    if event.state == EventState.ASSINADO:
        event.begin(again_at=now)
    event.register(
        protocolo=said.protocolo if said else "",
        at=said.dh_registro if said else None,
        c_stat=answer.c_stat,
        x_motivo=answer.x_motivo,
    )
    event.save()


def published_name(document: FiscalDocument, event: FiscalEvent) -> str:
    """Name of the event's file (fiscal-api §1.10)."""
    target = event.target.tp_evento if event.target else ""
    return kinds.file_name(document.chave or "", event.tp_evento, event.n_seq, target=target)


def _cancel(document: FiscalDocument, said: EventAnswer) -> None:
    if document.state != State.AUTORIZADO:
        return
    document.cancel(c_stat=said.c_stat, x_motivo=said.x_motivo)
    document.save()
    if said.c_stat == "136":
        notices.alarm(document, "cancelamento_sem_documento")
    notices.announce(document, "cancelado")


def _adopt(
    document: FiscalDocument,
    said: EventAnswer | None,
    *,
    now: datetime,
    answer: Answer | None = None,
) -> None:
    """A row for an event that was not ours; of some cancellations only the answer is known."""
    _keep(document, said, now=now)
    source = said or answer
    if source is None:
        raise ValueError("neither event nor answer")
    raw = said.evento or said.xml if said else answer.raw if answer else b""
    FiscalEvent.objects.create(
        account_id=document.account_id,
        document=document,
        tp_evento=said.tp_evento if said else CANCELLATION,
        n_seq=(said.n_seq if said else None) or 1,
        state=EventState.REGISTRADO,
        details={"origem": "consulta"},
        authority="",
        xml=archive.packed(raw),
        dh_evento=(said.dh_registro if said else None) or now,
        protocolo=said.protocolo if said else "",
        c_stat=source.c_stat,
        x_motivo=source.x_motivo,
        registered_at=said.dh_registro if said else None,
        created_at=now,
    )


def _keep(document: FiscalDocument, said: EventAnswer | None, *, now: datetime) -> None:
    if said is None or not said.proc:
        return
    name = kinds.file_name(document.chave or "", said.tp_evento, said.n_seq or 1)
    archive.keep(document, archive.Kind.EVENT, name, said.proc, at=now)
