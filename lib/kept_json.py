"""A JSON body as it is kept, so that what is read again later means what it meant at first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_LARGEST = 18  # digits on either side of the point; nothing that a document holds has more


def kept(node: Any) -> Any:
    """The same body without Decimal: whole numbers as int, others as text without exponent.

    A column of JSON would keep `1e2` and `1.0` as texts, which readers of codes and amounts take
    for what somebody wrote. Beyond 18 digits a number stays as it was written: nothing reads it.
    """
    if isinstance(node, Decimal):
        return _number(node)
    if isinstance(node, dict):
        return {name: kept(value) for name, value in node.items()}
    return [kept(one) for one in node] if isinstance(node, list | tuple) else node


def _number(value: Decimal) -> int | str:
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST:
        return str(value)
    return int(value) if value == value.to_integral_value() else f"{value:f}"
