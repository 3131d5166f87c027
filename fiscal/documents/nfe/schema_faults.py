"""Faults of the schema in the words of the request (XSD-5): field, and what would be accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from lxml import etree

from fiscal import xml
from fiscal.documents.nfe.groups import Places, places
from fiscal.documents.nfe.layout import Node, Simple, layout
from fiscal.xml import RawFault
from lib.errors import FieldError

_STEP = re.compile(r"(?P<name>[^\[]+)(?:\[(?P<position>[0-9]+)\])?")
_DIGITS = re.compile(r"(?:\[0-9\]|\\d)\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]+))?\}")
_ATTRIBUTE = re.compile(r"Atributo (?P<name>\w+):")
_MISPLACED = "Este campo não cabe junto com os outros que foram informados."
_MOST_VALUES = 40  # a longer enumeration explains nothing


_BY_TYPE = {
    "TCnpj": "Use um CNPJ de 14 caracteres, sem pontuação.",
    "TCnpjOpc": "Use um CNPJ de 14 caracteres, sem pontuação.",
    "TCpf": "Use um CPF de 11 dígitos, sem pontuação.",
    "TChNFe": "Use uma chave de acesso de 44 caracteres.",
    "TChDFeRTC": "Use uma chave de acesso de 44 caracteres.",
    "TCompetApur": "Use ano e mês, como em 2026-01.",
    "TData": "Use uma data, como em 2026-01-31.",
    "TDateTimeUTC": "Use data e hora com fuso, como em 2026-01-31T10:00:00-03:00.",
}


def errors(faults: Iterable[RawFault], raw: bytes, *, modelo: int) -> list[FieldError]:
    """One error per field at fault, in document order; `campo` as in `items[0].codigo_ncm`.

    `raw` is the document that has the faults.
    """
    return _translation(modelo).errors(faults, raw)


@cache
def _translation(modelo: int) -> Translation:
    return Translation(places(modelo), layout(), frozenset(("NFe", "infNFe")))


@dataclass(frozen=True)
class Translation:
    """From the places of a layout to the fields of a request. `roots` are not part of a place."""

    known: Places
    layout: Node
    roots: frozenset[str]

    def errors(self, faults: Iterable[RawFault], raw: bytes) -> list[FieldError]:
        """One error per field at fault, in document order. `raw` is what has the faults."""
        root = xml.parse(raw)
        found: dict[str, FieldError] = {}
        for fault in faults:
            error = self._error(fault, root)
            found.setdefault(error.campo or error.mensagem, error)
        return list(found.values())

    def _error(self, fault: RawFault, root: etree._Element) -> FieldError:
        place, prefix = self._place(fault.path)
        if fault.kind == "missing":
            return self._absent(place, prefix, fault.expected)
        if fault.kind == "unexpected":
            parent_path = fault.path.rpartition("/")[0]
            parent, outside = self._place(parent_path)
            lacking = self._lacking(parent, fault.expected, _children(root, parent_path))
            if lacking:
                return self._absent(parent, outside, lacking)
            return FieldError(self._campo(place, prefix), _MISPLACED)
        if attribute := _ATTRIBUTE.match(fault.detail):
            place = _join(place, f"@{attribute['name']}")
        return FieldError(self._campo(place, prefix), self._of(place) or fault.detail)

    def _lacking(self, parent: str, expected: tuple[str, ...], there: set[str]) -> tuple[str, ...]:
        """What is missing before an element out of place; empty when that element is the fault."""
        absent = tuple(name for name in expected if name not in there)
        mandatory = tuple(name for name in absent if _join(parent, name) in self._mandatory)
        return mandatory or (absent if len(expected) == 1 else ())

    def _absent(self, place: str, prefix: str, expected: tuple[str, ...]) -> FieldError:
        """The field that would have filled what the schema expected at `place`."""
        if place in self.known.choices:
            return FieldError(prefix + self.known.choices[place].selector, "Informe este campo.")
        below = [path for name in expected if (path := _join(place, name)) in self._nodes]
        for path in [path for path in below if path in self._mandatory] or below:
            campo = self._campo(path, prefix)
            if campo:
                return FieldError(campo, f"Informe este campo. {self._of(path)}".strip())
        return FieldError(self._campo(place, prefix), "Pede dados que este documento não admite.")

    def _of(self, path: str) -> str:
        node = self._nodes.get(path)
        return _accepted(node.type) if node and node.type else ""

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        """Every element and attribute by path; one that two branches have is one."""
        return dict(self.layout.walk())

    @cached_property
    def _mandatory(self) -> frozenset[str]:
        """The elements without which their parent is not complete; an alternative counts as one."""
        return frozenset(
            path for path, node in self.layout.walk() for path in _must(path, node)
        ) | {*_must("", self.layout)}

    def _place(self, path: str) -> tuple[str, str]:
        """(place in the layout, lists on the way): `det/prod/NCM` and `items[1].`."""
        place, prefix = "", ""
        for step in path.split("/"):
            found = _STEP.fullmatch(step)
            if found is None or found["name"] in self.roots:
                continue
            place = _join(place, found["name"])
            if place in self.known.lists:
                name, position = self.known.lists[place].name, int(found["position"] or 1) - 1
                prefix += f"{name}[{position}]."
        return place, prefix

    def _campo(self, place: str, prefix: str) -> str:
        """The request field of a place: its own, of its list, or the first its group must have."""
        known = self.known
        if place in known.fields:
            return prefix + known.fields[place].name
        if place in known.lists:
            # The fault is about the entries, not about a value of one of them.
            name = known.lists[place].name
            return re.sub(rf"{name}\[[0-9]+\]\.$", "", prefix) + name
        if place in known.choices:
            return prefix + known.choices[place].selector
        node = self._nodes.get(place)
        if node is None or node.is_leaf:
            return ""
        for child in sorted(node.elements(), key=lambda child: child.least == 0):
            campo = self._campo(_join(place, child.name), prefix)
            if campo:
                return campo
        return ""


def _children(root: etree._Element, path: str) -> set[str]:
    """Local names of what the element at `path` of a fault holds."""
    node = root
    for step in path.split("/")[1:]:
        found = _STEP.fullmatch(step)
        assert found is not None
        twins = [child for child in node if xml.local_name(child) == found["name"]]
        node = twins[int(found["position"] or 1) - 1]
    return {xml.local_name(child) for child in node}


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name


def _must(path: str, node: Node) -> Iterator[str]:
    for child in node.children:
        if child.least and child.kind == "element":
            yield _join(path, child.name)
        elif child.least:
            yield from _must(path, child)


def _accepted(kind: Simple) -> str:
    """What the type takes, in a sentence."""
    if kind.name in _BY_TYPE:
        return _BY_TYPE[kind.name]
    if kind.decimals is not None:
        zero = "" if kind.admits(kind.zero) else ", maior que zero"
        return f"Use um número sem sinal, com até {kind.decimals} decimais{zero}."
    if kind.enum and len(kind.enum) <= _MOST_VALUES:
        return f"Use um destes valores: {', '.join(kind.enum)}."
    if kind.max_length:
        least = kind.min_length or 1
        sizes = f"{least}" if least == kind.max_length else f"de {least} a {kind.max_length}"
        return f"Use {sizes} caracteres, sem espaços nas pontas."
    if kind.patterns:
        return _formats([part for pattern in kind.patterns for part in pattern.split("|")])
    return "Valor fora do que o leiaute aceita."


def _formats(patterns: list[str]) -> str:
    """Patterns of digits in words, words of the layout as they are, and nothing of any other."""
    found = [_DIGITS.fullmatch(pattern) for pattern in patterns]
    lengths = [" a ".join(filter(None, match.groups())) for match in found if match]
    words = [pattern for pattern in patterns if pattern.isalnum()]
    if not lengths or len(lengths) + len(words) < len(patterns):
        return "Formato fora do que o leiaute aceita."
    return f"Use {' ou '.join((' ou '.join(lengths) + ' dígitos', *words))}."
