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

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fiscal.documents.nfe import formats
from fiscal.documents.nfe.groups import Places, places
from fiscal.documents.nfe.layout import Node, layout
from fiscal.documents.nfe.marks import LEVELS, Level, Marks, marks

Writer = Callable[[dict[str, Any], dict[str, str], list[str]], None]
Line = tuple[int, str]  # depth, code

TAXES_OR = "det/imposto"  # its only direct choice is between goods (ICMS) and services (ISSQN)

# Values that the engine decides (NUM-2, KEY-1); a request field for the same tag is not asked.
ENGINE = frozenset(
    f"ide/{tag}"
    for tag in (
        *("cUF", "cNF", "mod", "serie", "nNF", "cMunFG", "tpImp", "tpEmis", "cDV", "tpAmb"),
        *("procEmi", "verProc", "dhCont", "xJust"),
    )
)

# The few elements that are not simply the text of a field: code by place, with `v` the value.
_SPECIAL = {
    # A key with its random code hidden is another element, by rule of NFref.
    "ide/NFref/refNFe": (
        "if v:",
        '    k = "refNFeSig" if v[35:43] == "00000000" else "refNFe"',
        "    a(f'<{k}>{t(v)}</{k}>')",
    ),
    # A foreigner without a document is an empty element, the only one of the layout.
    "dest/idEstrangeiro": (
        'if v or (g("uf_destinatario") == "EX" and not g("cnpj_destinatario")'
        ' and not g("cpf_destinatario")):',
        "    a(f'<idEstrangeiro>{t(v or str())}</idEstrangeiro>')",
    ),
    # The request may list several addresses; all receive the files, the first is written.
    "dest/email": ("if v:", "    a(f'<email>{t(v.split(\",\")[0].strip())}</email>')"),
}


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


