"""Lines of a bank file as they come: any end of line, marks of editors, three encodings mixed."""

from __future__ import annotations

import io
from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_ENDS = b"\r\n\x1a\x00"
# Letters of Portuguese in code page 850 that are none in Latin-1: controls, signs, Æ.
_CP850 = frozenset((*range(0x80, 0xA4), 0xC6))


def lines(content: bytes, *, width: int) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of each line that has anything, read one at a time."""
    if content.startswith(_BOM):
        content = content[len(_BOM) :]
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    for number, raw in enumerate(io.BytesIO(content), 1):
        line = raw.lstrip(b"\r").rstrip(_ENDS)
        if line.strip():
            # A NUL stands for a blank, in its place: no database keeps one.
            yield number, decoded(line, width=width).replace("\0", " ")


def decoded(raw: bytes, *, width: int) -> str:
    """One line; positions count, so a reading with the right width goes before any other."""
    if raw.isascii():
        return raw.decode("ascii")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _single(raw)
    return _single(raw) if len(text) != width == len(raw) else text


def _single(raw: bytes) -> str:
    """A byte a letter: old programs wrote code page 850, all others Latin-1."""
    is_cp850 = not _CP850.isdisjoint(raw)
    return raw.decode("cp850" if is_cp850 else "latin-1")
