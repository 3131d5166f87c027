"""The access key as Code 128, as inline SVG, and images for the prints (PDF-4)."""

from __future__ import annotations

import base64
from itertools import groupby

from barcode.charsets import code128

_START = code128.START_CODES
_TO = {"B": code128.C["TO_B"], "C": 99}
_STOP = code128.STOP + "11"  # the final bar of two modules
_QUIET = 10  # modules on either side


def code128_values(text: str) -> list[int]:
    """Symbol values of the shortest Code 128 of `text`: start, data and shifts, check digit.

    Set C carries pairs of digits, set B single characters; a shortest path decides where to
    change. A numeric key gives set C alone, 24 symbols. Raises ValueError for other characters
    than ASCII digits and capital letters.
    """
    if not text or any(char not in _ALLOWED for char in text):
        raise ValueError("a key is made of digits and capital letters")
    values = _shortest(text)
    check = values[0] + sum(at * value for at, value in enumerate(values))
    return [*values, check % 103]


_ALLOWED = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _shortest(text: str) -> list[int]:
    """Fewest symbols, by dynamic programming from the left over the set in force."""
    best: dict[str, list[list[int] | None]] = {
        name: [None] * (len(text) + 1) for name in ("B", "C")
    }
    for name, paths in best.items():
        paths[0] = [_START[name]]
    for at in range(len(text) + 1):
        _change(best, at)
        single, pair = best["B"][at], best["C"][at]
        if single is not None and at < len(text):
            _keep(best["B"], at + 1, [*single, code128.B[text[at]]])
        if pair is not None and text[at : at + 2].isdecimal() and at + 2 <= len(text):
            _keep(best["C"], at + 2, [*pair, int(text[at : at + 2])])
    return min((path for paths in best.values() if (path := paths[-1]) is not None), key=len)


def _change(best: dict[str, list[list[int] | None]], at: int) -> None:
    """Reach a set from the other one with one symbol; never right at the start."""
    if at == 0:
        return
    for name, other in (("B", "C"), ("C", "B")):
        path = best[other][at]
        if path is not None:
            _keep(best[name], at, [*path, _TO[name]])


def _keep(paths: list[list[int] | None], at: int, path: list[int]) -> None:
    known = paths[at]
    if known is None or len(path) < len(known):
        paths[at] = path


def modules_of(text: str) -> str:
    """The bars as 1 and 0, one character per module, without quiet zones."""
    return "".join(code128.CODES[value] for value in code128_values(text)) + _STOP


def code128_svg(text: str, *, is_vertical: bool = False) -> str:
    """Code 128 of `text` as SVG rectangles, quiet zones of 10 modules included.

    `is_vertical` turns it by a right angle, for paper narrower than the bars.

    One path for all of them: viewers widen separate rectangles to whole pixels, and at 220 dpi
    nothing can be read any more. No size of its own: the style sheet gives one, at least
    115 × 8 mm for a key with letters and 60 × 8 mm otherwise.
    """
    bars, x = [], _QUIET
    for dark, run in groupby(modules_of(text)):
        width = len(list(run))
        if dark == "1":
            bar = f"M0 {x}v{width}h10v-{width}z" if is_vertical else f"M{x} 0h{width}v10h-{width}z"
            bars.append(bar)
        x += width
    length = x + _QUIET
    size = f"10 {length}" if is_vertical else f"{length} 10"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" class="barcode" '
        f'preserveAspectRatio="none"><path d="{"".join(bars)}"/></svg>'
    )


def image_uri(image: bytes) -> str:
    """A PNG or JPEG as a `data:` address; empty for anything else."""
    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}
    kind = next((name for magic, name in kinds.items() if image.startswith(magic)), "")
    encoded = base64.b64encode(image).decode()
    return f"data:image/{kind};base64,{encoded}" if kind else ""
