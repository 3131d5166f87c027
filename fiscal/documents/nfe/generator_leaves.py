"""Generated code of single values: when each is written, and in which form (XML-4, XML-5)."""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.documents.nfe import formats
from fiscal.documents.nfe.generator_lines import Line
from fiscal.documents.nfe.groups import ENGINE, Places
from fiscal.documents.nfe.layout import Node

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


class Leaves:
    """The values of one model."""

    def __init__(self, places: Places) -> None:
        self.places = places

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


def _engine_leaf(node: Node, path: str) -> Iterator[Line]:
    tag = node.name
    if node.least and tag not in ("dhCont", "xJust"):
        yield 0, f"a(f'<{tag}>{{i[\"{tag}\"]}}</{tag}>')"
    else:
        yield 0, f'if i["{tag}"]:'
        yield 1, f"a(f'<{tag}>{{i[\"{tag}\"]}}</{tag}>')"
