"""NFeStatusServico: up, closing or closed; a pause is a scripted fault."""

from __future__ import annotations

from fiscal.sandbox import answers, tables
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import NS
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.world import Call, Refused

_SVC = {"aberto": 107, "encerrando": 113, "fechado": 114}


def answer(call: Call) -> str:
    """retConsStatServ: 107, or 113 and 114 of a contingency authority."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "consStatServ", "4.00")
    fault = first_fault(root, "consStatServ")
    if fault:
        raise Refused(215, f"[{fault}]")
    cuf = root.findtext(f"{NS}cUF", "")
    call.cuf = cuf
    message.check_place(call, tp_amb=root.findtext(f"{NS}tpAmb", ""), cuf=cuf, refusal=410)
    if not call.is_svc:
        return answers.ret_status(call, 107)
    sigla = tables.by_code()[cuf].sigla
    return answers.ret_status(call, _SVC[call.setting("svc", {}).get(sigla, "fechado")])
