"""What the Ambiente Nacional has to deliver to each interested CNPJ or CPF, numbered by NSU."""

from __future__ import annotations

import sqlite3

from fiscal.sandbox import books
from fiscal.sandbox.answers import NFE, tag
from fiscal.sandbox.document import Document, Group
from fiscal.sandbox.world import Call

MANIFESTATIONS = ("210200", "210210", "210220", "210240")


def put(call: Call, interested: str, schema: str, chave: str, xml: bytes) -> None:
    """Add one document under the next NSU of that CNPJ or CPF."""
    call.world.store.insert(
        "caixa",
        ambiente=call.ambiente,
        interessado=interested,
        nsu=top(call, interested) + 1,
        esquema=schema,
        chave=chave,
        xml=xml,
    )


def top(call: Call, interested: str) -> int:
    """maxNSU."""
    row = call.world.store.one(
        "SELECT max(nsu) AS n FROM caixa WHERE ambiente = ? AND interessado = ?",
        call.ambiente,
        interested,
    )
    return int(row["n"] or 0) if row else 0


def after(call: Call, interested: str, nsu: int, most: int) -> list[sqlite3.Row]:
    """The documents after an NSU, in order."""
    return call.world.store.all(
        "SELECT * FROM caixa WHERE ambiente = ? AND interessado = ? AND nsu > ? "
        "ORDER BY nsu LIMIT ?",
        call.ambiente,
        interested,
        nsu,
        most,
    )


def told(call: Call, interested: str, nsu: int) -> None:
    """Remember up to where that CNPJ or CPF was told, by whatever program asked."""
    call.world.store.run(
        "INSERT OR REPLACE INTO leituras VALUES (?, ?, ?)", call.ambiente, interested, nsu
    )


def last_told(call: Call, interested: str) -> int:
    """The last ultNSU that it was given; 0 before the first question."""
    row = call.world.store.one(
        "SELECT nsu FROM leituras WHERE ambiente = ? AND interessado = ?",
        call.ambiente,
        interested,
    )
    return int(row["nsu"]) if row else 0


def deliver(call: Call, document: Document) -> None:
    """An NF-e was authorised: the summary to the recipient, the whole to autXML and carrier."""
    chave = document.key
    row = stored(call, chave)
    if row is None or row["modelo"] != "55":
        return
    if row["destinatario"] and row["destinatario"] != row["documento"]:
        put(call, row["destinatario"], "resNFe_v1.01.xsd", chave, summary(call, row, document.head))
    for interested in row["interessados"].split():
        put(call, interested, "procNFe_v4.00.xsd", chave, processed(row))


def release(call: Call, chave: str) -> None:
    """The recipient has manifested: now it gets the whole document."""
    row = stored(call, chave)
    if row is None:
        return
    known = call.world.store.one(
        "SELECT nsu FROM caixa WHERE ambiente = ? AND interessado = ? AND chave = ? "
        "AND esquema LIKE 'procNFe%'",
        call.ambiente,
        row["destinatario"],
        chave,
    )
    if known is None:
        put(call, row["destinatario"], "procNFe_v4.00.xsd", chave, processed(row))


def deliver_event(call: Call, event: sqlite3.Row) -> None:
    """An event was registered: everybody interested but its author gets it."""
    row = stored(call, event["chave"])
    if row is None or row["modelo"] != "55":
        return
    people = [row["documento"], row["destinatario"], *row["interessados"].split()]
    for person in dict.fromkeys(people):
        if person and person != event["autor"]:
            put(call, person, "procEventoNFe_v1.00.xsd", event["chave"], processed_event(event))


def stored(call: Call, chave: str) -> sqlite3.Row | None:
    """The row of a document whatever shelf it is on: the Ambiente Nacional sees all."""
    return call.world.store.one(
        "SELECT * FROM documentos WHERE ambiente = ? AND chave = ?", call.ambiente, chave
    )


def has_manifested(call: Call, chave: str) -> bool:
    """Whether the recipient did."""
    return any(row["tipo"] in MANIFESTATIONS for row in books.events_of(call, chave))


def processed(row: sqlite3.Row) -> bytes:
    """nfeProc: the bytes as received and the protocol, side by side."""
    prot = _declared(row["prot"], b"protNFe")
    return b'<nfeProc xmlns="%b" versao="4.00">%b%b</nfeProc>' % (NFE.encode(), row["xml"], prot)


def processed_event(row: sqlite3.Row) -> bytes:
    """procEventoNFe."""
    return b'<procEventoNFe xmlns="%b" versao="1.00">%b%b</procEventoNFe>' % (
        NFE.encode(),
        row["xml"],
        _declared(row["ret"], b"retEvento"),
    )


def _declared(raw: bytes, name: bytes) -> bytes:
    start = raw.partition(b">")[0]
    if b"xmlns=" in start:
        return bytes(raw)
    return bytes(raw).replace(b"<" + name, b'<%b xmlns="%b"' % (name, NFE.encode()), 1)


def summary(call: Call, row: sqlite3.Row, head: Group) -> bytes:
    """resNFe 1.01; `head` are the fields of the document."""
    issuer = "CPF" if len(row["documento"]) == 11 else "CNPJ"
    situation = {"cancelado": "3"}.get(row["situacao"], "1")
    text = (
        tag("chNFe", row["chave"])
        + tag(issuer, row["documento"])
        + tag("xNome", head.text("emit/xNome"))
        + tag("IE", head.text("emit/IE"))
        + tag("dhEmi", row["dh_emi"])
        + tag("tpNF", head.text("ide/tpNF"))
        + tag("vNF", row["v_nf"])
        + tag("digVal", row["digval"])
        + tag("dhRecbto", call.local())
        + tag("nProt", row["protocolo"])
        + tag("cSitNFe", situation)
    )
    return f'<resNFe xmlns="{NFE}" versao="1.01">{text}</resNFe>'.encode()
