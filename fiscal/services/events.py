"""Cancellation of an authorized document by its event (§2.3, §10).

The event's signed bytes are made once; a lost answer is settled by asking for the document, or by
sending the same bytes again, which then brings 573.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from fiscal import access_key, xml
from fiscal.authorities import registry, tables
from fiscal.authorities.base import (
    TP_AMB,
    Answer,
    EventAnswer,
    Lost,
    Misconfigured,
    NotSent,
)
from fiscal.authorities.cstat import Class, classify
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import AlreadyCancelled, NotAuthorized, SchemaInvalid
from fiscal.models import Attempt, EventState, FiscalDocument, FiscalEvent, State
from fiscal.services import archive, contingency, notices, transmit
from fiscal.services.certificates import credentials_of, signer_of
from fiscal.services.signing_step import local_time
from lib import clock

log = logging.getLogger(__name__)

CANCELLATION, BY_SUBSTITUTION = "110111", "110112"
CANCELLATIONS = (CANCELLATION, BY_SUBSTITUTION)
REGISTERED = ("135", "136", "155")
_DESCRIPTIONS = {
    CANCELLATION: "Cancelamento",
    BY_SUBSTITUTION: "Cancelamento por substituicao",
}
_AGAIN = timedelta(minutes=2)
_VERSION = "1.00"
_APPLICATION = "faturamento"
_Outcome = Attempt.Outcome
_LIVE = (EventState.ASSINADO, EventState.TRANSMITINDO, EventState.INDEFINIDO)


@dataclass(frozen=True)
class _Sending:
    attempt_id: int
    event_id: int
    id_lote: str
    xml: bytes
    to: Sefaz


def register_cancellation(
    document_id: int, justificativa: str, *, substitute: FiscalDocument | None = None
) -> FiscalEvent:
    """Cancel the document at its authority, now; the event's state tells how it went.

    `justificativa` has 15 to 255 characters. With `substitute` the event is 110112, which names
    the document that took the place of this one (CON-3). A refusal of the authority is an event
    `rejeitado`, not an error. Raises AlreadyCancelled, NotAuthorized, SchemaInvalid,
    CertificateExpired. Safe to run again: an event under way goes on instead of a second one.
    """
    event = _signed(document_id, justificativa, substitute, now=clock.now())
    send(event.pk)
    return FiscalEvent.objects.get(pk=event.pk)


def send(event_id: int) -> None:
    """Send the event once, or ask what became of it if an answer was lost. Safe to run again."""
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
    _ask_if_unknown(event_id)


# --- the signed event --------------------------------------------------------------------------


@transaction.atomic
def _signed(
    document_id: int, justificativa: str, substitute: FiscalDocument | None, *, now: datetime
) -> FiscalEvent:
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if document.state == State.CANCELADO:
        raise AlreadyCancelled()
    if document.state != State.AUTORIZADO:
        raise NotAuthorized()
    tp_evento = BY_SUBSTITUTION if substitute else CANCELLATION
    found: FiscalEvent | None = document.events.filter(
        tp_evento__in=CANCELLATIONS, state__in=_LIVE
    ).first()
    if found is not None:
        return found
    detail = _detail(document, tp_evento, justificativa, substitute)
    return _create(document, tp_evento, 1, detail, {"justificativa": justificativa}, now)


def _detail(
    document: FiscalDocument,
    tp_evento: str,
    justificativa: str,
    substitute: FiscalDocument | None,
) -> str:
    """detEvento below descEvento."""
    parts = [f"<nProt>{document.protocolo}</nProt>", f"<xJust>{_text(justificativa)}</xJust>"]
    if substitute is not None:
        c_uf = tables.state(document.company.uf).c_uf
        parts.insert(0, f"<cOrgaoAutor>{c_uf}</cOrgaoAutor><tpAutor>1</tpAutor>")
        parts.insert(1, f"<verAplic>{_APPLICATION}</verAplic>")
        parts.append(f"<chNFeRef>{substitute.chave}</chNFeRef>")
    return "".join(parts)


def _text(value: str) -> str:
    return xml.escape(xml.text(value))


def _create(
    document: FiscalDocument,
    tp_evento: str,
    n_seq: int,
    detail: str,
    details: dict[str, str],
    now: datetime,
) -> FiscalEvent:
    route = _route(document, tp_evento)
    content = _sign(document, tp_evento, n_seq, detail, now)
    return FiscalEvent.objects.create(
        account_id=document.account_id,
        document=document,
        tp_evento=tp_evento,
        n_seq=n_seq,
        details=details,
        authority=route.authority,
        xml=archive.packed(content),
        dh_evento=now,
        next_attempt_at=now + _AGAIN,
        created_at=now,
    )


def _sign(
    document: FiscalDocument, tp_evento: str, n_seq: int, detail: str, now: datetime
) -> bytes:
    """`<evento>` of EVT-1, valid for its schema. Raises SchemaInvalid."""
    company, chave = document.company, document.chave or ""
    element_id = access_key.event_id(tp_evento, chave, n_seq)
    author = f"<CNPJ>{company.cnpj}</CNPJ>" if company.cnpj else f"<CPF>{company.cpf}</CPF>"
    inner = (
        f'<infEvento xmlns="{xml.NFE}" Id="{element_id}">'
        f"<cOrgao>{tables.state(company.uf).c_uf}</cOrgao>"
        f"<tpAmb>{TP_AMB[document.ambiente]}</tpAmb>{author}<chNFe>{chave}</chNFe>"
        f"<dhEvento>{local_time(company, now).isoformat()}</dhEvento>"
        f"<tpEvento>{tp_evento}</tpEvento><nSeqEvento>{n_seq}</nSeqEvento>"
        f"<verEvento>{_VERSION}</verEvento>"
        f'<detEvento versao="{_VERSION}"><descEvento>{_DESCRIPTIONS[tp_evento]}</descEvento>'
        f"{detail}</detEvento></infEvento>"
    ).encode()
    signature, _ = signer_of(company, at=now).signature(inner, element_id=element_id)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    content = f'<evento xmlns="{xml.NFE}" versao="{_VERSION}">'.encode() + own + signature
    content += b"</evento>"
    if xml.event_faults(content):
        raise SchemaInvalid()
    return content


# --- sending -----------------------------------------------------------------------------------


def _route(document: FiscalDocument, tp_evento: str) -> registry.Route:
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
    company = row.document.company
    to = registry.at(_route(row.document, row.tp_evento), credentials_of(company))
    with transaction.atomic():
        event = FiscalEvent.objects.select_for_update().get(pk=event_id)
        subject = access_key.event_id(event.tp_evento, row.document.chave or "", event.n_seq)
        if event.state == EventState.TRANSMITINDO and not transmit.is_being_sent(subject, now=now):
            event.lose(again_at=now + _pause(event))
            event.save()
        if event.state != EventState.ASSINADO:
            return None
        return _open(event, row.document, subject, to, now)


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
    event.begin(again_at=now + transmit.DEADLINE)
    event.save()
    return _Sending(attempt.pk, event.pk, attempt.id_lote, content, to)


@transaction.atomic
def _not_sent(sending: _Sending, error: Exception, *, now: datetime) -> None:
    event = FiscalEvent.objects.select_for_update().get(pk=sending.event_id)
    if event.state == EventState.TRANSMITINDO:
        event.not_sent(again_at=now + _pause(event))
        event.save()
    _close(sending, _Outcome.NOT_SENT, now, error=str(error)[:300])


@transaction.atomic
def _lost(sending: _Sending, error: Lost, *, now: datetime) -> None:
    event = FiscalEvent.objects.select_for_update().get(pk=sending.event_id)
    if event.state == EventState.TRANSMITINDO:
        event.lose(again_at=now + _pause(event))
        event.save()
    _close(sending, _Outcome.LOST, now, error=str(error)[:300])


@transaction.atomic
def _record(sending: _Sending, answer: Answer, *, now: datetime) -> None:
    """128 speaks of the batch; retEvento inside says what became of the event (ANS-2)."""
    document_id = FiscalEvent.objects.values_list("document_id", flat=True).get(pk=sending.event_id)
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    event = FiscalEvent.objects.select_for_update().get(pk=sending.event_id)
    said = next((one for one in answer.events if one.tp_evento in ("", event.tp_evento)), None)
    c_stat, x_motivo = (said or answer).c_stat, (said or answer).x_motivo
    _close(
        sending, _Outcome.ANSWERED, now, c_stat=c_stat, x_motivo=x_motivo,
        reply=archive.packed(answer.raw), elapsed_ms=answer.elapsed_ms,
    )  # fmt: skip
    if event.state not in (EventState.TRANSMITINDO, EventState.INDEFINIDO):
        return
    if said is not None and c_stat in REGISTERED:
        _registered(document, event, said, archive.unpacked(event.xml), now)
    elif classify(c_stat) in (Class.EVENT_DUPLICATE, Class.CANCELLED):
        event.lose(again_at=now)  # it is there: fetch it and compare
    elif _is_passing(c_stat):
        event.not_sent(again_at=now + _pause(event))
    else:
        event.reject(c_stat=c_stat, x_motivo=x_motivo)
    event.save()


def _is_passing(c_stat: str) -> bool:
    passing = (Class.SERVICE_PAUSED, Class.SERVICE_DOWN, Class.THROTTLED, Class.SVC_CLOSING,
               Class.SVC_DISABLED, Class.RETRY)  # fmt: skip
    return classify(c_stat) in passing


def _pause(event: FiscalEvent) -> timedelta:
    """Longer each time: the authorities count refused events (§8.6)."""
    return _AGAIN * 2 ** min(event.n_attempts, 4) / 2


def _close(sending: _Sending, outcome: str, now: datetime, **facts: object) -> None:
    Attempt.objects.filter(pk=sending.attempt_id).update(outcome=outcome, ended_at=now, **facts)


def _registered(
    document: FiscalDocument, event: FiscalEvent, said: EventAnswer, evento: bytes, now: datetime
) -> None:
    """The event stands: so it is kept, and the document cancelled (EVT-7)."""
    event.register(
        protocolo=said.protocolo, at=said.dh_registro, c_stat=said.c_stat, x_motivo=said.x_motivo
    )
    content = said.proc or _proc(evento, said.xml)
    archive.keep(document, archive.Kind.EVENT, f"{document.chave}-can.xml", content, at=now)
    if event.tp_evento in CANCELLATIONS and document.state == State.AUTORIZADO:
        document.cancel(c_stat=said.c_stat, x_motivo=said.x_motivo)
        document.save()
        if said.c_stat == "136":
            notices.alarm(document, "cancelamento_sem_documento")
        notices.announce(document, "cancelado")


def _proc(evento: bytes, ret_evento: bytes) -> bytes:
    head = f'<procEventoNFe xmlns="{xml.NFE}" versao="{_VERSION}">'.encode()
    return head + evento + ret_evento + b"</procEventoNFe>"


# --- asking ------------------------------------------------------------------------------------


def _ask_if_unknown(event_id: int) -> None:
    """An event whose answer is unknown: the document's list of events tells (§2.3)."""
    row = FiscalEvent.objects.select_related("document__company").get(pk=event_id)
    if row.state != EventState.INDEFINIDO:
        return
    document = row.document
    to = registry.at(_route(document, row.tp_evento), credentials_of(document.company))
    try:
        answer = to.consult(document.chave or "")
    except (NotSent, Lost, Misconfigured):
        return  # the sweep asks again: the time is set
    _settle(event_id, answer, now=clock.now())


