"""Row 17: what each model demands and refuses, payment and the names of homologação."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fiscal.sandbox.document import NS, Document, Group, Refusal
from fiscal.sandbox.world import Call

TEST_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
TEST_PRODUCT = "NOTA FISCAL EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
# NT 2019.001 and later: retail sales inside the unit.
_RETAIL_CFOP = {"5101", "5102", "5103", "5104", "5115", "5405", "5656", "5667", "5933"}


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """705-710, 715-719, 725, 729, 753, 767, 598, 373."""
    yield from _nfce(document) if document.modelo == "65" else _nfe(document)
    if call.tp_amb == "2":
        yield from _test_names(document)


def _nfe(document: Document) -> Iterator[Refusal]:
    head = document.head
    if head.text("ide/tpImp") in ("4", "5"):
        yield Refusal(710)
    if not head.has("dest"):
        yield Refusal(719)


def _nfce(document: Document) -> Iterator[Refusal]:
    head = document.head
    faults = {
        705: head.has("ide/dhSaiEnt"),
        706: head.text("ide/tpNF") != "1",
        707: head.text("ide/idDest") != "1",
        708: head.has("ide/NFref"),
        709: head.text("ide/tpImp") not in ("4", "5"),
        715: head.text("ide/finNFe") != "1",
        716: head.text("ide/indFinal") != "1",
        717: head.text("ide/indPres") not in ("1", "4", "5"),
        718: head.has("emit/IEST"),
        729: head.has("dest/IE"),
        753: head.text("transp/modFrete") != "9" and head.text("ide/indPres") != "4",
        767: _paid(document) != head.value("total/ICMSTot/vNF"),
    }
    yield from (Refusal(c_stat) for c_stat, found in faults.items() if found)
    for n_item, item in enumerate(document.items, 1):
        if item.text("prod/CFOP") not in _RETAIL_CFOP:
            yield Refusal(725, f"[nItem: {n_item}]")


def _paid(document: Document) -> Decimal:
    """What was paid less the change."""
    paid = [Group(each).value("vPag") for each in document.inf.iterfind(f"{NS}pag/{NS}detPag")]
    return sum(paid, Decimal()) - document.head.value("pag/vTroco")


def _test_names(document: Document) -> Iterator[Refusal]:
    name = document.head.text("dest/xNome")
    if name and name != TEST_NAME:
        yield Refusal(598)
    if document.modelo == "65" and document.items[0].text("prod/xProd") != TEST_PRODUCT:
        yield Refusal(373)
