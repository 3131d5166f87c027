"""Rounding, reading and writing of amounts in Brazilian reais; Decimal, never float (M-1)."""

import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

CENT = Decimal("0.01")
MAX_INTEGER_DIGITS = 13  # TDec_1302: 15 digits of which 2 are decimals
INVALID_AMOUNT = "Valor inválido. Use o formato 1.234,56."

NBSP = "\u00a0"
_WIDE = Context(prec=100)  # wide enough for an index factor before its only rounding
_SWAP_SEPARATORS = str.maketrans(",.", ".,")
_SUFFIXES = ((Decimal(1000), "k"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 9, "B"))

_PREFIXED = re.compile(r"(-?)\s*(?:R\$)?\s*(-?)([0-9.,]+)", re.IGNORECASE)
_GROUPED = re.compile(r"([1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:,([0-9]+))?")
_COMMA = re.compile(r"([0-9]+)(?:,([0-9]+))?")
_DOT = re.compile(r"([0-9]+)\.([0-9]+)")


def _finite(value: Decimal | int) -> Decimal:
    """`value` as a finite Decimal. A float is a TypeError: it has lost the cents already."""
    if not isinstance(value, Decimal | int):
        raise TypeError(f"money is Decimal, not {type(value).__name__}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"not a finite amount: {number}")
    return number


def _quantize(value: Decimal | int, places: int, rounding: str) -> Decimal:
    """`value` with `places` decimals; a zero never keeps a minus sign."""
    exponent = Decimal(1).scaleb(-places)
    rounded = _finite(value).quantize(exponent, rounding=rounding, context=_WIDE)
    return rounded if rounded else rounded.copy_abs()


def half_up(value: Decimal | int, places: int = 2) -> Decimal:
    """Round to `places` decimals, ties away from zero: the house rule of M-2."""
    return _quantize(value, places, ROUND_HALF_UP)


def truncate(value: Decimal | int, places: int = 2) -> Decimal:
    """Cut to `places` decimals, towards zero (equal parcels, SPLIT-1)."""
    return _quantize(value, places, ROUND_DOWN)


def decimal_br(value: Decimal | int, places: int) -> str:
    """`1.234,56`: half-up to `places` decimals, Brazilian separators, no symbol."""
    return f"{half_up(value, places):,f}".translate(_SWAP_SEPARATORS)


def _with_symbol(text: str) -> str:
    """Put `R$` and a no-break space before a number, the minus sign first."""
    sign = "-" if text.startswith("-") else ""
    return f"{sign}R${NBSP}{text.removeprefix('-')}"


def brl(value: Decimal | int) -> str:
    """`R$ 1.234,56` with U+00A0 after the symbol; negative `-R$ 10,00` (ux §1.1)."""
    return _with_symbol(decimal_br(value, 2))


def brl_compact(value: Decimal | int) -> str:
    """`R$ 1,5k`, `R$ 2,3M`, `R$ 1,1B` above one thousand, else the full amount (ux §1.1).

    One decimal, half-up. A number that rounds to 1.000,0 takes the next suffix; above billions
    there is none and the number simply grows.
    """
    amount = _finite(value)
    if abs(amount) <= 1000:
        return brl(amount)
    scaled = [(half_up(amount.scaleb(-unit.adjusted()), 1), name) for unit, name in _SUFFIXES]
    number, suffix = next((s for s in scaled if abs(s[0]) < 1000), scaled[-1])
    return _with_symbol(decimal_br(number, 1)) + suffix


def _parts(number: str, places: int) -> tuple[str, str]:
    """Integer and decimal digits of an unsigned number typed by a person, or ValueError.

    A well-formed thousands grouping wins, so `1.234` is one thousand two hundred and thirty-four:
    three digits after a lone dot are never decimals unless the grouping is impossible (`1234.567`).
    """
    found = _GROUPED.fullmatch(number) or _COMMA.fullmatch(number) or _DOT.fullmatch(number)
    if found is None:
        raise ValueError(INVALID_AMOUNT)
    integer = found[1].replace(".", "").lstrip("0") or "0"
    decimals = found[2] or ""
    if len(integer) > MAX_INTEGER_DIGITS or len(decimals) > places:
        raise ValueError(INVALID_AMOUNT)
    return integer, decimals


def parse_brl(text: str, *, places: int = 2) -> Decimal:
    """Read `1234,56`, `1.234,56` or `1234.56`, with or without `R$` and a minus sign (ux §1.1).

    Answers a Decimal with exactly `places` decimals and accepts no more than that; up to 13 integer
    digits, ASCII only. Raises ValueError with the pt-BR text for people.
    """
    found = _PREFIXED.fullmatch(text.strip())
    if found is None or (found[1] and found[2]):
        raise ValueError(INVALID_AMOUNT)
    integer, decimals = _parts(found[3], places)
    sign = found[1] or found[2]
    return half_up(Decimal(f"{sign}{integer}.{decimals or '0'}"), places)


def api_decimal(value: Decimal | int) -> str:
    """Text of a decimal in the API: `"100.0"`, `"14.38"`, `"33.3333"` (T-2).

    No exponent, no thousands separator, no useless zeros, at least one decimal.
    """
    integer, _, decimals = f"{_finite(value):f}".partition(".")
    text = f"{integer}.{decimals.rstrip('0') or '0'}"
    return "0.0" if text == "-0.0" else text