@transaction.atomic
def _settle(event_id: int, answer: Answer, *, now: datetime) -> None:
    document_id = FiscalEvent.objects.values_list("document_id", flat=True).get(pk=event_id)
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    event = FiscalEvent.objects.select_for_update().get(pk=event_id)
    if event.state != EventState.INDEFINIDO:
        return
    said = _found(answer, event.tp_evento, event.n_seq)
    if said is not None:
        _registered(document, event, said, archive.unpacked(event.xml), now)
    else:
        # Not there: the same bytes may go again, and 573 would tell if they are after all.
        event.begin(again_at=now)
        event.not_sent(again_at=now + _pause(event))
    event.save()


def _found(answer: Answer, tp_evento: str, n_seq: int) -> EventAnswer | None:
    return next(
        (
            one
            for one in answer.events
            if one.tp_evento == tp_evento and one.n_seq == n_seq and one.c_stat in REGISTERED
        ),
        None,
    )


def cancelled_by(answer: Answer) -> EventAnswer | None:
    """The registered cancellation in the answer to a query, if there is one."""
    found = (_found(answer, tp_evento, 1) for tp_evento in CANCELLATIONS)
    return next((one for one in found if one is not None), None)


def adopt_cancellation(document: FiscalDocument, answer: Answer, *, now: datetime) -> None:
    """A query shows that the document was cancelled: keep the event; the caller moves the row."""
    said = cancelled_by(answer)
    tp_evento = said.tp_evento if said else CANCELLATION
    event = document.events.filter(tp_evento=tp_evento, n_seq=1, state__in=_LIVE).first()
    if said is not None and said.proc:
        name = f"{document.chave}-can.xml"
        archive.keep(document, archive.Kind.EVENT, name, said.proc, at=now)
    if event is not None:
        if event.state == EventState.ASSINADO:
            event.begin(again_at=now)
        event.register(
            protocolo=said.protocolo if said else "",
            at=said.dh_registro if said else None,
            c_stat=answer.c_stat,
            x_motivo=answer.x_motivo,
        )
        event.save()
        return
    if document.events.filter(tp_evento=tp_evento, state=EventState.REGISTRADO).exists():
        return
    FiscalEvent.objects.create(
        account_id=document.account_id,
        document=document,
        tp_evento=tp_evento,
        n_seq=1,
        state=EventState.REGISTRADO,
        details={"origem": "consulta"},
        authority="",
        xml=archive.packed(said.evento if said else answer.raw),
        dh_evento=(said.dh_registro if said else None) or now,
        protocolo=said.protocolo if said else "",
        c_stat=said.c_stat if said else answer.c_stat,
        x_motivo=said.x_motivo if said else answer.x_motivo,
        registered_at=said.dh_registro if said else None,
        created_at=now,
    )
