"""Row 19: products and sums, computed here from the received figures."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fiscal.sandbox.document import Document, Group, Refusal
from fiscal.sandbox.world import Call

CENT = Decimal("0.01")
_TOTAL = "total/ICMSTot/"
_COMPLEMENT = "2"
# (field of ICMSTot, begin and end of the item's paths, code)
_SUMS = (
    ("vBC", "imposto/ICMS/", "/vBC", 531),
    ("vICMS", "imposto/ICMS/", "/vICMS", 532),
    ("vBCST", "imposto/ICMS/", "/vBCST", 533),
    ("vST", "imposto/ICMS/", "/vICMSST", 534),
    ("vFrete", "prod/", "prod/vFrete", 535),
    ("vSeg", "prod/", "prod/vSeg", 536),
    ("vDesc", "prod/", "prod/vDesc", 537),
    ("vIPI", "imposto/IPI/", "/vIPI", 538),
    ("vII", "imposto/II/", "/vII", 601),
    ("vPIS", "imposto/PIS/", "/vPIS", 602),
    ("vCOFINS", "imposto/COFINS/", "/vCOFINS", 603),
    ("vOutro", "prod/", "prod/vOutro", 604),
)


def check(document: Document, _: Call) -> Iterator[Refusal]:
    """629, 528, 531-538, 601-604, 564, 610, 685."""
    if document.head.text("ide/finNFe") != _COMPLEMENT:
        for n_item, item in enumerate(document.items, 1):
            yield from (Refusal(c_stat, f"[nItem: {n_item}]") for c_stat in _products(item))
    yield from _sums(document)
    if document.head.value(f"{_TOTAL}vNF") != total(document):
        yield Refusal(610)


def _products(item: Group) -> Iterator[int]:
    product = item.value("prod/qCom") * item.value("prod/vUnCom")
    if abs(product - item.value("prod/vProd")) > CENT:
        yield 629
    icms = {name.rpartition("/")[2]: text for name, text in item.below("imposto/ICMS").items()}
    # CST 51 may defer part of the product.
    if {"vBC", "pICMS", "vICMS"} <= set(icms) and icms.get("CST") != "51":
        product = Decimal(icms["vBC"]) * Decimal(icms["pICMS"]) / 100
        if abs(product - Decimal(icms["vICMS"])) > CENT:
            yield 528


def _sums(document: Document) -> Iterator[Refusal]:
    head = document.head
    for name, begin, end, c_stat in _SUMS:
        if head.value(_TOTAL + name) != added(document, begin, end):
            yield Refusal(c_stat)
    # A service is in vServ of ISSQNtot, not among the goods.
    goods = [item for item in document.items if not item.has("imposto/ISSQN")]
    counted = (item.value("prod/vProd") for item in goods if item.text("prod/indTot") == "1")
    if head.value(f"{_TOTAL}vProd") != sum(counted, Decimal()):
        yield Refusal(564)
    if head.value(f"{_TOTAL}vTotTrib") != added(document, "imposto/", "imposto/vTotTrib"):
        yield Refusal(685)


def added(document: Document, begin: str, end: str) -> Decimal:
    """Sum over the items of the leaves whose path begins and ends so."""
    found = (
        value
        for path, value in document.sums.items()
        if path.startswith(begin) and path.endswith(end)
    )
    return sum(found, Decimal())


def total(document: Document) -> Decimal:
    """vNF as its parts make it (MOC, W16-10)."""
    value = document.head.value
    plus = ("vProd", "vST", "vFCPST", "vFrete", "vSeg", "vOutro", "vII", "vIPI", "vIPIDevol")
    result = sum((value(_TOTAL + name) for name in plus), Decimal())
    result += value(f"{_TOTAL}vICMSMonoReten") + value("total/ISSQNtot/vServ")
    result -= value(f"{_TOTAL}vDesc")
    for item in document.items:
        if item.text("*/indDeduzDeson") == "1":
            result -= item.value("*/vICMSDeson")
        if item.text("*/indSomaPISST") == "1":
            result += item.value("imposto/PISST/vPIS")
        if item.text("*/indSomaCOFINSST") == "1":
            result += item.value("imposto/COFINSST/vCOFINS")
    return result
