"""The view of a carta de correção (PDF-8): everything of it comes from the event."""

from __future__ import annotations

from dataclasses import dataclass

from fiscal.access_key import parse as parse_key
from fiscal.documents.nfe.danfe.reading import document_of
from fiscal.documents.nfe.danfe.standing import NO_VALUE, event_of
from fiscal.documents.nfe.danfe.tags import Tag, address, cep, document, moment, serial
from fiscal.documents.nfe.danfe.view import Block, Box
from fiscal.xml import BadXml
from lib import br


@dataclass(frozen=True)
class Correction:
    """A carta de correção; `parties` is empty without the invoice's XML."""

    chave: str
    is_registered: bool
    marks: tuple[str, ...]
    event: tuple[Block, ...]
    parties: tuple[Block, ...]
    correction: str
    terms: str


def read_correction(event: bytes, *, xml: bytes | None = None) -> Correction:
    """Read procEventoNFe of type 110110, and the parties from the invoice where it is given.

    Raises BadXml when the event is of another kind.
    """
    found = event_of(event)
    if found.tp_evento != "110110":
        raise BadXml("O XML não é de uma carta de correção.")
    body = found.body
    detail = body.tag("detEvento")
    return Correction(
        chave=body("chNFe"),
        is_registered=bool(found.protocolo),
        marks=(NO_VALUE,) if body("tpAmb") == "2" or not found.protocolo else (),
        event=(_event(body, found.protocolo, found.registered_at),),
        parties=_parties(xml) if xml else (),
        correction=detail("xCorrecao").replace(" | ", "\n"),
        terms=detail("xCondUso"),
    )


def _event(body: Tag, protocolo: str, registered_at: str) -> Block:
    key = parse_key(body("chNFe"))
    return Block(
        "CARTA DE CORREÇÃO ELETRÔNICA",
        (
            (
                Box("MODELO", str(key.modelo)),
                Box("SÉRIE", str(key.serie).zfill(3)),
                Box("NÚMERO", serial(str(key.numero)), 1.5),
                Box("MÊS / ANO DE EMISSÃO", f"{key.aamm[2:]}/20{key.aamm[:2]}", 1.5),
                Box("CNPJ / CPF DO EMITENTE", br.document_mask(body("CNPJ") or body("CPF")), 2.5),
            ),
            (
                Box("ÓRGÃO", body("cOrgao")),
                Box("AMBIENTE", "Homologação" if body("tpAmb") == "2" else "Produção"),
                Box("SEQUÊNCIA", body("nSeqEvento")),
                Box("DATA E HORA DO EVENTO", moment(body("dhEvento")), 1.7),
                Box("PROTOCOLO", " - ".join(filter(None, (protocolo, registered_at))), 2.8),
            ),
        ),
    )


def _parties(xml: bytes) -> tuple[Block, ...]:
    nfe = document_of(xml).anywhere("infNFe")
    named = (("EMITENTE", "emit", "enderEmit"), ("DESTINATÁRIO", "dest", "enderDest"))
    return tuple(_party(title, nfe.tag(tag), place) for title, tag, place in named if nfe.tag(tag))


def _party(title: str, who: Tag, place_tag: str) -> Block:
    place = who.tag(place_tag)
    return Block(
        title,
        (
            (
                Box("NOME / RAZÃO SOCIAL", who("xNome"), 5),
                Box("CNPJ / CPF", document(who), 2.4),
                Box("INSCRIÇÃO ESTADUAL", who("IE"), 1.8),
            ),
            (
                Box("ENDEREÇO", address(place), 4.4),
                Box("BAIRRO", place("xBairro"), 2.2),
                Box("MUNICÍPIO", place("xMun"), 2.4),
                Box("UF", place("UF"), 0.5, "center"),
                Box("CEP", cep(place("CEP")), 1.2),
            ),
        ),
    )
