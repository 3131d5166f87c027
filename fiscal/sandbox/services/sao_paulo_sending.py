"""RPS taken by São Paulo, one or many, and notes cancelled; a repeated RPS makes another note."""

from __future__ import annotations

import secrets
import sqlite3
from decimal import ROUND_HALF_EVEN, Decimal

from lxml import etree

from fiscal.sandbox import br, note_books
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.services import national_events, sao_paulo_note
from fiscal.sandbox.services.sao_paulo_message import (
    Message,
    Rps,
    event,
    is_signed,
    note_key,
    rps_key,
)

SECOND_LAYOUT = "2026-01-01"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LOWEST, _HIGHEST = Decimal("0.02"), Decimal("0.05")


# --- rules -------------------------------------------------------------------------------------


def _judge(call: NoteCall, message: Message, rps: Rps) -> list[str]:
    codes = []
    if not is_signed(message.certificate, rps.signed_text(), rps.text("Assinatura")):
        codes.append("1206")
    known = call.setting("contribuintes", {}).get(message.sender, {})
    if known.get("im") and int(str(known["im"])) != int(rps.registration):
        codes.append("1202")
    day = rps.text("DataEmissao")
    if day > call.local()[:10]:
        codes.append("313")
    if rps.layout == "1" and day >= SECOND_LAYOUT:
        codes.append("631")
    if rps.service <= 0:
        codes.append("207")
    if rps.amount("ValorDeducoes") > rps.service:
        codes.append("206")
    rate = rps.amount("AliquotaServicos")
    if rate and not _LOWEST <= rate <= _HIGHEST:
        codes.append("225")
    if rps.taker and not (br.is_cnpj(rps.taker) or br.is_cpf(rps.taker)):
        codes.append("1207")
    return codes


def _checked(call: NoteCall, message: Message) -> list[Rps]:
    """Every RPS of a message that may become a note. Raises NoteRefused."""
    found = message.rps
    faults = [
        Fault(code, detail=f"RPS {rps.series} {rps.number}")
        for rps in found
        for code in _judge(call, message, rps)
    ]
    keys = [(rps.registration, rps.series, rps.number) for rps in found]
    if len(set(keys)) != len(keys):
        faults.append(Fault("215"))
    faults += [Fault(code) for code in _totals(message, found)]
    if faults:
        raise NoteRefused(*faults)
    return found


def _totals(message: Message, found: list[Rps]) -> list[str]:
    codes = []
    told = message.text("Cabecalho/QtdRPS")
    if told and int(told) != len(found):
        codes.append("1203")
    for name, values, code in (
        ("ValorTotalServicos", [rps.service for rps in found], "1204"),
        ("ValorTotalDeducoes", [rps.amount("ValorDeducoes") for rps in found], "1205"),
    ):
        total = message.text(f"Cabecalho/{name}")
        if total and Decimal(total) != sum(values):
            codes.append(code)
    return codes


# --- sending -----------------------------------------------------------------------------------


def one(call: NoteCall, message: Message) -> str:
    """EnvioRPS."""
    return _issued(call, message)


def lot(call: NoteCall, message: Message) -> str:
    """EnvioLoteRPS; a message is one transaction, whatever `transacao` says."""
    return _issued(call, message)


def test(call: NoteCall, message: Message) -> str:
    """TesteEnvioLoteRPS: judged, and nothing else."""
    _checked(call, message)
    return ""


def _issued(call: NoteCall, message: Message) -> str:
    alerts, keys = "", ""
    with call.world.store.transaction():
        for rps in _checked(call, message):
            old = find(call, rps.registration, rps.series, rps.number)
            row = _entered(call, message, rps)
            if old is not None and old["situacao"] == note_books.ISSUED:
                note_books.end(call, old, note_books.CANCELLED)
                alerts += _repeated(call, old, row)
            if call.fault("resposta_trocada"):
                row = note_books.another(call, row) or row
            keys += f"<ChaveNFeRPS>{_key_of(row)}{_rps_of(row)}</ChaveNFeRPS>"
    return alerts + keys


