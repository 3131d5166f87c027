"""How much room a text takes, without laying it out: the widths of the fonts of our prints."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_POINT = 0.3528  # millimetres
# Advance in thousandths of an em. A font like Times, of the bold face: the regular one is never
# wider.
_SERIF = {
    220: "|",
    250: " ,.",
    278: "il/'",
    333: "!()-:;[]fjt`",
    389: "Is",
    444: "cerz",
    500: "$0123456789?J_agovxy*–",
    556: 'Shkn"bdpuq',
    611: "FP",
    667: "BELTZ",
    722: "ACDNRUVXYw",
    778: "GHKOQ",
    833: "&m",
    944: "M@",
    1000: "W%—…",
}
# Inter, of the regular face, read from its table hmtx.
_SANS = {
    240: "ijl",
    280: " I",
    300: "!,.:'",
    320: ";`",
    360: "()/[\\]t|",
    380: "fr",
    430: "1{}",
    460: "-_°ª",
    480: 'º"^',
    510: "*–?",
    550: "skxz•",
    570: "avyLc§7J",
    600: "Ee5Fhnuo",
    620: "2bdgpq3689",
    640: "#0Z$&PRS",
    670: "4BT+<=>~K",
    690: "XYAV",
    730: "CD",
    760: "GHNOQU",
    820: "w",
    880: "m…",
    900: "M",
    1000: "@%W—",
}


def _face(advances: dict[int, str]) -> dict[str, float]:
    return {char: width / 1000 for width, chars in advances.items() for char in chars}


SERIF, SANS = _face(_SERIF), _face(_SANS)
_OTHER = 0.75  # a character of no list: nearly the widest letter


def width_of(text: str, size: float, face: dict[str, float] = SERIF) -> float:
    """Millimetres that `text` takes at `size` points."""
    return sum(_em(char, face) for char in text) * size * _POINT


def _em(char: str, face: dict[str, float]) -> float:
    known = face.get(char)
    if known is not None:
        return known
    return face.get(unicodedata.normalize("NFD", char)[0], _OTHER)  # an accent takes no room


def size_for(text: str, *, width: float, most: float, least: float) -> float:
    """Points at which `text` fits into one line of `width` millimetres, within the two limits."""
    at_one = width_of(text, 1.0)
    return max(least, min(most, int(10 * width / at_one) / 10)) if at_one else most


def lines(text: str, *, width: float, size: float, face: dict[str, float] = SERIF) -> Iterator[str]:
    """`text` broken at spaces into lines of `width` millimetres; line breaks are kept."""
    for paragraph in text.split("\n"):
        yield from _wrapped(paragraph, width, size, face)


def _wrapped(paragraph: str, width: float, size: float, face: dict[str, float]) -> Iterator[str]:
    line, used = "", 0.0
    for word in paragraph.split(" "):
        needed = width_of(word + " ", size, face)
        if line and used + needed > width:
            yield line
            line, used = "", 0.0
        while needed > width:  # a word longer than the line is broken anywhere
            fitting = max(1, int(len(word) * width / needed))
            yield word[:fitting]
            word = word[fitting:]
            needed = width_of(word + " ", size, face)
        line = f"{line} {word}" if line else word
        used += needed
    yield line


def split_at(text: str, *, most: int, width: float, size: float) -> tuple[str, str]:
    """What fits into `most` lines, and the rest."""
    kept = list(lines(text, width=width, size=size))
    if len(kept) <= most:
        return text, ""
    return "\n".join(kept[:most]), " ".join(kept[most:]).strip()


def count(text: str, *, width: float, size: float) -> int:
    """Lines that `text` takes."""
    return sum(1 for _ in lines(text, width=width, size=size))
