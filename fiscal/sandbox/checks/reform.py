"""Row 20: IBS and CBS. The table of classes is not here: a class must begin with its CST."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from fiscal.sandbox.checks.arithmetic import added
from fiscal.sandbox.document import Document, Group, Refusal
from fiscal.sandbox.world import Call

_ITEM = "imposto/IBSCBS"
_VALUED = ("gIBSCBS", "gIBSCBSMono", "gTransfCred", "gAjusteCompet")
_TOTAL = "total/IBSCBSTot"
_SIMPLES_FROM = date(2027, 1, 4)
# LC 214/2025, arts. 343-348: (first, last year) → pIBSUF, pIBSMun, pCBS; None is set by law later.
_RATES = {
    (2026, 2026): (Decimal("0.1"), Decimal(0), Decimal("0.9")),
    (2027, 2028): (Decimal("0.05"), Decimal("0.05"), None),
}
_SUMS = {
    "vBCIBSCBS": "gIBSCBS/vBC",
    "gIBS/gIBSUF/vIBSUF": "gIBSCBS/gIBSUF/vIBSUF",
    "gIBS/gIBSMun/vIBSMun": "gIBSCBS/gIBSMun/vIBSMun",
    "gIBS/vIBS": "gIBSCBS/vIBS",
    "gCBS/vCBS": "gIBSCBS/gCBS/vCBS",
}


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """1115, 1022, 1026, 1036, 1037, 1118, 1004."""
    demanded = _is_demanded(document, call)
    for n_item, item in enumerate(document.items, 1):
        for c_stat in _item(item, document, demanded=demanded):
            yield Refusal(c_stat, f"[nItem: {n_item}]")
    yield from _totals(document)


def _is_demanded(document: Document, call: Call) -> bool:
    """The switch of the authority (off by default, as since 2026-07-31), by regime and date."""
    if not call.setting("exigir_ibscbs", False):
        return False
    if document.head.text("emit/CRT") in ("1", "4"):
        return document.issued_at.date() >= _SIMPLES_FROM
    return True


def _item(item: Group, document: Document, *, demanded: bool) -> Iterator[int]:
    if not item.has(_ITEM):
        if demanded:
            yield 1115
        return
    if not item.text(f"{_ITEM}/cClassTrib").startswith(item.text(f"{_ITEM}/CST")):
        yield 1022
    yield from _rates(item, document)


def _rates(item: Group, document: Document) -> Iterator[int]:
    """By the year of dhEmi; suspended taxation and government purchases have their own rates."""
    group = f"{_ITEM}/gIBSCBS"
    if not item.has(group) or item.has(f"{group}/gTribRegular"):
        return
    year = document.issued_at.year
    if document.head.has("ide/gCompraGov"):
        return
    found = next((rates for (first, last), rates in _RATES.items() if first <= year <= last), None)
    paths = ("gIBSUF/pIBSUF", "gIBSMun/pIBSMun", "gCBS/pCBS")
    for path, wanted, c_stat in zip(paths, found or (None,) * 3, (1026, 1036, 1037), strict=True):
        if wanted is not None and item.value(f"{group}/{path}") != wanted:
            yield c_stat


def _totals(document: Document) -> Iterator[Refusal]:
    is_valued = any(item.has(f"{_ITEM}/{group}") for item in document.items for group in _VALUED)
    if not is_valued:
        if document.head.has(_TOTAL):
            yield Refusal(1118)
        return
    for name, path in _SUMS.items():
        summed = added(document, f"{_ITEM}/{path}", path)
        if document.head.value(f"{_TOTAL}/{name}") != summed:
            yield Refusal(1004, f"[{name}]")
