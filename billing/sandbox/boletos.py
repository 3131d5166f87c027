"""A bank that registers boletos by the contract of docs/boleto-registration.md, and checks them.

POST /control/boletos/pay {"key" or "nosso_numero", "valor_pago", "pago_em"}: somebody pays.
POST /control/boletos/reject {"motivo"}: every new one is refused until {"motivo": ""}.
POST /control/boletos/later {"on": true}: registration is answered as under way; …/confirm ends it.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from billing.sandbox.wire import Books, Reply, StandIn, Tell, as_json
from lib import clock

CLIENT, SECRET = "banco-demo", "segredo-demo"
TOKEN = "token-demo"  # noqa: S105  of who has a fixed one
TOKEN_SECONDS = 600
_OPEN = ("registrado", "em_registro")
_AMOUNT = re.compile(r"[0-9]{1,8}\.[0-9]{2}\Z")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_REQUIRED = (
    "convenio", "nosso_numero", "numero_documento", "especie", "emissao", "vencimento",
    "limite_pagamento", "valor", "multa", "juros", "pagador", "beneficiario", "codigo_barras",
)  # fmt: skip
_PAGE = 100


class Boletos(StandIn):
    """`books`: boletos by key, tokens, settlements in order, and what it was told to do."""

    name = "boletos"

    def __init__(self, books: Books, tell: Tell, address: str) -> None:
        super().__init__(books, tell, address)
        for name, empty in (("boletos", {}), ("tokens", []), ("liquidacoes", []), ("orders", {})):
            books.setdefault(name, empty)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(path)
        if (method, parts.path) == ("POST", "/oauth/token"):
            return self._token(headers, body)
        if headers.get("authorization", "").removeprefix("Bearer ") not in (
            TOKEN, *self._list("tokens"),
        ):  # fmt: skip
            return as_json({"mensagem": "token inválido ou vencido"}, 401)
        if (method, parts.path) == ("GET", "/liquidacoes"):
            return self._settled(parse_qs(parts.query))
        found = re.fullmatch(r"/boletos/([^/]+)(/baixa)?", parts.path)
        if found is None or not _KEY.match(key := unquote(found[1])):
            return as_json({"mensagem": "endereço desconhecido"}, 404)
        if found[2]:
            return self._cancel(key) if method == "POST" else as_json({}, 405)
        return self._title(method, key, body)

    def control(self, what: str, given: dict[str, Any]) -> Any:
        if what == "pay":
            return self._pay(given)
        if what in ("reject", "later"):
            self._orders()[what] = given.get("motivo", "") if what == "reject" else given.get("on")
            return self._orders()
        if what == "confirm":
            return self._confirm()
        if what == "expire-tokens":
            self._list("tokens").clear()
            return {}
        raise KeyError(what)

    # --- who asks -------------------------------------------------------------------------------

    def _token(self, headers: Mapping[str, str], body: bytes) -> Reply:
        wanted = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if headers.get("authorization") != f"Basic {wanted}":
            return as_json({"mensagem": "credenciais inválidas"}, 401)
        if parse_qs(body.decode()).get("grant_type") != ["client_credentials"]:
            return as_json({"mensagem": "grant_type deve ser client_credentials"}, 400)
        token = secrets.token_urlsafe(24)
        self._list("tokens").append(token)
        del self._list("tokens")[:-20]
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return as_json(answer)

    # --- one title ------------------------------------------------------------------------------

    def _title(self, method: str, key: str, body: bytes) -> Reply:
        known = self._titles().get(key)
        if method == "GET":
            return _shown(known)
        try:
            given = json.loads(body)
        except ValueError:
            return _refused(["o corpo não é JSON"])
        if not isinstance(given, dict):
            return _refused(["o corpo não é um objeto"])
        if method == "PUT":
            return self._register(key, known, given)
        if method == "PATCH":
            return self._change(known, given)
        return as_json({"mensagem": "método não permitido"}, 405)

    def _register(self, key: str, known: dict[str, Any] | None, given: dict[str, Any]) -> Reply:
        if known is not None:
            if known["pedido"] != given:
                return as_json({"mensagem": "a chave já foi usada com outros dados"}, 409)
            return _shown(known)
        faults = _faults(given)
        if order := self._orders().get("reject"):
            faults = [order]
        taken = {(one["pedido"]["convenio"]["codigo"], one["pedido"]["convenio"]["conta"],
                  one["pedido"]["nosso_numero"]) for one in self._titles().values()}  # fmt: skip
        if not faults:
            agreement = given["convenio"]
            number = (agreement["codigo"], agreement["conta"], given["nosso_numero"])
            if number in taken:
                faults = ["nosso número já utilizado"]
        if faults:
            return _refused(faults)
        self._titles()[key] = {
            "id": f"bol_{len(self._titles()) + 1:08d}",
            "chave": key,
            "situacao": "em_registro" if self._orders().get("later") else "registrado",
            "vencimento": given["vencimento"],
            "valor": given["valor"],
            "codigo_barras": given["codigo_barras"],
            "pedido": given,
        }
        return _shown(self._titles()[key], 201)

    def _change(self, known: dict[str, Any] | None, given: dict[str, Any]) -> Reply:
        if known is None:
            return _shown(None)
        if known["situacao"] != "registrado":
            return as_json({"mensagem": f"o boleto está {known['situacao']}"}, 409)
        due, amount = given.get("vencimento"), given.get("valor")
        faults = [] if _day(due) else ["vencimento inválido"]
        faults += [] if _amount(amount) else ["valor inválido"]
        if faults:
            return _refused(faults)
        known |= {"vencimento": due, "valor": amount}
        return _shown(known)

    def _cancel(self, key: str) -> Reply:
        known = self._titles().get(key)
        if known is not None and known["situacao"] in _OPEN:
            known["situacao"] = "baixado"
        return _shown(known)

    # --- payments -------------------------------------------------------------------------------

    def _pay(self, given: dict[str, Any]) -> dict[str, Any]:
        """A bank may settle what was just written off."""
        title = self._wanted(given)
        settlement = {
            "id": f"liq_{len(self._list('liquidacoes')) + 1:08d}",
            "chave": title["chave"],
            "nosso_numero": title["pedido"]["nosso_numero"],
            "valor_pago": given.get("valor_pago") or title["valor"],
            "pago_em": given.get("pago_em") or clock.today().isoformat(),
            "credito": given.get("credito") or given.get("pago_em") or clock.today().isoformat(),
            "tarifa": given.get("tarifa", "0.00"),
        }
        title["situacao"] = "liquidado"
        self._list("liquidacoes").append(settlement)
        return settlement

    def _wanted(self, given: dict[str, Any]) -> dict[str, Any]:
        for title in self._titles().values():
            if given.get("key") == title["chave"]:
                return title
            if given.get("nosso_numero") == title["pedido"]["nosso_numero"]:
                return title
        raise ValueError("no such boleto")

    def _settled(self, query: dict[str, list[str]]) -> Reply:
        since, start = query.get("desde", [""])[0], int(query.get("cursor", ["0"])[0])
        if not _day(since):
            return _refused(["desde deve ser uma data"])
        found = [one for one in self._list("liquidacoes") if one["pago_em"] >= since]
        page = found[start : start + _PAGE]
        more = str(start + _PAGE) if len(found) > start + _PAGE else None
        return as_json({"liquidacoes": page, "proximo": more})

    def _confirm(self) -> dict[str, int]:
        waiting = [one for one in self._titles().values() if one["situacao"] == "em_registro"]
        for one in waiting:
            one["situacao"] = "registrado"
        return {"confirmados": len(waiting)}

    def _titles(self) -> dict[str, dict[str, Any]]:
        return self.books.setdefault("boletos", {})

    def _orders(self) -> dict[str, Any]:
        return self.books.setdefault("orders", {})

    def _list(self, name: str) -> list[Any]:
        return self.books.setdefault(name, [])


def _shown(title: dict[str, Any] | None, status: int = 200) -> Reply:
    if title is None:
        return as_json({"mensagem": "boleto não encontrado"}, 404)
    return as_json({name: value for name, value in title.items() if name != "pedido"}, status)


def _refused(faults: list[str]) -> Reply:
    erros = [{"mensagem": text} for text in faults]
    return as_json({"mensagem": "o boleto foi recusado", "erros": erros}, 422)


def _faults(given: dict[str, Any]) -> list[str]:
    """What a bank looks at before it takes a title."""
    missing = [f"falta o campo {name}" for name in _REQUIRED if name not in given]
    if missing:
        return missing
    due, limit = _day(given["vencimento"]), _day(given["limite_pagamento"])
    issued = _day(given["emissao"])
    if not (due and limit and issued):
        return ["data inválida"]
    found = []
    if due < issued:
        found.append("data de vencimento anterior à emissão")
    if limit < due:
        found.append("limite de pagamento anterior ao vencimento")
    if not _amount(given["valor"]) or Decimal(given["valor"]) <= 0:
        found.append("valor do título inválido")
    if not _barcode(given):
        found.append("código de barras não confere com o título")
    if not re.fullmatch(r"[0-9]{11}|[0-9A-Z]{12}[0-9]{2}", given["pagador"].get("documento", "")):
        found.append("CPF/CNPJ do pagador inválido")
    if not given["pagador"].get("nome"):
        found.append("nome do pagador não informado")
    if not re.fullmatch(r"[0-9]{8}", given["pagador"].get("cep", "")):
        found.append("CEP do pagador inválido")
    return found


def _barcode(given: dict[str, Any]) -> bool:
    """44 digits of this bank whose value and check digit are right."""
    code = str(given["codigo_barras"])
    if not re.fullmatch(r"[0-9]{44}", code) or code[:3] != given["convenio"].get("banco"):
        return False
    total, weight = 0, 2
    for digit in reversed(code[:4] + code[5:]):
        total += int(digit) * weight
        weight = 2 if weight == 9 else weight + 1
    left = 11 - total % 11
    dv = 1 if left >= 10 or left == 0 else left
    cents = Decimal(given["valor"]) * 100 if _amount(given["valor"]) else Decimal(-1)
    return int(code[4]) == dv and int(code[9:19]) == cents


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _amount(text: Any) -> bool:
    try:
        return bool(_AMOUNT.match(text)) and Decimal(text) >= 0
    except (TypeError, InvalidOperation):
        return False
