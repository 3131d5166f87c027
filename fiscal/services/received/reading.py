"""What a delivered document of NF-e says, and whether that can be believed (DIS-3, DIS-5).

Summaries (resNFe, resEvento) have no signature: the Ambiente Nacional itself says them, over a
connection that it proved. Whole documents are believed for what their signature covers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lxml import etree

from fiscal.access_key import is_valid
from fiscal.authorities.cstat import Class, classify
from fiscal.errors import XmlInvalid
from fiscal.services.import_reading import Imported, read_import
from fiscal.signing import BadSignature, verify
from fiscal.xml import BadXml, child_text, cut_out, local_name, parse

SUMMARY, WHOLE = "resNFe", "procNFe"
EVENT_SUMMARY, EVENT = "resEvento", "procEventoNFe"
AUTHORIZED, CANCELLED, DENIED = "autorizada", "cancelada", "denegada"
# cSitNFe of resNFe 1.01.
_SITUATIONS = {"1": AUTHORIZED, "2": DENIED, "3": CANCELLED}
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")


class Unreadable(ValueError):
    """The document is kept, and says nothing that could be understood. The text is pt-BR."""


@dataclass(frozen=True)
class Note:
    """An NF-e, as a summary or the whole of it tells; `faults` are what cannot be believed."""

    chave: str
    issuer_document: str
    issuer_name: str
    recipient_document: str  # empty in a summary: it goes to the recipient only
    total: Decimal | None
    issued_at: datetime | None
    authorized_at: datetime | None
    protocolo: str
    tp_nf: int | None
    digest_value: str
    situacao: str
    is_whole: bool
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """An event of an NF-e; `text` is xCorrecao or xJust, which a summary does not have."""

    chave: str
    tp_evento: str
    n_seq: int
    author: str
    at: datetime | None
    protocolo: str
    c_stat: str
    x_motivo: str
    text: str
    is_whole: bool
    faults: tuple[str, ...] = ()


def kind_of(schema: str) -> str:
    """`procNFe_v4.00.xsd` → procNFe: the attribute routes, never the content (DIS-3)."""
    return schema.partition("_")[0].removesuffix(".xsd")


def read(schema: str, content: bytes) -> Note | Event | None:
    """The document, or None for a kind that nobody here knows. Raises Unreadable."""
    reader = _READERS.get(kind_of(schema))
    if reader is None:
        return None
    try:
        found = reader(content)
    except (BadXml, XmlInvalid, ValueError) as error:
        raise Unreadable(str(error) or "O documento não pode ser lido.") from error
    if not is_valid(found.chave):
        raise Unreadable("A chave de acesso do documento é inválida.")
    return found


# --- notes -------------------------------------------------------------------------------------


def _summary(content: bytes) -> Note:
    root = parse(content)
    return Note(
        chave=child_text(root, "chNFe"),
        issuer_document=(child_text(root, "CNPJ") or child_text(root, "CPF"))[:14],
        issuer_name=child_text(root, "xNome")[:300],
        recipient_document="",
        total=_amount(child_text(root, "vNF")),
        issued_at=_moment(child_text(root, "dhEmi")),
        authorized_at=_moment(child_text(root, "dhRecbto")),
        protocolo=child_text(root, "nProt")[:17],
        tp_nf=_number(child_text(root, "tpNF")),
        digest_value=child_text(root, "digVal")[:44],
        situacao=_SITUATIONS.get(child_text(root, "cSitNFe"), AUTHORIZED),
        is_whole=False,
    )


def _whole(content: bytes) -> Note:
    """nfeProc: believed when signature, signer and protocol are about one document."""
    root = parse(content)
    inf = _only(root, "infNFe")
    answer = _only(root, "infProt")
    faults = _faults(content, answer)
    return Note(
        chave=inf.get("Id", "")[3:],
        issuer_document=(child_text(inf, "emit", "CNPJ") or child_text(inf, "emit", "CPF"))[:14],
        issuer_name=child_text(inf, "emit", "xNome")[:300],
        recipient_document=next(
            (
                text[:20]
                for tag in ("CNPJ", "CPF", "idEstrangeiro")
                if (text := child_text(inf, "dest", tag))
            ),
            "",
        ),
        total=_amount(child_text(inf, "total", "ICMSTot", "vNF")),
        issued_at=_moment(child_text(inf, "ide", "dhEmi")),
        authorized_at=_moment(child_text(answer, "dhRecbto")),
        protocolo=child_text(answer, "nProt")[:17],
        tp_nf=_number(child_text(inf, "ide", "tpNF")),
        digest_value=child_text(answer, "digVal")[:44],
        situacao=_standing(child_text(answer, "cStat")),
        is_whole=True,
        faults=faults,
    )


def _faults(content: bytes, answer: etree._Element) -> tuple[str, ...]:
    """DIS-5: what the signature and the protocol do not prove."""
    if _standing(child_text(answer, "cStat")) == DENIED:
        return _signature_faults(content, "NFe")
    try:
        return _protocol_faults(read_import(content))
    except XmlInvalid as error:
        return tuple(one.mensagem for one in error.erros) or (error.mensagem,)


def _protocol_faults(found: Imported) -> tuple[str, ...]:
    wrong = []
    if found.protocol.chave != found.chave:
        wrong.append("O protocolo é de outra chave de acesso.")
    if found.protocol.digest_value != found.verified.digest_value:
        wrong.append("O protocolo é de outro conteúdo (digest difere).")
    return tuple(wrong)


def _signature_faults(content: bytes, tag: str) -> tuple[str, ...]:
    try:
        verify(cut_out(content, tag))
    except (BadXml, BadSignature) as error:
        return (str(error),)
    return ()


def _standing(c_stat: str) -> str:
    found = classify(c_stat, has_protocol=True)
    if found is Class.DENIED:
        return DENIED
    return CANCELLED if found is Class.CANCELLED else AUTHORIZED


# --- events ------------------------------------------------------------------------------------


def _event_summary(content: bytes) -> Event:
    root = parse(content)
    return Event(
        chave=child_text(root, "chNFe"),
        tp_evento=child_text(root, "tpEvento")[:6],
        n_seq=_number(child_text(root, "nSeqEvento")) or 1,
        author=child_text(root, "CNPJ") or child_text(root, "CPF"),
        at=_moment(child_text(root, "dhRecbto") or child_text(root, "dhEvento")),
        protocolo=child_text(root, "nProt")[:17],
        c_stat="135",
        x_motivo=child_text(root, "xEvento")[:255],
        text="",
        is_whole=False,
    )


def _event(content: bytes) -> Event:
    root = parse(content)
    asked, answer = _events(root)
    detail = next((one for one in asked if local_name(one) == "detEvento"), asked)
    faults = list(_signature_faults(content, "evento"))
    if child_text(asked, "chNFe") != child_text(answer, "chNFe"):
        faults.append("A resposta do evento é de outra chave de acesso.")
    return Event(
        chave=child_text(asked, "chNFe"),
        tp_evento=child_text(asked, "tpEvento")[:6],
        n_seq=_number(child_text(asked, "nSeqEvento")) or 1,
        author=child_text(asked, "CNPJ") or child_text(asked, "CPF"),
        at=_moment(child_text(answer, "dhRegEvento")),
        protocolo=child_text(answer, "nProt")[:17],
        c_stat=child_text(answer, "cStat")[:4],
        x_motivo=child_text(answer, "xMotivo")[:255],
        text=child_text(detail, "xCorrecao") or child_text(detail, "xJust"),
        is_whole=True,
        faults=tuple(faults),
    )


def _events(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    found = list(root.iter("{*}infEvento"))
    if len(found) != 2:
        raise BadXml("O evento deve ter um pedido e uma resposta.")
    return found[0], found[1]


def _only(root: etree._Element, tag: str) -> etree._Element:
    found = list(root.iter(f"{{*}}{tag}"))
    if len(found) != 1:
        raise BadXml(f"O documento deve ter exatamente um {tag}.")
    return found[0]


# --- values ------------------------------------------------------------------------------------


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if _AMOUNT.fullmatch(text) else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else None


def _moment(text: str) -> datetime | None:
    """A moment with its offset; nothing else is one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and 2000 <= found.year <= 2098 else None


_READERS: dict[str, Callable[[bytes], Note] | Callable[[bytes], Event]] = {
    SUMMARY: _summary,
    WHOLE: _whole,
    EVENT_SUMMARY: _event_summary,
    EVENT: _event,
}
