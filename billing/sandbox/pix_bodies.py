"""What the stand-in of a Pix bank takes for a good body, and how it says no (RFC 7807)."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

from billing.sandbox.wire import Reply

_TYPE = "https://pix.bcb.gov.br/api/v2/error/"
TXID = re.compile(r"[a-zA-Z0-9]{26,35}\Z")
_MONEY = re.compile(r"[0-9]{1,10}\.[0-9]{2}\Z")
_LIMITS = {"nome": 200, "logradouro": 200, "cidade": 200, "uf": 2}


class Problem(Exception):
    """An answer of application/problem+json."""

    def __init__(self, status: int, kind: str, detail: str, *reasons: tuple[str, str]) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.reasons = status, kind, detail, reasons


def as_problem(problem: Problem) -> Reply:
    body = {
        "type": _TYPE + problem.kind,
        "title": problem.kind,
        "status": problem.status,
        "detail": problem.detail,
        "violacoes": [{"propriedade": where, "razao": why} for where, why in problem.reasons],
    }
    headers = {"Content-Type": "application/problem+json"}
    return Reply(problem.status, headers, json.dumps(body, ensure_ascii=False).encode())


def body_of(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Problem(400, "RequisicaoInvalida", "O corpo não é JSON.") from error
    if not isinstance(found, dict):
        raise Problem(400, "RequisicaoInvalida", "O corpo não é um objeto.")
    return found


def check(kind: str, txid: str, body: dict[str, Any], *, today: date) -> None:
    """CobSolicitada and CobVSolicitada; all faults at once."""
    faults = [
        *([] if TXID.match(txid) else [(f"{kind}.txid", "txid fora do padrão.")]),
        *_key(kind, body),
        *_money(kind, body),
        *(_due(kind, body, today) if kind == "cobv" else _expiry(kind, body)),
        *_debtor(kind, body),
        *_text(kind, body),
    ]
    if faults:
        name = "CobOperacaoInvalida" if kind == "cob" else "CobVOperacaoInvalida"
        raise Problem(400, name, "A cobrança não respeita o schema.", *faults)


def moment(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Faults = list[tuple[str, str]]


def _key(kind: str, body: dict[str, Any]) -> Faults:
    key = body.get("chave")
    good = isinstance(key, str) and 0 < len(key) <= 77
    return [] if good else [(f"{kind}.chave", "O campo chave não respeita o schema.")]


def is_money(value: Any) -> bool:
    return isinstance(value, str) and bool(_MONEY.match(value)) and value.strip("0.") != ""


def _money(kind: str, body: dict[str, Any]) -> Faults:
    value = body.get("valor") or {}
    faults = []
    if not is_money(value.get("original")):
        faults.append((f"{kind}.valor.original", "Valor zerado ou fora do schema."))
    known = {"original"} if kind == "cob" else {"original", "multa", "juros"}
    faults += [(f"{kind}.valor.{name}", "Campo desconhecido.") for name in value.keys() - known]
    for name, modes in (("multa", range(1, 3)), ("juros", range(1, 9))):
        part = value.get(name)
        if part and not (part.get("modalidade") in modes and is_money(part.get("valorPerc"))):
            faults.append((f"cobv.valor.{name}", f"O objeto {name} não respeita o schema."))
    return faults


def _expiry(kind: str, body: dict[str, Any]) -> Faults:
    seconds = (body.get("calendario") or {}).get("expiracao")
    good = isinstance(seconds, int) and 0 < seconds < 2**31
    return [] if good else [(f"{kind}.calendario.expiracao", "Deve ser maior que zero.")]


def _due(kind: str, body: dict[str, Any], today: date) -> Faults:
    calendar = body.get("calendario") or {}
    faults = []
    try:
        if date.fromisoformat(calendar.get("dataDeVencimento", "")) < today:
            faults.append(("cobv.calendario.dataDeVencimento", "Anterior à data de criação."))
    except (TypeError, ValueError):
        faults.append(("cobv.calendario.dataDeVencimento", "Data inválida."))
    days = calendar.get("validadeAposVencimento", 30)
    if not isinstance(days, int) or days < 0:
        faults.append(("cobv.calendario.validadeAposVencimento", "Menor do que zero."))
    if not body.get("devedor"):
        faults.append((f"{kind}.devedor", "O objeto devedor é obrigatório."))
    return faults


def _debtor(kind: str, body: dict[str, Any]) -> Faults:
    debtor = body.get("devedor")
    if debtor is None:
        return []
    documents = [debtor.get(name) for name in ("cpf", "cnpj") if debtor.get(name)]
    sizes = {"cpf": 11, "cnpj": 14}
    good = len(documents) == 1 and bool(debtor.get("nome")) and all(
        len(str(debtor[name])) == size for name, size in sizes.items() if debtor.get(name)
    )  # fmt: skip
    fits = all(len(str(debtor.get(name, ""))) <= size for name, size in _LIMITS.items())
    return [] if good and fits else [(f"{kind}.devedor", "O devedor não respeita o schema.")]


def _text(kind: str, body: dict[str, Any]) -> Faults:
    good = len(body.get("solicitacaoPagador", "")) <= 140
    return [] if good else [(f"{kind}.solicitacaoPagador", "Passa de 140 caracteres.")]
