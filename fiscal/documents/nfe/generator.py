"""Compiles the layout and the catalogue into the Python function that writes a document (XML-3).

Walking a tree of six hundred elements for every document would cost more than signing it. So the
tree is walked once per process and model, and what comes out is source: for every group straight
code that takes values from the data and appends canonical text. `source_of` shows it.

In the generated functions `s` is the level of data at hand (the header, an item, an entry), `g` its
`get`, `i` the values that the engine decides, `o` the list of text pieces and `a` its `append`.
`p` holds marks of what the level has: four in five of the optional groups are absent, and one look
at `p` is cheaper than asking for each of their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fiscal.documents.nfe import formats
from fiscal.documents.nfe.generator_blocks import Blocks
from fiscal.documents.nfe.generator_lines import Line, deeper, identifier, merged, wrapped
from fiscal.documents.nfe.groups import Places, places
from fiscal.documents.nfe.layout import Node, layout
from fiscal.documents.nfe.marks import LEVELS, Level, Marks, marks, run_of, runs

Writer = Callable[[dict[str, Any], dict[str, str], list[str]], None]

TAXES_OR = "det/imposto"  # its only direct choice is between goods (ICMS) and services (ISSQN)


def compiled(modelo: int) -> Writer:
    """The writer of what stands inside `<infNFe>`."""
    space: dict[str, Any] = dict(formats.NAMES)
    exec(compile(source_of(modelo), f"<layout of model {modelo}>", "exec"), space)  # noqa: S102
    writer: Writer = space["infNFe"]
    return writer


def source_of(modelo: int) -> str:
    """The generated module as text."""
    known = places(modelo)
    generator = _Generator(known, marks(known, layout()))
    generator.whole(layout())
    return "\n\n".join(generator.functions.values())


class _Generator(Blocks):
    """The functions of one model, by name, in the order in which they need each other."""

    def __init__(self, places: Places, marks: Marks) -> None:
        super().__init__(places)
        self.marks = marks
        self.functions: dict[str, str] = {}

    def whole(self, root: Node) -> None:
        levels = (f"{_marks_of(level)} = {self.marks.of_level(level)!r}.get" for level in LEVELS)
        self.functions["marks"] = "\n".join((*levels, *self.marks.constants()))
        lines = [line for child in root.children for line in self.top(child)]
        self.function("infNFe", [_marking(()), *lines], arguments="s, i, o")

    def top(self, node: Node) -> Iterable[Line]:
        """A first level of the document: a function of its own, called in order."""
        if node.name in self.places.lists:
            return self.repeated(node, node.name)
        return self.call(node, node.name)

    def call(self, node: Node, path: str) -> Iterator[Line]:
        name = identifier(path)
        if name not in self.functions:
            lines = list(self.group(node, path))
            if not lines:
                return
            self.function(name, lines)
        yield 0, f"{name}(s, i, o, p)"

    def function(self, name: str, lines: list[Line], arguments: str = "s, i, o, p") -> None:
        body = "\n".join(f"    {'    ' * depth}{code}" for depth, code in merged(lines))
        head = f"def {name}({arguments}):\n    g = s.get\n    a = o.append"
        self.functions[name] = f"{head}\n{body}"

    # --- elements ----------------------------------------------------------------------------

    def element(self, node: Node, path: str, *, fill: bool = False) -> Iterable[Line]:
        if path in self.places.lists:
            return self.repeated(node, path)
        if node.is_leaf:
            return self.leaf(node, path, fill=fill)
        return self.group(node, path, fill=fill)

    def repeated(self, node: Node, path: str) -> Iterator[Line]:
        """One element for each entry of a list. Of gPagAntecipado the inner element repeats."""
        name = f"{identifier(path)}_"
        inner = list(node.elements())
        is_wrapped = node.most == 1 and len(inner) == 1 and inner[0].most != 1
        if is_wrapped:
            self.function(name, list(self.leaf(inner[0], f"{path}/{inner[0].name}")))
        elif node.is_leaf:
            self.function(name, list(self.leaf(node, path)))
        else:
            head = [_marking(("items",))] if path == "det" else []
            self.function(name, head + list(self.group(node, path)))
        entries = f'g("{self.places.lists[path].name}")'
        loop = [(0, f"for e in {entries} or ():"), (1, f"{name}(e, i, o, p)")]
        yield from wrapped(node.name, loop) if is_wrapped else loop

    def group(self, node: Node, path: str, *, fill: bool = False) -> Iterator[Line]:
        """`<tag>` content `</tag>`, or nothing when there is no content (XML-4)."""
        lines = self.bare_group(node, path, fill=fill)
        test = self.marks.test(path)
        if not test:
            yield from lines
        elif content := list(deeper(lines)):
            yield 0, f"if {test}:"
            yield from content

    def bare_group(self, node: Node, path: str, *, fill: bool) -> Iterator[Line]:
        fill = fill or path.startswith("total/")
        inner = list(self.children(node, path, fill=fill and node.least == 1))
        head, attributes = self.opening(node, path)
        head = head if attributes else ""
        if not inner and not attributes:
            return
        guard = self.guard(node, path, fill=fill)
        lines = wrapped(node.name, inner, head)
        yield from attributes
        if guard:
            yield 0, f"if {guard}:"
            # Once the group is there, all its mandatory values are.
            inner = list(self.children(node, path, fill=fill))
            yield from deeper([*wrapped(node.name, inner, head)])
        else:
            yield from lines

    def opening(self, node: Node, path: str) -> tuple[str, list[Line]]:
        """The start tag and the lines that fetch its attributes."""
        head = f"<{node.name}"
        lines: list[Line] = []
        for attribute in node.attributes:
            place = f"{path}/{attribute.name}"
            if place in self.places.fields:
                variable = f"v{len(lines)}"
                lines.append((0, f'{variable} = g("{self.places.fields[place].name}")'))
                head += f' {attribute.name[1:]}="{{q({variable})}}"'
        return f"{head}>", lines

    def guard(self, node: Node, path: str, *, fill: bool) -> str:
        """When the group is there at all, for groups whose own content would not say.

        A value shared with another group (qBCMono of IBS and of CBS) does not call for either.
        Totals are written whole as soon as one of their values is there. A group that must hold a
        value that cannot be zero is left out when all is zero.
        """
        below = [p for p, n in node.walk(path) if n.is_leaf and p in self.places.fields]
        names = {place: self.places.fields[place].name for place in below}
        if fill and node.least == 0:
            return " or ".join(f'g("{name}") is not None' for name in names.values())
        if path.startswith("total/"):
            return ""
        shared = [place for place in below if not self.places.own(place)]
        in_taxes = any(path.startswith(choice) for choice in self.places.choices)
        if shared and len(shared) < len(below) and not in_taxes and node.least == 0:
            own = (name for place, name in names.items() if place not in shared)
            return " or ".join(f'g("{name}") is not None' for name in dict.fromkeys(own))
        if node.least == 0 and self._needs_more_than_zero(node):
            return " or ".join(f'g("{name}")' for name in names.values())
        return ""

    @staticmethod
    def _needs_more_than_zero(node: Node) -> bool:
        leaves = (n for n in node.elements() if n.is_leaf and n.least and n.type)
        return any(n.type and n.type.decimals and not n.type.admits(n.type.zero) for n in leaves)

    # --- sequences and choices ---------------------------------------------------------------

    def children(self, node: Node, path: str, *, fill: bool = False) -> Iterator[Line]:
        if path in self.places.choices and not node.children[-1].is_leaf:
            yield from self.by_situation(node, path)
            return
        for first, parts in runs(node):
            lines = [line for part in parts for line in self.part(part, path, fill=fill)]
            test = self.marks.test(run_of(path, first)) if len(parts) > 1 else ""
            if test and lines:
                yield 0, f"if {test}:"
                lines = list(deeper(lines))
            yield from lines

    def part(self, node: Node, path: str, *, fill: bool = False) -> Iterable[Line]:
        if node.kind == "element":
            return self.element(node, f"{path}/{node.name}", fill=fill)
        if path == TAXES_OR:
            return self.goods_or_services(node, path)
        if node.kind == "sequence" and self.is_block(node, path):
            return self.whole_block(node, path)
        if node.kind == "choice" and all(self.is_block(child, path) for child in node.children):
            return self.alternatives(node, path)
        # Of a choice, every alternative that is there: two of them are for the schema to refuse.
        return (line for child in node.children for line in self.part(child, path))

    def by_situation(self, node: Node, path: str) -> Iterator[Line]:
        """What stands beside the choice, then the one group that the CST asks for."""
        choice = self.places.choices[path]
        groups = set(choice.group_of.values())
        for child in node.children:
            if child.kind == "element":
                yield from self.element(child, f"{path}/{child.name}")
        writers: list[str] = []
        for child in node.elements():
            place = f"{path}/{child.name}"
            if child.name in groups:
                self.function(identifier(place), list(self.group(child, place)))
                pairs = (cst for cst, group in choice.group_of.items() if group == child.name)
                writers += [f'"{cst}": {identifier(place)}' for cst in pairs]
        table = f"{identifier(path)}_by_situation"
        self.functions[table] = f"{table} = {{{', '.join(writers)}}}"
        yield 0, f'v = g("{choice.selector}")'
        yield 0, "if v:"
        yield 1, f"{table}[v](s, i, o, p)"

    def goods_or_services(self, node: Node, path: str) -> Iterator[Line]:
        """ICMS, IPI and II, or IPI and ISSQN: an item with ISSQN values is a service."""
        goods, services = node.children
        yield 0, "if is_service(s):"
        yield from deeper(self.through(services, path))
        yield 0, "else:"
        yield from deeper(self.through(goods, path))

    def through(self, node: Node, path: str) -> Iterator[Line]:
        for child in node.children:
            yield from self.call(child, f"{path}/{child.name}")


def _marks_of(level: Level) -> str:
    return "_".join(("marks_of", *level)) if level else "marks_of_header"


def _marking(level: Level) -> Line:
    return 0, f"p = set(map({_marks_of(level)}, s))"
