"""Registering boletos by the neutral HTTP contract of docs/boleto-registration.md."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, urlencode

from billing.gateways.boleto.registrar import (
    BoletoRegistrar,
    Capability,
    Person,
    Registration,
    Settlement,
    Standing,
    Title,
)
from lib import outbound
from lib.errors import GatewayRefused, GatewayUnavailable

TIMEOUT = 20.0  # seconds for one exchange, name and connection included
_MARGIN = 30.0  # a token is renewed so long before it ends
_MOST = 120 * 1024
_MAX_PAGES = 500
_LONGEST_ID = 200
_AMOUNT = re.compile(r"[0-9]{1,13}\.[0-9]{2}\Z")
_CENT = Decimal("0.01")
_STANDINGS = {
    "em_registro": Standing.REGISTERING,
    "registrado": Standing.OPEN,
    "liquidado": Standing.PAID,
    "baixado": Standing.CANCELLED,
    "rejeitado": Standing.REJECTED,
}
_GARBLED = "a resposta do banco não segue o contrato"

# Tokens by address and credentials: each process asks once and keeps it until it ends.
_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_lock = threading.Lock()


class HttpRegistrar(BoletoRegistrar):
    """`secrets` holds client_id and client_secret, or a token that does not end."""

    capabilities = frozenset(Capability)
    is_immediate = True

    def __init__(
        self, base_url: str, secrets: Mapping[str, Any], *, policy: outbound.Policy
    ) -> None:
        self._base, self._secrets, self._policy = base_url.rstrip("/"), secrets, policy

    def register(self, title: Title) -> Registration:
        found = self._ask("PUT", _path(title.key), _body(title))
        if found is None:
            raise GatewayUnavailable("o banco não conhece o endereço de registro")
        return _registration(found)

    def retrieve(self, key: str) -> Registration | None:
        found = self._ask("GET", _path(key))
        return None if found is None else _registration(found)

    def cancel(self, key: str) -> Registration | None:
        found = self._ask("POST", f"{_path(key)}/baixa", {})
        return None if found is None else _registration(found)

    def change(self, key: str, *, due_date: date, amount: Decimal) -> Registration | None:
        wanted = {"vencimento": due_date.isoformat(), "valor": f"{amount:.2f}"}
        found = self._ask("PATCH", _path(key), wanted)
        return None if found is None else _registration(found)

    def settled_since(self, day: date) -> Iterator[Settlement]:
        cursor, n_garbled = "", 0
        for _ in range(_MAX_PAGES):
            wanted = {"desde": day.isoformat()} | ({"cursor": cursor} if cursor else {})
            page = self._ask("GET", f"/liquidacoes?{urlencode(wanted)}")
            if page is None or not isinstance(page.get("liquidacoes"), list):
                raise GatewayUnavailable(_GARBLED)
            for one in page["liquidacoes"]:
                try:
                    found = _settlement(one)
                except GatewayUnavailable:
                    n_garbled += 1  # one that cannot be read keeps no other from being booked
                else:
                    yield found
            cursor = str(page.get("proximo") or "")
            if not cursor:
                break
        if n_garbled:
            raise GatewayUnavailable(f"{_GARBLED}: {n_garbled} liquidação(ões)")

    # --- one exchange ---------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """The JSON object of a 2xx, None of a 404; a refused token is renewed once."""
        for is_last in (False, True):
            answer = self._send(method, path, body)
            if answer.status != 401 or is_last or "token" in self._secrets:
                return _understood(answer)
            with _lock:
                _tokens.pop(self._key(), None)
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: Any) -> outbound.Answer:
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        raw = b""
        if body is not None:
            raw = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        return outbound.send(
            method, self._base + path, raw, headers=headers, timeout=TIMEOUT, kept=_MOST,
            policy=self._policy,
        )  # fmt: skip

    def _key(self) -> tuple[str, str, str]:
        secret = self._secrets
        return self._base, str(secret.get("client_id")), str(secret.get("client_secret"))

    def _token(self) -> str:
        if "token" in self._secrets:
            return str(self._secrets["token"])
        with _lock:
            token, until = _tokens.get(self._key(), ("", 0.0))
        if time.monotonic() < until:
            return token
        token, seconds = self._new_token()
        with _lock:
            _tokens[self._key()] = token, time.monotonic() + seconds - _MARGIN
        return token

    def _new_token(self) -> tuple[str, float]:
        """Client credentials (RFC 6749 §4.4), told by Basic authentication."""
        pair = f"{self._secrets.get('client_id', '')}:{self._secrets.get('client_secret', '')}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        found = _understood(
            outbound.send(
                "POST", f"{self._base}/oauth/token", b"grant_type=client_credentials",
                headers=headers, timeout=TIMEOUT, policy=self._policy,
            )
        )  # fmt: skip
        if not found or not isinstance(found.get("access_token"), str):
            raise GatewayUnavailable(_GARBLED)
        try:
            return found["access_token"], float(found.get("expires_in", 300))
        except (TypeError, ValueError) as error:
            raise GatewayUnavailable(_GARBLED) from error


def _understood(answer: outbound.Answer) -> dict[str, Any] | None:
    """Raises GatewayUnavailable or GatewayRefused; the reason is the bank's own text."""
    if answer.status == 404:
        return None
    if answer.status in (401, 403):  # ours to mend: no fault of the boleto
        raise GatewayUnavailable("o banco recusou as credenciais da conta em provedor")
    if answer.status in (408, 425, 429) or answer.status >= 500 or answer.status < 200:
        raise GatewayUnavailable(f"o banco respondeu {answer.status}")
    found = _json(answer)
    if not answer.is_success:
        raise GatewayRefused(_reason(found, answer.status))
    if not isinstance(found, dict):
        raise GatewayUnavailable(_GARBLED)  # done or not: it is asked about
    return found


