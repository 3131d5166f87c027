"""The layout of a document as an ordered tree, read from the official XSD (XML-2, XML-3).

Names, order, repetition, alternatives and the form of values all come from the schema files of the
installed package; a new technical note changes the files and nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lxml import etree

from fiscal import xsd

_XS = "{http://www.w3.org/2001/XMLSchema}"
_MAX_DECIMALS = 10  # TDec_1110v

Types = dict[str, etree._Element]


@dataclass(frozen=True)
class Simple:
    """The type of a value. `decimals` None: text; else the most decimals the type admits."""

    name: str  # of the XSD; for an anonymous restriction, its base
    patterns: tuple[str, ...] = ()
    enum: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int = 0  # 0: not limited
    decimals: int | None = None
    is_fixed: bool = True  # False: as few decimals as the value needs

    def admits(self, text: str) -> bool:
        """Whether the patterns and the enumeration take `text`."""
        if self.enum and text not in self.enum:
            return False
        return not self.patterns or any(re.fullmatch(p, text) for p in self.patterns)

    @property
    def drops_zero(self) -> bool:
        """XML-4: types of optional values (Opc) are left out when zero."""
        return self.decimals is not None and ("Op" in self.name or not self.admits(self.zero))

    @property
    def zero(self) -> str:
        return f"0.{'0' * self.decimals}" if self.decimals else "0"


@dataclass(frozen=True)
class Node:
    """An element, or a `sequence` or `choice` of nodes. `most` 0: unbounded."""

    kind: str  # element, sequence, choice
    name: str = ""  # of an element
    least: int = 1
    most: int = 1
    children: tuple[Node, ...] = ()
    attributes: tuple[Node, ...] = ()  # elements named @…
    type: Simple | None = None  # of an element without children

    @property
    def is_leaf(self) -> bool:
        return self.kind == "element" and not self.children

    def elements(self) -> Iterator[Node]:
        """The elements directly inside, through sequences and choices, in order."""
        for child in self.children:
            if child.kind == "element":
                yield child
            else:
                yield from child.elements()

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Every element below with its path (`det/prod/cProd`, `det/@nItem`)."""
        for node in (*self.attributes, *self.elements()):
            place = f"{path}/{node.name}" if path else node.name
            yield place, node
            yield from node.walk(place)


@cache
def layout() -> Node:
    """The element infNFe, read once per process."""
    return tree("nfe", type_name="TNFe", element="infNFe")


def tree(schema: str, *, type_name: str, element: str) -> Node:
    """The signed element directly inside `type_name` of a schema, by the names of `fiscal.xsd`."""
    types = _types(schema)
    root = types[type_name].find(f"{_XS}sequence/{_XS}element[@name='{element}']")
    if root is None:
        raise RuntimeError(f"the schema has no {element}")
    return _element(root, types)


def _types(name: str) -> Types:
    """The named types of the schema that the signed document must satisfy."""
    schema = etree.fromstring(xsd.source(name))
    named = schema.iterchildren(f"{_XS}simpleType", f"{_XS}complexType")
    return {child.get("name", ""): child for child in named}


def _element(node: etree._Element, types: Types) -> Node:
    name = node.get("name") or node.get("ref", "").rpartition(":")[2]
    least, most = _occurs(node)
    body = _complex(node, types)
    if body is None:
        return Node("element", name, least, most, type=_simple(node, types))
    parts = tuple(_parts(body, types))
    attributes = tuple(_attribute(part, types) for part in body.iterchildren(f"{_XS}attribute"))
    return Node("element", name, least, most, parts, attributes)


def _complex(node: etree._Element, types: Types) -> etree._Element | None:
    named = types.get(node.get("type", ""))
    if named is not None and named.tag == f"{_XS}complexType":
        return named
    return node.find(f"{_XS}complexType")


def _parts(node: etree._Element, types: Types) -> Iterator[Node]:
    """The content of a complex type or group; a plain sequence melts into what holds it."""
    for child in node.iterchildren(f"{_XS}sequence", f"{_XS}choice", f"{_XS}element"):
        kind = etree.QName(child).localname
        least, most = _occurs(child)
        if kind == "element":
            yield _element(child, types)
        elif (kind, least, most) == ("sequence", 1, 1) and not _is_alternative(child):
            yield from _parts(child, types)
        else:
            yield Node(kind, "", least, most, tuple(_parts(child, types)))


def _is_alternative(node: etree._Element) -> bool:
    parent = node.getparent()
    return parent is not None and parent.tag == f"{_XS}choice"


def _attribute(node: etree._Element, types: Types) -> Node:
    least = 1 if node.get("use") == "required" else 0
    return Node("element", f"@{node.get('name')}", least, 1, type=_simple(node, types))


def _occurs(node: etree._Element) -> tuple[int, int]:
    most = node.get("maxOccurs", "1")
    return int(node.get("minOccurs", "1")), 0 if most == "unbounded" else int(most)


def _simple(node: etree._Element, types: Types) -> Simple:
    """The facets of a value; those of the base type count too."""
    name = node.get("type") or ""
    body = types.get(name)
    if body is None:
        body = node.find(f"{_XS}simpleType")
    restriction = None if body is None else body.find(f"{_XS}restriction")
    if restriction is None:
        return Simple(name)
    own = _facets(name or restriction.get("base", ""), restriction)
    base = types.get(restriction.get("base", ""))
    if base is None or own.patterns:
        return own
    below = base.find(f"{_XS}restriction")
    inner = own if below is None else _facets("", below)
    return Simple(own.name, inner.patterns, own.enum, own.min_length, own.max_length)


def _facets(name: str, restriction: etree._Element) -> Simple:
    def values(facet: str) -> tuple[str, ...]:
        return tuple(part.get("value", "") for part in restriction.iterchildren(_XS + facet))

    patterns = values("pattern")
    decimals, is_fixed = _decimals(patterns) if name.startswith(("TDec", "TSDec")) else (None, True)
    least, most = values("minLength"), values("maxLength")
    exact = values("length")
    return Simple(
        name,
        patterns,
        values("enumeration"),
        int((least or exact or ("0",))[0]),
        int((most or exact or ("0",))[0]),
        decimals,
        is_fixed,
    )


def _decimals(patterns: tuple[str, ...]) -> tuple[int, bool]:
    """The most decimals that values below and above one may both have, tried on the patterns.

    A type of ten decimals (unit prices) that also takes a whole number is written with as few as
    the value needs; the others always in full (XML-5).
    """

    def fits(text: str) -> bool:
        return any(re.fullmatch(pattern, text) for pattern in patterns)

    admitted = [
        n for n in range(1, _MAX_DECIMALS + 1) if fits("0." + "1" * n) and fits("1." + "1" * n)
    ]
    most = max(admitted, default=0)
    return most, most < _MAX_DECIMALS
