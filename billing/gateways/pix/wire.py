"""Calls to an API Pix: OAuth2 client credentials, mTLS, and what each answer proves."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from billing.gateways.pix.provider import PixMisconfigured, PixRefused, PixUnavailable
from lib import outbound
from lib.client_tls import UnusableCertificate, context_of
from lib.errors import GatewayRefused

TIMEOUT = 20.0  # seconds, all of a call
_KEPT = 120 * 1024
_EARLY = 30  # seconds before its end that a token is no longer used
_MAX_LIFE = 3600
_SCOPES = "cob.write cob.read cobv.write cobv.read pix.write pix.read webhook.read webhook.write"
_NO_ENTRY = "O banco recusou as credenciais da conta Pix. Confira-as em Provedores."
_BUSY = "O banco está indisponível no momento."
_GARBLED = "O banco respondeu algo que não se entende."


@dataclass(frozen=True)
class Credentials:
    """What opens a bank's API. PEM texts; the certificate with its chain, empty for none.

    `in_body`: the client's secret goes in the form instead of the Authorization header, as some
    banks want it.
    """

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    token_url: str = ""
    scope: str = _SCOPES
    in_body: bool = False
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    ca_pem: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """Stands for all of it where a token is kept."""
        parts = (
            self.base_url, self.token_url, self.client_id, self.client_secret, self.scope,
            self.certificate_pem, self.key_pem,
        )  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class _Token:
    value: str
    ends_at: float  # of time.monotonic()


class Tokens:
    """Access tokens of this process, by the credentials that they were given for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Token] = {}

    def get(self, digest: str) -> str | None:
        with self._lock:
            token = self._known.get(digest)
        return token.value if token and token.ends_at > time.monotonic() else None

    def keep(self, digest: str, value: str, seconds: int) -> None:
        with self._lock:
            self._known[digest] = _Token(value, time.monotonic() + seconds - _EARLY)

    def drop(self, digest: str, value: str) -> None:
        """Forget it unless somebody has put a newer one in its place."""
        with self._lock:
            token = self._known.get(digest)
            if token is not None and token.value == value:
                del self._known[digest]

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


TOKENS = Tokens()


@dataclass(frozen=True)
class Wire:
    """One bank, by one set of credentials."""

    credentials: Credentials
    policy: outbound.Policy
    timeout: float = TIMEOUT

    def ask(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        """GET; None for 404. Raises PixUnavailable or PixRefused."""
        try:
            return self._call("GET", f"{path}?{urlencode(query)}" if query else path, None)
        except NotThere:
            return None

    def order(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """PUT, PATCH or DELETE. Raises PixUnavailable or PixRefused."""
        return self._call(method, path, body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        token = self._token()
        answer = self._send(method, path, body, token)
        if answer.status == 401:
            # It may have been revoked before its time; nothing was done with it.
            TOKENS.drop(self.credentials.digest, token)
            answer = self._send(method, path, body, self._token())
        return _result(answer)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str
    ) -> outbound.Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        data = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        return self._exchange(method, f"{self.credentials.base_url}{path}", data, headers)

    def _token(self) -> str:
        given = self.credentials
        known = TOKENS.get(given.digest)
        if known is not None:
            return known
        form = {"grant_type": "client_credentials", "scope": given.scope}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        if given.in_body:
            form |= {"client_id": given.client_id, "client_secret": given.client_secret}
        else:
            pair = f"{given.client_id}:{given.client_secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        url = given.token_url or f"{given.base_url}/oauth/token"
        answer = self._exchange("POST", url, urlencode(form).encode(), headers)
        if answer.status in (400, 401, 403):
            raise PixMisconfigured(_NO_ENTRY)
        return _kept_token(given.digest, answer)

    def _exchange(
        self, method: str, url: str, data: bytes, headers: Mapping[str, str]
    ) -> outbound.Answer:
        given = self.credentials
        try:
            context = context_of(given.certificate_pem, given.key_pem, given.ca_pem)
            return outbound.send(
                method, url, data, headers=headers, timeout=self.timeout, policy=self.policy,
                kept=_KEPT, context=context,
            )  # fmt: skip
        except UnusableCertificate as error:
            raise PixMisconfigured(str(error)) from error
        except outbound.NoAnswer as error:
            raise PixUnavailable(f"O banco não respondeu: {error}.") from error
        except GatewayRefused as error:  # an address that we do not go to
            raise PixMisconfigured(f"Endereço do banco: {error}.") from error


class NotThere(PixRefused):
    """404: the bank knows nothing by that name."""


def _kept_token(digest: str, answer: outbound.Answer) -> str:
    body = _json(answer) if answer.is_success else None
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise PixUnavailable(_BUSY if answer.status >= 500 else _GARBLED)
    seconds = body.get("expires_in") if isinstance(body, dict) else None
    life = seconds if isinstance(seconds, int) and 0 < seconds <= _MAX_LIFE else _MAX_LIFE
    TOKENS.keep(digest, token, life)
    return token


def _result(answer: outbound.Answer) -> Any:
    """The body of a success. Raises what everything else means."""
    if answer.is_success:
        return _json(answer) if answer.body.strip() else None
    if answer.status == 404:
        raise NotThere("O banco não conhece esta cobrança ou este Pix.", problem="NaoEncontrado")
    if answer.status in (401, 403):
        raise PixMisconfigured(_NO_ENTRY)
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise PixUnavailable(_BUSY)
    raise _refusal(answer)


def _refusal(answer: outbound.Answer) -> PixRefused:
    """RFC 7807: `type` ends in the kind of problem, `violacoes` say what is wrong."""
    try:
        body = _json(answer)
    except PixUnavailable:
        body = None
    if not isinstance(body, dict):
        return PixRefused(f"O banco recusou o pedido ({answer.status}).")
    reasons = [
        str(each.get("razao")) for each in _list(body.get("violacoes"))
        if isinstance(each, dict) and each.get("razao")
    ]  # fmt: skip
    told = "; ".join(reasons) or str(body.get("detail") or body.get("title") or answer.status)
    problem = str(body.get("type") or "").rsplit("/", 1)[-1]
    return PixRefused(f"O banco recusou: {told[:400]}", problem=problem[:60])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(answer: outbound.Answer) -> Any:
    """Raises PixUnavailable: the answer tells nothing, whatever its status."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise PixUnavailable(_GARBLED) from error
