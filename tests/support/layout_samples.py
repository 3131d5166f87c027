"""Data that puts a value at a given place of the layout, with whatever must stand beside it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from re import _constants as regex  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from support.nfe_documents import document

from fiscal.documents.nfe.catalogue import Field
from fiscal.documents.nfe.groups import Places, places
from fiscal.documents.nfe.layout import Node, Simple, layout

# The XSD only says "text" of these; the writer and the key want more of them.
_KNOWN = {
    "data_emissao": "2026-11-21T10:00:00-03:00",
    "uf_emitente": "SP",
    "cnpj_emitente": "11222333000181",
    "cpf_emitente": "52998224725",
    "id_estrangeiro_destinatario": "AB123456",
    "data_competencia_apuracao": "2026-10",
    "credito_presumido_zfm_competencia": "2026-10",
}


class Sample:
    """One document being filled so that it holds `place`."""

    def __init__(self, modelo: int) -> None:
        self.known: Places = places(modelo)
        self.root: Node = layout()
        self.nodes: dict[str, Node] = _nodes()
        self.data: dict[str, Any] = copy.deepcopy(_base(modelo))

    def put(self, place: str, value: Any = None) -> Any:
        """Fill `place`, and answer what now stands there (a sample when no value is given)."""
        self._walk(self.root, "", place.split("/"))
        field = self.known.fields[place]
        if value is not None:
            self._level(field)[field.name] = value
        elif field.name not in self._level(field):
            self._level(field)[field.name] = self._sample(self.nodes[place], field)
        return self._level(field)[field.name]

    def _level(self, field: Field) -> dict[str, Any]:
        """The first entry of the lists that the field sits in, made when it is not there."""
        level = self.data
        for name in field.parents:
            if not level.get(name):
                level[name] = [{}]
            level = level[name][0]
        return level

    def _walk(self, node: Node, path: str, steps: list[str]) -> None:
        """Into the group of the next step: its mandatory values, then the rest of the way."""
        if path in self.known.choices and steps:
            self._choose(path, steps[0])
        for part in node.children:
            self._part(part, path, steps)
        for attribute in node.attributes:
            self._fill(attribute, f"{path}/{attribute.name}".lstrip("/"))

    def _part(self, part: Node, path: str, steps: list[str]) -> None:
        wanted = steps[0] if steps else ""
        is_on_way = any(element.name == wanted for element in _elements(part))
        if part.kind == "element":
            place = f"{path}/{part.name}".lstrip("/")
            if part.name == wanted:
                self._enter(part, place, steps[1:])
            elif part.least:
                self._enter(part, place, [])
        elif part.kind == "choice" and (part.least or is_on_way):
            self._alternative(part, path, steps)
        elif part.kind == "sequence" and (part.least or is_on_way):
            for child in part.children:
                self._part(child, path, steps)

    def _alternative(self, choice: Node, path: str, steps: list[str]) -> None:
        """The alternative on the way, or else what is there, or the first; the others go."""
        wanted = steps[0] if steps else ""
        on_way = [
            child for child in choice.children if wanted in {e.name for e in _elements(child)}
        ]
        there = [child for child in choice.children if self._is_there(child, path)]
        if not on_way and (there or path == "det/imposto"):
            return
        chosen = (on_way or list(choice.children))[0]
        if path != "det/imposto" and path not in self.known.choices:
            for other in choice.children:
                if other is not chosen:
                    self._clear(other, path)
        self._part(chosen, path, steps)

    def _is_there(self, part: Node, path: str) -> bool:
        return any(field.name in self._level(field) for field in self._fields(part, path))

    def _clear(self, part: Node, path: str) -> None:
        for field in self._fields(part, path):
            self._level(field).pop(field.name, None)

    def _fields(self, part: Node, path: str) -> Iterator[Field]:
        for element in _elements(part):
            place = f"{path}/{element.name}".lstrip("/")
            if place in self.known.fields:
                yield self.known.fields[place]
            yield from (
                self.known.fields[below]
                for below, _ in element.walk(place)
                if below in self.known.fields
            )

    def _enter(self, node: Node, place: str, steps: list[str]) -> None:
        if node.is_leaf:
            self._fill(node, place)
        elif node.most == 1 or steps or self._has_no_entries(place):
            self._walk(node, place, steps)

    def _has_no_entries(self, place: str) -> bool:
        field = self.known.lists.get(place)
        return field is not None and not self._level(field).get(field.name)

    def _choose(self, path: str, group: str) -> None:
        """A CST of the group, unless the one that is there belongs to it."""
        choice = self.known.choices[path]
        item = self.data["items"][0]
        if choice.group_of.get(item.get(choice.selector)) == group:
            return
        situations = (cst for cst, name in choice.group_of.items() if name == group)
        if found := next(situations, None):
            item[choice.selector] = found

    def _fill(self, node: Node, place: str) -> None:
        field = self.known.fields.get(place)
        if field is not None:
            self._level(field).setdefault(field.name, self._sample(node, field))

    def _sample(self, node: Node, field: Field) -> Any:
        if field.name in _KNOWN:
            return _KNOWN[field.name]
        if field.enum and not (node.type and node.type.enum):
            return field.enum[0]
        if field.kind == "boolean":
            return "S"
        assert node.type is not None
        return sample(node.type, field)


def sample(kind: Simple, field: Field) -> Any:
    """A value of the type, as different from field to field as it can be."""
    salt = sum(map(ord, field.path))
    if kind.decimals is not None:
        # Never a tie and never a whole number: a value in the wrong place or form would show.
        number = Decimal(100 + salt % 8000) / 100 if "Max100" not in kind.name else Decimal("7.25")
        text = f"{number + Decimal('0.01') * (number == int(number)):f}"
        return Decimal(text) if field.kind == "decimal" else text
    if kind.enum:
        return kind.enum[salt % len(kind.enum)]
    if kind.name == "xs:base64Binary" or field.name == "hash_csrt":
        return "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="
    if kind.patterns and not kind.patterns[0].startswith("[!-ÿ]{1}[ -ÿ]"):
        return example(kind.patterns[0]).ljust(kind.min_length, "1")
    length = kind.max_length or 30
    return (
        f'Ação <{field.name}> & "cia"'[: max(length, kind.min_length)]
        .strip()
        .ljust(kind.min_length, "x")
    )


@cache
def example(pattern: str) -> str:
    """The first text that a regular expression of the schema takes."""
    text = _first(parser.parse(pattern))
    assert re.fullmatch(pattern, text), (pattern, text)
    return text


def _first(tokens: Any) -> str:
    return "".join(_token(kind, value) for kind, value in tokens)


def _token(kind: Any, value: Any) -> str:
    if kind is regex.LITERAL:
        return chr(value)
    if kind is regex.IN:
        first, content = value[0]
        if first is regex.CATEGORY:
            return "1"
        return chr(content if first is regex.LITERAL else content[1])
    if kind is regex.ANY:
        return "1"
    if kind in (regex.MAX_REPEAT, regex.MIN_REPEAT):
        least, most, inner = value
        return _first(inner) * (least or min(most, 1))
    if kind is regex.SUBPATTERN:
        return _first(value[3])
    if kind is regex.BRANCH:
        return _first(max(value[1], key=len))
    raise AssertionError(f"no sample for {kind}")


def _elements(part: Node) -> Iterator[Node]:
    return iter((part,)) if part.kind == "element" else part.elements()


@cache
def _nodes() -> dict[str, Node]:
    return dict(layout().walk())


@cache
def _base(modelo: int) -> dict[str, Any]:
    return document(modelo=modelo)
