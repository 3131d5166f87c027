"""Values as the layout writes them (XML-5): integer arithmetic on scaled decimals, no exponent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from fiscal.access_key import UF_CODES
from fiscal.taxes.issqn import is_service
from fiscal.xml import escape, escape_attribute

# Wide enough for any product of two values that the catalogue admits.
_WIDE = Context(prec=70)
_UNITS = tuple(Decimal(1).scaleb(-n) for n in range(11))


def decimal(places: int) -> Callable[[Decimal | str], str]:
    """A writer of exactly `places` decimals, half-up. Up to six, where str() has no exponent."""
    unit = _UNITS[places]

    # Rates and quantities repeat from item to item and from sale to sale.
    @lru_cache(maxsize=4096)
    def write(value: Decimal | str) -> str:
        number = value if type(value) is Decimal else Decimal(value)
        return str(number.quantize(unit, ROUND_HALF_UP, _WIDE))

    return write


def cents(value: Decimal | str) -> str:
    """Exactly two decimals. Most values have them already, and the first look is the cheap one."""
    text = str(value)
    return text if text[-3:-2] == "." else _two(value)


def short_decimal(value: Decimal | str) -> str:
    """Up to ten decimals and no useless zeros beyond the cents: `10.00`, `0.3333333333`."""
    text = str(value)
    if text[-3:-2] == ".":
        return text
    number = value if type(value) is Decimal else Decimal(value)
    text = f"{number.quantize(_UNITS[10], ROUND_HALF_UP, _WIDE):f}"
    return text[:-8] + text[-8:].rstrip("0")


def decimal_name(places: int, *, is_fixed: bool) -> str:
    """The name under which the generated code finds the writer of a decimal type."""
    return f"d{places}" if is_fixed else "short"


def yes_no(value: Any) -> str:
    """S or N."""
    return "S" if value is True or value in ("S", "true", "1") else "N"


def uf_code(value: str) -> str:
    """The IBGE code of a UF given by its letters; a code stays as it is."""
    return UF_CODES.get(value, value)


def number(value: Decimal | str, write: Callable[[Decimal | str], str]) -> str:
    """A number that the catalogue reads as text: written like the others when it is one."""
    if type(value) is str and not _NUMBER.fullmatch(value):
        return escape(value)
    return write(Decimal(value))


_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?")
_two = decimal(2)

NAMES: Mapping[str, Callable[..., Any]] = {
    "t": escape,
    "q": lambda value: escape_attribute(value or ""),
    "short": short_decimal,
    "yes_no": yes_no,
    "number": number,
    "is_service": is_service,
    "uf_code": uf_code,
    **{f"d{places}": decimal(places) for places in range(7)},
    "d2": cents,
}
