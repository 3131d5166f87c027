"""Lines of generated code: put between tags, indented, joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Line = tuple[int, str]  # depth, code


def wrapped(tag: str, inner: Iterable[Line], head: str = "") -> Iterator[Line]:
    """`inner` between the tags; the start tag is taken back when nothing followed it."""
    lines = list(inner)
    if not lines:
        return
    mark = f"n_{tag}"
    # Not in the form that `merged` joins to its neighbours: this piece may be taken back.
    yield 0, f"o.append(f'{head}')" if head else f"a('<{tag}>')"
    yield 0, f"{mark} = len(o)"
    yield from lines
    yield 0, f"if len(o) == {mark}:"
    yield 1, "o.pop()"
    yield 0, "else:"
    yield 1, f"a('</{tag}>')"


def deeper(lines: Iterable[Line]) -> Iterator[Line]:
    return ((depth + 1, code) for depth, code in lines)


def merged(lines: Iterable[Line]) -> Iterator[Line]:
    """Appends that follow one another become one."""
    last: Line | None = None
    for line in lines:
        if last and last[0] == line[0] and _piece(last) and _piece(line):
            last = (line[0], f"{last[1][:-2]}{line[1][4:]}")
            continue
        if last:
            yield last
        last = line
    if last:
        yield last


def _piece(line: Line) -> bool:
    return line[1].startswith("a(f'")


def identifier(path: str) -> str:
    return re.sub(r"\W", "_", path)


def local(name: str) -> str:
    return f"v_{name}"
