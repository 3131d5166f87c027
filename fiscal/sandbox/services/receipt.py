"""NFeRetAutorizacao: what became of a batch."""

from __future__ import annotations

import json

from fiscal.sandbox import answers, limits
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import NS
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.world import Call, Refused


def answer(call: Call) -> str:
    """retConsReciNFe: 104 with each protNFe, 105, 106; 656 past 40 questions an hour."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "consReciNFe", "4.00")
    fault = first_fault(root, "consReciNFe")
    if fault:
        raise Refused(215, f"[{fault}]")
    if root.findtext(f"{NS}tpAmb", "") != call.tp_amb:
        raise Refused(252)
    recibo = root.findtext(f"{NS}nRec", "")
    with call.world.store.transaction():
        limits.count(call, f"recibo {recibo}", limits.POLLS_OF_RECEIPT)
        return _state(call, recibo)


def _state(call: Call, recibo: str) -> str:
    row = call.world.store.one(
        "SELECT * FROM lotes WHERE recibo = ? AND ambiente = ?", recibo, call.ambiente
    )
    if row is None:
        return answers.ret_reci(call, recibo, 106)
    call.cuf = row["cuf"]
    if row["autorizador"] != call.authority:
        raise Refused(248)
    if call.sender is None or not call.sender.base_is(row["transmissor"]):
        raise Refused(223)
    if row["consultas_pendentes"] > 0:
        call.world.store.run(
            "UPDATE lotes SET consultas_pendentes = consultas_pendentes - 1 WHERE recibo = ?",
            recibo,
        )
        return answers.ret_reci(call, recibo, 105)
    if row["pronto_em"] > call.now.timestamp():
        return answers.ret_reci(call, recibo, 105)
    found = json.loads(row["respostas"])
    if call.fault("ordem_trocada"):
        found.reverse()
    return answers.ret_reci(call, recibo, 104, "".join(found))
