"""The view of a DANFE Simplificado and of its label (MOC 7.0, Anexo II, 3.11 and 3.12; PDF-5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fiscal.documents.nfe.danfe.consumer import Sold, sold
from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.reading import document_of
from fiscal.documents.nfe.danfe.standing import Cancellation, Standing, standing_of
from fiscal.documents.nfe.danfe.tags import Tag, address, amount, cep, day, document, serial, town

_LABEL_NOTES = 400  # characters
_WAYS = {"0": "0 - ENTRADA", "1": "1 - SAÍDA"}


@dataclass(frozen=True)
class Party:
    """Issuer or recipient. `lines` are what a carrier needs to find the recipient."""

    nome: str
    documento: str
    ie: str
    uf: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Simplified:
    """What both forms must show; a label leaves the items out."""

    title: str
    way: str
    numero: str
    serie: str
    issued_on: str
    chave: str
    issuer: Party
    recipient: Party
    items: tuple[Sold, ...]
    total: str
    standing: Standing
    notes: str


def read_simplified(
    xml: bytes,
    *,
    is_label: bool,
    events: Iterable[bytes],
    options: DanfeOptions,
    cancellation: Cancellation | None = None,
) -> Simplified:
    """The view of an NF-e. Raises BadXml."""
    root = document_of(xml)
    nfe = root.anywhere("infNFe")
    ide = nfe.tag("ide")
    return Simplified(
        title="DANFE SIMPLIFICADO – ETIQUETA" if is_label else "DANFE SIMPLIFICADO",
        way=_WAYS.get(ide("tpNF"), ide("tpNF")),
        numero=serial(ide("nNF")),
        serie=ide("serie").zfill(3),
        issued_on=day(ide("dhEmi")),
        chave=nfe.attribute("Id")[3:],
        issuer=_party(nfe.tag("emit"), "enderEmit"),
        recipient=_recipient(nfe),
        items=() if is_label else tuple(map(sold, nfe.all("det"))),
        total=amount(nfe("total/ICMSTot/vNF")),
        standing=standing_of(root, events, cancellation=cancellation, preview=options.previa),
        notes=_notes(nfe, is_label=is_label),
    )


def _notes(nfe: Tag, *, is_label: bool) -> str:
    """infCpl; a label has room for a short one only, and none of it is mandatory there."""
    notes = nfe("infAdic/infCpl").replace(" | ", "\n")
    return "" if is_label and len(notes) > _LABEL_NOTES else notes


def _party(who: Tag, place: str) -> Party:
    return Party(who("xNome"), document(who), who("IE"), who(f"{place}/UF"))


def _recipient(nfe: Tag) -> Party:
    found = _party(nfe.tag("dest"), "enderDest")
    place = nfe.tag("entrega") or nfe.tag("dest/enderDest")
    where = " - ".join(filter(None, (town(place), place("UF"), cep(place("CEP")))))
    lines = (address(place), place("xBairro"), where)
    return Party(found.nome, found.documento, found.ie, found.uf, tuple(filter(None, lines)))
