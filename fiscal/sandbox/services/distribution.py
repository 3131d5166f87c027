"""NFeDistribuicaoDFe: the documents in which a CNPJ or CPF has an interest (guide §11)."""

from __future__ import annotations

import sqlite3

from fiscal.sandbox import answers, br, limits, mailbox, soap
from fiscal.sandbox.checks import message
from fiscal.sandbox.document import Document, Group
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.world import Call, Refused

PAGE = 50
USE_ULT_NSU = "(Deve ser utilizado o ultNSU nas solicitacoes subsequentes. Tente apos 1 hora)"


def answer(call: Call) -> str:
    """retDistDFeInt: 138 with up to 50 docZip, 137; 215, 236, 252, 589, 593, 640, 641, 656."""
    message.check_size(call.payload)
    root = message.parsed(call.payload, "distDFeInt", "1.01")
    fault = first_fault(root, "distDFeInt")
    if fault:
        raise Refused(215, f"[{fault}]")
    wanted = Group(root)
    if wanted.text("tpAmb") != call.tp_amb:
        raise Refused(252)
    person = wanted.text("CNPJ") or wanted.text("CPF")
    message.check_author(call, person, 593)
    with call.world.store.transaction():
        if wanted.has("distNSU"):
            return _page(call, person, int(wanted.text("distNSU/ultNSU")))
        limits.count(call, f"distribuicao {person}", limits.SINGLE_FETCHES)
        if wanted.has("consNSU"):
            return _one(call, person, int(wanted.text("consNSU/NSU")))
        return _by_key(call, person, wanted.text("consChNFe/chNFe"))


def _page(call: Call, person: str, ult: int) -> str:
    top = mailbox.top(call, person)
    if limits.is_blocked(call, f"distribuicao {person}"):
        return _too_often(call, person, top)
    if ult > top:
        return answers.ret_dist(call, 589, ult=ult, top=top)
    rows = mailbox.after(call, person, ult, PAGE)
    last = rows[-1]["nsu"] if rows else ult
    mailbox.told(call, person, last)
    if not rows:
        limits.block(call, f"distribuicao {person}")
        return answers.ret_dist(call, 137, ult=last, top=top)
    return answers.ret_dist(call, 138, ult=last, top=top, content=_packed(rows))


def _too_often(call: Call, person: str, top: int) -> str:
    """656, and from which NSU on to ask in an hour: who asks without it is told again (DIS-2)."""
    last = mailbox.last_told(call, person)
    return answers.ret_dist(call, 656, USE_ULT_NSU, ult=last, top=top)


def _one(call: Call, person: str, nsu: int) -> str:
    top = mailbox.top(call, person)
    if nsu > top:
        raise Refused(589)
    rows = mailbox.after(call, person, nsu - 1, 1)
    if not rows or rows[0]["nsu"] != nsu:
        return answers.ret_dist(call, 137, ult=nsu, top=top)
    return answers.ret_dist(call, 138, ult=nsu, top=top, content=_packed(rows))


def _by_key(call: Call, person: str, chave: str) -> str:
    if not br.is_key(chave):
        raise Refused(236)
    row, top = mailbox.stored(call, chave), mailbox.top(call, person)
    if row is None:
        raise Refused(217)
    if row["documento"] == person:
        raise Refused(641)
    if person not in (row["destinatario"], *row["interessados"].split()):
        raise Refused(640)
    whole = person != row["destinatario"] or mailbox.has_manifested(call, chave)
    schema = "procNFe_v4.00.xsd" if whole else "resNFe_v1.01.xsd"
    xml = mailbox.processed(row) if whole else mailbox.summary(call, row, _head(row))
    content = f"<loteDistDFeInt>{_doc_zip(0, schema, xml)}</loteDistDFeInt>"
    return answers.ret_dist(call, 138, ult=0, top=top, content=content)


def _head(row: sqlite3.Row) -> Group:
    return Document(row["xml"], soap.parse(row["xml"])).head


def _packed(rows: list[sqlite3.Row]) -> str:
    packed = (_doc_zip(row["nsu"], row["esquema"], row["xml"]) for row in rows)
    return f"<loteDistDFeInt>{''.join(packed)}</loteDistDFeInt>"


def _doc_zip(nsu: int, schema: str, xml: bytes) -> str:
    return f'<docZip NSU="{nsu:015d}" schema="{schema}">{soap.zipped(bytes(xml))}</docZip>'
