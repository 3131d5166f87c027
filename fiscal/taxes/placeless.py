"""Amounts sent with an item that its tax group, chosen by CST, has no tag for (XML-4).

Programs often send bases and values of every tax with every item, whatever its CST. What is not in
the document cannot be in its totals (531 to 538, 610) nor in the base of another tax.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from fiscal.documents.nfe.catalogue import Catalogue, catalogue
from fiscal.documents.nfe.groups import situations_of
from fiscal.taxes.issqn import is_service
from fiscal.taxes.sheet import Sheet

Item = dict[str, Any]

_GOODS_ONLY = "icms"  # a service has ISSQN in its place, and no II either
_IMPORT_TAX = frozenset(("ii_valor",))


def drop(item: Item, sheet: Sheet, *taxes: str) -> None:
    """Take out of `item` the amounts of `taxes` ("icms", "ipi", …) that cannot be written.

    One that is not zero leaves a note: it would otherwise vanish unseen.
    """
    for tax in taxes:
        selector, by_situation, everything = _amounts(sheet.modelo, tax)
        situation = item.get(selector, "")
        if tax == _GOODS_ONLY and is_service(item):
            unwanted, reason = everything | _IMPORT_TAX, "num item de serviço"
        else:
            unwanted = by_situation.get(situation, everything)
            reason = f"com {selector} {situation}" if situation else f"sem {selector}"
        if not unwanted.isdisjoint(item):
            for campo in sorted(unwanted & item.keys()):
                if item.pop(campo):
                    sheet.note(campo, f"Não existe na nota {reason}: valor ignorado.")


@cache
def _amounts(modelo: int, tax: str) -> tuple[str, Mapping[str, frozenset[str]], frozenset[str]]:
    """(field of the CST, CST → amounts that its group lacks, all the amounts of the tax)."""
    source = catalogue(modelo)
    listed = source.tax_groups[tax]
    held = {group: _held(source, rows) for group, rows in listed["groups"].items()}
    everything = frozenset().union(*(held[group] for group in listed["cst"]))
    lacking: dict[str, frozenset[str]] = {}
    for group in listed["cst"]:
        lacking.update(dict.fromkeys(situations_of(listed, group), everything - held[group]))
    return listed["selector"], lacking, everything


def _held(source: Catalogue, rows: tuple[Mapping[str, Any], ...]) -> frozenset[str]:
    fields = source.level("items")
    named = (row["json"] for row in rows)
    return frozenset(name for name in named if name in fields and fields[name].kind == "decimal")
