"""Walking a retorno of 400 positions: details, what completes them, the trailer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from billing.gateways.cnab.cnab400 import SEQUENCE, Cnab400
from billing.gateways.cnab.layout import InvalidRecord
from billing.gateways.cnab.reading import NO_TRAILER, Reading
from billing.gateways.cnab.titles import Entry

_SEQUENCE = slice(SEQUENCE.first - 1, SEQUENCE.last)


class Details:
    """The state of the walk."""

    def __init__(self, reading: Reading) -> None:
        assert isinstance(reading.layout, Cnab400)
        self.reading, self.layout = reading, reading.layout
        self.sequence = self.n_details = 0
        self.is_closed = False

    def entries(self, lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
        for number, text in lines:
            yield from self._line(number, _fitted(text, self.layout.width))
        if not self.is_closed:
            self.reading.fault(0, NO_TRAILER)

    def _line(self, number: int, text: str) -> Iterator[Entry]:
        kind = text[:1]
        self._check_sequence(number, text)
        if self.is_closed:
            yield self.reading.broken(number, f"Linha {number}: há registros depois do final.")
        elif kind == "1":
            yield self._entry(number, text)
        elif kind == "9":
            self._trailer(number, text)
        elif kind == "0" and self.sequence == 1:
            return
        elif kind not in self.layout.optional or kind == "0":
            yield self.reading.broken(number, f"Linha {number}: tipo de registro “{kind}”.")

    def _entry(self, number: int, text: str) -> Entry:
        self.n_details += 1
        try:
            entry = self.layout.entry(number, text)
        except InvalidRecord as error:
            return self.reading.broken(number, f"Linha {number}: {error}")
        self.reading.counted += entry.value
        return entry

    def _check_sequence(self, number: int, text: str) -> None:
        self.sequence += 1
        given = text[_SEQUENCE]
        if len(text) < self.layout.width:  # another fault, which its reader tells
            return
        if not given.isdecimal() or int(given) != self.sequence:
            self.reading.fault(
                number, f"Linha {number}: sequência {given}, e não {self.sequence:06d}."
            )
            self.sequence = int(given) if given.isdecimal() else self.sequence

    def _trailer(self, number: int, text: str) -> None:
        self.is_closed = True
        found = self.reading.read(self.layout.read_trailer, number, text)
        if found is None:
            return
        declared, total = found.get("n_records"), found.get("total")
        if declared and declared != self.n_details:
            self.reading.fault(
                number,
                f"Linha {number}: o arquivo declara {declared} registros e tem {self.n_details}.",
            )
        if isinstance(total, Decimal):
            self.reading.add_declared(total)


def _fitted(text: str, width: int) -> str:
    """Blanks after the end are nothing; a line that ends early stays short, and is a fault."""
    return text[:width] if not text[width:].strip() else text
