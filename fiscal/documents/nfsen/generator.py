"""Compiles the layout and the catalogue into the Python function that writes a DPS (XML-3).

The tree is walked once per process; what comes out is straight code that takes values from the
data and appends canonical text. `s` is the level of data at hand (the body or an entry of a list),
`g` its `get`, `i` the values of the engine, `o` the pieces of text and `a` its `append`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fiscal.documents.nfe import formats
from fiscal.documents.nfe.generator_lines import Line, identifier, merged, wrapped
from fiscal.documents.nfe.layout import Node
from fiscal.documents.nfsen.catalogue import ENGINE, layout, places

Writer = Callable[[dict[str, Any], dict[str, str], list[str]], None]


def compiled() -> Writer:
    """The writer of what stands inside `<infDPS>`."""
    space: dict[str, Any] = dict(formats.NAMES)
    exec(compile(source(), "<layout of the DPS>", "exec"), space)  # noqa: S102 - our own text
    writer: Writer = space["infDPS"]
    return writer


def source() -> str:
    """The generated module as text."""
    functions: dict[str, str] = {}
    root = layout()
    lines = [line for child in root.children for line in _part(child, "", functions)]
    _function("infDPS", lines, functions)
    return "\n\n".join(functions.values())


def _function(name: str, lines: Iterable[Line], functions: dict[str, str]) -> None:
    body = "\n".join(f"    {'    ' * depth}{code}" for depth, code in merged(lines))
    functions[name] = f"def {name}(s, i, o):\n    g = s.get\n    a = o.append\n{body}"


def _part(node: Node, path: str, functions: dict[str, str]) -> Iterator[Line]:
    """An element, or the elements of a sequence or choice: two alternatives of one choice are
    both written, for the schema to refuse."""
    if node.kind != "element":
        for child in node.children:
            yield from _part(child, path, functions)
        return
    place = f"{path}/{node.name}" if path else node.name
    if place in places().lists:
        yield from _repeated(node, place, functions)
    elif node.is_leaf:
        yield from _leaf(node, place)
    else:
        inner = [line for child in node.children for line in _part(child, place, functions)]
        yield from wrapped(node.name, inner)


def _repeated(node: Node, place: str, functions: dict[str, str]) -> Iterator[Line]:
    """One element for each entry of a list; where the layout wraps them, one wrapper."""
    name = f"{identifier(place)}_"
    inner = list(node.elements())
    is_wrapper = node.most == 1 and len(inner) == 1
    if is_wrapper:
        lines: Iterable[Line] = list(_leaf(inner[0], f"{place}/{inner[0].name}"))
    else:
        parts = [line for child in node.children for line in _part(child, place, functions)]
        lines = list(wrapped(node.name, parts))
    _function(name, lines, functions)
    loop = [
        (0, f'for e in g("{places().lists[place].name}") or ():'),
        (1, f"{name}(e, i, o)"),
    ]
    yield from wrapped(node.name, loop) if is_wrapper else loop


def _leaf(node: Node, place: str) -> Iterator[Line]:
    """One value: nothing empty is written, and of a number nothing is empty but its absence."""
    tag = node.name
    if place in ENGINE:
        yield 0, f"a(f'<{tag}>{{i[\"{tag}\"]}}</{tag}>')"
        return
    field = places().fields.get(place)
    if field is None:
        return
    yield 0, f'v = g("{field.name}")'
    if field.kind == "decimal":
        yield 0, "if v is not None:"
        yield 1, f"a(f'<{tag}>{{d2(v)}}</{tag}>')"
    else:
        yield 0, "if v:"
        yield 1, f"a(f'<{tag}>{{v if v.isalnum() else t(v)}}</{tag}>')"
