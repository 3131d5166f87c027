"""ADN: documents of a taxpayer by NSU, events of a note, and the parameters of cities."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused, scripted
from fiscal.sandbox.services import national_wire
from fiscal.sandbox.services.national_values import city
from fiscal.sandbox.wire import Reply

MOST = 50
_CODE = re.compile(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{3}")


def answer(call: NoteCall) -> Reply:
    """One request below `/ADN`: all of them GET."""
    try:
        national_wire.check_sender(call)
        scripted(call)
    except NoteRefused as refusal:
        return _distributed(call, refusal.status, "REJEICAO", faults=list(refusal.faults))
    if call.request.method != "GET":
        return Reply(405, "text/plain; charset=utf-8", b"GET")
    match call.parts:
        case ("contribuintes", "DFe", nsu):
            return _box(call, nsu)
        case ("contribuintes", "NFSe", key, "Eventos"):
            return _events(call, key)
        case ("parametrizacao", code, *rest):
            return _parameters(call, code, rest)
    return Reply(404, "text/plain; charset=utf-8", "Serviço inexistente".encode())


# --- distribution ------------------------------------------------------------------------------


def _box(call: NoteCall, nsu: str) -> Reply:
    sender = call.sender
    document = call.query.get("cnpjConsulta") or (sender.document if sender else "")
    if sender is None or not sender.base_is(document):
        fault = Fault("E0812", "CNPJ da consulta difere do certificado.")
        return _distributed(call, 403, "REJEICAO", faults=[fault])
    if not nsu.isascii() or not nsu.isdecimal():
        return _distributed(call, 400, "REJEICAO", faults=[Fault("E2215")])
    after, most = int(nsu), MOST
    if call.query.get("lote", "true").lower() == "false":
        after, most = int(nsu) - 1, 1
    rows = call.world.store.all(
        "SELECT * FROM notas_caixa WHERE ambiente = ? AND interessado = ? AND nsu > ? "
        "ORDER BY nsu LIMIT ?",
        call.ambiente, document, after, most,
    )  # fmt: skip
    if not rows:
        nothing = "NENHUM_DOCUMENTO_LOCALIZADO"
        return _distributed(call, 404, nothing, faults=[Fault("E2220")])
    return _distributed(call, 200, "DOCUMENTOS_LOCALIZADOS", found=[_entry(call, r) for r in rows])


def _entry(call: NoteCall, row: Any) -> dict[str, Any]:
    made = datetime.fromtimestamp(row["gerado_em"], call.now.tzinfo)
    return {
        "NSU": row["nsu"],
        "ChaveAcesso": row["chave"],
        "TipoDocumento": row["tipo"],
        "TipoEvento": row["tipo_evento"] or None,
        "ArquivoXml": national_wire.packed(bytes(row["xml"])),
        "DataHoraGeracao": call.local(made),
    }


def _distributed(
    call: NoteCall,
    status: int,
    processing: str,
    *,
    found: list[dict[str, Any]] | None = None,
    faults: list[Fault] | None = None,
) -> Reply:
    refusal = NoteRefused(*(faults or ()), status=status)
    shape = {
        "StatusProcessamento": processing,
        "LoteDFe": found or [],
        "Alertas": [],
        "Erros": [],
        "TipoAmbiente": "PRODUCAO" if call.tp_amb == "1" else "HOMOLOGACAO",
        "VersaoAplicativo": national_wire.APPLICATION,
        "DataHoraProcessamento": call.local(),
    }
    return national_wire.shaped(call, refusal, shape)


def _events(call: NoteCall, key: str) -> Reply:
    rows = call.world.store.all(
        "SELECT * FROM notas_eventos WHERE ambiente = ? AND autorizador = 'SEFIN' AND chave = ? "
        "ORDER BY id",
        call.ambiente,
        key,
    )
    if not rows:
        nothing = "NENHUM_DOCUMENTO_LOCALIZADO"
        return _distributed(call, 404, nothing, faults=[Fault("E2220")])
    found = [
        {
            "NSU": None,
            "ChaveAcesso": key,
            "TipoDocumento": "EVENTO",
            "TipoEvento": row["tipo"],
            "ArquivoXml": national_wire.packed(bytes(row["xml"])),
            "DataHoraGeracao": call.local(
                datetime.fromtimestamp(row["registrado_em"], call.now.tzinfo)
            ),
        }
        for row in rows
    ]
    return _distributed(call, 200, "DOCUMENTOS_LOCALIZADOS", found=found)


# --- parameters of cities ----------------------------------------------------------------------


def _parameters(call: NoteCall, code: str, rest: list[str]) -> Reply:
    found = city(call, code)
    if rest == ["convenio"]:
        return _agreement(call, code)
    if found is None:
        return _told(call, 404, mensagem="Município sem convênio.")
    match rest:
        case [service, day, "aliquota"]:
            return _rate(call, service, day)
        case [service, "historicoaliquotas"]:
            return _rate(call, service, call.local()[:10])
        case [_, day, "regimes_especiais"] if _is_date(day):
            return _told(call, 200, regimesEspeciais={}, mensagem="Parâmetros recuperados.")
        case [day, "retencoes"] if _is_date(day):
            return _told(call, 200, retencoes={"artigoSexto": {"habilitado": True}}, mensagem="")
        case [benefit, day, "beneficio"] if _is_date(day):
            return _told(call, 404, beneficio=None, mensagem=f"Benefício {benefit} inexistente.")
    return _problem(call)


def _agreement(call: NoteCall, code: str) -> Reply:
    found = city(call, code)
    if found is None:
        return _told(call, 404, parametrosConvenio=None, mensagem="Convênio não encontrado.")
    told = {
        "aderenteAmbienteNacional": int(found.is_active),
        "aderenteEmissorNacional": int(found.has_emitter),
        "situacaoEmissaoPadraoContribuintesRFB": 1,
        "aderenteMAN": 0,
        "permiteAproveitametoDeCreditos": False,  # the name is written so by the service
    }
    return _told(call, 200, parametrosConvenio=told, mensagem="Parâmetros recuperados.")


def _rate(call: NoteCall, service: str, day: str) -> Reply:
    if not _CODE.fullmatch(service) or not _is_date(day):
        return _problem(call)
    found = city(call, call.parts[1])
    rate = float(found.rate) if found else None
    told = [{"Incidencia": "SIM", "Aliq": rate, "DtIni": "2023-01-01T00:00:00", "DtFim": None}]
    return _told(call, 200, aliquotas={service: told}, mensagem="Alíquotas recuperadas.")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _told(call: NoteCall, status: int, **content: Any) -> Reply:
    return national_wire.shaped(call, NoteRefused(status=status), content)


def _problem(call: NoteCall) -> Reply:
    return national_wire.shaped(
        call,
        NoteRefused(status=400),
        {"title": "One or more validation errors occurred.", "status": 400, "errors": {}},
        kind="application/problem+json; charset=utf-8",
    )
