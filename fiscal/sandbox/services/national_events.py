"""Events of NFS-e: pedRegEvento taken, judged and registered; the city's answers to an analysis."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime, timedelta
from html import escape

from lxml import etree

from fiscal.sandbox import note_books, note_signature
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import national_wire
from fiscal.sandbox.services.national_wire import APPLICATION, NAMESPACE, NS, number
from fiscal.sandbox.wire import Reply

CANCEL, ANALYSIS, GRANTED, DENIED = "101101", "101103", "105104", "105105"
DEADLINE_HOURS = 720.0
AGENT = "52998224725"  # CPF of the city's agent who answers
DESCRIPTIONS = {
    "105102": "Cancelamento de NFS-e por Substituição",
    GRANTED: "Cancelamento de NFS-e Deferido por Análise Fiscal",
    DENIED: "Cancelamento de NFS-e Indeferido por Análise Fiscal",
}
# Who may ask for it: a column of the note.
_AUTHORS = {
    CANCEL: "documento",
    ANALYSIS: "documento",
    "202201": "documento",
    "202205": "documento",
    "203202": "tomador",
    "203206": "tomador",
    "204203": "intermediario",
    "204207": "intermediario",
}
_DECLARATION = re.compile(rb"\A<\?xml[^>]*\?>\s*")


def answer(call: NoteCall, key: str, rest: list[str]) -> Reply:
    """POST one, GET all, GET by type and GET one."""
    row = note_books.by_key(call, key)
    if row is None:
        raise NoteRefused(Fault("E2404"), status=404)
    if call.request.method == "POST":
        return _register(call, row)
    found = [
        each
        for each in note_books.events_of(call, key)
        if (not rest or each["tipo"] == rest[0])
        and (len(rest) < 2 or each["sequencia"] == int(rest[1] or 0))
    ]
    if not found:
        raise NoteRefused(Fault("E2220"), status=404)
    if len(rest) > 1:
        xml = national_wire.packed(bytes(found[0]["xml"]))
        return national_wire.answered(call, 200, eventoXmlGZipB64=xml)
    return national_wire.answered(call, 200, eventos=[_shown(call, each) for each in found])


def _shown(call: NoteCall, event: sqlite3.Row) -> dict[str, object]:
    received = datetime.fromtimestamp(event["registrado_em"], call.now.tzinfo)
    return {
        "chaveAcesso": event["chave"],
        "tipoEvento": event["tipo"],
        "numeroPedidoRegistroEvento": event["sequencia"],
        "dataHoraRecebimento": call.local(received),
        "arquivoXml": national_wire.packed(bytes(event["xml"])),
    }


# --- asked for by a taxpayer -------------------------------------------------------------------


def _register(call: NoteCall, row: sqlite3.Row) -> Reply:
    raw = national_wire.message(call, "pedidoRegistroEventoXmlGZipB64")
    root = national_wire.parsed(raw, "pedRegEvento")
    inf = root.find(f"{NS}infPedReg")
    if inf is None:
        raise NoteRefused(Fault("E1235"))
    _check_signature(call, root, inf)
    tipo = etree.QName(inf[-1]).localname[1:]
    with call.world.store.transaction():
        _check(call, row, inf, tipo)
        xml = _entered(call, row, tipo, raw, author=_author(inf))
        if tipo == CANCEL:
            note_books.end(call, row, note_books.CANCELLED)
    return national_wire.answered(call, 201, eventoXmlGZipB64=national_wire.packed(xml))


def _author(inf: etree._Element) -> str:
    return inf.findtext(f"{NS}CNPJAutor", "") or inf.findtext(f"{NS}CPFAutor", "")


def _check_signature(call: NoteCall, root: etree._Element, inf: etree._Element) -> None:
    signature = note_signature.of(root)
    if signature is None:
        raise NoteRefused(Fault("E1989"))
    try:
        verified = note_signature.verify(signature, inf)
    except note_signature.Bad as error:
        raise NoteRefused(Fault("E1980", detail=str(error))) from error
    if call.world.trust.judge(verified.certificate, call.now, call.world.revoked()) is not None:
        raise NoteRefused(Fault("E1983"))
    if not verified.certificate.base_is(_author(inf)):
        raise NoteRefused(Fault("E1991"))


def _check(call: NoteCall, row: sqlite3.Row, inf: etree._Element, tipo: str) -> None:
    faults = list(_faults(call, row, inf, tipo))
    if faults:
        raise NoteRefused(*faults)


def _faults(call: NoteCall, row: sqlite3.Row, inf: etree._Element, tipo: str) -> list[Fault]:
    key = inf.findtext(f"{NS}chNFSe", "")
    faults = []
    if inf.get("Id") != f"PRE{key}{tipo}" or key != row["chave"]:
        faults.append(Fault("E1963"))
    if inf.findtext(f"{NS}tpAmb") != call.tp_amb:
        faults.append(Fault("E0831"))
    if tipo == "105102":
        return [*faults, Fault("E0845")]
    column = _AUTHORS.get(tipo)
    if column is None or not _same_base(_author(inf), row[column]):
        return [*faults, Fault("E0813")]
    if call.sender is None or not call.sender.base_is(_author(inf)):
        faults.append(Fault("E0812"))
    return faults + [Fault(code) for code in _about_state(call, row, tipo)]


def _same_base(one: str, other: str) -> bool:
    return one == other or (len(one) == len(other) == 14 and one[:8] == other[:8])


def _about_state(call: NoteCall, row: sqlite3.Row, tipo: str) -> list[str]:
    taken = {event["tipo"] for event in note_books.events_of(call, row["chave"])}
    if tipo in (CANCEL, ANALYSIS):
        if row["situacao"] != note_books.ISSUED:
            return ["E0840"]
        if pending(call, row["chave"]):
            return ["E0848"]
    if tipo == CANCEL and call.fault("cancelamento_recusado"):
        return ["E0827"]
    if tipo == CANCEL and (is_late(call, row) or call.fault("cancelamento_tardio")):
        return ["E0822"]
    return ["E0802"] if tipo in taken and tipo != ANALYSIS else []


def is_late(call: NoteCall, row: sqlite3.Row) -> bool:
    """Whether the city's deadline for cancelling and replacing is over."""
    told = call.setting("municipios", {}).get(row["municipio"], {})
    hours = float(told.get("prazo_horas", DEADLINE_HOURS))
    return bool(call.now.timestamp() > row["recebido_em"] + timedelta(hours=hours).total_seconds())


