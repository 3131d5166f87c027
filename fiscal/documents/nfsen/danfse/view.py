"""What the DANFSe template is filled with: fields in rows in blocks, as people read them."""

from __future__ import annotations

from dataclasses import dataclass

from fiscal.documents.nfsen.danfse.texts import DASH


@dataclass(frozen=True)
class Field:
    """A labelled value in one of the four columns (0 to 3), `span` of them wide."""

    label: str
    value: str
    at: int
    span: int = 1
    is_grey: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.value.replace(DASH, "").replace("/", "").strip()


@dataclass(frozen=True)
class Row:
    """Fields at one height, centimetres. `is_optional`: left out when all of them are empty."""

    fields: tuple[Field, ...]
    height: float
    is_optional: bool = False

    @property
    def is_shown(self) -> bool:
        return not self.is_optional or not all(field.is_empty for field in self.fields)


@dataclass(frozen=True)
class Block:
    """A block of the form; `line` stands for the whole of it where it is suppressed.

    `has_title_line`: the first cell is taken by a field, so the title has a line of its own.
    """

    title: str
    rows: tuple[Row, ...] = ()
    line: str = ""
    has_title_line: bool = False


@dataclass(frozen=True)
class Head:
    """Top of the sheet and the block of the note's own data."""

    municipio: str
    generator: str
    environment: str
    warning: str
    chave: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Danfse:
    """A whole DANFSe. `notes` may be cut, `totals` is always printed (Lei 12.741/2012)."""

    head: Head
    parties: tuple[Block, ...]
    service: Block
    description: str
    taxes: tuple[Block, ...]
    notes: str
    totals: str
    receipt: Row
    mark: str


def composite(*parts: str) -> str:
    """`a / b / c`, one dash for each that is missing."""
    return " / ".join(part or DASH for part in parts)
