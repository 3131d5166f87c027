"""Marks that tell, from the names a level of data has, which optional parts can have content.

Every field belongs to a class: the set of optional parts that it sits in. A part can only have
content when a field of one of its classes is there. Looking up the class of each name present is
one pass in C; asking for the three hundred values that an item might have is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from fiscal.documents.nfe.groups import ENGINE, Places
from fiscal.documents.nfe.layout import Node

Level = tuple[str, ...]
Names = dict[tuple[Level, str], None]
LEVELS: tuple[Level, ...] = ((), ("items",))
_FEWEST = 2  # asking for one value is as cheap as looking for its mark


@dataclass(frozen=True)
class Marks:
    """`classes`: number of the class of a field, by level and name; `parts`: those of a part."""

    classes: dict[tuple[Level, str], int]
    parts: dict[str, frozenset[int]]

    def of_level(self, level: Level) -> dict[str, int]:
        return {name: mark for (place, name), mark in self.classes.items() if place == level}

    def test(self, part: str) -> str:
        """The condition over `p` under which the part can have content; empty: always ask."""
        numbers = self.parts.get(part, frozenset())
        if not numbers:
            return ""
        if len(numbers) == 1:
            return f"{next(iter(numbers))} in p"
        return f"not p.isdisjoint({self._name(numbers)})"

    def constants(self) -> Iterator[str]:
        """The sets that the conditions name, as source."""
        for numbers in dict.fromkeys(self.parts.values()):
            if len(numbers) > 1:
                yield f"{self._name(numbers)} = frozenset({sorted(numbers)})"

    @staticmethod
    def _name(numbers: frozenset[int]) -> str:
        return "_".join(("any_of", *map(str, sorted(numbers))))


def run_of(path: str, first: int) -> str:
    """The name of a run: parts of the content of `path`, the `first` of them by position."""
    return f"{path}#{first}"


def runs(node: Node) -> Iterator[tuple[int, list[Node]]]:
    """The content of an element, cut into mandatory parts and runs of optional ones."""
    numbered = enumerate(node.children)
    for is_optional, group in groupby(numbered, key=lambda pair: pair[1].least == 0):
        parts = list(group)
        if is_optional:
            yield parts[0][0], [part for _, part in parts]
        else:
            yield from ((index, [part]) for index, part in parts)


def marks(places: Places, root: Node) -> Marks:
    """The marks of a whole layout."""
    found = {
        part: names
        for part, names in (*_runs(places, root, ""), *_parts(places, root, ""))
        if len(names) >= _FEWEST and next(iter(names))[0] in LEVELS
    }
    classes: dict[tuple[Level, str], frozenset[str]] = {}
    for part, names in found.items():
        for name in names:
            classes[name] = classes.get(name, frozenset()) | {part}
    numbers = {members: n for n, members in enumerate(dict.fromkeys(classes.values()))}
    of_name = {name: numbers[members] for name, members in classes.items()}
    return Marks(
        of_name, {part: frozenset(map(of_name.__getitem__, names)) for part, names in found.items()}
    )


def _parts(places: Places, node: Node, path: str) -> Iterator[tuple[str, Names]]:
    """(place, names) of every group that may be absent, and (run, names) of what is inside."""
    for child, is_optional in _elements(node):
        place = f"{path}/{child.name}".lstrip("/")
        if child.is_leaf:
            continue
        if is_optional and place not in places.lists and path not in places.choices:
            yield place, dict.fromkeys(_names(places, child, path))
        yield from _runs(places, child, place)
        yield from _parts(places, child, place)


def _runs(places: Places, node: Node, path: str) -> Iterator[tuple[str, Names]]:
    """Runs worth a mark. Values of the engine are in no data: their run is always gone through."""
    for first, parts in runs(node):
        inside = {f"{path}/{child.name}" for part in parts for child in _inside(part)}
        if len(parts) > 1 and ENGINE.isdisjoint(inside):
            names = (name for part in parts for name in _names(places, part, path))
            yield run_of(path, first), dict.fromkeys(names)


def _elements(node: Node, is_optional: bool = False) -> Iterator[tuple[Node, bool]]:
    """The elements inside with whether each may be absent, as an alternative may."""
    for child in node.children:
        may_go = is_optional or child.least == 0 or node.kind == "choice"
        if child.kind == "element":
            yield child, may_go
        else:
            yield from _elements(child, may_go)


def _inside(part: Node) -> Iterator[Node]:
    return iter((part,)) if part.kind == "element" else part.elements()


def _names(places: Places, part: Node, path: str) -> Iterator[tuple[Level, str]]:
    """The fields of a part of `path` that stand in its own level: values, and lists by name."""
    for child in _inside(part):
        place = f"{path}/{child.name}".lstrip("/")
        field = places.lists.get(place) or (places.fields.get(place) if child.is_leaf else None)
        if field is not None:
            yield field.parents, field.name
        elif not child.is_leaf:
            for inner in child.children:
                yield from _names(places, inner, place)
