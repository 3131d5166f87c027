"""Who takes part in the service: prestador, tomador, destinatário and intermediário."""

from __future__ import annotations

from fiscal.documents.nfe.danfe.tags import Tag
from fiscal.documents.nfsen.danfse.texts import SIMPLES, SIMPLES_REGIMES, named
from fiscal.documents.nfsen.danfse.values import (
    or_dash,
    person,
    postcode,
    telephone,
    town_of,
    uf_of,
)
from fiscal.documents.nfsen.danfse.view import Block, Field, Row, composite

NO_TAKER = "TOMADOR/ADQUIRENTE DA OPERAÇÃO NÃO IDENTIFICADO NA NFS-e"
NO_RECIPIENT = "DESTINATÁRIO DA OPERAÇÃO NÃO IDENTIFICADO NA NFS-e"
SAME_RECIPIENT = "O DESTINATÁRIO É O PRÓPRIO TOMADOR/ADQUIRENTE DA OPERAÇÃO"
NO_INTERMEDIARY = "INTERMEDIÁRIO DA OPERAÇÃO NÃO IDENTIFICADO NA NFS-e"

# Heights of the three rows of a party, centimetres (NT 008: 6.92, 7.56, 8.22, next block 8.86).
_HEIGHTS = (0.64, 0.66, 0.64)
_THE_TAKER = "0"  # indDest


def parties(note: Tag) -> tuple[Block, ...]:
    """The four blocks, suppressed ones as a line. `note` is infNFSe."""
    dps = note.tag("DPS/infDPS")
    return (
        _provider(note, dps),
        _optional("TOMADOR / ADQUIRENTE", dps.tag("toma"), NO_TAKER),
        _recipient(dps),
        _optional("INTERMEDIÁRIO DA OPERAÇÃO", dps.tag("interm"), NO_INTERMEDIARY),
    )


def _optional(title: str, party: Tag, missing: str) -> Block:
    return Block(title, _rows(party)) if party else Block(title, line=missing)


def _recipient(dps: Tag) -> Block:
    title = "DESTINATÁRIO DA OPERAÇÃO"
    reform = dps.tag("IBSCBS")
    if reform("indDest") == _THE_TAKER:
        return Block(title, line=SAME_RECIPIENT)
    return _optional(title, reform.tag("dest"), NO_RECIPIENT)


def _rows(party: Tag) -> tuple[Row, ...]:
    return _lines(party, party("xNome"), party.tag("end"), party)


def _lines(party: Tag, name: str, place: Tag, contact: Tag) -> tuple[Row, ...]:
    first, second, third = _HEIGHTS
    return (
        Row(
            (
                Field("CNPJ / CPF / NIF", or_dash(person(party)), 1),
                Field("Indicador Municipal (Inscrição)", or_dash(party("IM")), 2),
                Field("Telefone", or_dash(telephone(contact("fone"))), 3),
            ),
            first,
        ),
        Row(
            (
                Field("Nome / Nome Empresarial", or_dash(name), 0, 2),
                Field("Município / Sigla UF", _town(place), 2),
                Field("Código IBGE / CEP", _codes(place), 3),
            ),
            second,
        ),
        Row(
            (
                Field("Endereço", or_dash(_address(place)), 0, 2),
                Field("E-mail", or_dash(contact("email")), 2, 2),
            ),
            third,
            is_optional=True,
        ),
    )


def _town(place: Tag) -> str:
    """Of Brazil by its code; abroad the city and the state as they were written."""
    abroad = place.tag("endExt")
    if abroad:
        return composite(abroad("xCidade"), abroad("xEstProvReg"))
    code = _code(place)
    return composite(town_of(code), place("UF") or uf_of(code))


def _codes(place: Tag) -> str:
    """IBGE code and CEP; abroad, the ISO code of the country and its postal code."""
    abroad = place.tag("endExt")
    if abroad:
        return composite(abroad("cPais"), abroad("cEndPost"))
    return composite(_code(place), postcode(place("endNac/CEP") or place("CEP")))


def _code(place: Tag) -> str:
    return place("endNac/cMun") or place("cMun")


def _address(place: Tag) -> str:
    return ", ".join(filter(None, (place(tag) for tag in ("xLgr", "nro", "xCpl", "xBairro"))))


def _provider(note: Tag, dps: Tag) -> Block:
    """From what the system knows of it when it is the emitter, from the DPS otherwise (NAC-5)."""
    declared, known = dps.tag("prest"), note.tag("emit")
    if dps("tpEmit") == "1" and known:
        party = known if not declared("IM") else declared
        contact = known if known("fone") or known("email") else declared
        rows = _lines(party, known("xNome"), known.tag("enderNac"), contact)
    else:
        rows = _rows(declared)
    regime = declared.tag("regTrib")
    simples = Row(
        (
            Field(
                "Simples Nacional na Data de Competência",
                or_dash(named(SIMPLES, regime("opSimpNac"))),
                0,
                2,
            ),
            Field(
                "Regime de Apuração Tributária pelo SN",
                or_dash(named(SIMPLES_REGIMES, regime("regApTribSN"))),
                2,
                2,
            ),
        ),
        0.64,
    )
    first, second, third = rows
    # 4.34, 4.98, 5.62, 6.28: the second row is the lower one here.
    heights = (Row(second.fields, 0.64), Row(third.fields, 0.66, is_optional=True))
    return Block("PRESTADOR / FORNECEDOR", (first, *heights, simples))
