"""How much room a text takes, without laying it out: careful estimates for Inter."""

from __future__ import annotations

from collections.abc import Iterator

_POINT = 0.3528  # millimetres
# Advance in em, rounded up so that an estimate never promises more than fits.
_NARROW = frozenset(" .,:;'|!iljftIr()[]/-")
_WIDE = frozenset("MWmw@%—")


def width_of(text: str, size: float) -> float:
    """Millimetres that `text` takes at `size` points, at most."""
    return sum(_em(char) for char in text) * size * _POINT


def _em(char: str) -> float:
    if char in _NARROW:
        return 0.36
    if char in _WIDE:
        return 0.95
    return 0.7 if char.isupper() else 0.63


def lines(text: str, *, width: float, size: float) -> Iterator[str]:
    """`text` broken at spaces into lines of `width` millimetres; line breaks are kept."""
    for paragraph in text.split("\n"):
        yield from _wrapped(paragraph, width, size)


def _wrapped(paragraph: str, width: float, size: float) -> Iterator[str]:
    line, used = "", 0.0
    for word in paragraph.split(" "):
        needed = width_of(word + " ", size)
        if line and used + needed > width:
            yield line
            line, used = "", 0.0
        while needed > width:  # a word longer than the line is broken anywhere
            fitting = max(1, int(len(word) * width / needed))
            yield word[:fitting]
            word = word[fitting:]
            needed = width_of(word + " ", size)
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
