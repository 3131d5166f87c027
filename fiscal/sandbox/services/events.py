"""NFeRecepcaoEvento: cancellation, carta de correcao, EPEC, manifestation and the others."""

from __future__ import annotations

import re
import sqlite3

from fiscal.sandbox import answers, books, limits, mailbox, soap, tables
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import NS, Group, Refusal
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.services import event_checks
from fiscal.sandbox.services.event_checks import Event
from fiscal.sandbox.world import Call, Refused

_EVENTO = re.compile(rb"<evento[\s>].*?</evento>", re.DOTALL)
MAX_EVENTS = 20


def answer(call: Call) -> str:
    """retEnvEvento 128 with one retEvento per event. Raises Refused for the batch."""
    message.check_size(call.payload, MAX_EVENTS * message.MAX_DOCUMENT)
    root = message.parsed(call.payload, "envEvento", "1.00")
    fault = first_fault(root, "envEvento")
    if fault:
        raise Refused(215, f"[{fault}]")
    raws = _EVENTO.findall(call.payload)
    done = [_one(call, raw) for raw in raws]
    lote = root.findtext(f"{NS}idLote", "")
    return answers.ret_env_evento(call, lote, 128, content="".join(done))


def _one(call: Call, raw: bytes) -> str:
    root = soap.parse(raw)
    if root.tag != f"{NS}evento":
        raise Refused(587)
    fields = Group(root[0])
    chave = fields.text("chNFe")
    call.cuf = chave[:2] if chave[:2] in tables.by_code() else ""
    if fields.text("tpAmb") != call.tp_amb:
        raise Refused(252)
    message.check_svc(call, call.cuf)
    subject = f"evento {root[0].get('Id')}"
    limits.check(call, subject)
    with call.world.store.transaction():
        row = mailbox.stored(call, chave) if call.authority == "AN" else _known(call, chave)
        event = Event(raw, root, fields, row)
        refusals = list(event_checks.check(event, call))
        if not refusals:
            return _registered(call, event)
        call.remarks += [f"{each.c_stat} {each.detail}".strip() for each in refusals[1:]]
        limits.refused(call, subject, limits.SAME_EVENT_REFUSED)
        return _answer(call, event, refusals[0])


def _known(call: Call, chave: str) -> sqlite3.Row | None:
    """At SVRS as cOrgao 92 every document is known, elsewhere those of the shelf."""
    if call.authority == "SVRS":
        return mailbox.stored(call, chave)
    return books.find(call, chave)


def _registered(call: Call, event: Event) -> str:
    if event.tipo == "110140":
        c_stat = 124
    elif event.row is None:
        c_stat = 136
    else:
        c_stat = 155 if event_checks.is_late(event, call) else 135
    number = books.protocol_number(call)
    ret = _answer(call, event, Refusal(c_stat), number=number)
    call.world.store.insert(
        "eventos",
        ambiente=call.ambiente,
        chave=event.key.text,
        tipo=event.tipo,
        sequencia=event.sequence,
        orgao=event.fields.text("cOrgao"),
        autor=event.author,
        c_stat=c_stat,
        protocolo=number,
        dh_evento=event.fields.text("dhEvento"),
        registrado_em=call.now.timestamp(),
        xml=event.raw,
        ret=ret.encode(),
    )
    _consequences(call, event)
    return ret


def _consequences(call: Call, event: Event) -> None:
    if event.is_cancellation:
        books.cancel(call, event.key.text)
    row = books.event(call, event.key.text, event.tipo, event.sequence)
    if row is not None:
        mailbox.deliver_event(call, row)
    if event.tipo in mailbox.MANIFESTATIONS:
        mailbox.release(call, event.key.text)


def _answer(call: Call, event: Event, refusal: Refusal, *, number: str = "") -> str:
    fields = event.fields
    name = event.kind.name if event.tipo in event_checks.KINDS and number else ""
    content = (
        answers.tag("tpAmb", call.tp_amb)
        + answers.tag("verAplic", answers.application(call))
        + answers.tag("cOrgao", fields.text("cOrgao"))
        + answers.tag("cStat", f"{refusal.c_stat:03d}")
        + answers.tag("xMotivo", answers.said(refusal.c_stat, refusal.detail))
        + answers.tag("chNFe", event.key.text)
        + answers.tag("tpEvento", event.tipo)
        + answers.tag("xEvento", name)
        + answers.tag("nSeqEvento", event.sequence)
        + _recipient(event)
        + answers.tag("dhRegEvento", call.local())
        + answers.tag("nProt", number)
    )
    attribute = f' Id="ID{number}"' if number else ""
    own = f' xmlns="{answers.NFE}"' if int(call.orgao) % 3 == 0 else ""
    return f'<retEvento versao="1.00"{own}><infEvento{attribute}>{content}</infEvento></retEvento>'


def _recipient(event: Event) -> str:
    document = "" if event.row is None else event.row["destinatario"]
    return answers.tag("CPFDest" if len(document) == 11 else "CNPJDest", document)
