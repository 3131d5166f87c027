"""Reading what authorities answer, in every shape they use (fiscal-engine §8.3, ANS-1…ANS-6)."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from fiscal.authorities.base import (
    Answer,
    DistributedDocument,
    Distribution,
    EventAnswer,
    Message,
    Protocol,
    Registration,
    VoidAnswer,
)
from fiscal.authorities.wire import NFE, Element, Unreadable, read

# Bytes of one docZip: fifty may come at once, and an NF-e has half a million at most (XML-13).
MAX_UNPACKED = 5_000_000
_BRASILIA = ZoneInfo("America/Sao_Paulo")
T = TypeVar("T")
_ESCAPES = 3  # strings inside strings


def answer(raw: bytes, *, expected: str, charset: str = "", elapsed_ms: int = 0) -> Answer:
    """The answer in a response body: the first element of local name `expected` (ANS-1).

    Raises Unreadable when there is none: a Fault, HTML, an empty or damaged body. Unknown codes
    and stray fields are no reason (ANS-6, XSD-6).
    """
    ret = _payload(raw, expected, charset)
    head = _head(ret)
    protocols = tuple(_protocol(found) for found in ret.all("protNFe"))
    own = _own(ret)
    if not head.value("cStat") and not protocols:
        raise Unreadable(f"{expected} sem cStat")
    return Answer(
        c_stat=head.value("cStat"),
        x_motivo=head.value("xMotivo"),
        raw=raw,
        elapsed_ms=elapsed_ms,
        tp_amb=head.value("tpAmb"),
        dh_recbto=_moment(head.value("dhRecbto") or head.value("dhResp")),
        protocols=protocols,
        receipt=_text(own, "nRec"),
        t_med=_number(_text(own, "tMed")),
        events=_events(ret),
        void=_void(ret, head) if ret.local == "retInutNFe" else None,
        messages=_messages(own),
        distribution=_distribution(ret),
        registrations=tuple(_registration(found) for found in ret.all("infCad")),
    )


def nfe_proc(nfe: bytes, protocol: bytes) -> bytes:
    """nfeProc of the signed NFe and its protNFe, by concatenation: no byte changes (ANS-4)."""
    return _joined("nfeProc", "4.00", nfe, protocol)


def proc_evento(evento: bytes, ret_evento: bytes) -> bytes:
    """procEventoNFe of the signed evento and its retEvento (ANS-4)."""
    return _joined("procEventoNFe", "1.00", evento, ret_evento)


def proc_inut(inut: bytes, ret_inut: bytes) -> bytes:
    """ProcInutNFe of the signed inutNFe and its retInutNFe (ANS-4)."""
    return _joined("ProcInutNFe", "4.00", inut, ret_inut)


def _joined(name: str, versao: str, *parts: bytes) -> bytes:
    opening = f'<{name} xmlns="{NFE}" versao="{versao}">'.encode()
    return opening + b"".join(parts) + f"</{name}>".encode()


def _payload(raw: bytes, expected: str, charset: str) -> Element:
    root = read(raw, charset=charset)
    for _ in range(_ESCAPES):
        found = next((each for each in root.walk() if each.local == expected), None)
        if found:
            return found
        inner = _escaped(root)
        if inner is None:
            break
        root = inner
    raise Unreadable(_reason(root, expected))


def _escaped(root: Element) -> Element | None:
    """The document that is text of an element, escaped or in CDATA."""
    for element in root.walk():
        if not element.children and element.text.startswith("<"):
            return read(element.text.encode(), charset="utf-8")
    return None


def _reason(root: Element, expected: str) -> str:
    fault = next((each for each in root.walk() if each.local == "Fault"), None)
    if fault is None:
        return f"sem {expected}: {root.local}"
    texts = (*fault.all("Text"), *fault.all("faultstring"))
    return "SOAP Fault: " + " ".join(each.text for each in texts)[:200]


def _head(ret: Element) -> Element:
    """Where the first level has its cStat: of a voiding and of the register, one step inside."""
    inner = {"retInutNFe": "infInut", "retConsCad": "infCons"}.get(ret.local, "")
    return ret.child(inner) or ret


def _protocol(prot: Element) -> Protocol:
    inf = prot.child("infProt") or prot
    return Protocol(
        chave=inf.value("chNFe"),
        c_stat=inf.value("cStat"),
        x_motivo=inf.value("xMotivo"),
        protocolo=inf.value("nProt"),
        digest_value=inf.value("digVal"),
        dh_recbto=_moment(inf.value("dhRecbto")),
        tp_amb=inf.value("tpAmb"),
        xml=prot.bytes(),
        messages=_messages(_own(prot)),
    )


def _messages(own: list[Element]) -> tuple[Message, ...]:
    """cMsg and xMsg in pairs."""
    found: list[Message] = []
    for element in own:
        if element.local == "cMsg":
            found.append(Message(element.text, ""))
        elif element.local == "xMsg":
            code = found.pop().codigo if found and not found[-1].texto else ""
            found.append(Message(code, element.text))
    return tuple(found)


def _own(parent: Element) -> list[Element]:
    """What is below, but for the protocols: these have messages of their own."""
    found: list[Element] = []
    passed = parent.first + 1
    for element in parent.everything[passed : parent.last]:
        if element.first < passed:
            continue
        if element.local == "protNFe":
            passed = element.last
        else:
            found.append(element)
    return found


def _events(ret: Element) -> tuple[EventAnswer, ...]:
    """Results of a batch of events, or the events that a query shows."""
    found = []
    for element in ret.all("retEvento"):
        proc = (
            element.parent if element.parent and element.parent.local == "procEventoNFe" else None
        )
        found.append(_event(element, proc))
    return tuple(found)


def _event(ret: Element, proc: Element | None) -> EventAnswer:
    inf = ret.child("infEvento") or ret
    evento = proc.child("evento") if proc else None
    return EventAnswer(
        chave=inf.value("chNFe"),
        tp_evento=inf.value("tpEvento"),
        n_seq=_number(inf.value("nSeqEvento")),
        c_stat=inf.value("cStat"),
        x_motivo=inf.value("xMotivo"),
        protocolo=inf.value("nProt"),
        dh_registro=_moment(inf.value("dhRegEvento")),
        tp_amb=inf.value("tpAmb"),
        c_orgao=inf.value("cOrgao"),
        xml=ret.bytes(),
        evento=evento.bytes() if evento else b"",
        proc=proc.bytes() if proc else b"",
    )


def _void(ret: Element, inf: Element) -> VoidAnswer:
    return VoidAnswer(
        c_stat=inf.value("cStat"),
        x_motivo=inf.value("xMotivo"),
        protocolo=inf.value("nProt"),
        dh_recbto=_moment(inf.value("dhRecbto")),
        tp_amb=inf.value("tpAmb"),
        cnpj=inf.value("CNPJ"),
        ano=_number(inf.value("ano")),
        modelo=_number(inf.value("mod")),
        serie=_number(inf.value("serie")),
        first=_number(inf.value("nNFIni")),
        last=_number(inf.value("nNFFin")),
        xml=ret.bytes(),
    )


def _distribution(ret: Element) -> Distribution | None:
    if ret.local != "retDistDFeInt":
        return None
    documents = tuple(_document(found) for found in ret.all("docZip"))
    return Distribution(ret.value("ultNSU"), ret.value("maxNSU"), documents)


def _document(zipped: Element) -> DistributedDocument:
    attributes = {name.rpartition(":")[2]: text for name, text in zipped.attributes.items()}
    content, fault = zipped.text.encode(), ""
    try:
        content = _unpacked(zipped.text)
    except ValueError as error:
        fault = str(error)
    return DistributedDocument(
        attributes.get("NSU", ""), attributes.get("schema", ""), content, fault
    )


def _unpacked(text: str) -> bytes:
    """Raises ValueError for what is damaged or would be too large."""
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    try:
        content = unpacker.decompress(base64.b64decode(text, validate=False), MAX_UNPACKED)
    except (zlib.error, binascii.Error) as error:
        raise ValueError("O documento compactado (docZip) está danificado.") from error
    if not unpacker.eof:
        raise ValueError("O documento compactado (docZip) está incompleto ou é grande demais.")
    return content


def _registration(inf: Element) -> Registration:
    return Registration(
        uf=inf.value("UF"),
        ie=inf.value("IE"),
        document=inf.value("CNPJ") or inf.value("CPF"),
        nome=inf.value("xNome"),
        is_enabled=inf.value("cSit") == "1",
    )


def _text(own: list[Element], local: str) -> str:
    """Of the first of that name, empty when there is none."""
    found = next((each for each in own if each.local == local), None)
    return found.text if found else ""


def _number(text: str) -> int | None:
    return _read_or_none(int, text)


def _moment(text: str) -> datetime | None:
    """An aware moment; without offset, as old services wrote it, the time of Brasília."""
    moment = _read_or_none(datetime.fromisoformat, text)
    if moment is None or moment.tzinfo:
        return moment
    return moment.replace(tzinfo=_BRASILIA)


def _read_or_none(read_as: Callable[[str], T], text: str) -> T | None:
    try:
        return read_as(text) if text else None
    except ValueError:
        return None
