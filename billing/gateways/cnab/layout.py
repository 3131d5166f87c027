"""Records of fixed width, declared field by field and both written and read (boleto-pix §6.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from lib.br import unaccented

Value = str | int | Decimal | date | None


class Kind(Enum):
    """How a field is written."""

    NUMBER = "number"  # digits, zeros to the left
    DOCUMENT = "document"  # as NUMBER, but the CNPJ may have letters
    TEXT = "text"  # capitals without accents, blanks to the right
    MONEY = "money"  # two decimals, without a point
    DAY = "day"  # DDMMAAAA or DDMMAA by its width; zeros for none
    DUE = "due"  # as DAY; nines say "contra apresentação", which is no day either


N, DOC, X, V, D, DUE = (
    Kind.NUMBER, Kind.DOCUMENT, Kind.TEXT, Kind.MONEY, Kind.DAY, Kind.DUE,
)  # fmt: skip


class InvalidRecord(Exception):
    """A line that cannot be read, or a value that cannot be written; the text is pt-BR."""


@dataclass(frozen=True)
class Field:
    """Positions count from 1 and include the last; `value` is written where none is given.

    A name that begins with "_" is filler: written with its value, not read.
    """

    name: str
    first: int
    last: int
    kind: Kind = X
    value: Value = ""

    @property
    def width(self) -> int:
        return self.last - self.first + 1

    def write(self, value: Value) -> str:
        """The value in the width of the field. Raises InvalidRecord when it does not fit.

        Only a text is cut: a number that lost a digit would be another number.
        """
        written = _WRITERS[self.kind](value, self.width)
        if len(written) > self.width:
            raise InvalidRecord(f"{self.name}: {value} não cabe em {self.width} posições.")
        return written

    def read(self, line: str) -> Value:
        """What the field says. Raises InvalidRecord for letters in a number and for no date."""
        raw = line[self.first - 1 : self.last]
        try:
            return _READERS[self.kind](raw)
        except ValueError as error:
            name = SPOKEN.get(self.name, self.name)
            raise InvalidRecord(f"{name}: “{raw}” não é {_LABELS[self.kind]}.") from error


class Record:
    """A kind of line. Raises ValueError at once when its fields leave gaps or overlap."""

    def __init__(self, name: str, width: int, fields: Sequence[Field]) -> None:
        self.name, self.width = name, width
        self.fields = tuple(_filled(sorted(fields, key=lambda one: one.first), width))
        self._by_name = {one.name: one for one in self.fields}
        self._read = tuple(
            (one.name, slice(one.first - 1, one.last), _READERS[one.kind])
            for one in self.fields
            if not one.name.startswith("_")
        )

    def write(self, values: Mapping[str, Value]) -> str:
        """One line, without its end. Raises InvalidRecord, and KeyError for an unknown name."""
        for name in values:
            self._by_name[name]
        return "".join(one.write(values.get(one.name, one.value)) for one in self.fields)

    def read(self, line: str) -> dict[str, Value]:
        """Field → value; fillers are left out. Raises InvalidRecord, also for another width."""
        if len(line) != self.width:
            raise InvalidRecord(f"{self.name}: linha de {len(line)} posições, e não {self.width}.")
        try:
            return {name: read(line[place]) for name, place, read in self._read}
        except ValueError:  # which of them is it?
            return {name: self._by_name[name].read(line) for name, _, _ in self._read}

    def changed(self, *fields: Field) -> Record:
        """The record as another bank has it: these fields take the places of those they cover."""
        kept = [one for one in self.fields if not any(_overlap(one, other) for other in fields)]
        named = [one for one in kept if one.name != "_"]
        return Record(self.name, self.width, [*named, *fields])

    def only(self, *names: str) -> Record:
        """The record for reading nothing but these: what else stands there may be anything."""
        return Record(self.name, self.width, [self._by_name[name] for name in names])


def _filled(fields: Sequence[Field], width: int) -> Iterator[Field]:
    """The fields with blanks between them."""
    at = 1
    for one in fields:
        if one.first < at or one.last > width or one.width < 1:
            raise ValueError(f"{one.name}: {one.first}-{one.last} does not fit at {at}")
        if one.first > at:
            yield Field("_", at, one.first - 1)
        yield one
        at = one.last + 1
    if at <= width:
        yield Field("_", at, width)


def _overlap(one: Field, other: Field) -> bool:
    return one.first <= other.last and other.first <= one.last


# --- writing and reading -----------------------------------------------------------------------


def _number(value: Value, width: int) -> str:
    text = str(value if value not in (None, "") else 0)
    if not (text.isascii() and text.isdecimal()):
        raise InvalidRecord(f"“{value}” não é um número.")
    return text.zfill(width)


def _document(value: Value, width: int) -> str:
    return "".join(one for one in str(value or "") if one.isascii() and one.isalnum()).zfill(width)


def _text(value: Value, width: int) -> str:
    plain = unaccented(str(value if value is not None else ""))
    return "".join(one if one.isprintable() else " " for one in plain).upper()[:width].ljust(width)


def _money(value: Value, width: int) -> str:
    cents = Decimal(str(value or 0)) * 100
    if cents < 0 or cents != int(cents):
        raise InvalidRecord(f"“{value}” não é um valor de duas casas.")
    return str(int(cents)).zfill(width)


def _day(value: Value, width: int) -> str:
    if not isinstance(value, date):
        return "0" * width
    return f"{value:%d%m%Y}" if width == 8 else f"{value:%d%m%y}"


def _read_number(raw: str) -> int:
    text = raw.strip() or "0"
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(raw)
    return int(text)


def _read_day(raw: str) -> date | None:
    text = raw.strip()
    if not text.strip("0"):
        return None
    if not (text.isascii() and text.isdecimal() and len(text) == len(raw)):
        raise ValueError(raw)
    year = int(text[4:]) + (2000 if len(text) == 6 else 0)
    return date(year, int(text[2:4]), int(text[:2]))


_WRITERS: dict[Kind, Callable[[Value, int], str]] = {
    N: _number,
    DOC: _document,
    X: _text,
    V: _money,
    D: _day,
    DUE: _day,
}
_READERS: dict[Kind, Callable[[str], Value]] = {
    N: _read_number,
    DOC: str.strip,
    X: str.rstrip,
    V: lambda raw: Decimal(_read_number(raw)) / 100,
    D: _read_day,
    DUE: lambda raw: _read_day(raw) if raw.strip("9") else None,
}
SPOKEN = {
    "abatement": "abatimento", "additions": "acréscimos", "amount": "valor do título",
    "credited": "valor creditado", "credited_on": "data do crédito", "discount": "desconto",
    "due": "vencimento", "fee": "tarifa", "made_on": "data do arquivo", "number": "número",
    "n_lots": "quantidade de lotes", "n_records": "quantidade de registros",
    "occurred_on": "data da ocorrência", "other_credits": "outros créditos", "paid": "valor pago",
    "sequence": "sequência", "total": "valor total", "document": "CNPJ/CPF",
}  # fmt: skip
_LABELS = {
    N: "um número",
    DOC: "um documento",
    X: "um texto",
    V: "um valor",
    D: "uma data",
    DUE: "uma data",
}
