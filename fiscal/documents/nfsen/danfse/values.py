"""Single values of a national NFS-e as its print writes them; what is absent is a dash."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from fiscal.documents.nfe.danfe.tags import Tag, amount, cep, number
from fiscal.documents.nfsen.danfse.texts import DASH, NO_NIF, named
from fiscal.tables import places
from lib import br, money


def or_dash(text: str) -> str:
    return text or DASH


def reais(text: str) -> str:
    """`1000.00` → `R$ 1.000,00`."""
    return f"R$ {amount(text)}" if text else DASH


def sum_of(*texts: str) -> str:
    """The sum of the amounts that are there, as reais; a dash when none is."""
    found = [decimal(text) for text in texts if text]
    return f"R$ {money.decimal_br(sum(found, Decimal(0)), 2)}" if found else DASH


def decimal(text: str) -> Decimal:
    """An amount of the XML; 0 for what is no number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def percent(text: str) -> str:
    return f"{number(text, 2)} %" if text else ""


def person(party: Tag) -> str:
    """CNPJ, CPF or NIF of a party, letters of a CNPJ included."""
    known = party("CNPJ") or party("CPF")
    return br.document_mask(known) if known else party("NIF") or named(NO_NIF, party("cNaoNIF"))


def uf_of(code: str) -> str:
    """Sigla of the UF of an IBGE code of municipality."""
    place = places.municipality(code)
    return place.uf if place else ""


def town_of(code: str) -> str:
    place = places.municipality(code)
    return place.name if place else ""


def national_service(code: str) -> str:
    """cTribNac `010101` → `01.01.01`."""
    return f"{code[:2]}.{code[2:4]}.{code[4:]}" if len(code) == 6 else code


def nbs(code: str) -> str:
    """cNBS `115022000` → `1.1502.20.00`."""
    return f"{code[0]}.{code[1:5]}.{code[5:7]}.{code[7:]}" if len(code) == 9 else code


def telephone(text: str) -> str:
    return br.phone_mask(text) if text else ""


def postcode(text: str) -> str:
    return cep(text)
