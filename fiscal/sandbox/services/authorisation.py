"""NFeAutorizacao: one document at once, or a batch to be asked for by its receipt."""

from __future__ import annotations

import json
import re

from lxml import etree

from fiscal.sandbox import answers, books, checks, limits, mailbox, tables
from fiscal.sandbox.checks import batch, dates, message
from fiscal.sandbox.document import NS, Document, Refusal
from fiscal.sandbox.world import Call, Refused

_KEY = re.compile(rb'Id="NFe([0-9]{6}[0-9A-Z]{12}[0-9]{26})"')


def answer(call: Call) -> str:
    """retEnviNFe with protNFe (one document) or infRec (batch). Raises Refused."""
    message.check_size(call.payload, batch.MAX_DOCUMENTS * message.MAX_DOCUMENT)
    root = message.parsed(call.payload, "enviNFe", "4.00")
    read = batch.read(call.payload, root)
    _check_place(call, root)
    for raw in read.documents:
        limits.check(call, f"nfe {key_of(raw)}")
    held = call.fault_number("em_processamento", "n", 1)
    if read.is_sync and held is None:
        return answers.ret_envi(call, 104, content=process(call, read.documents[0]))
    return _received(call, read.documents, polls=int(held or 0))


def _check_place(call: Call, root: etree._Element) -> None:
    """Rows 2 and 7, by what the first document says of itself."""
    ide = root.find(f"{NS}NFe/{NS}infNFe/{NS}ide")
    if ide is None:
        return  # the schema has the word
    cuf, tp_amb = ide.findtext(f"{NS}cUF", ""), ide.findtext(f"{NS}tpAmb", "")
    if ide.findtext(f"{NS}mod", "") != call.modelo and not call.is_svc:
        raise Refused(215, "[mod]")
    call.cuf = cuf if cuf in tables.by_code() else ""
    if tp_amb not in ("1", "2") or not call.cuf:
        return
    message.check_svc(call, cuf)
    message.check_place(call, tp_amb=tp_amb, cuf=cuf)


def key_of(raw: bytes) -> str:
    """The key that the Id announces, or nothing."""
    found = _KEY.search(raw)
    return found.group(1).decode() if found else ""


def process(call: Call, raw: bytes) -> str:
    """Judge one document as received and enter it when it is good; its protNFe."""
    with call.world.store.transaction():
        document = checks.read(raw)
        if isinstance(document, Refusal):
            return _refused(call, raw, [document])
        refusals = checks.judge(document, call)
        if refusals:
            return _refused(call, raw, refusals, digest=document.digest)
        return _accepted(call, document)


def _refused(call: Call, raw: bytes, refusals: list[Refusal], digest: str = "") -> str:
    chave, first = key_of(raw), refusals[0]
    call.remarks += [f"{each.c_stat} {each.detail}".strip() for each in refusals[1:]]
    if not chave:
        raise Refused(first.c_stat, first.detail)
    limits.refused(call, f"nfe {chave}", limits.SAME_REJECTED)
    return answers.protocol(
        call, chave=chave, c_stat=first.c_stat, detail=first.detail, digval=digest
    )


def _accepted(call: Call, document: Document) -> str:
    c_stat = 150 if dates.is_late(document, call) else 100
    number = books.protocol_number(call)
    prot = answers.protocol(
        call, chave=document.key, c_stat=c_stat, n_prot=number, digval=document.digest
    )
    books.authorise(
        call,
        document,
        c_stat=c_stat,
        protocolo=number,
        prot=prot,
        hidden_for=_hidden_for(call),
    )
    mailbox.deliver(call, document)
    return prot


def _hidden_for(call: Call) -> float:
    """Seconds for which a query does not see it: a script, or a batch that is still queued."""
    held = call.fault_number("consulta_atrasada", "segundos", 15)
    return float(call.queued_for if held is None else held)


def _received(call: Call, documents: tuple[bytes, ...], *, polls: int) -> str:
    """Take a batch: 103 and a receipt; the answers are kept until they are asked for."""
    call.queued_for = float(call.setting("atraso_recibo", 0))
    with call.world.store.transaction():
        found = [process(call, raw) for raw in documents]
        if call.fault("ordem_trocada"):
            found.reverse()
        number = call.world.store.next_number("recibo")
        recibo = f"{int(call.orgao):02d}{number:013d}"
        call.world.store.insert(
            "lotes",
            recibo=recibo,
            ambiente=call.ambiente,
            autorizador=call.authority,
            cuf=call.cuf,
            transmissor=call.sender.document if call.sender else "",
            pronto_em=call.later(call.queued_for),
            consultas_pendentes=polls,
            respostas=json.dumps(found),
        )
    content = f"<infRec>{answers.tag('nRec', recibo)}{answers.tag('tMed', 1)}</infRec>"
    return answers.ret_envi(call, 103, content=content)
