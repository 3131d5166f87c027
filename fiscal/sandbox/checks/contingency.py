"""Row 16: the form of emission against the service, and the EPEC that must have come before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fiscal.sandbox import books, soap
from fiscal.sandbox.document import NS, Document, Group, Key, Refusal
from fiscal.sandbox.world import Call

EPEC_DELIVERY = timedelta(hours=168)
_SVC_FORM = {"SVC-AN": "6", "SVC-RS": "7"}


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """713, 570, 711, 712, 142, 468, 467."""
    head = document.head
    form = head.text("ide/tpEmis")
    if call.is_svc and form != _SVC_FORM[call.authority]:
        yield Refusal(713)
    if not call.is_svc and form in ("6", "7"):
        yield Refusal(570)
    if form == "9" and document.modelo == "55" and head.text("ide/tpImp") != "6":
        yield Refusal(711)
    if form == "9" and document.modelo == "65" and _refuses_offline(call):
        yield Refusal(712)
    if form == "4":
        yield from _epec(document, call)


def _refuses_offline(call: Call) -> bool:
    return call.cuf in call.setting("ufs_sem_offline", [])


def _epec(document: Document, call: Call) -> Iterator[Refusal]:
    key = Key(document.key)
    late = books.undelivered(call, key, before=call.now - EPEC_DELIVERY)
    if late:
        yield Refusal(142, f"[chNFe: {late[0]}]")
    epec = books.event(call, document.key, "110140")
    if epec is None:
        yield Refusal(468)
        return
    announced = soap.parse(epec["xml"]).find(f"{NS}infEvento/{NS}detEvento")
    if announced is not None and _values(document) != _announced(Group(announced)):
        yield Refusal(467)


def _values(document: Document) -> tuple[str, ...]:
    """What EPEC and NF-e must agree on: buyer, unit and the three values."""
    head = document.head
    buyer = document.recipient or head.text("dest/idEstrangeiro")
    totals = [head.value(f"total/ICMSTot/{name}") for name in ("vNF", "vICMS", "vST")]
    return (buyer, head.text("dest/enderDest/UF"), *(f"{value:.2f}" for value in totals))


def _announced(epec: Group) -> tuple[str, ...]:
    buyer = epec.text("dest/CNPJ") or epec.text("dest/CPF") or epec.text("dest/idEstrangeiro")
    totals = [epec.value(name) for name in ("*/vNF", "*/vICMS", "*/vST")]
    return (buyer, epec.text("dest/UF"), *(f"{value:.2f}" for value in totals))