@dataclass
class _Generator:
    places: Places
    marks: Marks
    functions: dict[str, str] = field(default_factory=dict)

    def whole(self, root: Node) -> None:
        self.functions["marks"] = "\n".join(
            f"{_marks_of(level)} = {self.marks.of_level(level)!r}.get" for level in LEVELS
        )
        lines = [line for child in root.children for line in self.top(child)]
        self.function("infNFe", [_marking(()), *lines], arguments="s, i, o")

    def top(self, node: Node) -> Iterable[Line]:
        """A first level of the document: a function of its own, called in order."""
        if node.name in self.places.lists:
            return self.repeated(node, node.name)
        return self.call(node, node.name)

    def call(self, node: Node, path: str) -> Iterator[Line]:
        name = _identifier(path)
        if name not in self.functions:
            lines = list(self.group(node, path))
            if not lines:
                return
            self.function(name, lines)
        yield 0, f"{name}(s, i, o, p)"

    def function(self, name: str, lines: list[Line], arguments: str = "s, i, o, p") -> None:
        body = "\n".join(f"    {'    ' * depth}{code}" for depth, code in _merged(lines))
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
        name = f"{_identifier(path)}_"
        inner = list(node.elements())
        wrapped = node.most == 1 and len(inner) == 1 and inner[0].most != 1
        if wrapped:
            self.function(name, list(self.leaf(inner[0], f"{path}/{inner[0].name}")))
        elif node.is_leaf:
            self.function(name, list(self.leaf(node, path)))
        else:
            head = [_marking(("items",))] if path == "det" else []
            self.function(name, head + list(self.group(node, path)))
        entries = f'g("{self.places.lists[path].name}")'
        loop = [(0, f"for e in {entries} or ():"), (1, f"{name}(e, i, o, p)")]
        yield from _wrapped(node.name, loop) if wrapped else loop

    def group(self, node: Node, path: str, *, fill: bool = False) -> Iterator[Line]:
        """`<tag>` content `</tag>`, or nothing when there is no content (XML-4)."""
        lines = self.bare_group(node, path, fill=fill)
        test = self.marks.test(path)
        if not test:
            yield from lines
        elif content := list(_deeper(lines)):
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
        lines = _wrapped(node.name, inner, head)
        yield from attributes
        if guard:
            yield 0, f"if {guard}:"
            # Once the group is there, all its mandatory values are.
            inner = list(self.children(node, path, fill=fill))
            yield from _deeper([*_wrapped(node.name, inner, head)])
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

    def leaf(
        self, node: Node, path: str, *, fill: bool = False, variable: str = ""
    ) -> Iterator[Line]:
        """One value. `variable` holds it already; else it is fetched into `v`."""
        if path in ENGINE:
            yield from _engine_leaf(node, path)
            return
        source = self.places.fields.get(path)
        if source is None:
            return
        if not variable:
            yield 0, f'v = g("{source.name}")'
            variable = "v"
        if path in _SPECIAL:
            yield from ((0, code) for code in _SPECIAL[path])
            return
        text = self.written(node, path, variable)
        if fill and node.least and node.type and node.type.decimals:
            text = f'{text} if {variable} is not None else "{node.type.zero}"'
            yield 0, f"a(f'<{node.name}>{{{text}}}</{node.name}>')"
            return
        yield 0, f"if {self.present(node, path, variable)}:"
        yield 1, f"a(f'<{node.name}>{{{text}}}</{node.name}>')"

    def present(self, node: Node, path: str, variable: str) -> str:
        """The condition under which a value is written: nothing empty, no zero where forbidden."""
        kind = node.type
        source = self.places.fields[path]
        if source.kind not in ("decimal", "boolean"):
            return variable
        must = node.least and kind is not None and kind.admits(kind.zero)
        drops = kind is not None and kind.drops_zero and not must
        return variable if drops else f"{variable} is not None"

    def written(self, node: Node, path: str, variable: str) -> str:
        """The expression of the text between the tags."""
        kind = node.type
        source = self.places.fields[path]
        if source.kind == "boolean":
            return f"yes_no({variable})"
        if kind is not None and kind.decimals is not None:
            name = formats.decimal_name(kind.decimals, is_fixed=kind.is_fixed)
            is_number = source.kind == "decimal"
            return f"{name}({variable})" if is_number else f"number({variable}, {name})"
        if path in self.places.situations:
            return f'{variable}.partition("_")[0]'
        if kind is not None and kind.name == "TCodUfIBGE":
            return f"uf_code({variable})"
        return f"{variable} if {variable}.isalnum() else t({variable})"

    # --- sequences and choices ---------------------------------------------------------------

    def children(self, node: Node, path: str, *, fill: bool = False) -> Iterator[Line]:
        if path in self.places.choices and not node.children[-1].is_leaf:
            yield from self.by_situation(node, path)
            return
        for child in node.children:
            yield from self.part(child, path, fill=fill)

    def part(self, node: Node, path: str, *, fill: bool = False) -> Iterable[Line]:
        if node.kind == "element":
            return self.element(node, f"{path}/{node.name}", fill=fill)
        if node.kind == "sequence":
            return self.sequence(node, path)
        if path == TAXES_OR:
            return self.goods_or_services(node, path)
        if all(child.kind == "sequence" for child in node.children):
            return self.alternatives(node, path)
        return self.choice(node, path)

    def choice(self, node: Node, path: str) -> Iterator[Line]:
        """Every alternative that is there; two of them are for the schema to refuse."""
        for child in node.children:
            yield from self.part(child, path)

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
                self.function(_identifier(place), list(self.group(child, place)))
                pairs = (cst for cst, group in choice.group_of.items() if group == child.name)
                writers += [f'"{cst}": {_identifier(place)}' for cst in pairs]
        table = f"{_identifier(path)}_by_situation"
        self.functions[table] = f"{table} = {{{', '.join(writers)}}}"
        yield 0, f'v = g("{choice.selector}")'
        yield 0, "if v:"
        yield 1, f"{table}[v](s, i, o, p)"

    def goods_or_services(self, node: Node, path: str) -> Iterator[Line]:
        """ICMS, IPI and II, or IPI and ISSQN: an item with ISSQN values is a service."""
        goods, services = node.children
        yield 0, "if is_service(s):"
        yield from _deeper(self.through(services, path))
        yield 0, "else:"
        yield from _deeper(self.through(goods, path))

    def through(self, node: Node, path: str) -> Iterator[Line]:
        for child in node.children:
            yield from self.call(child, f"{path}/{child.name}")

    def sequence(self, node: Node, path: str) -> Iterable[Line]:
        """An optional block. Of plain values: all or nothing where all of it is zero."""
        leaves = self._known(node, path)
        is_plain = all(child.is_leaf or child.kind == "sequence" for child in node.children)
        if not is_plain or not leaves:
            return (line for child in node.children for line in self.part(child, path))
        fetch = [(0, f'{_local(name)} = g("{name}")') for _, name in leaves.values()]
        return [*fetch, *self.block(node, path, leaves)]

    def block(self, node: Node, path: str, leaves: dict[str, tuple[Node, str]]) -> Iterator[Line]:
        """The values of a block, with those of the blocks inside it, fetched beforehand."""
        inside = self._known(node, path)
        if not inside:
            return
        names = [self._tested(place, name) for place, (_, name) in inside.items()]
        complete = [
            f"{_local(name)} is not None"
            for place, (leaf, name) in inside.items()
            if leaf.least and leaf in node.children
        ]
        yield 0, f"if {' or '.join(names)}{_or_complete(inside, complete)}:"
        for child in node.children:
            if child.kind == "sequence":
                yield from _deeper(self.block(child, path, leaves))
            elif f"{path}/{child.name}" in leaves:
                place = f"{path}/{child.name}"
                variable = _local(leaves[place][1])
                yield from _deeper(self.leaf(child, place, variable=variable))

    def _tested(self, place: str, name: str) -> str:
        """Whether a value fetched beforehand says anything; `false` does."""
        is_boolean = self.places.fields[place].kind == "boolean"
        return f"{_local(name)}{' is not None' if is_boolean else ''}"

    def _known(self, node: Node, path: str) -> dict[str, tuple[Node, str]]:
        found = ((f"{path}/{leaf.name}", leaf) for leaf in node.elements())
        fields = self.places.fields
        return {place: (leaf, fields[place].name) for place, leaf in found if place in fields}

    def alternatives(self, node: Node, path: str) -> Iterator[Line]:
        """Blocks of which one is meant (by value or by quantity): those with more than zeros, or
        else the first that is there."""
        blocks = [known for child in node.children if (known := self._known(child, path))]
        if not blocks:
            if len(node.children) == 1:
                return
            for child in node.children:
                yield from (line for part in child.children for line in self.part(part, path))
            return
        for known in blocks:
            yield from ((0, f'{_local(name)} = g("{name}")') for _, name in known.values())
        valued = " or ".join(_local(name) for known in blocks for _, name in known.values())
        earlier: list[str] = []
        for known in blocks:
            names = [_local(name) for _, name in known.values()]
            nothing = " and ".join([f"not ({valued})", *(f"{name} is None" for name in earlier)])
            yield 0, f"if {' or '.join(names)} or ({nothing}):"
            for place, (leaf, name) in known.items():
                yield from _deeper(self.leaf(leaf, place, variable=_local(name)))
            earlier += names


