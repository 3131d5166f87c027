"""QR codes and boleto bar codes as inline SVG."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import segno

# Interleaved 2 of 5: which of the five bars of a digit are wide.
_ITF = ["00110", "10001", "01001", "11000", "00101", "10100", "01100", "00011", "10010", "01010"]
_ITF_WIDE = 2  # 103 mm of 44 digits make narrow bars of 0.33 mm (boleto-pix §4)
_OVERLAP = 0.04  # closes the hairlines that viewers draw between touching shapes


def qr_svg(text: str) -> str:
    """A QR code of `text` as SVG without margin or size: the style sheet gives both.

    Empty for empty text and for more than a QR code holds (2,331 bytes at level M).
    """
    if not text:
        return ""
    try:
        code = segno.make_qr(text, error="m", boost_error=False)
    except segno.DataOverflowError:
        return ""
    size = len(code.matrix)
    rows = [_row(row, y) for y, row in enumerate(code.matrix)]
    return _svg(size, size, "".join(rows), thickness=1 + _OVERLAP, attributes='class="qr"')


def _row(modules: Iterable[int], y: int) -> str:
    """The dark runs of one row, as strokes: the PDF engine takes a third of the time of shapes."""
    path, x = [], 0
    for dark, run in groupby(modules):
        width = len(list(run))
        if dark:
            path.append(f"M{x} {y}.5h{width}")
        x += width
    return "".join(path)


def _svg(width: int, height: int, path: str, *, thickness: float, attributes: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {attributes}>'
        f'<path fill="none" stroke="#000" stroke-width="{thickness}" d="{path}"/></svg>'
    )


def itf_svg(digits: str) -> str:
    """An Interleaved 2 of 5 bar code, e.g. the 44 digits of a boleto, 103 mm × 13 mm at full size.

    Empty for empty text. Raises ValueError for anything but an even number of digits.
    """
    if not digits:
        return ""
    if not (digits.isascii() and digits.isdecimal()) or len(digits) % 2:
        raise ValueError("an ITF bar code is an even number of digits")
    pairs = (digits[at : at + 2] for at in range(0, len(digits), 2))
    widths = [1, 1, 1, 1, *(width for pair in pairs for width in _pair(pair)), _ITF_WIDE, 1, 1]
    path, x = [], 0
    for index, width in enumerate(widths):
        if index % 2 == 0:
            path.append(f"M{x} 25h{width}")
        x += width
    attributes = 'class="itf" preserveAspectRatio="none"'
    return _svg(x, 50, "".join(path), thickness=50, attributes=attributes)


def _pair(pair: str) -> list[int]:
    """Bars show the first digit of a pair, the spaces between them the second."""
    bars, spaces = (_ITF[int(digit)] for digit in pair)
    return [
        _ITF_WIDE if bit == "1" else 1
        for bar, space in zip(bars, spaces, strict=True)
        for bit in (bar, space)
    ]