def _json(answer: outbound.Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _reason(found: Any, status: int) -> str:
    if not isinstance(found, dict):
        return f"o banco respondeu {status}"
    faults = [
        str(one.get("mensagem", "")) for one in found.get("erros") or [] if isinstance(one, dict)
    ]
    texts = [text for text in (faults or [str(found.get("mensagem", ""))]) if text]
    return "; ".join(texts)[:1000] or f"o banco respondeu {status}"


def _path(key: str) -> str:
    return f"/boletos/{quote(key, safe='')}"


def _registration(found: dict[str, Any]) -> Registration:
    try:
        standing = _STANDINGS[found["situacao"]]
        due, amount = found.get("vencimento"), found.get("valor")
        return Registration(
            standing,
            external_id=str(found.get("id") or ""),
            barcode=str(found.get("codigo_barras") or ""),
            due_date=date.fromisoformat(due) if due else None,
            amount=_money(amount) if amount else None,
            reason=str(found.get("motivo") or "")[:1000],
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise GatewayUnavailable(_GARBLED) from error


def _settlement(found: Any) -> Settlement:
    try:
        credited = found.get("credito")
        return Settlement(
            id=_named(found["id"]),
            key=str(found["chave"]),
            nosso_numero=str(found.get("nosso_numero") or ""),
            amount=_money(found["valor_pago"]),
            paid_on=date.fromisoformat(found["pago_em"]),
            credited_on=date.fromisoformat(credited) if credited else None,
            fee=_money(found.get("tarifa") or "0.00", least=Decimal(0)),
            raw={str(name): str(value).replace("\0", "") for name, value in found.items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise GatewayUnavailable(_GARBLED) from error


def _money(given: Any, *, least: Decimal = _CENT) -> Decimal:
    """Text of digits with two decimals, not less than `least`. Raises ValueError or TypeError."""
    if not _AMOUNT.match(given) or Decimal(given) < least:
        raise ValueError(given)
    return Decimal(given)


def _named(given: Any) -> str:
    """An id, short enough to be kept. Raises ValueError."""
    found = str(given or "")
    if not found.isprintable() or not 0 < len(found) <= _LONGEST_ID:
        raise ValueError(found[:_LONGEST_ID])
    return found


# --- what is told -------------------------------------------------------------------------------


def _body(title: Title) -> dict[str, Any]:
    return {
        "convenio": title.agreement,
        "nosso_numero": title.nosso_numero,
        "nosso_numero_digito": title.nosso_numero_dv,
        "numero_documento": title.document_number,
        "especie": title.species,
        "emissao": title.issued_on.isoformat(),
        "vencimento": title.due_date.isoformat(),
        "limite_pagamento": title.limit_date.isoformat(),
        "valor": f"{title.amount:.2f}",
        "multa": _charged(title.late.fine_type, title.late.fine_value, "percentual", "valor"),
        "juros": _interest(title),
        "dias_protesto": title.protest_days,
        "pagador": _person(title.payer),
        "beneficiario": _person(title.beneficiary),
        "instrucoes": list(title.instructions),
        "codigo_barras": title.barcode,
    }


def _interest(title: Title) -> dict[str, str]:
    daily = title.late.daily_registered
    if daily is not None:
        return {"tipo": "valor_dia", "valor": f"{daily:.2f}"}
    late = title.late
    return _charged(late.interest_type, late.interest_value, "percentual_mes", "valor_dia")


def _charged(kind: str, value: Decimal, percentage: str, fixed: str) -> dict[str, str]:
    if kind == "without" or not value:
        return {"tipo": "isento", "valor": "0.00"}
    return {"tipo": percentage if kind == "percentage" else fixed, "valor": f"{value:.2f}"}


def _person(person: Person) -> dict[str, str]:
    return {
        "nome": person.name,
        "documento": person.document,
        "endereco": person.address,
        "bairro": person.district,
        "municipio": person.city,
        "uf": person.state,
        "cep": person.zipcode,
    }
