"""NFS-e and events of the national system read back: what their XML says, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from lxml import etree

from fiscal.documents.nfsen import keys
from fiscal.xml import NFSE, BadXml, local_name, parse

_DOCUMENTS = ("CNPJ", "CPF", "NIF")


@dataclass(frozen=True)
class NationalNote:
    """An NFS-e. Amounts are None where the system computed none."""

    key: str
    number: str
    c_stat: str
    issued_at: datetime | None  # dhProc
    dps_id: str
    series: str
    dps_number: int
    dps_issued_at: datetime | None
    competence: date | None
    ambiente: str
    city: str  # cLocEmi
    issuer_document: str
    issuer_name: str
    taker_document: str
    taker_name: str
    intermediary_document: str
    description: str
    service: Decimal | None
    base: Decimal | None
    rate: Decimal | None
    iss: Decimal | None
    withheld: Decimal | None
    net: Decimal | None
    replaces: str  # key of the replaced note
    digest_value: str  # of our own signature inside
    xml: bytes = field(repr=False)

    @property
    def url(self) -> str:
        return keys.page_of(self.key)


@dataclass(frozen=True)
class NationalEvent:
    """An event as registered; `replaced_by` of a 105102."""

    kind: str
    key: str
    n_seq: int
    registered_at: datetime | None
    author: str
    code: str  # cMotivo
    reason: str
    replaced_by: str
    request_id: str
    xml: bytes = field(repr=False)


def read_note(raw: bytes) -> NationalNote:
    """The values of an NFS-e. Raises BadXml when `raw` is none."""
    root = parse(raw)
    inf = root.find(f"{{{NFSE}}}infNFSe") if local_name(root) == "NFSe" else None
    dps = None if inf is None else inf.find(f"{{{NFSE}}}DPS/{{{NFSE}}}infDPS")
    key = "" if inf is None else inf.get("Id", "").removeprefix("NFS")
    if inf is None or dps is None or not keys.has_form(key):
        raise BadXml("O XML não é de uma NFS-e nacional.")
    return NationalNote(
        key=key,
        number=_text(inf, "nNFSe"),
        c_stat=_text(inf, "cStat"),
        issued_at=_moment(_text(inf, "dhProc")),
        dps_id=dps.get("Id", ""),
        series=_text(dps, "serie"),
        dps_number=_number(_text(dps, "nDPS")),
        dps_issued_at=_moment(_text(dps, "dhEmi")),
        competence=_day(_text(dps, "dCompet")),
        ambiente="producao" if _text(dps, "tpAmb") == "1" else "homologacao",
        city=_text(dps, "cLocEmi"),
        issuer_document=_document(inf, "emit"),
        issuer_name=_text(inf, "emit/xNome"),
        taker_document=_document(dps, "toma"),
        taker_name=_text(dps, "toma/xNome"),
        intermediary_document=_document(dps, "interm"),
        description=_text(dps, "serv/cServ/xDescServ"),
        service=_amount(dps, "valores/vServPrest/vServ"),
        base=_amount(inf, "valores/vBC"),
        rate=_amount(inf, "valores/pAliqAplic"),
        iss=_amount(inf, "valores/vISSQN"),
        withheld=_amount(inf, "valores/vTotalRet"),
        net=_amount(inf, "valores/vLiq"),
        replaces=_text(dps, "subst/chSubstda"),
        digest_value=_digest(inf),
        xml=raw,
    )


def read_event(raw: bytes) -> NationalEvent:
    """The values of an `evento`. Raises BadXml when `raw` is none."""
    root = parse(raw)
    inf = root.find(f"{{{NFSE}}}infEvento") if local_name(root) == "evento" else None
    asked = None if inf is None else inf.find(f"{{{NFSE}}}pedRegEvento/{{{NFSE}}}infPedReg")
    detail = None if asked is None else _detail(asked)
    if inf is None or asked is None or detail is None:
        raise BadXml("O XML não é de um evento de NFS-e nacional.")
    return NationalEvent(
        kind=local_name(detail)[1:],
        key=_text(asked, "chNFSe"),
        n_seq=_number(_text(inf, "nSeqEvento")),
        registered_at=_moment(_text(inf, "dhProc")),
        author=_text(asked, "CNPJAutor") or _text(asked, "CPFAutor"),
        code=_text(detail, "cMotivo"),
        reason=_text(detail, "xMotivo"),
        replaced_by=_text(detail, "chSubstituta"),
        request_id=asked.get("Id", ""),
        xml=raw,
    )


def _detail(asked: etree._Element) -> etree._Element | None:
    """The element of its type: e101101, e105102…"""
    names = ((local_name(child), child) for child in asked)
    return next((c for n, c in names if len(n) == 7 and n[0] == "e" and n[1:].isdecimal()), None)


def _text(parent: etree._Element, path: str) -> str:
    steps = "/".join(f"{{{NFSE}}}{step}" for step in path.split("/"))
    return (parent.findtext(steps) or "").strip()


def _document(parent: etree._Element, party: str) -> str:
    found = (_text(parent, f"{party}/{name}") for name in _DOCUMENTS)
    return next((text for text in found if text), "")


def _digest(inf: etree._Element) -> str:
    ds = "{http://www.w3.org/2000/09/xmldsig#}"
    path = f"{{{NFSE}}}DPS/{ds}Signature/{ds}SignedInfo/{ds}Reference/{ds}DigestValue"
    return "".join((inf.findtext(path) or "").split())


def _amount(parent: etree._Element, path: str) -> Decimal | None:
    text = _text(parent, path)
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        raise BadXml(f"Valor ilegível em {path}.") from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
