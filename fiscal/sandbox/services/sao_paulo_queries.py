"""What São Paulo tells: notes by key or RPS, notes issued and taken in a period."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

from lxml import etree

from fiscal.sandbox import note_books
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import sao_paulo_note, sao_paulo_sending
from fiscal.sandbox.services.sao_paulo_message import Message

PAGE, DAYS = 50, 31


def by_keys(call: NoteCall, message: Message) -> str:
    """ConsultaNFe: by ChaveNFe or ChaveRPS. Raises NoteRefused 1105, 1106."""
    rows = [_found(call, message, each) for each in message.root.findall("Detalhe")]
    if call.fault("resposta_trocada"):
        rows = [note_books.another(call, row) or row for row in rows]
    return "".join(sao_paulo_note.shown(call, row) for row in rows)


def _found(call: NoteCall, message: Message, detail: etree._Element) -> sqlite3.Row:
    if detail.find("ChaveRPS") is not None:
        row = sao_paulo_sending.find(
            call,
            detail.findtext("ChaveRPS/InscricaoPrestador", "0"),
            detail.findtext("ChaveRPS/SerieRPS", ""),
            int(detail.findtext("ChaveRPS/NumeroRPS", "0")),
        )
        code = "1106"
    else:
        number = int(detail.findtext("ChaveNFe/NumeroNFe", "0"))
        row, code = note_books.by_number(call, message.sender, number), "1105"
    if row is None or not note_books.is_visible(call, row):
        raise NoteRefused(Fault(code))
    if not message.certificate.base_is(row["documento"]):
        raise NoteRefused(Fault("1107"))
    return row


def issued(call: NoteCall, message: Message) -> str:
    """ConsultaNFeEmitidas."""
    return _listed(call, message, "documento")


def received(call: NoteCall, message: Message) -> str:
    """ConsultaNFeRecebidas: the taker asks."""
    return _listed(call, message, "tomador")


def _listed(call: NoteCall, message: Message, column: str) -> str:
    path = "Cabecalho/CPFCNPJ"
    document = message.text(f"{path}/CNPJ") or message.text(f"{path}/CPF")
    if not message.certificate.base_is(document):
        raise NoteRefused(Fault("1107"))
    first = date.fromisoformat(message.text("Cabecalho/dtInicio"))
    last = date.fromisoformat(message.text("Cabecalho/dtFim"))
    if last < first or (last - first).days > DAYS:
        raise NoteRefused(Fault("1403", "O período da consulta deve ser de até 31 dias."))
    rows = [
        row
        for row in call.world.store.all(
            f"SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND {column} = ? "  # noqa: S608
            "ORDER BY id",
            call.ambiente,
            call.authority,
            document,
        )
        if note_books.is_visible(call, row) and first <= _day(call, row) <= last
    ]
    page = int(message.text("Cabecalho/NumeroPagina") or 1)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    return "".join(sao_paulo_note.shown(call, row) for row in shown)


def _day(call: NoteCall, row: sqlite3.Row) -> date:
    moment = datetime.fromtimestamp(row["recebido_em"], call.now.tzinfo)
    return date.fromisoformat(call.local(moment)[:10])
