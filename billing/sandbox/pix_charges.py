"""Charges of the stand-in of a Pix bank: made, changed, removed, and what they cost on a day."""

from __future__ import annotations

import secrets
from binascii import crc_hqx
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing.sandbox.pix_bodies import Problem, check, moment
from billing.sandbox.wire import Books, Reply, as_json

_CENT = Decimal("0.01")


def answer(
    mine: Books, method: str, kind: str, txid: str, given: dict[str, Any], *, now: datetime
) -> Reply:
    """PUT, PATCH and GET of /cob/{txid} and /cobv/{txid}."""
    known = mine["charges"].get(txid)
    known = known if known and known["kind"] == kind else None
    if method == "PUT":
        return as_json(_shown(mine, _put(mine, kind, txid, given, known, now=now)), 201)
    if known is None:
        name = "CobNaoEncontrado" if kind == "cob" else "CobVNaoEncontrada"
        raise Problem(404, name, "Cobrança não encontrada para o txid informado.")
    if method == "PATCH":
        _patch(known, given, now=now)
    return as_json(_shown(mine, known))


def _put(
    mine: Books,
    kind: str,
    txid: str,
    given: dict[str, Any],
    known: dict[str, Any] | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    check(kind, txid, given, today=now.date())
    if txid in mine["charges"] and (known is None or known["status"] != "ATIVA"):
        raise _invalid(kind, "A cobrança já existe e não está ATIVA.")
    made: dict[str, Any] = {
        **given,
        "calendario": {**given["calendario"], "criacao": moment(now)},
        "kind": kind,
        "txid": txid,
        "status": "ATIVA",
        "revisao": known["revisao"] + 1 if known else 0,
        "location": known["location"] if known else f"pix.sandbox.test/{kind}/{_token()}",
    }
    mine["charges"][txid] = made
    return made


def _patch(known: dict[str, Any], given: dict[str, Any], *, now: datetime) -> None:
    kind = known["kind"]
    if known["status"] != "ATIVA":
        raise _invalid(kind, "A cobrança não está ATIVA, e a presente requisição busca alterá-la.")
    if "status" in given:
        if given != {"status": "REMOVIDA_PELO_USUARIO_RECEBEDOR"}:
            raise _invalid(kind, "Só se remove uma cobrança sem outras alterações.")
    else:
        check(kind, known["txid"], {**known, **given}, today=now.date())
    known.update(given)
    known["revisao"] += 1


def _invalid(kind: str, why: str) -> Problem:
    name = "CobOperacaoInvalida" if kind == "cob" else "CobVOperacaoInvalida"
    return Problem(400, name, why, (kind, why))


def _shown(mine: Books, charge: dict[str, Any]) -> dict[str, Any]:
    """CobCompleta or CobVCompleta, with its Pix."""
    shown = {name: value for name, value in charge.items() if name not in ("kind", "pix")}
    shown["loc"] = {"id": 1, "location": charge["location"], "tipoCob": charge["kind"]}
    shown["pixCopiaECola"] = code(charge["location"])
    if charge.get("pix"):
        shown["pix"] = [mine["pix"][one] for one in charge["pix"]]
    return shown


def code(location: str) -> str:
    """A dynamic BR Code."""
    account = f"0014br.gov.bcb.pix25{len(location):02d}{location}"
    text = (
        f"00020101021226{len(account):02d}{account}"
        "5204000053039865802BR5914BANCO DE TESTE6009SAO PAULO62070503***6304"
    )
    return f"{text}{crc_hqx(text.encode(), 0xFFFF):04X}"


def check_payable(charge: dict[str, Any], *, at: datetime) -> None:
    """Raises ValueError as a payer's bank would refuse."""
    if charge["status"] != "ATIVA":
        raise ValueError(f"the charge is {charge['status']}")
    calendar = charge["calendario"]
    if charge["kind"] == "cob":
        ends = datetime.fromisoformat(calendar["criacao"]) + timedelta(
            seconds=calendar["expiracao"]
        )
        is_over = at > ends
    else:
        due = date.fromisoformat(calendar["dataDeVencimento"])
        days = calendar.get("validadeAposVencimento", 30)
        is_over = at.date() > _business(due) and at.date() > due + timedelta(days=days)
    if is_over:
        raise ValueError("the charge is over")


def price(charge: dict[str, Any], on: date) -> Decimal:
    """What a payer is asked for on that day, with fine and interest after the due date."""
    value = charge["valor"]
    original = Decimal(value["original"])
    due_text = charge["calendario"].get("dataDeVencimento")
    if not due_text or on <= _business(date.fromisoformat(due_text)):
        return original
    days = (on - date.fromisoformat(due_text)).days
    return original + _fine(original, value.get("multa")) + _interest(
        original, value.get("juros"), days
    )  # fmt: skip


def _fine(original: Decimal, given: dict[str, Any] | None) -> Decimal:
    if not given:
        return Decimal(0)
    rate = Decimal(given["valorPerc"])
    return rate if given["modalidade"] == 1 else _rounded(original * rate / 100)


def _interest(original: Decimal, given: dict[str, Any] | None, days: int) -> Decimal:
    if not given:
        return Decimal(0)
    rate = Decimal(given["valorPerc"])
    each = {
        1: rate,
        2: original * rate / 100,
        3: original * rate / 3000,
        4: original * rate / 36500,
    }
    return _rounded(each[given["modalidade"]] * days)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT, rounding=ROUND_HALF_UP)


def _business(day: date) -> date:
    """Weekends only: the stand-in has no holidays."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


def _token() -> str:
    return secrets.token_hex(16)