def _or_complete(inside: dict[str, tuple[Node, str]], complete: list[str]) -> str:
    """Zeros alone are written when the block is whole, and never about the FCP (XML-4)."""
    if not complete or any("FCP" in place.rpartition("/")[2] for place in inside):
        return ""
    return f" or ({' and '.join(complete)})"


def _engine_leaf(node: Node, path: str) -> Iterator[Line]:
    tag = node.name
    if node.least and tag not in ("dhCont", "xJust"):
        yield 0, f"a(f'<{tag}>{{i[\"{tag}\"]}}</{tag}>')"
    else:
        yield 0, f'if i["{tag}"]:'
        yield 1, f"a(f'<{tag}>{{i[\"{tag}\"]}}</{tag}>')"


def _wrapped(tag: str, inner: Iterable[Line], head: str = "") -> Iterator[Line]:
    """`inner` between the tags; the start tag is taken back when nothing followed it."""
    lines = list(inner)
    if not lines:
        return
    mark = f"n_{tag}"
    # Not in the form that `_merged` joins to its neighbours: this piece may be taken back.
    yield 0, f"o.append(f'{head}')" if head else f"a('<{tag}>')"
    yield 0, f"{mark} = len(o)"
    yield from lines
    yield 0, f"if len(o) == {mark}:"
    yield 1, "o.pop()"
    yield 0, "else:"
    yield 1, f"a('</{tag}>')"


def _deeper(lines: Iterable[Line]) -> Iterator[Line]:
    return ((depth + 1, code) for depth, code in lines)


def _merged(lines: Iterable[Line]) -> Iterator[Line]:
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


def _marks_of(level: Level) -> str:
    return "_".join(("marks_of", *level)) if level else "marks_of_header"


def _marking(level: Level) -> Line:
    return 0, f"p = set(map({_marks_of(level)}, s))"


def _identifier(path: str) -> str:
    return re.sub(r"\W", "_", path)


def _local(name: str) -> str:
    return f"v_{name}"
