"""NFeConsultaProtocolo: where a document stands, by its key."""

from __future__ import annotations

import sqlite3

from fiscal.sandbox import answers, books, br, limits, mailbox
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import NS, Key
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.world import Call, Refused

_WINDOW_MONTHS = 6


def answer(call: Call) -> str:
    """retConsSitNFe: 100/150 or 101/151/155 with protocol and events; 124 with the EPEC alone;
    217, 613, 526, 640, 656."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "consSitNFe", "4.00")
    fault = first_fault(root, "consSitNFe")
    if fault:
        raise Refused(215, f"[{fault}]")
    key = Key(root.findtext(f"{NS}chNFe", ""))
    call.cuf = key.cuf
    if not br.is_key(key.text):
        raise Refused(236)
    message.check_place(call, tp_amb=root.findtext(f"{NS}tpAmb", ""), cuf=key.cuf)
    if _months_old(call, key) > _WINDOW_MONTHS:
        return answers.ret_sit(call, key.text, 526)
    with call.world.store.transaction():
        limits.count(call, f"consulta {key.text}", limits.QUERIES_OF_KEY)
        return _state(call, key)


def _months_old(call: Call, key: Key) -> int:
    year, month = 2000 + int(key.aamm[:2]), int(key.aamm[2:])
    return (call.now.year - year) * 12 + call.now.month - month


def _state(call: Call, key: Key) -> str:
    row = books.find(call, key.text)
    if row is None:
        return _absent(call, key)
    if call.fault("consulta_atrasada"):
        return answers.ret_sit(call, key.text, 217)
    if not _may_see(call, row):
        return answers.ret_sit(call, key.text, 640)
    events = books.events_of(call, key.text)
    content = bytes(row["prot"]).decode()
    content += "".join(mailbox.processed_event(each).decode() for each in events)
    return answers.ret_sit(call, key.text, _situation(row, events), content=content)


def _absent(call: Call, key: Key) -> str:
    for row in books.same_number(call, key):
        if row["chave"] != key.text and books.is_known(call, row):
            return answers.ret_sit(call, key.text, 613, f"[chNFe: {row['chave']}]")
    epec = books.event(call, key.text, "110140")
    if epec is not None:  # announced, and not here yet (NT 2014.001)
        return answers.ret_sit(call, key.text, 124, content=mailbox.processed_event(epec).decode())
    return answers.ret_sit(call, key.text, 217)


def _may_see(call: Call, row: sqlite3.Row) -> bool:
    people = (row["documento"], row["destinatario"], *row["interessados"].split())
    return call.sender is not None and any(call.sender.base_is(each) for each in people if each)


def _situation(row: sqlite3.Row, events: list[sqlite3.Row]) -> int:
    if row["situacao"] != "cancelado":
        return int(row["c_stat"])
    late = any(each["tipo"] in books.CANCELLATIONS and each["c_stat"] == 155 for each in events)
    return 151 if late else 101
