"""A DPS that replaces an NFS-e (group subst): its rules, and the event that Sefin makes itself."""

from __future__ import annotations

import sqlite3

from lxml import etree

from fiscal.sandbox import note_books
from fiscal.sandbox.note_call import Fault, NoteCall
from fiscal.sandbox.services import national_events
from fiscal.sandbox.services.national_values import Dps

REPLACED = "105102"
_FIXED_FOR_REGULAR = (
    "dCompet", "serv/cServ/cTribNac", "serv/cServ/cTribMun", "serv/locPrest/cLocPrestacao",
)  # fmt: skip


def judge(dps: Dps, call: NoteCall) -> tuple[sqlite3.Row | None, list[Fault]]:
    """The note to be replaced, and what speaks against it."""
    if not dps.has("subst"):
        return None, []
    faults = []
    if dps.text("subst/cMotivo") == "99" and not dps.text("subst/xMotivo"):
        faults.append(Fault("E0078"))
    key = dps.text("subst/chSubstda")
    if dps.document("prest") != _issuer_of(key):
        return None, [*faults, Fault("E0042")]
    row = note_books.by_key(call, key)
    if row is None:
        return None, [*faults, Fault("E0044")]
    return row, faults + [Fault(code) for code in _against(dps, call, row)]


def _issuer_of(key: str) -> str:
    block = key[9:23]
    return block[3:] if key[8] == "1" else block


def _against(dps: Dps, call: NoteCall, row: sqlite3.Row) -> list[str]:
    if row["situacao"] != note_books.ISSUED:
        return ["E0046"]
    codes = []
    if national_events.pending(call, row["chave"]):
        codes.append("E0068")
    if national_events.is_late(call, row):
        codes.append("E0050")
    before = Dps(etree.fromstring(bytes(row["pedido"])))
    if dps.text("prest/regTrib/opSimpNac") == "1":
        if any(dps.text(path) != before.text(path) for path in _FIXED_FOR_REGULAR):
            codes.append("E0060")
    elif _taker_day_and_amount(dps) != _taker_day_and_amount(before):
        codes.append("E0061")
    return codes


def _taker_day_and_amount(dps: Dps) -> tuple[str, str, str]:
    amount = dps.text("valores/vServPrest/vServ")
    return dps.document("toma"), dps.text("dCompet"), amount


def replace(call: NoteCall, old: sqlite3.Row, new: sqlite3.Row, dps: Dps) -> None:
    """Sefin's own event 105102 on the old note."""
    reason = dps.text("subst/xMotivo")
    national_events.register_own(
        call,
        old,
        REPLACED,
        {
            "cMotivo": dps.text("subst/cMotivo"),
            "xMotivo": reason or None,
            "chSubstituta": new["chave"],
        },
    )
    note_books.end(call, old, note_books.REPLACED, replaced_by=new["chave"])
