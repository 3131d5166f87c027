"""Walking a retorno of 240 positions: lots, pairs of segments T and U, trailers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from billing.gateways.cnab.cnab240 import Cnab240
from billing.gateways.cnab.febraban240 import FILE_TRAILER, LOT_TRAILER
from billing.gateways.cnab.layout import Field, InvalidRecord, N, Record, V
from billing.gateways.cnab.reading import NO_TRAILER, Reading
from billing.gateways.cnab.titles import Entry, Meaning

WIDTH = 240
# Four kinds of cobrança, each with a count and a total: simple, linked, pledged, discounted.
_TOTALS = tuple(
    Field(f"total_{n}", first, first + 16, V) for n, first in enumerate((30, 53, 76, 99))
)
_LOT_TRAILER: Record = LOT_TRAILER.changed(*_TOTALS).only(
    "n_records", *(one.name for one in _TOTALS)
)
_LOT_COUNT = LOT_TRAILER.only("n_records")
_FILE_TRAILER = FILE_TRAILER.changed(Field("n_records", 24, 29, N)).only("n_lots", "n_records")
# Segments that may stand beside T and U and tell nothing that we keep.
_OPTIONAL = frozenset("YSZWX")
_MONEY = (Meaning.SETTLED, Meaning.UNKNOWN)


class Lots:
    """The state of the walk: where it is in a lot, and the T that waits for its U."""

    def __init__(self, reading: Reading) -> None:
        assert isinstance(reading.layout, Cnab240)
        self.reading, self.layout = reading, reading.layout
        self.t: tuple[int, str] | None = None
        self.in_lot = self.sequence = self.n_lots = self.n_lines = 0
        self.is_closed = False

    def entries(self, lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
        for number, text in lines:
            self.n_lines += 1
            yield from self._line(number, text)
        yield from self._flush()
        if not self.is_closed:
            self.reading.fault(0, NO_TRAILER)

    def _line(self, number: int, text: str) -> Iterator[Entry]:
        kind = text[7:8]
        if self.is_closed:
            yield self.reading.broken(number, f"Linha {number}: há registros depois do final.")
        elif kind == "3":
            yield from self._detail(number, text)
        elif kind in ("0", "1", "5", "9"):
            yield from self._flush()
            self._frame(kind, number, text)
        else:
            yield from self._flush()
            yield self.reading.broken(number, f"Linha {number}: tipo de registro “{kind}”.")

    def _frame(self, kind: str, number: int, text: str) -> None:
        """Headers and trailers."""
        if kind == "1":
            self.n_lots += 1
            self.in_lot, self.sequence = 1, 0
        elif kind == "5":
            self._lot_trailer(number, text)
        elif kind == "9":
            self._file_trailer(number, text)
        elif number != 1 and self.n_lines != 1:
            self.reading.fault(number, f"Linha {number}: outro header de arquivo.")

    def _detail(self, number: int, text: str) -> Iterator[Entry]:
        self.in_lot += 1
        segment = text[13:14].upper()
        text = _fitted(text)
        self._check_sequence(number, text[8:13])
        if segment == "T":
            yield from self._flush()
            self.t = (number, text)
        elif segment == "U":
            yield from self._u(number, text)
        elif segment not in _OPTIONAL:
            yield from self._flush()
            yield self.reading.broken(
                number, f"Linha {number}: o segmento “{segment}” não é de retorno de cobrança."
            )

    def _u(self, number: int, text: str) -> Iterator[Entry]:
        if self.t is None:
            yield self.reading.broken(number, f"Linha {number}: segmento U sem segmento T antes.")
            return
        line, t = self.t
        self.t = None
        yield self._entry(line, t, number, text)

    def _flush(self) -> Iterator[Entry]:
        """The T that got no U. Money cannot be read without it; all else can."""
        if self.t is None:
            return
        line, t = self.t
        self.t = None
        entry = self._entry(line, t, line, None)
        if not entry.fault:
            text = f"Linha {line}: falta o segmento U depois do segmento T."
            self.reading.fault(line, text)
            if entry.meaning in _MONEY:
                entry.meaning, entry.fault = Meaning.UNKNOWN, text
        yield entry

    def _entry(self, line: int, t: str, u_line: int, u: str | None) -> Entry:
        try:
            entry = self.layout.entry(line, t)
        except InvalidRecord as error:
            return self.reading.broken(line, f"Linha {line}: {error}")
        self.reading.counted += entry.value
        try:
            if u is not None:
                self.layout.complete(entry, u)
        except InvalidRecord as error:
            text = f"Linha {u_line}: {error}"
            self.reading.fault(u_line, text)
            entry.meaning, entry.fault = Meaning.UNKNOWN, text
        return entry

    def _check_sequence(self, number: int, given: str) -> None:
        self.sequence += 1
        if not given.isdecimal() or int(given) != self.sequence:
            self.reading.fault(
                number, f"Linha {number}: sequência {given}, e não {self.sequence:05d}."
            )
            self.sequence = int(given) if given.isdecimal() else self.sequence

    def _lot_trailer(self, number: int, text: str) -> None:
        self.in_lot += 1
        found = self._trailer(_LOT_TRAILER, _LOT_COUNT, number, text)
        if found is None:
            return
        self._check_count(number, "o lote", found["n_records"], self.in_lot)
        for one in _TOTALS:
            self.reading.add_declared(found.get(one.name, Decimal(0)))
        self.in_lot = 0

    def _file_trailer(self, number: int, text: str) -> None:
        self.is_closed = True
        found = self._trailer(_FILE_TRAILER, _FILE_TRAILER, number, text)
        if found is not None:
            self._check_count(number, "o arquivo", found["n_records"], self.n_lines)
            if found["n_lots"] and found["n_lots"] != self.n_lots:
                self.reading.fault(
                    number,
                    f"Linha {number}: o arquivo declara {found['n_lots']} lote(s) e tem "
                    f"{self.n_lots}.",
                )

    def _trailer(
        self, record: Record, least: Record, number: int, text: str
    ) -> dict[str, Any] | None:
        """Totals are optional: a bank may leave anything where it tells none."""
        padded = text.ljust(WIDTH)[:WIDTH]
        try:
            return record.read(padded)
        except InvalidRecord:
            return self.reading.read(least, number, padded)

    def _check_count(self, number: int, what: str, declared: int, found: int) -> None:
        if declared and declared != found:
            self.reading.fault(
                number,
                f"Linha {number}: {what.lower()} declara {declared} registros e tem {found}.",
            )


def _fitted(text: str) -> str:
    """Blanks after the end are nothing; a line that ends early stays short, and is a fault."""
    return text[:WIDTH] if not text[WIDTH:].strip() else text
