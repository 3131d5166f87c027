"""Pix received by the stand-in of a bank, and what goes back of them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.sandbox.pix_bodies import Problem, is_money, moment
from billing.sandbox.wire import Books

_ISPB = "99999999"  # of no bank
_RETURN_ID = re.compile(r"[a-zA-Z0-9]{1,35}\Z")
_DAYS = 90


def received(mine: Books, key: str, value: str, *, at: datetime, txid: str = "") -> dict[str, Any]:
    """A new Pix in the books."""
    end_to_end_id = f"E{_ISPB}{at:%Y%m%d%H%M}{secrets.token_hex(6)}"[:32]
    pix: dict[str, Any] = {
        "endToEndId": end_to_end_id,
        "valor": value,
        "horario": moment(at),
        "chave": key,
        "infoPagador": "",
    }
    if txid:
        pix["txid"] = txid
    mine["pix"][end_to_end_id] = pix
    return pix


def pix_of(mine: Books, end_to_end_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = mine["pix"].get(end_to_end_id)
    if found is None:
        raise Problem(404, "PixNaoEncontrado", "Pix não encontrado para o e2eid informado.")
    return found


def listed(mine: Books, query: dict[str, str]) -> dict[str, Any]:
    """GET /pix: by period, by return, page by page."""
    since, until = (datetime.fromisoformat(query[name]) for name in ("inicio", "fim"))
    found = [
        pix
        for pix in mine["pix"].values()
        if since <= _whole(pix["horario"]) <= until
        and (query.get("devolucaoPresente") != "true" or pix.get("devolucoes"))
        and (query.get("txIdPresente") != "true" or pix.get("txid"))
    ]
    size = int(query.get("paginacao.itensPorPagina", "100"))
    number = int(query.get("paginacao.paginaAtual", "0"))
    pages = max(1, -(-len(found) // size))
    paging = {
        "paginaAtual": number, "itensPorPagina": size, "quantidadeDePaginas": pages,
        "quantidadeTotalDeItens": len(found),
    }  # fmt: skip
    parameters = {"inicio": query["inicio"], "fim": query["fim"], "paginacao": paging}
    return {"parametros": parameters, "pix": found[number * size : (number + 1) * size]}


def return_of(mine: Books, end_to_end_id: str, one: str) -> dict[str, Any]:
    for found in pix_of(mine, end_to_end_id).get("devolucoes", ()):
        if found["id"] == one:
            known: dict[str, Any] = found
            return known
    raise Problem(404, "PixDevolucaoNaoEncontrada", "Devolução não encontrada.")


def give_back(
    mine: Books, end_to_end_id: str, one: str, given: dict[str, Any], *, status: str, now: datetime
) -> dict[str, Any]:
    """PUT of a devolução; the same id with the same value is the same one."""
    pix = pix_of(mine, end_to_end_id)
    for known in pix.get("devolucoes", ()):
        if known["id"] == one:
            if known["valor"] != given.get("valor"):
                raise _refused("O id já foi usado por outra devolução.")
            same: dict[str, Any] = known
            return same
    if not _RETURN_ID.match(one) or not is_money(given.get("valor")):
        raise _refused("O campo devolucao.valor ou o id não respeita o schema.")
    gone = sum(
        (Decimal(each["valor"]) for each in pix.get("devolucoes", ())
         if each["status"] != "NAO_REALIZADO"), Decimal(0),
    )  # fmt: skip
    if gone + Decimal(given["valor"]) > Decimal(pix["valor"]):
        raise _refused("As devoluções excederiam o valor do Pix.")
    if now - _whole(pix["horario"]) > timedelta(days=_DAYS):
        raise _refused("Passaram-se mais de 90 dias desde o Pix.")
    return add(pix, one, given["valor"], status, "ORIGINAL", now=now)


def add(
    pix: dict[str, Any], one: str, value: str, status: str, nature: str, *, now: datetime
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": one,
        "rtrId": f"D{_ISPB}{now:%Y%m%d%H%M}{secrets.token_hex(6)}"[:32],
        "valor": value,
        "natureza": nature,
        "horario": {"solicitacao": moment(now)},
        "status": status,
    }
    if status == "NAO_REALIZADO":
        made["motivo"] = "Conta do pagador encerrada."
    pix.setdefault("devolucoes", []).append(made)
    return made


def _refused(why: str) -> Problem:
    return Problem(400, "PixDevolucaoInvalida", why, ("devolucao", why))


def _whole(text: str) -> datetime:
    """To the second: that is how exact the periods of a list are."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
