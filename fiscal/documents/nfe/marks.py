"""Marks that tell, from the names a level of data has, which optional groups can have content.

Every field belongs to a class: the set of optional groups that it sits in. A group can only have
content when a field of one of its classes is there. Looking up the class of each name present is
one pass in C; asking for the three hundred values that an item might have is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fiscal.documents.nfe.groups import Places
from fiscal.documents.nfe.layout import Node

Level = tuple[str, ...]
LEVELS: tuple[Level, ...] = ((), ("items",))
_FEWEST = 2  # a group of one value is as cheap as its mark


@dataclass(frozen=True)
class Marks:
    """`classes`: number of the class of a field, by level and name; `groups`: those of a group."""

    classes: dict[tuple[Level, str], int]
    groups: dict[str, frozenset[int]]

    def of_level(self, level: Level) -> dict[str, int]:
        return {name: mark for (place, name), mark in self.classes.items() if place == level}

    def test(self, path: str) -> str:
        """The condition over `p` under which the group can have content; empty: always ask."""
        numbers = sorted(self.groups.get(path, ()))
        if not numbers:
            return ""
        if len(numbers) == 1:
            return f"{numbers[0]} in p"
        return f"not p.isdisjoint({{{', '.join(map(str, numbers))}}})"


def marks(places: Places, root: Node) -> Marks:
    """The marks of a whole layout."""
    found: dict[str, dict[tuple[Level, str], None]] = {}
    for path, node in root.walk():
        names = dict.fromkeys(_names(places, node, path))
        level = next((place for place, _ in names), None)
        if _is_optional(places, node, path) and len(names) >= _FEWEST and level in LEVELS:
            found[path] = names
    classes: dict[tuple[Level, str], frozenset[str]] = {}
    for path, names in found.items():
        for name in names:
            classes[name] = classes.get(name, frozenset()) | {path}
    numbers = {members: n for n, members in enumerate(dict.fromkeys(classes.values()))}
    return Marks(
        {name: numbers[members] for name, members in classes.items()},
        {
            path: frozenset(numbers[classes[name]] for name in names)
            for path, names in found.items()
        },
    )


def _is_optional(places: Places, node: Node, path: str) -> bool:
    """Groups that may be absent and are not the entries of a list (those are not even called)."""
    inside_choice = path.rpartition("/")[2].startswith("g")  # IBSCBS: alternatives are mandatory
    in_situation = any(path.startswith(f"{parent}/") for parent in places.choices)
    optional = node.least == 0 or inside_choice
    return optional and not node.is_leaf and path not in places.lists and not in_situation


def _names(places: Places, node: Node, path: str) -> Iterator[tuple[Level, str]]:
    """The fields of a group that stand in its own level: values, and lists by their name."""
    for child in node.elements():
        place = f"{path}/{child.name}"
        if place in places.lists:
            field = places.lists[place]
            yield field.parents, field.name
        elif child.is_leaf and place in places.fields:
            field = places.fields[place]
            yield field.parents, field.name
        elif not child.is_leaf:
            yield from _names(places, child, place)
