"""Calling /v2 as its clients do."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.test import Client

from accounts.models import Account, ApiToken
from accounts.services.tokens import create_token
from fiscal.models import Company


@dataclass
class V2:
    """A client with a token, given by HTTP Basic; no token, no header."""

    token: str
    client: Client = field(default_factory=Client)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type: str = "application/json",
        **query: Any,
    ) -> Any:
        """Call `path` (with or without /v2/) and answer Django's test response."""
        full = path if path.startswith("/") else f"/v2/{path}"
        if query:
            full += ("&" if "?" in full else "?") + urlencode(query)
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.generic(
            method,
            full,
            "" if body is None else data,
            content_type=type,
            headers={"Authorization": basic(self.token)} if self.token else {},
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("PUT", path, body, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("DELETE", path, body, **query)


def v2(token: str = "") -> V2:
    """A client of /v2 with that token."""
    return V2(token)


def basic(token: str, password: str = "") -> str:
    """The Authorization header: the token as user name."""
    return "Basic " + base64.b64encode(f"{token}:{password}".encode()).decode()


def fiscal_token(company: Company, ambiente: str = "homologacao") -> str:
    """A fresh token of the company in that environment."""
    _, raw = create_token(
        company.account,
        name=f"{ambiente}: {company.nome}"[:100],
        scope=ApiToken.Scope.FISCAL,
        company_cnpj=company.document,
        ambiente=ambiente,
    )
    return raw


def master_token(account: Account) -> str:
    """A fresh token of the account itself."""
    return create_token(account, name="Conta", scope=ApiToken.Scope.MASTER)[1]
