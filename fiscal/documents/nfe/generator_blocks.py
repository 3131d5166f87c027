"""Generated code of blocks of values that come and go together (optional sequences of the XSD)."""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.documents.nfe.generator_leaves import Leaves
from fiscal.documents.nfe.generator_lines import Line, deeper, local
from fiscal.documents.nfe.layout import Node

Known = dict[str, tuple[Node, str]]  # by place: the leaf and the name of its field


class Blocks(Leaves):
    """Blocks, and alternatives between blocks."""

    def is_block(self, node: Node, path: str) -> bool:
        """Whether a sequence holds nothing but values, some of which have a field."""
        is_plain = all(child.is_leaf or child.kind == "sequence" for child in node.children)
        return is_plain and bool(self._known(node, path))

    def whole_block(self, node: Node, path: str) -> Iterator[Line]:
        """An optional block: its values fetched, then written, all or nothing if all are zero."""
        leaves = self._known(node, path)
        yield from ((0, f'{local(name)} = g("{name}")') for _, name in leaves.values())
        yield from self._block(node, path, leaves)

    def _block(self, node: Node, path: str, leaves: Known) -> Iterator[Line]:
        """The values of a block, with those of the blocks inside it, fetched beforehand."""
        inside = self._known(node, path)
        if not inside:
            return
        names = [self._tested(place, name) for place, (_, name) in inside.items()]
        complete = [
            f"{local(name)} is not None"
            for place, (leaf, name) in inside.items()
            if leaf.least and leaf in node.children
        ]
        yield 0, f"if {' or '.join(names)}{_or_complete(inside, complete)}:"
        for child in node.children:
            if child.kind == "sequence":
                yield from deeper(self._block(child, path, leaves))
            elif f"{path}/{child.name}" in leaves:
                place = f"{path}/{child.name}"
                variable = local(leaves[place][1])
                yield from deeper(self.leaf(child, place, variable=variable))

    def _tested(self, place: str, name: str) -> str:
        """Whether a value fetched beforehand says anything; `false` does."""
        is_boolean = self.places.fields[place].kind == "boolean"
        return f"{local(name)}{' is not None' if is_boolean else ''}"

    def _known(self, node: Node, path: str) -> Known:
        found = ((f"{path}/{leaf.name}", leaf) for leaf in node.elements())
        fields = self.places.fields
        return {place: (leaf, fields[place].name) for place, leaf in found if place in fields}

    def alternatives(self, node: Node, path: str) -> Iterator[Line]:
        """Blocks of which one is meant (by value or by quantity): those with more than zeros, or
        else the first that is there."""
        blocks = [known for child in node.children if (known := self._known(child, path))]
        for known in blocks:
            yield from ((0, f'{local(name)} = g("{name}")') for _, name in known.values())
        valued = " or ".join(local(name) for known in blocks for _, name in known.values())
        earlier: list[str] = []
        for known in blocks:
            names = [local(name) for _, name in known.values()]
            nothing = " and ".join([f"not ({valued})", *(f"{name} is None" for name in earlier)])
            yield 0, f"if {' or '.join(names)} or ({nothing}):"
            for place, (leaf, name) in known.items():
                yield from deeper(self.leaf(leaf, place, variable=local(name)))
            earlier += names


def _or_complete(inside: Known, complete: list[str]) -> str:
    """Zeros alone are written when the block is whole, and never about the FCP (XML-4)."""
    if not complete or any("FCP" in place.rpartition("/")[2] for place in inside):
        return ""
    return f" or ({' and '.join(complete)})"
