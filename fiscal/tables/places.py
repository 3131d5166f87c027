"""Municipalities (IBGE), countries (BACEN) and the legal time of each place.

`municipios.csv` and `paises.csv` hold the public tables that the layout refers to (MOC, annexes of
codes). Lookups ignore case, accents and punctuation, and answer "" for what is not in the table.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from functools import cache
from pathlib import Path
from types import MappingProxyType

from fiscal.access_key import UF_CODES as UF_CODES
from fiscal.tables.registers import current_file, read_rows
from lib import br

FOLDER = Path(__file__).resolve().parent
ABROAD = "9999999"  # the municipality of an address abroad: xMun EXTERIOR, UF EX
BRAZIL = "1058"

# XML-7. No summer time since 2019 (Decreto 9.772/2019).
_OFFSETS = MappingProxyType({"AC": -5, "AM": -4, "MT": -4, "MS": -4, "RO": -4, "RR": -4})
_ZONES = MappingProxyType({hours: timezone(timedelta(hours=hours)) for hours in (-5, -4, -3, -2)})
# Fernando de Noronha; and the west of Amazonas, on Acre time since Lei 12.876/2013.
# fmt: off
_ISLANDS = frozenset({"2605459"})
_AMAZONAS_WEST = frozenset({
    "1300201", "1300607", "1300706", "1301407", "1301506", "1301654", "1301803", "1301951",
    "1302306", "1302405", "1303502", "1303908", "1304062",
})
# fmt: on
_NOT_LETTERS = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True)
class Municipality:
    code: str  # IBGE, 7 digits
    name: str
    uf: str


@cache
def municipalities() -> tuple[Municipality, ...]:
    """Every municipality, in the order of its code; a refreshed table from the next start on."""
    rows = read_rows(current_file("municipios").read_bytes())
    return tuple(Municipality(row["codigo"], row["nome"], row["uf"]) for row in rows)


def municipality(code: str) -> Municipality | None:
    """The municipality of an IBGE code."""
    return _by_code().get(code)


def municipality_code(name: str, uf: str) -> str:
    """IBGE code of the municipality of that name in `uf`, or ""."""
    return _by_name().get((_folded(name), uf), "")


def uf_code(uf: str) -> str:
    """IBGE code of a UF, or ""."""
    return UF_CODES.get(uf, "")


def country_code(name: str) -> str:
    """BACEN code of the country of that name, or ""."""
    return _country_codes().get(_folded(name), "")


def country_name(code: str) -> str:
    """Name of the country of a BACEN code (leading zeros do not matter), or ""."""
    return _country_names().get(code.lstrip("0"), "")


def zone(uf: str, codigo_municipio: str = "") -> timezone:
    """The legal time of a place: of its UF, unless the municipality keeps another (XML-7)."""
    if codigo_municipio in _AMAZONAS_WEST:
        return _ZONES[-5]
    if codigo_municipio in _ISLANDS:
        return _ZONES[-2]
    return _ZONES[_OFFSETS.get(uf, -3)]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _folded(name: str) -> str:
    """Letters and digits alone: hyphens, apostrophes and blanks are written freely (D OESTE)."""
    return _NOT_LETTERS.sub("", br.fold(name))


@cache
def _by_code() -> dict[str, Municipality]:
    return {place.code: place for place in municipalities()}


@cache
def _by_name() -> dict[tuple[str, str], str]:
    return {(_folded(place.name), place.uf): place.code for place in municipalities()}


@cache
def _country_names() -> dict[str, str]:
    return {row["codigo"]: row["nome"] for row in _rows("paises.csv")}


@cache
def _country_codes() -> dict[str, str]:
    """The names of the table, and what stands before the comma or bracket where that is unique."""
    names = _country_names()
    short = {code: _folded(re.split("[,(]", name)[0]) for code, name in names.items()}
    often = Counter(short.values())
    codes = {name: code for code, name in short.items() if often[name] == 1}
    return codes | {_folded(name): code for code, name in names.items()}
