"""Blocks of a DANFE about people and places: issuer, recipient, collection, delivery, carrier."""

from __future__ import annotations

from decimal import Decimal

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.tags import (
    Tag,
    address,
    cep,
    day,
    document,
    hour,
    number,
    phone,
    town,
)
from fiscal.documents.nfe.danfe.view import Block, Box, Issuer

CRT = {
    "1": "1 - Simples Nacional",
    "2": "2 - Simples Nacional, excesso de sublimite",
    "3": "3 - Regime normal",
    "4": "4 - MEI",
}
_FREIGHT = {
    "0": "0 - Remetente (CIF)",
    "1": "1 - Destinatário (FOB)",
    "2": "2 - Terceiros",
    "3": "3 - Próprio, remetente",
    "4": "4 - Próprio, destinatário",
    "9": "9 - Sem transporte",
}
_MOST_VOLUME_ROWS = 3


def issuer(nfe: Tag, *, with_regime: bool) -> Issuer:
    """Name, address and registrations; in the layout of NT 2026.010 also the tax regime."""
    emit = nfe.tag("emit")
    place = emit.tag("enderEmit")
    registration = (
        Box("INSCRIÇÃO ESTADUAL", emit("IE")),
        Box("INSCRIÇÃO ESTADUAL DO SUBST. TRIBUT.", emit("IEST")),
        Box("CNPJ / CPF", document(emit)),
    )
    # NT 2026.010, 4.2 and 4.4: no tag says the second one yet, so nothing may be printed there.
    regime = (
        Box("CÓDIGO DE REGIME TRIBUTÁRIO", CRT.get(emit("CRT"), emit("CRT"))),
        Box("TIPO DE REGIME DE APURAÇÃO DO IBS E DA CBS", ""),
    )
    rows = (registration, regime) if with_regime else (registration,)
    return Issuer(emit("xNome"), _issuer_lines(place), rows)


def _issuer_lines(place: Tag) -> tuple[str, ...]:
    where = " - ".join(filter(None, (place("xMun"), place("UF"))))
    post = f"CEP {cep(place('CEP'))}" if place("CEP") else ""
    lines = (
        address(place),
        " - ".join(filter(None, (place("xBairro"), post))),
        where,
        f"Fone: {phone(place)}" if place("fone") else "",
    )
    return tuple(filter(None, lines))


def recipient(nfe: Tag) -> Block:
    """Destinatário / remetente, with the dates of issue and departure."""
    dest, ide = nfe.tag("dest"), nfe.tag("ide")
    place = dest.tag("enderDest")
    departure = ide("dhSaiEnt")
    return Block(
        "DESTINATÁRIO / REMETENTE",
        (
            (
                Box("NOME / RAZÃO SOCIAL", dest("xNome"), 6),
                Box("CNPJ / CPF / ID. ESTRANGEIRO", document(dest), 2.5),
                Box("DATA DA EMISSÃO", day(ide("dhEmi")), 1.5, "center"),
            ),
            (
                Box("ENDEREÇO", address(place), 4.6),
                Box("BAIRRO / DISTRITO", place("xBairro"), 2.7),
                Box("CEP", cep(place("CEP")), 1.2),
                Box("DATA SAÍDA/ENTRADA", day(departure), 1.5, "center"),
            ),
            (
                Box("MUNICÍPIO", town(place), 3.8),
                Box("UF", place("UF"), 0.5, "center"),
                Box("FONE / FAX", phone(place), 1.9),
                Box("INSCRIÇÃO ESTADUAL", dest("IE"), 2.3),
                Box("HORA SAÍDA/ENTRADA", hour(departure), 1.5, "center"),
            ),
        ),
    )


def places(nfe: Tag) -> tuple[Block, ...]:
    """Local de retirada and local de entrega, where the document states them."""
    titles = (("retirada", "LOCAL DE RETIRADA"), ("entrega", "LOCAL DE ENTREGA"))
    return tuple(_place(title, nfe.tag(tag)) for tag, title in titles if nfe.tag(tag))


def _place(title: str, place: Tag) -> Block:
    return Block(
        title,
        (
            (
                Box("NOME / RAZÃO SOCIAL", place("xNome"), 5),
                Box("CNPJ / CPF", document(place), 2.5),
                Box("INSCRIÇÃO ESTADUAL", place("IE"), 2),
            ),
            (
                Box("ENDEREÇO", address(place), 4.5),
                Box("BAIRRO / DISTRITO", place("xBairro"), 2.5),
                Box("MUNICÍPIO", place("xMun"), 2.5),
                Box("UF", place("UF"), 0.5, "center"),
                Box("CEP", cep(place("CEP")), 1.2),
                Box("FONE", phone(place), 1.6),
            ),
        ),
    )


def carrier(nfe: Tag, options: DanfeOptions, *, is_new: bool) -> Block:
    """Transportador / volumes transportados; NT 2026.010 prints no row without a value."""
    transp = nfe.tag("transp")
    who, vehicle = transp.tag("transporta"), transp.tag("veicTransp")
    freight = transp("modFrete")
    rows = [
        (
            Box("NOME / RAZÃO SOCIAL", who("xNome"), 4),
            Box("FRETE POR CONTA", _FREIGHT.get(freight, freight), 2),
            Box("CÓDIGO ANTT", vehicle("RNTC"), 1.2),
            Box("PLACA DO VEÍCULO", vehicle("placa"), 1.3),
            Box("UF", vehicle("UF"), 0.5, "center"),
            Box("CNPJ / CPF", document(who), 2),
        ),
        (
            Box("ENDEREÇO", who("xEnder"), 4.5),
            Box("MUNICÍPIO", who("xMun"), 3.3),
            Box("UF", who("UF"), 0.5, "center"),
            Box("INSCRIÇÃO ESTADUAL", who("IE"), 2.7),
        ),
        *_volumes(transp.all("vol"), options),
    ]
    kept = [row for row in rows if not is_new or any(box.value for box in row)]
    return Block("TRANSPORTADOR / VOLUMES TRANSPORTADOS", tuple(kept))


def _volumes(volumes: list[Tag], options: DanfeOptions) -> list[tuple[Box, ...]]:
    """A row per volume; more than three are summed, as no sheet has room for 5,000."""
    if not volumes:
        return [_volume(Tag(None))] if options.exibe_sempre_volumes else []
    if len(volumes) <= _MOST_VOLUME_ROWS:
        return [_volume(volume) for volume in volumes]
    return [
        (
            Box("QUANTIDADE", _sum(volumes, "qVol")),
            Box("ESPÉCIE", "VÁRIAS"),
            Box("MARCA", ""),
            Box("NUMERAÇÃO", f"{len(volumes)} grupos de volumes"),
            Box("PESO BRUTO", _sum(volumes, "pesoB"), 1, "right"),
            Box("PESO LÍQUIDO", _sum(volumes, "pesoL"), 1, "right"),
        )
    ]


def _volume(volume: Tag) -> tuple[Box, ...]:
    return (
        Box("QUANTIDADE", number(volume("qVol"))),
        Box("ESPÉCIE", volume("esp")),
        Box("MARCA", volume("marca")),
        Box("NUMERAÇÃO", volume("nVol")),
        Box("PESO BRUTO", number(volume("pesoB")), 1, "right"),
        Box("PESO LÍQUIDO", number(volume("pesoL")), 1, "right"),
    )


def _sum(volumes: list[Tag], path: str) -> str:
    values = [volume(path) for volume in volumes if volume(path)]
    return number(str(sum(map(Decimal, values)))) if values else ""
