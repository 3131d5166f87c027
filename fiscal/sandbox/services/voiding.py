"""NFeInutilizacao: numbers that will never be used."""

from __future__ import annotations

from fiscal.sandbox import answers, books, limits
from fiscal.sandbox.checks import message, signing
from fiscal.sandbox.document import Group
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.world import Call, Refused

MAX_NUMBERS = 1000
_ECHOED = ("ano", "CNPJ", "mod", "serie", "nNFIni", "nNFFin")


def answer(call: Call) -> str:
    """retInutNFe: 102 with its protocol; 201, 213, 224, 241, 256, 453, 454, 563."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "inutNFe", "4.00")
    fault = first_fault(root, "inutNFe")
    if fault:
        raise Refused(215, f"[{fault}]")
    inf = root[0]
    wanted = Group(inf)
    call.cuf = wanted.text("cUF")
    message.check_place(call, tp_amb=wanted.text("tpAmb"), cuf=call.cuf)
    if wanted.text("mod") != call.modelo or inf.get("Id") != _id(wanted):
        raise Refused(215, "[Id]")
    subject = f"inut {inf.get('Id')}"
    limits.check(call, subject)
    refusal = signing.check(root, "infInut", wanted.text("CNPJ"), call)
    if refusal is not None:
        raise Refused(refusal.c_stat, refusal.detail)
    with call.world.store.transaction():
        c_stat = _fault(call, wanted)
        if c_stat:
            limits.refused(call, subject, limits.SAME_VOIDING_REFUSED)
            return answers.ret_inut(call, c_stat, content=_echo(wanted))
        return _accepted(call, wanted)


def _id(wanted: Group) -> str:
    """KEY-6."""
    return (
        "ID"
        + wanted.text("cUF")
        + wanted.text("ano")
        + wanted.text("CNPJ")
        + wanted.text("mod")
        + wanted.text("serie").zfill(3)
        + wanted.text("nNFIni").zfill(9)
        + wanted.text("nNFFin").zfill(9)
    )


def _range(wanted: Group) -> tuple[int, int]:
    return int(wanted.text("nNFIni")), int(wanted.text("nNFFin"))


def _fault(call: Call, wanted: Group) -> int:
    year, this_year = int(wanted.text("ano")), int(call.local()[2:4])
    if year > this_year:
        return 453
    if year < 6:
        return 454
    first, last = _range(wanted)
    if first > last:
        return 224
    if last - first + 1 > MAX_NUMBERS:
        return 201
    return _taken(call, wanted)


def _taken(call: Call, wanted: Group) -> int:
    """241 for a number in use, 563 for the very same range, 256 for a number voided before."""
    where = (call.ambiente, call.cuf, *(wanted.text(name) for name in ("CNPJ", "mod", "serie")))
    first, last = _range(wanted)
    used = call.world.store.one(
        "SELECT 1 FROM documentos WHERE ambiente = ? AND cuf = ? AND documento = ? AND modelo = ? "
        "AND serie = ? AND numero BETWEEN ? AND ?",
        *where, first, last,
    )  # fmt: skip
    if used is not None:
        return 241
    voided = call.world.store.all(
        "SELECT * FROM inutilizacoes WHERE ambiente = ? AND cuf = ? AND documento = ? AND "
        "modelo = ? AND serie = ? AND inicial <= ? AND final >= ?",
        *where, last, first,
    )  # fmt: skip
    if any((row["inicial"], row["final"]) == (first, last) for row in voided):
        return 563
    return 256 if voided else 0


def _echo(wanted: Group) -> str:
    return "".join(answers.tag(name, wanted.text(name)) for name in _ECHOED)


def _accepted(call: Call, wanted: Group) -> str:
    number = books.protocol_number(call)
    first, last = _range(wanted)
    call.world.store.insert(
        "inutilizacoes",
        ambiente=call.ambiente,
        cuf=call.cuf,
        ano=wanted.text("ano"),
        documento=wanted.text("CNPJ"),
        modelo=wanted.text("mod"),
        serie=wanted.text("serie"),
        inicial=first,
        final=last,
        protocolo=number,
        recebido_em=call.now.timestamp(),
        xml=call.payload,
    )
    content = _echo(wanted) + answers.tag("dhRecbto", call.local()) + answers.tag("nProt", number)
    return answers.ret_inut(call, 102, content=content, name=f"ID{number}")
