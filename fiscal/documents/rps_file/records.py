"""Fields of fixed width: what is written is cut or padded, what is read keeps its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from fiscal import xml
from lib import money

ENCODING = "iso-8859-1"
LINE_END = "\r\n"
Field = tuple[str, int]  # name and width


class TooWide(ValueError):
    """A value that does not fit its field, and may not be cut. The text says which, in pt-BR."""


@dataclass(frozen=True)
class Layout:
    """Fields in their order; what is behind the last one is the description of the service."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        return sum(width for _, width in self.fields)

    def cut(self, line: str) -> dict[str, str]:
        """Field → text without the blanks around it; `discriminacao` is what is left."""
        found, place = {}, 0
        for name, width in self.fields:
            found[name] = line[place : place + width].strip()
            place += width
        return {**found, "discriminacao": line[place:].strip()}

    def joined(self, parts: Sequence[str]) -> str:
        """The parts one after the other. Raises ValueError when one has another width."""
        for (name, width), part in zip(self.fields, parts, strict=True):
            if len(part) != width:
                raise ValueError(f"{name}: {len(part)} characters instead of {width}")
        return "".join(parts)


def text(value: str, width: int) -> str:
    """Blanks to the right; characters outside of ISO-8859-1 become the plain ones (XML-6)."""
    return xml.text(value)[:width].ljust(width)


def digits(value: str, width: int, *, field: str = "") -> str:
    """Zeros to the left. A CNPJ may have letters. Raises TooWide."""
    bare = "".join(char for char in value if char.isascii() and char.isalnum())
    if len(bare) > width:
        raise TooWide(f"{field or 'O número'} tem mais de {width} dígitos.")
    return bare.zfill(width)


def cents(value: Decimal | None, width: int = 15) -> str:
    """An amount in cents. Raises TooWide."""
    return digits(str(int(money.half_up(value or Decimal(0)) * 100)), width, field="O valor")
