"""What the control API shows and does about service notes."""

from __future__ import annotations

import base64
import sqlite3
from datetime import UTC, datetime
from typing import Any

from fiscal.sandbox import note_books
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services import abrasf, abrasf_note, national_events
from fiscal.sandbox.world import World

_PLAIN = (
    "id", "ambiente", "autorizador", "municipio", "documento", "inscricao", "serie", "numero_rps",
    "tipo_rps", "identidade", "numero", "chave", "situacao", "substitui", "substituida_por",
    "tomador", "intermediario", "valor", "digest",
)  # fmt: skip
_FILTERS = (
    "ambiente", "autorizador", "documento", "serie", "numero_rps", "numero", "chave", "situacao",
)  # fmt: skip


def notes(world: World, given: dict[str, str]) -> list[dict[str, Any]]:
    """Every note, oldest first; `xml=1` adds request and note in base64."""
    used = [name for name in _FILTERS if name in given]
    where = " AND ".join(["1", *(f"{name} = ?" for name in used)])
    rows = world.store.all(
        f"SELECT * FROM notas WHERE {where} ORDER BY id",  # noqa: S608
        *(given[name] for name in used),
    )
    return [_note(world, row, with_xml=given.get("xml") == "1") for row in rows]


def _note(world: World, row: sqlite3.Row, *, with_xml: bool) -> dict[str, Any]:
    shown = {name: row[name] for name in _PLAIN}
    received = datetime.fromtimestamp(row["recebido_em"], UTC).isoformat()
    events = world.store.all(
        "SELECT tipo, sequencia, situacao FROM notas_eventos WHERE ambiente = ? "
        "AND autorizador = ? AND chave = ? ORDER BY id",
        row["ambiente"],
        row["autorizador"],
        event_key(row),
    )
    shown |= {"recebido_em": received, "eventos": [dict(each) for each in events]}
    if with_xml:
        shown |= {
            "pedido": base64.b64encode(row["pedido"]).decode(),
            "xml": base64.b64encode(row["xml"]).decode(),
        }
    return shown


def event_key(row: sqlite3.Row) -> str:
    """What the events of a note are kept under: its key, or issuer and number in a city."""
    if row["autorizador"] == "SEFIN":
        return str(row["chave"])
    return abrasf_note.event_key(row["documento"], row["numero"])


def decide(world: World, body: dict[str, Any]) -> Any:
    """A city decides about a pending cancellation.

    `autorizador`, `ambiente`, `resultado` (deferido, indeferido), and `chave` (national) or
    `documento` and `numero`. Raises ValueError when nothing waits.
    """
    result = body["resultado"]
    if result not in ("deferido", "indeferido"):
        raise ValueError("resultado: deferido, indeferido")
    authority = str(body.get("autorizador", "SEFIN"))
    call = NoteCall(
        world=world,
        ambiente=str(body.get("ambiente", "homologacao")),
        authority=authority,
        modelo="",
        service="nota_cancelamento",
        sender=None,
        now=world.clock.now(),
    )
    granted = result == "deferido"
    if authority == "SEFIN":
        national_events.decide(call, str(body["chave"]), granted=granted)
    else:
        abrasf.decide(call, str(body["documento"]), int(body["numero"]), granted=granted)
    return {"ok": True, "notas": note_books.ISSUED if not granted else note_books.CANCELLED}
