"""The number that templates compute with (TPL-1).

Templates write `total_amount * 0.10` and `total_amount > 1000`; a plain Decimal refuses floats.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

Operand = Decimal | int | float


def _operand(value: object) -> Decimal | None:
    """A number on the other side of an operator, a float by its text: 0.1 is one tenth."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    return Decimal(repr(value)) if isinstance(value, float) else None


def half_up(value: Decimal, places: int) -> Decimal:
    """`value` with `places` decimals, ties away from zero; as it is when it cannot be rounded."""
    try:
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        return value


class TemplateDecimal(Decimal):
    """A Decimal that takes ints and floats in arithmetic and comparisons and rounds half up (M-2).

    What it computes is a TemplateDecimal again.
    """

    __slots__ = ()

    def __add__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__add__, self, other)

    def __radd__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__radd__, self, other)

    def __sub__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__sub__, self, other)

    def __rsub__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__rsub__, self, other)

    def __mul__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__mul__, self, other)

    def __rmul__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__rmul__, self, other)

    def __truediv__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__truediv__, self, other)

    def __rtruediv__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__rtruediv__, self, other)

    def __floordiv__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__floordiv__, self, other)

    def __rfloordiv__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__rfloordiv__, self, other)

    def __mod__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__mod__, self, other)

    def __rmod__(self, other: Operand) -> TemplateDecimal:
        return _computed(Decimal.__rmod__, self, other)

    def __pow__(self, other: Operand, modulo: None = None) -> TemplateDecimal:  # type: ignore[override]
        return _computed(Decimal.__pow__, self, other)

    def __rpow__(self, other: Operand, modulo: None = None) -> TemplateDecimal:  # type: ignore[override]
        return _computed(Decimal.__rpow__, self, other)

    def __neg__(self) -> TemplateDecimal:
        return TemplateDecimal(Decimal.__neg__(self))

    def __pos__(self) -> TemplateDecimal:
        return TemplateDecimal(Decimal.__pos__(self))

    def __abs__(self) -> TemplateDecimal:  # type: ignore[override]
        return TemplateDecimal(Decimal.__abs__(self))

    def __eq__(self, other: object) -> bool:
        return _compared(Decimal.__eq__, self, other)

    # Equal numbers hash alike, as Decimal, int and float already agree on.
    __hash__ = Decimal.__hash__

    def __lt__(self, other: Any) -> bool:
        return _compared(Decimal.__lt__, self, other)

    def __le__(self, other: Any) -> bool:
        return _compared(Decimal.__le__, self, other)

    def __gt__(self, other: Any) -> bool:
        return _compared(Decimal.__gt__, self, other)

    def __ge__(self, other: Any) -> bool:
        return _compared(Decimal.__ge__, self, other)

    def __str__(self) -> str:
        return Decimal.__format__(self, "f")  # never 1E+3 in a document

    def __round__(self, places: int | None = None) -> Any:
        rounded = half_up(self, places or 0)
        return int(rounded) if places is None else TemplateDecimal(rounded)

    def __format__(self, spec: str) -> str:  # type: ignore[override]
        places = _places(spec)
        return Decimal.__format__(self if places is None else half_up(self, places), spec)


def _computed(operation: Any, number: Decimal, other: object) -> Any:
    operand = _operand(other)
    return NotImplemented if operand is None else TemplateDecimal(operation(number, operand))


def _compared(operation: Any, number: Decimal, other: object) -> Any:
    operand = _operand(other)
    return NotImplemented if operand is None else operation(number, operand)


def _places(spec: str) -> int | None:
    """The decimals that a format such as `,.2f` asks for; None when it fixes none."""
    digits = spec[:-1].rpartition(".")[2] if spec[-1:] in {"f", "F"} and "." in spec else ""
    return int(digits) if digits.isdecimal() else None


def for_template(value: Any) -> Any:
    """Plain data with every Decimal as a TemplateDecimal, in new lists and dicts."""
    if isinstance(value, Decimal):
        return TemplateDecimal(value)
    if isinstance(value, dict):
        return {key: for_template(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [for_template(item) for item in value]
    return value
