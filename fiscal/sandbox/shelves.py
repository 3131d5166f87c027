"""What the control API shows of the store: documents, events, voidings and requests."""

from __future__ import annotations

import base64
import sqlite3
from datetime import UTC, datetime
from typing import Any

from fiscal.sandbox.world import World

_PAGE = 1000


def documents(world: World, given: dict[str, str]) -> list[dict[str, Any]]:
    """Every authorised document, oldest first, with its events.

    Filters: chave, documento (CNPJ or CPF), modelo, serie, situacao. `xml=1` adds the bytes as
    received, in base64.
    """
    wanted = ("chave", "documento", "modelo", "serie", "situacao", "ambiente")
    rows = _rows(world, "documentos", given, wanted)
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in world.store.all("SELECT * FROM eventos ORDER BY id"):
        by_key.setdefault((event["ambiente"], event["chave"]), []).append(_event(event))
    return [
        _document(row, by_key.get((row["ambiente"], row["chave"]), []), given.get("xml") == "1")
        for row in rows
    ]


def _document(row: sqlite3.Row, events: list[dict[str, Any]], with_xml: bool) -> dict[str, Any]:
    plain = (
        "ambiente", "chave", "autorizador", "cuf", "documento", "modelo", "serie", "numero",
        "tp_emis", "destinatario", "situacao", "c_stat", "protocolo", "digval", "dh_emi", "v_nf",
    )  # fmt: skip
    shown = {name: row[name] for name in plain}
    shown |= {"recebido_em": _moment(row["recebido_em"]), "eventos": events}
    if with_xml:
        shown |= {"xml": _text(row["xml"]), "prot": _text(row["prot"])}
    return shown


def events(world: World, given: dict[str, str]) -> list[dict[str, Any]]:
    """Every registered event, oldest first; filters chave and tipo."""
    return [_event(row) for row in _rows(world, "eventos", given, ("chave", "tipo", "ambiente"))]


def _event(row: sqlite3.Row) -> dict[str, Any]:
    plain = (
        "ambiente", "chave", "tipo", "sequencia", "orgao", "autor", "c_stat", "protocolo",
        "dh_evento",
    )  # fmt: skip
    return {name: row[name] for name in plain} | {"registrado_em": _moment(row["registrado_em"])}


def voidings(world: World, given: dict[str, str]) -> list[dict[str, Any]]:
    """Every voided range, oldest first; filters documento, modelo, serie."""
    plain = (
        "ambiente", "cuf", "ano", "documento", "modelo", "serie", "inicial", "final", "protocolo",
    )  # fmt: skip
    rows = _rows(world, "inutilizacoes", given, ("documento", "modelo", "serie", "ambiente"))
    return [{name: row[name] for name in plain} for row in rows]


def requests(world: World, given: dict[str, str]) -> list[dict[str, Any]]:
    """Every request received, oldest first, 1,000 at most after the id `desde`.

    Filters chave, servico, autorizador, transmissor. `bytes=1` adds request and answer in base64.
    """
    rows = _rows(
        world,
        "pedidos",
        given,
        ("chave", "servico", "autorizador", "transmissor"),
        after=int(given.get("desde", 0)),
        most=_PAGE,
    )
    return [_request(row, given.get("bytes") == "1") for row in rows]


def _request(row: sqlite3.Row, with_bytes: bool) -> dict[str, Any]:
    plain = (
        "id", "caminho", "autorizador", "servico", "cuf", "transmissor", "chave", "status",
        "c_stat", "falha", "milissegundos",
    )  # fmt: skip
    shown = {name: row[name] for name in plain}
    shown |= {
        "momento": _moment(row["momento"]),
        "observacoes": row["observacoes"].split("\n") if row["observacoes"] else [],
    }
    if with_bytes:
        shown |= {"pedido": _text(row["pedido"]), "resposta": _text(row["resposta"])}
    return shown


def _rows(
    world: World,
    table: str,
    given: dict[str, str],
    names: tuple[str, ...],
    *,
    after: int = 0,
    most: int = -1,
) -> list[sqlite3.Row]:
    used = [name for name in names if name in given]
    where = " AND ".join(["id > ?", *(f"{name} = ?" for name in used)])
    return world.store.all(
        f"SELECT * FROM {table} WHERE {where} ORDER BY id LIMIT ?",  # noqa: S608
        after,
        *(given[name] for name in used),
        most,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
