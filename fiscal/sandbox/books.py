"""Questions and entries about documents, events, voidings and receipts."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from fiscal.sandbox.document import Document, Key
from fiscal.sandbox.store import Store
from fiscal.sandbox.tables import SVC, by_code
from fiscal.sandbox.world import Call

CANCELLATIONS = ("110111", "110112")


def protocol_number(call: Call) -> str:
    """15 digits: 1, unit, year, ten in sequence."""
    number = call.world.store.next_number(f"protocolo {call.orgao}")
    return f"1{int(call.orgao):02d}{call.now.year % 100:02d}{number:010d}"


def find(call: Call, chave: str) -> sqlite3.Row | None:
    """The document of that key as the authority of this call sees it now."""
    row = call.world.store.one(
        "SELECT * FROM documentos WHERE ambiente = ? AND chave = ?", call.ambiente, chave
    )
    return row if row is not None and is_known(call, row) else None


def is_known(call: Call, row: sqlite3.Row) -> bool:
    """Not held back, and on the shelf of this authority: SVC's own, or arrived at home."""
    now = call.now.timestamp()
    if row["visivel_em"] > now:
        return False
    if call.is_svc:
        return bool(row["autorizador"] == call.authority)
    return bool(row["autorizador"] not in SVC or row["em_casa_em"] <= now)


def same_number(call: Call, key: Key) -> list[sqlite3.Row]:
    """Documents with the number of that key, whatever their own key, that we know now.

    Reception looks behind what queries are still kept from seeing: a batch in the queue has its
    number already.
    """
    rows = call.world.store.all(
        "SELECT * FROM documentos WHERE ambiente = ? AND cuf = ? AND documento = ? AND modelo = ? "
        "AND serie = ? AND numero = ?",
        call.ambiente, key.cuf, key.document, key.modelo, key.serie, key.numero,
    )  # fmt: skip
    return [row for row in rows if _on_shelf(call, row)]


def _on_shelf(call: Call, row: sqlite3.Row) -> bool:
    if call.is_svc:
        return bool(row["autorizador"] == call.authority)
    return bool(row["autorizador"] not in SVC or row["em_casa_em"] <= call.now.timestamp())


def voided(call: Call, key: Key) -> sqlite3.Row | None:
    """The voiding that covers the number of that key."""
    return call.world.store.one(
        "SELECT * FROM inutilizacoes WHERE ambiente = ? AND cuf = ? AND documento = ? AND "
        "modelo = ? AND serie = ? AND inicial <= ? AND final >= ?",
        call.ambiente, key.cuf, key.document, key.modelo, key.serie, key.numero, key.numero,
    )  # fmt: skip


def authorise(
    call: Call, document: Document, *, c_stat: int, protocolo: str, prot: str, hidden_for: float
) -> None:
    """Enter an authorised document; hidden from queries for so many seconds."""
    key = Key(document.key)
    at_home = call.later(float(call.setting("svc_atraso", 0))) if call.is_svc else 0.0
    call.world.store.insert(
        "documentos",
        ambiente=call.ambiente,
        chave=key.text,
        autorizador=call.authority,
        cuf=key.cuf,
        documento=key.document,
        modelo=key.modelo,
        serie=key.serie,
        numero=key.numero,
        tp_emis=key.tp_emis,
        destinatario=document.recipient,
        interessados=" ".join(document.interested),
        situacao="autorizado",
        c_stat=c_stat,
        protocolo=protocolo,
        digval=document.digest,
        dh_emi=document.head.text("ide/dhEmi"),
        recebido_em=call.now.timestamp(),
        v_nf=document.head.text("total/ICMSTot/vNF"),
        visivel_em=call.later(hidden_for),
        em_casa_em=at_home,
        xml=document.raw,
        prot=prot.encode(),
    )


def cancel(call: Call, chave: str) -> None:
    """Mark a document as cancelled."""
    call.world.store.run(
        "UPDATE documentos SET situacao = 'cancelado' WHERE ambiente = ? AND chave = ?",
        call.ambiente,
        chave,
    )


def events_of(call: Call, chave: str) -> list[sqlite3.Row]:
    """Registered events of a key, in the order of registration."""
    return call.world.store.all(
        "SELECT * FROM eventos WHERE ambiente = ? AND chave = ? ORDER BY id", call.ambiente, chave
    )


def event(call: Call, chave: str, tipo: str, sequencia: int | None = None) -> sqlite3.Row | None:
    """The event of that type, and of that sequence when one is given."""
    found = [
        row
        for row in events_of(call, chave)
        if row["tipo"] == tipo and sequencia in (None, row["sequencia"])
    ]
    return found[0] if found else None


def epecs_of(store: Store, ambiente: str, key: Key) -> list[sqlite3.Row]:
    """EPEC events of the issuer of that key, oldest first."""
    return store.all(
        "SELECT * FROM eventos WHERE ambiente = ? AND tipo = '110140' AND substr(chave, 7, 14) = ? "
        "ORDER BY id",
        ambiente,
        key.text[6:20],
    )


def undelivered(call: Call, key: Key, *, before: datetime) -> list[str]:
    """Keys of EPECs of that issuer registered before `before` whose NF-e never came."""
    late = [
        row["chave"]
        for row in epecs_of(call.world.store, call.ambiente, key)
        if row["registrado_em"] < before.timestamp() and row["chave"] != key.text
    ]
    known = call.world.store.all(
        "SELECT chave FROM documentos WHERE ambiente = ? AND documento = ?",
        call.ambiente,
        key.document,
    )
    return sorted(set(late) - {row["chave"] for row in known})


def is_home(authority: str, cuf: str) -> bool:
    """Whether the authority is a home one of that unit, for either model."""
    uf = by_code().get(cuf)
    return uf is not None and authority in (uf.nfe, uf.nfce)
