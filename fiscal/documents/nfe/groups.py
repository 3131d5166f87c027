"""Which request field fills each element of the layout, and which tax group an item takes.

Most fields name their element in the catalogue. In the taxes, where one field may sit in any of
twenty groups, the catalogue lists the tags of each group and the CST that choose it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from fiscal.documents.nfe.catalogue import Catalogue, Field, catalogue
from fiscal.documents.nfe.layout import layout

TAXES = "det/imposto"

# Values that the engine decides (NUM-2, KEY-1); a request field for the same tag is not asked.
ENGINE = frozenset(
    f"ide/{tag}"
    for tag in (
        *("cUF", "cNF", "mod", "serie", "nNF", "cMunFG", "tpImp", "tpEmis", "cDV", "tpAmb"),
        *("procEmi", "verProc", "dhCont", "xJust"),
    )
)


@dataclass(frozen=True)
class Choice:
    """How an item chooses one element of a tax: `group_of` its CST or CSOSN as sent."""

    selector: str  # request field of the item
    group_of: Mapping[str, str]  # "41_st" → "ICMSST"


@dataclass(frozen=True)
class Places:
    """Request fields by place in the layout, as in `det/prod/cProd` or `det/@nItem`."""

    fields: Mapping[str, Field]  # single values
    lists: Mapping[str, Field]  # elements that repeat with the entries of a list
    choices: Mapping[str, Choice]  # element whose children are alternatives by CST
    situations: frozenset[str]  # places of CST and CSOSN, written without the special form

    def own(self, place: str) -> bool:
        """Whether the field of `place` is written only there, inside or outside of the taxes."""
        field = self.fields[place]
        return sum("*" in path or path in self.fields for path in field.xml) == 1


@cache
def places(modelo: int) -> Places:
    """The map of model 55 or 65, made once per process."""
    source = catalogue(modelo)
    fields = {path: f for f in source.fields for path in f.xml if f.kind != "array"}
    lists = {path: f for f in source.fields for path in f.xml if f.kind == "array"}
    tagged = dict(_tagged(source))
    fields.update(tagged)
    situations = (p for p in tagged if p.rpartition("/")[2] in ("CST", "CSOSN"))
    return Places(fields, lists, dict(_choices(source)), frozenset(situations))


def situation(value: str) -> str:
    """The CST as the layout writes it: the special forms of the request (`41_st`) lose the word."""
    return value.partition("_")[0]


def _group_paths() -> Mapping[str, str]:
    """Path of every element below `imposto` by its name, taxes before their inner groups."""
    tax = next(node for path, node in layout().walk() if path == TAXES)
    found: dict[str, str] = {}
    for path, node in tax.walk(TAXES):
        if not node.is_leaf:
            found.setdefault(node.name, path)
    return found


def _tagged(source: Catalogue) -> Iterator[tuple[str, Field]]:
    """(place, field) for every tag of every tax group that the model admits."""
    paths = _group_paths()
    for tax in source.tax_groups.values():
        for group, rows in tax["groups"].items():
            for row in rows:
                field = source.by_path.get(f"items[].{row['json']}")
                if field is not None:
                    yield f"{paths[group]}/{row['tag']}", field


def _choices(source: Catalogue) -> Iterator[tuple[str, Choice]]:
    paths = _group_paths()
    for tax in source.tax_groups.values():
        if f"items[].{tax['selector']}" not in source.by_path:
            continue  # a tax that the model does not have: IPI in model 65
        group_of = {cst: group for group in tax["cst"] for cst in situations_of(tax, group)}
        parent = paths[next(iter(tax["cst"]))].rpartition("/")[0]
        yield parent, Choice(tax["selector"], group_of)


def situations_of(tax: Mapping[str, Mapping[str, object]], group: str) -> tuple[str, ...]:
    """The CST of a group. A range ("49-99") is spelled out by the values of its CST tag."""
    listed = tax["cst"][group]
    if isinstance(listed, tuple):
        return listed
    rows = tax["groups"][group]
    assert isinstance(rows, tuple)
    return next(row["values"] for row in rows if row["tag"] in ("CST", "CSOSN"))
