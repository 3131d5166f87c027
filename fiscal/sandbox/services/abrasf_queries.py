"""What a city tells: a lot by its protocol, a note by its RPS, notes issued and taken."""

from __future__ import annotations

import json
import sqlite3

from lxml import etree

from fiscal.sandbox import note_books
from fiscal.sandbox.city_profiles import Profile
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import abrasf_cancelling, abrasf_note
from fiscal.sandbox.services.abrasf_note import tag
from fiscal.sandbox.services.abrasf_rps import Rps

PAGE = 50
WAITING, WRONG, DONE = 2, 3, 4
# "No such RPS" has three codes in the list, and cities use any of them.
_UNKNOWN = {"1.00": "E4", "2.02": "E89", "2.04": "E4"}


def _read(profile: Profile, message: etree._Element) -> Rps:
    return Rps(profile, message, message)


def _asker(call: NoteCall, document: str) -> None:
    if call.sender is None or not call.sender.base_is(document):
        raise NoteRefused(Fault("E157"))


# --- lots --------------------------------------------------------------------------------------


def _found_lot(
    call: NoteCall, profile: Profile, message: etree._Element
) -> tuple[sqlite3.Row, int]:
    """The lot of the protocol and its Situacao by now. Raises NoteRefused E86."""
    told = _read(profile, message)
    _asker(call, told.issuer)
    row = call.world.store.one(
        "SELECT * FROM notas_lotes WHERE protocolo = ? AND ambiente = ? AND autorizador = ?",
        told.text("Protocolo"),
        call.ambiente,
        call.authority,
    )
    if row is None or row["documento"] != told.issuer:
        raise NoteRefused(Fault("E86"))
    if row["consultas_pendentes"] > 0:
        call.world.store.run(
            "UPDATE notas_lotes SET consultas_pendentes = consultas_pendentes - 1 "
            "WHERE protocolo = ?",
            row["protocolo"],
        )
        return row, WAITING
    if row["pronto_em"] > call.now.timestamp():
        return row, WAITING
    return row, WRONG if json.loads(row["erros"]) else DONE


def state_of_lot(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """ConsultarSituacaoLoteRps, of 1.00 alone."""
    row, state = _found_lot(call, profile, message)
    return tag("NumeroLote", row["numero"]) + tag("Situacao", state)


def lot(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """ConsultarLoteRps: Situacao with the notes or the faults (2.x), or those alone (1.00)."""
    from fiscal.sandbox.services.abrasf import told

    row, state = _found_lot(call, profile, message)
    head = "" if profile.is_first else tag("Situacao", state)
    if state == WAITING:
        # The choice behind Situacao may be empty in 2.04 alone.
        return head if profile.version == "2.04" else head + told((Fault("E92"),))
    if state == WRONG:
        codes = json.loads(row["erros"])
        call.codes += codes
        return head + told(tuple(Fault(code) for code in codes))
    rows = [note_books.by_id(call, number) for number in json.loads(row["notas"])]
    notes = [_complete(call, profile, each) for each in rows if each is not None]
    if call.fault("ordem_trocada"):
        notes.reverse()
    return f"{head}<ListaNfse>{''.join(notes)}</ListaNfse>"


def _complete(call: NoteCall, profile: Profile, row: sqlite3.Row) -> str:
    abrasf_cancelling.settle(call, row)
    return abrasf_note.complete(call, profile, note_books.by_id(call, row["id"]) or row)


# --- notes -------------------------------------------------------------------------------------


def by_rps(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """ConsultarNfsePorRps."""
    told = _read(profile, message)
    _asker(call, told.issuer)
    row = note_books.by_rps(
        call,
        document=told.issuer,
        series=told.text("IdentificacaoRps/Serie"),
        rps=int(told.text("IdentificacaoRps/Numero") or 0),
        rps_type=int(told.text("IdentificacaoRps/Tipo") or 1),
        municipality=call.municipality,
    )
    if row is None:
        raise NoteRefused(Fault(_UNKNOWN[profile.version]))
    if not note_books.is_visible(call, row):
        raise NoteRefused(Fault("E92" if _in_lot(call, row) else _UNKNOWN[profile.version]))
    if call.fault("resposta_trocada"):
        row = note_books.another(call, row) or row
    return _complete(call, profile, row)


def _in_lot(call: NoteCall, row: sqlite3.Row) -> bool:
    """Whether the note waits for its lot to be processed."""
    lots = call.world.store.all(
        "SELECT notas FROM notas_lotes WHERE ambiente = ? AND autorizador = ? AND documento = ? "
        "AND pronto_em > ?",
        call.ambiente, call.authority, row["documento"], call.now.timestamp(),
    )  # fmt: skip
    return any(row["id"] in json.loads(each["notas"]) for each in lots)


def issued(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """Notes of an issuer: by number, period or range."""
    told = _read(profile, message)
    _asker(call, told.issuer)
    return _listed(call, profile, told, "documento", told.issuer)


def taken(call: NoteCall, profile: Profile, message: etree._Element) -> str:
    """Notes of which the asker is the taker."""
    told = _read(profile, message)
    document = told.document("Consulente") or told.document("Tomador")
    _asker(call, document)
    return _listed(call, profile, told, "tomador", document)


def _listed(call: NoteCall, profile: Profile, told: Rps, column: str, document: str) -> str:
    begin, end = _period(told)
    rows = [
        row
        for row in call.world.store.all(
            f"SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND {column} = ? "  # noqa: S608
            "ORDER BY id",
            call.ambiente,
            call.authority,
            document,
        )
        if note_books.is_visible(call, row) and begin <= _day(call, row) <= end
        and _wanted(told, row["numero"])
    ]  # fmt: skip
    page = int(told.text("Pagina") or 1)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    if not shown:
        raise NoteRefused(Fault("E78" if told.text("NumeroNfse") else "E89"))
    notes = "".join(_complete(call, profile, row) for row in shown)
    return f"<ListaNfse>{notes}{_next(profile, page, more=len(rows) > page * PAGE)}</ListaNfse>"


def _next(profile: Profile, page: int, *, more: bool) -> str:
    if profile.is_first:
        return ""
    if profile.version == "2.04":
        return tag("Pagina", page + 1 if more else page)
    return tag("ProximaPagina", page + 1) if more else ""


def _period(told: Rps) -> tuple[str, str]:
    for path in ("PeriodoEmissao", "PeriodoCompetencia"):
        if told.find(path) is not None:
            return told.text(f"{path}/DataInicial")[:10], told.text(f"{path}/DataFinal")[:10]
    return "0000-00-00", "9999-99-99"


def _wanted(told: Rps, number: int) -> bool:
    single = told.text("NumeroNfse")
    first = told.text("Faixa/NumeroNfseInicial")
    if single:
        return number == int(single)
    if first:
        return int(first) <= number <= int(told.text("Faixa/NumeroNfseFinal") or first)
    return True


def _day(call: NoteCall, row: sqlite3.Row) -> str:
    from datetime import datetime

    moment = datetime.fromtimestamp(row["recebido_em"], call.now.tzinfo)
    return call.local(moment)[:10]
