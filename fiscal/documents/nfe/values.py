"""One value of the request → the text or Decimal that the layout takes, by the kind of its field.

A reader is made once per field of the catalogue; it raises Refused with what would be accepted.
Values come from strangers: any JSON type, at any length, must end in a value or in Refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fiscal import xml
from fiscal.documents.nfe import moments
from fiscal.documents.nfe.catalogue import Field
from lib import money

Reader = Callable[[Any], Any]

_LONGEST_NUMBER = 40  # the widest decimal of the layout has 22 characters
_DIGITS_OF_A_DOUBLE = 15
_NOISE = Decimal("1e-9")  # relative: some millions of roundings of a double
_FRACTION = re.compile(r"[0-9]+\.[0-9]+")
_EXPONENT = re.compile(r"[0-9](?:\.[0-9]+)?E[+-][0-9]{1,2}")


class Refused(ValueError):
    """A value that its field does not take; the text says in pt-BR what would be."""


class TooLong(Refused):
    """A free text beyond its length: `cut` is what fits, ended on a word (XML-6)."""

    def __init__(self, cut: str, limit: int) -> None:
        self.cut = cut
        super().__init__(f"Texto reduzido a {limit} caracteres.")


def shown(value: object) -> str:
    """`value` for a message: short, and never something that UTF-8 cannot carry."""
    text = str(value)[:60] if isinstance(value, str) else type(value).__name__
    return xml.text(text.encode("utf-8", "replace").decode("utf-8"))


def shortened(text: str, limit: int) -> str:
    """`text` within `limit` characters, ended on a word unless the word itself is too long."""
    if len(text) <= limit:
        return text
    head = text[: limit + 1].rpartition(" ")[0].rstrip()
    return head if len(head) >= limit // 2 else text[:limit].rstrip()


def plain(value: Any) -> str:
    """A scalar as text: a number without exponent; Refused for anything that is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        # A JSON number that was not parsed as Decimal: its shortest text is what was written.
        value = Decimal(repr(value)) if math.isfinite(value) else Decimal("NaN")
    if isinstance(value, int) and not isinstance(value, bool):
        if -(10**_LONGEST_NUMBER) < value < 10**_LONGEST_NUMBER:
            return str(value)
        raise Refused("Número grande demais.")
    if isinstance(value, Decimal):
        if value.is_finite() and -_LONGEST_NUMBER < value.adjusted() < _LONGEST_NUMBER:
            return _unpadded(value)
        raise Refused("Número inválido ou grande demais.")
    raise Refused("Tipo inválido: informe um texto ou um número.")


def _unpadded(value: Decimal) -> str:
    text = f"{value:f}" if len(value.as_tuple().digits) <= _LONGEST_NUMBER else "x" * 99
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- decimals (XML-5) ------------------------------------------------------------------------


def decimal_reader(field: Field) -> Reader:
    """A Decimal of at most the digits of the field; surplus zeros do not count."""
    return decimals(field.integer_digits, field.scale[1], field.maximum)


def decimals(digits: int, most: int, maximum: Decimal | None = None) -> Reader:
    """A Decimal from 0 to `maximum` of so many digits before and after the point."""
    fraction = rf"(?:\.[0-9]{{1,{most}}}0*|\.0*)?" if most else r"(?:\.0*)?"
    fits = re.compile(rf"0*[0-9]{{1,{digits}}}{fraction}").fullmatch

    def read(value: Any) -> Decimal:
        text = value.strip() if type(value) is str else plain(value)
        if len(text) > _LONGEST_NUMBER or not fits(text):
            rounded = _without_noise(_without_exponent(text), most)
            if not fits(rounded):
                raise Refused(_why_not_decimal(text, digits, most))
            text = rounded
        number = Decimal(text)
        if maximum is not None and number > maximum:
            raise Refused(f"Informe um número de 0 a {maximum}.")
        return number

    return read


def _without_exponent(text: str) -> str:
    """100 for 1E+2, which is how a body that is kept writes the number 1e2; else `text`."""
    return plain(Decimal(text)) if _EXPONENT.fullmatch(text) else text


def _without_noise(text: str, most: int) -> str:
    """What a sum in binary floating point meant: 10.1 for 10.10000000000001; else `text`.

    A decimal of fewer digits comes through a double unharmed, so 15 and more are computed, not
    written; and noise is far smaller than what somebody could mean by so many decimals. Text is
    no different from a number: a body that is kept keeps its numbers as text.
    """
    if len(text) > _LONGEST_NUMBER or not _FRACTION.fullmatch(text):
        return text
    number = Decimal(text)
    if len(number.as_tuple().digits) < _DIGITS_OF_A_DOUBLE:
        return text
    rounded = money.half_up(number, most)
    is_noise = abs(number - rounded) <= _NOISE * max(abs(rounded), Decimal(1))
    return f"{rounded:f}" if is_noise else text


def _why_not_decimal(text: str, digits: int, most: int) -> str:
    limits = f"até {digits} dígitos inteiros e {most} decimais"
    if re.fullmatch(r"-[0-9]+(\.[0-9]+)?", text[:_LONGEST_NUMBER]):
        return f"O valor não pode ser negativo: use {limits}."
    if re.fullmatch(r"[0-9]+\.[0-9]+", text) and len(text.partition(".")[0].lstrip("0")) <= digits:
        return f"Casas decimais demais: use {limits}."
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return f"Número grande demais: use {limits}."
    return f"Número inválido: use ponto decimal, sem separador de milhar, {limits}."


# --- choices and dates -----------------------------------------------------------------------


def enum_reader(values: tuple[str, ...]) -> Reader:
    """One of `values`, which may come as a number or without its leading zeros."""
    accepted = {value: value for value in values}
    for value in values:  # 1 or "1" for "01", 4 for "4.00", 0 for "00"
        accepted.setdefault(value.lstrip("0") or "0", value)
        accepted.setdefault(value.removesuffix(".00"), value)
        accepted.setdefault(value.upper(), value)
    listed = ", ".join(values) if len(values) <= 40 else ""

    def read(value: Any) -> str:
        text = value if type(value) is str else plain(value)
        found = accepted.get(text) or accepted.get(text.strip().upper())
        if found is None:
            raise Refused(f"Valor não aceito. Use um destes: {listed}.")
        return found

    return read


_BOOLEANS = {
    **dict.fromkeys(("true", "1", "s", "sim"), "S"),
    **dict.fromkeys(("false", "0", "n", "nao", "não"), "N"),
}


def read_boolean(value: Any) -> str:
    """S or N."""
    text = str(value) if isinstance(value, bool) else plain(value)
    found = _BOOLEANS.get(text.strip().lower())
    if found is None:
        raise Refused("Informe true ou false.")
    return found


def read_date(value: Any) -> str:
    """AAAA-MM-DD (TData)."""
    try:
        return moments.layout_date(plain(value))
    except Refused:
        raise
    except ValueError as error:
        raise Refused(str(error)) from None
