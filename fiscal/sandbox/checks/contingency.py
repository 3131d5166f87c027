"""Row 16: the form of emission against the service, and the EPEC that must have come before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from fiscal.sandbox import books, soap
from fiscal.sandbox.document import NS, Document, Group, Key, Refusal
from fiscal.sandbox.world import Call

EPEC_DELIVERY = timedelta(hours=168)
_SVC_FORM = {"SVC-AN": "6", "SVC-RS": "7"}


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """713, 570, 711, 712, 691, 692, 468, 467.

    142 blocks new EPECs alone: what is overdue must be able to come.
    """
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
    yield from _epec(document, call)


def _refuses_offline(call: Call) -> bool:
    return call.cuf in call.setting("ufs_sem_offline", [])


def _epec(document: Document, call: Call) -> Iterator[Refusal]:
    """What was announced under this number binds the NF-e that comes (NT 2014.001)."""
    key = Key(document.key)
    announced = [
        row["chave"]
        for row in books.epecs_of(call.world.store, call.ambiente, key)
        if row["chave"][20:34] == key.text[20:34]
    ]
    if key.tp_emis != "4":
        if announced:
            yield Refusal(692, f"[Chave EPEC: {announced[0]}]")
        return
    epec = books.event(call, document.key, "110140")
    if epec is None:
        yield Refusal(691 if announced else 468)
        return
    told = soap.parse(epec["xml"]).find(f"{NS}infEvento/{NS}detEvento")
    if told is not None and _values(document) != _announced(Group(told)):
        yield Refusal(467)


def _values(document: Document) -> tuple[object, ...]:
    """What EPEC and NF-e must agree on: issuer's IE, date, buyer, unit and the three values."""
    head = document.head
    buyer = document.recipient or head.text("dest/idEstrangeiro")
    totals = [head.value(f"total/ICMSTot/{name}") for name in ("vNF", "vICMS", "vST")]
    return (
        head.text("emit/IE"),
        document.issued_at,
        buyer,
        head.text("dest/enderDest/UF"),
        *(f"{value:.2f}" for value in totals),
    )


def _announced(epec: Group) -> tuple[object, ...]:
    buyer = epec.text("dest/CNPJ") or epec.text("dest/CPF") or epec.text("dest/idEstrangeiro")
    totals = [epec.value(name) for name in ("*/vNF", "*/vICMS", "*/vST")]
    return (
        epec.text("IE"),
        datetime.fromisoformat(epec.text("dhEmi")),
        buyer,
        epec.text("dest/UF"),
        *(f"{value:.2f}" for value in totals),
    )
