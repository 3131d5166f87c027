"""Questions and entries about service notes, their events, lots and boxes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from fiscal.sandbox.note_call import NoteCall

ISSUED, CANCELLED, REPLACED = "autorizado", "cancelado", "substituido"


@dataclass(frozen=True)
class Entry:
    """A note about to be entered. `identity` is the Id of the DPS, or what the city got."""

    document: str
    registration: str
    municipality: str
    series: str
    rps: int
    rps_type: int
    identity: str
    number: int
    key: str  # 50 characters of the national note, else the verification code
    taker: str
    intermediary: str
    amount: str
    digest: str
    request: bytes
    xml: bytes
    replaces: str = ""


def enter(call: NoteCall, entry: Entry) -> sqlite3.Row:
    """Keep an issued note; hidden from queries as long as `consulta_atrasada` says."""
    hidden = call.fault_number("consulta_atrasada", "segundos", 15) or 0.0
    call.world.store.insert(
        "notas",
        ambiente=call.ambiente,
        autorizador=call.authority,
        municipio=entry.municipality,
        documento=entry.document,
        inscricao=entry.registration,
        serie=entry.series,
        numero_rps=entry.rps,
        tipo_rps=entry.rps_type,
        identidade=entry.identity,
        numero=entry.number,
        chave=entry.key,
        situacao=ISSUED,
        substitui=entry.replaces,
        substituida_por="",
        tomador=entry.taker,
        intermediario=entry.intermediary,
        valor=entry.amount,
        digest=entry.digest,
        recebido_em=call.now.timestamp(),
        visivel_em=call.later(hidden),
        pedido=entry.request,
        xml=entry.xml,
    )
    row = call.world.store.one("SELECT * FROM notas WHERE id = last_insert_rowid()")
    if row is None:
        raise LookupError("a nota acabou de ser gravada")
    return row


def by_rps(
    call: NoteCall, *, document: str, series: str, rps: int, rps_type: int = 1, municipality: str
) -> sqlite3.Row | None:
    """The last note made of that RPS or DPS, hidden or not: a number is used at once."""
    rows = call.world.store.all(
        "SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND documento = ? "
        "AND serie = ? AND numero_rps = ? AND tipo_rps = ? AND municipio = ? ORDER BY id DESC",
        call.ambiente, call.authority, document, series, rps, rps_type, municipality,
    )  # fmt: skip
    return rows[0] if rows else None


def by_key(call: NoteCall, key: str) -> sqlite3.Row | None:
    """The national note of that key, if queries may see it."""
    return _one(call, "chave = ?", key)


def by_identity(call: NoteCall, identity: str) -> sqlite3.Row | None:
    """The note made of the DPS of that Id, if queries may see it."""
    return _one(call, "identidade = ?", identity)


def by_number(call: NoteCall, document: str, number: int) -> sqlite3.Row | None:
    """The note of that number of an issuer of a city."""
    return _one(call, "documento = ? AND numero = ?", document, number)


def by_id(call: NoteCall, number: int) -> sqlite3.Row | None:
    """A note by its row, hidden or not."""
    return call.world.store.one("SELECT * FROM notas WHERE id = ?", number)


def _one(call: NoteCall, where: str, *values: object) -> sqlite3.Row | None:
    row = call.world.store.one(
        f"SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND {where} "  # noqa: S608
        "ORDER BY id DESC",
        call.ambiente,
        call.authority,
        *values,
    )
    return row if row is not None and is_visible(call, row) else None


def is_visible(call: NoteCall, row: sqlite3.Row) -> bool:
    """Whether queries may see it by now."""
    return bool(row["visivel_em"] <= call.now.timestamp())


def another(call: NoteCall, row: sqlite3.Row) -> sqlite3.Row | None:
    """A note that is not that one, for answers that were mixed up."""
    return call.world.store.one(
        "SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND id <> ? ORDER BY id DESC",
        call.ambiente,
        call.authority,
        row["id"],
    )


def end(call: NoteCall, row: sqlite3.Row, state: str, *, replaced_by: str = "") -> None:
    """Cancelled, or replaced by the note of that number or key."""
    call.world.store.run(
        "UPDATE notas SET situacao = ?, substituida_por = ?, encerrada_em = ? WHERE id = ?",
        state,
        replaced_by,
        call.now.timestamp(),
        row["id"],
    )


# --- events ------------------------------------------------------------------------------------


def enter_event(
    call: NoteCall,
    key: str,
    tipo: str,
    *,
    sequence: int = 1,
    state: str = "registrado",
    decided_at: float | None = None,
    request: bytes = b"",
    xml: bytes = b"",
    author: str = "",
) -> None:
    """Keep an event of a note; `decided_at` is when the city answers by itself."""
    call.world.store.insert(
        "notas_eventos",
        ambiente=call.ambiente,
        autorizador=call.authority,
        chave=key,
        tipo=tipo,
        sequencia=sequence,
        situacao=state,
        decide_em=decided_at,
        autor=author,
        registrado_em=call.now.timestamp(),
        pedido=request,
        xml=xml,
    )


def events_of(call: NoteCall, key: str) -> list[sqlite3.Row]:
    """Events of a note, oldest first."""
    return call.world.store.all(
        "SELECT * FROM notas_eventos WHERE ambiente = ? AND autorizador = ? AND chave = ? "
        "ORDER BY id",
        call.ambiente,
        call.authority,
        key,
    )


def settle(call: NoteCall, event: sqlite3.Row, state: str) -> None:
    """What became of a pending event."""
    call.world.store.run(
        "UPDATE notas_eventos SET situacao = ?, decide_em = NULL WHERE id = ?", state, event["id"]
    )


# --- boxes of the ADN --------------------------------------------------------------------------


def deliver(
    call: NoteCall, documents: set[str], *, key: str, tipo: str, tipo_evento: str = "", xml: bytes
) -> None:
    """Put a document into the box of everyone it concerns."""
    for document in sorted(each for each in documents if each):
        nsu = call.world.store.next_number(f"adn {call.ambiente} {document}")
        call.world.store.insert(
            "notas_caixa",
            ambiente=call.ambiente,
            interessado=document,
            nsu=nsu,
            chave=key,
            tipo=tipo,
            tipo_evento=tipo_evento,
            gerado_em=call.now.timestamp(),
            xml=xml,
        )