def pending(call: NoteCall, key: str) -> sqlite3.Row | None:
    """The analysis that waits for the city, if one does."""
    found = [event for event in note_books.events_of(call, key) if event["situacao"] == "pendente"]
    return found[-1] if found else None


def _entered(call: NoteCall, row: sqlite3.Row, tipo: str, raw: bytes, *, author: str) -> bytes:
    same = [each for each in note_books.events_of(call, row["chave"]) if each["tipo"] == tipo]
    sequence = len(same) + 1
    xml = _sealed(call, row["chave"], tipo, sequence, _DECLARATION.sub(b"", raw).decode())
    note_books.enter_event(
        call,
        row["chave"],
        tipo,
        sequence=sequence,
        state="pendente" if tipo == ANALYSIS else "registrado",
        request=raw,
        xml=xml,
        author=author,
    )
    parties = {row["documento"], row["tomador"], row["intermediario"]}
    note_books.deliver(call, parties, key=row["chave"], tipo="EVENTO", tipo_evento=tipo, xml=xml)
    return xml


def _sealed(call: NoteCall, key: str, tipo: str, sequence: int, request: str) -> bytes:
    text = (
        f'<evento xmlns="{NAMESPACE}" versao="1.01">'
        f'<infEvento Id="EVT{key}{tipo}{sequence:03d}">'
        f"<verAplic>{APPLICATION}</verAplic><ambGer>2</ambGer>"
        f"<nSeqEvento>{sequence:03d}</nSeqEvento><dhProc>{call.local()}</dhProc>"
        f"{number('nDFSe', call.world.store.next_number(f'ndfse {call.ambiente}'))}"
        f"{request}</infEvento></evento>"
    )
    sealed = note_signature.sealed(text, inside="infEvento", authority=call.world.authority)
    return f'<?xml version="1.0" encoding="utf-8"?>{sealed}'.encode()


# --- made by Sefin and by the city -------------------------------------------------------------


def register_own(
    call: NoteCall, row: sqlite3.Row, tipo: str, values: dict[str, object | None]
) -> None:
    """An event that no taxpayer asks for, in the name of the note's issuer."""
    key, document = row["chave"], row["documento"]
    author = "CNPJAutor" if len(document) == 14 else "CPFAutor"
    told = number("xDesc", DESCRIPTIONS[tipo])
    told += "".join(
        number(name, None if value is None else escape(str(value)))
        for name, value in values.items()
    )
    request = (
        f'<pedRegEvento xmlns="{NAMESPACE}" versao="1.01"><infPedReg Id="PRE{key}{tipo}">'
        f"<tpAmb>{call.tp_amb}</tpAmb><verAplic>{APPLICATION}</verAplic>"
        f"<dhEvento>{call.local()}</dhEvento><{author}>{document}</{author}>"
        f"<chNFSe>{key}</chNFSe><e{tipo}>{told}</e{tipo}></infPedReg></pedRegEvento>"
    )
    _entered(call, row, tipo, request.encode(), author=document)


def decide(call: NoteCall, key: str, *, granted: bool) -> None:
    """The city's answer to an analysis. Raises ValueError when none waits."""
    with call.world.store.transaction():
        row, event = note_books.by_key(call, key), pending(call, key)
        if row is None or event is None:
            raise ValueError(f"nenhuma análise pendente da nota {key}")
        note_books.settle(call, event, "registrado")
        reason = "Pedido analisado pela administração tributária municipal"
        values = {"CPFAgTrib": AGENT, "cMotivo": 1, "xMotivo": reason}
        register_own(call, row, GRANTED if granted else DENIED, values)
        if granted:
            note_books.end(call, row, note_books.CANCELLED)
