"""Searching the public lists of codes and the directories (fiscal-api §17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fiscal.errors import InvalidRequest
from fiscal.tables import nfse_cities
from fiscal.tables.directories import CEPS, CNPJS, Found
from fiscal.tables.registers import Entry, Register, register
from lib import br
from lib.errors import NotFound

PAGE = 50
MUNICIPIOS_PAGE = 100
NFSE_STATUSES = (
    "ativo", "fora_do_ar", "pausado", "em_implementacao", "em_reimplementacao", "inativo",
    "nao_implementado",
)  # fmt: skip
_NOT_CODE = re.compile(r"[.\-/\s]")
_TRUE, _FALSE = ("s", "sim", "1", "true", "t"), ("n", "nao", "0", "false", "f")


class How(Enum):
    """How a parameter is compared; texts without regard to case and accents."""

    EXACT = "exact"
    STARTS = "starts"  # a code, its punctuation dropped
    PART_OF_CODE = "part_of_code"
    PART = "part"
    SAME_TEXT = "same_text"


@dataclass(frozen=True)
class Lookup:
    """A list to search in: parameter → the field it narrows and how."""

    name: str
    filters: Mapping[str, tuple[str, How]]
    missing: str
    page: int = PAGE


@dataclass(frozen=True)
class Page:
    """Some of the entries that were found, and how many there are."""

    rows: list[Entry] = field(default_factory=list)
    total: int = 0


def _same(how: How, *names: str) -> dict[str, tuple[str, How]]:
    return {name: (name, how) for name in names}


_CNAE_LEVELS = ("secao", "divisao", "grupo", "classe", "subclasse")
LOOKUPS = {
    "ncms": Lookup(
        "ncm",
        {
            "codigo": ("codigo", How.STARTS),
            "descricao": ("descricao_completa", How.PART),
            **_same(
                How.EXACT, "capitulo", "posicao", "subposicao1", "subposicao2", "item1", "item2"
            ),
        },
        "NCM não encontrado",
    ),
    "cfops": Lookup(
        "cfop",
        {"codigo": ("codigo", How.STARTS), **_same(How.PART, "descricao")},
        "CFOP não encontrado",
    ),
    "codigos_cnae": Lookup(
        "cnae",
        {
            "codigo": ("codigo", How.PART_OF_CODE),
            **_same(How.EXACT, *_CNAE_LEVELS),
            **_same(How.PART, "descricao", *(f"descricao_{level}" for level in _CNAE_LEVELS)),
        },
        "CNAE não encontrado",
    ),
    "municipios": Lookup(
        "municipios",
        {
            "sigla_uf": ("sigla_uf", How.SAME_TEXT),
            "nome_municipio": ("nome_municipio", How.SAME_TEXT),
            "nome": ("nome_municipio", How.PART),
            "status_nfse": ("status_nfse", How.EXACT),
        },
        "Município não encontrado",
        MUNICIPIOS_PAGE,
    ),
}


def search(lookup: Lookup, wanted: Mapping[str, str], *, offset: int, limit: int) -> Page:
    """Entries that satisfy every parameter given (others are blank), by code."""
    found = register(lookup.name)
    places: range | list[int] = range(len(found.entries))
    for name, (entry_field, how) in lookup.filters.items():
        if wanted.get(name):
            places = _narrowed(found, places, entry_field, how, wanted[name])
    shown = places[offset : offset + limit]
    return Page([found.entries[at] for at in shown], len(places))


def _narrowed(
    found: Register, places: range | list[int], entry_field: str, how: How, wanted: str
) -> list[int]:
    if how in (How.PART, How.SAME_TEXT):
        texts, text = found.folded(entry_field), br.fold(wanted)
        if how is How.PART:
            return [at for at in places if text in texts[at]]
        return [at for at in places if texts[at] == text]
    values = found.entries
    code = wanted if how is How.EXACT else _NOT_CODE.sub("", wanted)
    if how is How.STARTS:
        return [at for at in places if values[at][entry_field].startswith(code)]
    if how is How.PART_OF_CODE:
        return [at for at in places if code in values[at][entry_field]]
    return [at for at in places if values[at][entry_field] == code]


def entry_of(lookup: Lookup, code: str) -> Entry:
    """The entry of a code, punctuated or not. Raises NotFound."""
    found = register(lookup.name).by_code.get(_NOT_CODE.sub("", code))
    if found is None:
        raise NotFound(lookup.missing)
    return found


# --- CEP -----------------------------------------------------------------------------------------


def search_services(code: str, wanted: Mapping[str, str], *, offset: int) -> Page:
    """What the service list of a municipality has of a code, as it begins, and of a text.

    Raises NotFound for no municipality.
    """
    part, start = br.fold(wanted.get("descricao", "")), _item(wanted.get("codigo", ""))
    found = [
        row
        for row in _services(code)
        if _item(row["codigo"]).startswith(start) and part in br.fold(row["descricao"])
    ]
    return Page(found[offset : offset + MUNICIPIOS_PAGE], len(found))


def service_of(code: str, item: str) -> Entry:
    """One item of that list: 0107, 1.07 and 01.07 are one. Raises NotFound."""
    wanted = _item(item).zfill(4)
    for row in _services(code):
        if _item(row["codigo"]) == wanted:
            return row
    raise NotFound("Item da lista de serviço não encontrado")


def _services(code: str) -> tuple[Entry, ...]:
    return nfse_cities.services(str(entry_of(LOOKUPS["municipios"], code)["codigo_municipio"]))


def _item(text: str) -> str:
    """Four digits, or as many of the first ones as there are: 01 of 1. and of 01."""
    group, point, rest = text.strip().partition(".")
    return _NOT_CODE.sub("", (group.zfill(2) if point else group) + rest)


def search_ceps(wanted: Mapping[str, str], *, offset: int) -> Page:
    """Addresses by at least two of codigo_ibge, uf, logradouro, localidade (§17.3).

    codigo_ibge alone is enough in a town that has one CEP. Raises InvalidRequest, or NotFound
    where the installation has no directory.
    """
    given = {name: wanted[name] for name in _CEP_CONDITIONS if wanted.get(name)}
    if len(given.get("logradouro", "abc")) < 3:
        raise InvalidRequest('Parâmetro "logradouro" deve ter ao menos 3 caracteres.')
    if not given or (len(given) == 1 and "codigo_ibge" not in given):
        raise InvalidRequest("Informe ao menos dois parâmetros.")
    if not CEPS.is_installed():
        raise NotFound("CEP não encontrado")
    found = _ceps(given, offset)
    if len(given) == 1 and found.total > 1:
        raise InvalidRequest("Informe ao menos dois parâmetros: o município tem mais de um CEP.")
    return Page([_cep(row) for row in found.rows], found.total)


_CEP_CONDITIONS = {
    "codigo_ibge": "codigo_ibge = ?",
    "uf": "uf = ?",
    "localidade": r"searched_nome_localidade LIKE ? ESCAPE '\'",
    "logradouro": r"searched_nome_logradouro LIKE ? ESCAPE '\'",
}


def _ceps(given: Mapping[str, str], offset: int) -> Found:
    values = {
        "codigo_ibge": lambda text: text,
        "uf": str.upper,
        "localidade": _part,
        "logradouro": _part,
    }
    return CEPS.find(
        " AND ".join(_CEP_CONDITIONS[name] for name in given),
        tuple(values[name](text) for name, text in given.items()),
        limit=PAGE,
        offset=offset,
    )


def _part(text: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", br.fold(text)) + "%"


def cep_of(code: str) -> Entry:
    """The address of a CEP, with its dash or without. Raises NotFound."""
    found = CEPS.find("cep = ?", (_NOT_CODE.sub("", code),), limit=1)
    if not found.rows:
        raise NotFound("CEP não encontrado")
    return _cep(found.rows[0])


def _cep(row: dict[str, str]) -> Entry:
    street = f"{row['tipo_logradouro']} {row['nome_logradouro']}".strip()
    parts = (street, row["nome_localidade"], row["uf"])
    return {**row, "descricao": ", ".join(part for part in parts if part)}


# --- CNPJ ----------------------------------------------------------------------------------------


def cnpj_of(text: str) -> Entry:
    """What the directory knows of a CNPJ (§17.6). Raises InvalidRequest or NotFound."""
    if not re.fullmatch("[0-9A-Z]{12}[0-9]{2}", text):
        raise InvalidRequest("CNPJ inválido: informe os 14 caracteres, sem pontuação.")
    found = CNPJS.find("cnpj = ?", (text,), limit=1)
    if not found.rows:
        raise NotFound("CNPJ não encontrado")
    return _cnpj(found.rows[0])


def _cnpj(row: dict[str, str]) -> Entry:
    """`codigo_municipio` is the SIAFI code still, as in the reference's sample."""
    place = ("codigo_siafi", "codigo_ibge", "nome_municipio", "logradouro", "complemento",
             "numero", "bairro", "cep", "uf")  # fmt: skip
    address: dict[str, Any] = {name: row[name] for name in place}
    return {
        "razao_social": row["razao_social"],
        "cnpj": row["cnpj"],
        "situacao_cadastral": row["situacao_cadastral"],
        "cnae_principal": row["cnae_principal"],
        "optante_simples_nacional": _flag(row["optante_simples_nacional"]),
        "optante_mei": _flag(row["optante_mei"]),
        "endereco": {"codigo_municipio": row["codigo_siafi"], **address},
    }


def _flag(text: str) -> bool | None:
    folded = br.fold(text)
    return True if folded in _TRUE else False if folded in _FALSE else None
