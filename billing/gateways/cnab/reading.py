"""A retorno being read: whose it is, what is wrong with it, what its lines come to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from billing.gateways.cnab.base import Heading, Layout
from billing.gateways.cnab.layout import InvalidRecord, Record
from billing.gateways.cnab.registry import OF_240, OF_400
from billing.gateways.cnab.text import lines
from billing.gateways.cnab.titles import Entry

MAX_FAULTS = 200
UNRECOGNISED = "Arquivo não reconhecido como CNAB 240 ou 400."
REMESSA = "Este arquivo é uma remessa, e não um retorno do banco."
NO_TRAILER = "O arquivo termina sem o registro final: pode estar incompleto."
_ZERO = Decimal("0.00")
_FILE_240 = re.compile(r"[0-9]{3}00000")
_FILE_400 = re.compile(r"0([12])(RETORNO|REMESSA)", re.IGNORECASE)


class NotRetorno(Exception):
    """Not a file that can be read; the text says why (pt-BR)."""


@dataclass(frozen=True)
class Fault:
    """What is wrong in which line; 0 for the file as a whole."""

    line: int
    text: str


class Reading:
    """A retorno being read; `faults`, `declared` and `counted` are whole after its last entry.

    `declared` is the sum of titles that the trailers tell (BRL; None: they tell none), `counted`
    the sum of the lines. Raises NotRetorno when the first line is of no retorno.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.layout, self.heading = recognised(content)
        self.faults: list[Fault] = []
        self.n_faults = 0
        self.declared: Decimal | None = None
        self.counted = _ZERO

    def fault(self, line: int, text: str) -> None:
        """Note a fault; after so many they are only counted."""
        self.n_faults += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(line, text))

    def broken(self, line: int, text: str) -> Entry:
        """An entry for a line that says nothing readable."""
        self.fault(line, text)
        return Entry(line=line, text="Linha ilegível", fault=text)

    def add_declared(self, total: Decimal) -> None:
        if total:
            self.declared = (self.declared or _ZERO) + total

    def read(self, record: Record, line: int, text: str) -> dict[str, object] | None:
        """A header or trailer; blanks cut off its end are put back. None: a fault is noted."""
        try:
            return dict(record.read(text.ljust(record.width)[: record.width]))
        except InvalidRecord as error:
            self.fault(line, str(error))
            return None


def recognised(content: bytes) -> tuple[Layout, Heading]:
    """Which bank's layout it is, and what the first line says. Raises NotRetorno."""
    first = next(lines(content, width=0), (0, ""))[1]
    layout, is_retorno = _layout(first)
    if layout is None:
        raise NotRetorno(UNRECOGNISED)
    if not is_retorno:
        raise NotRetorno(REMESSA)
    try:
        return layout, layout.heading(first.ljust(layout.width)[: layout.width])
    except InvalidRecord as error:
        raise NotRetorno(f"{UNRECOGNISED} Linha 1: {error}") from error


def _layout(first: str) -> tuple[Layout | None, bool]:
    if found := _FILE_400.match(first):
        return OF_400.get(first[76:79]), found[1] == "2"
    if _FILE_240.match(first) and 166 <= len(first.rstrip()) <= 240:
        return OF_240.get(first[:3]), first[142] == "2"
    return None, True
