"""Check digits of boletos (boleto-pix §3). Numbers are texts of decimal digits."""

from __future__ import annotations

from functools import cache
from itertools import cycle, islice
from operator import mul

_ZERO = ord("0")
_VALUE = bytes(one - _ZERO if 0 <= one - _ZERO <= 9 else 0 for one in range(256))
# Twice the digit, its own digits added.
_TWICE = bytes(sum(divmod(2 * value, 10)) if value <= 9 else 0 for value in _VALUE)
_LONGEST = 64


def mod10(number: str) -> str:
    """Weights 2, 1, 2, 1… from the right, the digits of each product added."""
    raw = number.encode()
    total = sum(raw[-1::-2].translate(_TWICE)) + sum(raw[-2::-2].translate(_VALUE))
    return str(-total % 10)


def mod11_of_barcode(number: str) -> str:
    """Weights 2 to 9; 0, 10 and 11 become 1 (those of collection documents differ)."""
    left = 11 - _mod11(number)
    return "1" if left >= 10 else str(left)


def mod11_zero(number: str) -> str:
    """Weights 2 to 9; 10 and 11 become 0."""
    left = 11 - _mod11(number)
    return "0" if left >= 10 else str(left)


def mod11_x(number: str) -> str:
    """Of Banco do Brasil: weights 2 to 9; 10 becomes X, 11 becomes 0."""
    left = 11 - _mod11(number)
    return {10: "X", 11: "0"}.get(left) or str(left)


def mod11_p(number: str) -> str:
    """Of Bradesco: weights 2 to 7; 10 becomes P, 11 becomes 0."""
    left = 11 - _mod11(number, highest=7)
    return {10: "P", 11: "0"}.get(left) or str(left)


def _mod11(number: str, *, highest: int = 9) -> int:
    values = number.encode().translate(_VALUE)[::-1]
    return sum(map(mul, values, _weights(highest))) % 11


@cache
def _weights(highest: int) -> tuple[int, ...]:
    return tuple(islice(cycle(range(2, highest + 1)), _LONGEST))