def _repeated(call: NoteCall, old: sqlite3.Row, new: sqlite3.Row) -> str:
    call.codes.append("217")
    text = (
        f"RPS reenviado. A NF-e ({old['numero']}) referente ao RPS ({new['numero_rps']}) foi "
        "cancelada e uma nova NF-e foi emitida."
    )
    return event("Alerta", "217", text, about=_rps_of(new))


def _key_of(row: sqlite3.Row) -> str:
    return note_key(row["inscricao"], row["numero"], row["chave"])


def _rps_of(row: sqlite3.Row) -> str:
    return rps_key(row["inscricao"], row["serie"], row["numero_rps"])


def find(call: NoteCall, registration: str, series: str, number: int) -> sqlite3.Row | None:
    """The last note of an RPS; registrations are compared as numbers."""
    rows = call.world.store.all(
        "SELECT * FROM notas WHERE ambiente = ? AND autorizador = ? AND serie = ? "
        "AND numero_rps = ? ORDER BY id DESC",
        call.ambiente, call.authority, series, number,
    )  # fmt: skip
    return next((row for row in rows if int(row["inscricao"]) == int(registration)), None)


def _entered(call: NoteCall, message: Message, rps: Rps) -> sqlite3.Row:
    number = call.world.store.next_number(
        f"nfse {call.ambiente} {call.authority} {int(rps.registration)}"
    )
    code = "".join(secrets.choice(_LETTERS) for _ in range(8))
    base = rps.service - rps.amount("ValorDeducoes")
    rate = rps.amount("AliquotaServicos") or _HIGHEST
    iss = (base * rate).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    xml = sao_paulo_note.compose(call, message, rps, number=number, code=code, iss=iss)
    return note_books.enter(
        call,
        note_books.Entry(
            document=message.sender,
            registration=rps.registration,
            municipality=call.municipality,
            series=rps.series,
            rps=rps.number,
            rps_type=1,
            identity=rps.signed_text(),
            number=number,
            key=code,
            taker=rps.taker,
            intermediary=rps.intermediary,
            amount=f"{rps.service:.2f}",
            digest=rps.text("Assinatura")[:44],
            request=etree.tostring(rps.element, encoding="utf-8"),
            xml=xml.encode(),
        ),
    )


# --- cancelling --------------------------------------------------------------------------------


def cancel(call: NoteCall, message: Message) -> str:
    """CancelamentoNFe: one issuer in a message; a note that is cancelled already is an alert."""
    details = message.root.findall("Detalhe")
    who = {each.findtext("ChaveNFe/InscricaoPrestador", "") for each in details}
    if len(who) != 1:
        raise NoteRefused(Fault("1303"))
    alerts = ""
    with call.world.store.transaction():
        for each in details:
            alerts += _cancelled(call, message, each)
    return alerts


def _cancelled(call: NoteCall, message: Message, detail: etree._Element) -> str:
    registration = detail.findtext("ChaveNFe/InscricaoPrestador", "")
    number = int(detail.findtext("ChaveNFe/NumeroNFe", "0"))
    text = f"{registration:0>8}{number:012d}"
    if not is_signed(message.certificate, text, detail.findtext("AssinaturaCancelamento", "")):
        raise NoteRefused(Fault("1305"))
    row = note_books.by_number(call, message.sender, number)
    if row is None or int(row["inscricao"]) != int(registration):
        raise NoteRefused(Fault("1105"))
    if row["situacao"] == note_books.CANCELLED:
        call.codes.append("1301")
        return event("Alerta", "1301", "NF-e já está cancelada.", about=_key_of(row))
    if call.fault("cancelamento_recusado"):
        raise NoteRefused(Fault("1304"))
    if call.fault("cancelamento_tardio") or national_events.is_late(call, row):
        raise NoteRefused(Fault("1304", "O prazo para o cancelamento da NF-e expirou."))
    note_books.end(call, row, note_books.CANCELLED)
    return ""
