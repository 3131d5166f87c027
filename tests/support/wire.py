"""The contract fixtures of the billing API: loading what they require, calling, comparing (§9)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.test import Client

from accounts.models import Account, ApiToken
from accounts.services.tokens import create_token

FOLDER = Path(__file__).parent.parent / "fixtures" / "billing_api"

# (id, the fixture, the account) → creates the required object under that very id.
Seeder = Callable[[int, "Fixture", Account], None]
SEEDERS: dict[str, Seeder] = {}


def seeds(resource: str) -> Callable[[Seeder], Seeder]:
    """Register what creates a required `resource` (module support.wire_seeds.<family>)."""

    def register(seeder: Seeder) -> Seeder:
        SEEDERS[resource] = seeder
        return seeder

    return register


@dataclass(frozen=True)
class Fixture:
    """One file of the contract."""

    name: str
    data: dict[str, Any]

    @property
    def request(self) -> dict[str, Any]:
        return self.data["request"]

    @property
    def response(self) -> dict[str, Any]:
        return self.data["response"]

    def shown(self, key: str, pk: int) -> dict[str, Any]:
        """The object with that id anywhere in the answer under `key` or its plural; {} if none."""
        return _find(self.response["json"], key, pk) or {}


def _find(node: Any, key: str, pk: int) -> dict[str, Any] | None:
    plurals = {key, f"{key}s", key.replace("company", "companies").replace("person", "people")}
    if isinstance(node, dict):
        for name, value in node.items():
            if name in plurals:
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, dict) and one.get("id") == pk:
                        return one
            if found := _find(value, key, pk):
                return found
    if isinstance(node, list):
        for value in node:
            if found := _find(value, key, pk):
                return found
    return None


def fixtures() -> list[Fixture]:
    return [
        Fixture(path.stem, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(FOLDER.glob("*.json"))
    ]


def day_of(fixture: Fixture) -> str:
    """The day of the call, ISO: after the last receipt it tells of, for none lies in the future."""
    text = json.dumps(fixture.data)
    found = re.findall(r'"received_at": "(\d\d)/(\d\d)/(\d{4})"', text)
    return max(["2025-02-12", *(f"{y}-{m}-{d}" for d, m, y in found)])


def prepare(fixture: Fixture, account: Account) -> None:
    """Create everything the fixture requires, with its ids."""
    for module in (Path(__file__).parent / "wire_seeds").glob("[a-z]*.py"):
        import_module(f"support.wire_seeds.{module.stem}")
    for need in fixture.data.get("requires", []):
        SEEDERS[need["resource"]](need["id"], fixture, account)


@dataclass
class Api:
    """A client of /api/v1 with a token."""

    token: str
    client: Client

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Call `path` (with or without /api/v1) and answer Django's test response."""
        full = path if path.startswith(("/api", "/health")) else f"/api/v1/{path}"
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        extra = {"Authorization": f"Token token={self.token}"} if self.token else {}
        return self.client.generic(
            method,
            full,
            "" if body is None else data,
            content_type="application/json",
            headers=extra | {k.replace("_", "-"): v for k, v in headers.items()},
        )

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        extra = {"Authorization": f"Token token={self.token}"} if self.token else {}
        full = path if path.startswith(("/api", "/health")) else f"/api/v1/{path}"
        return self.client.get(full, query or {}, headers=extra)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None) -> Any:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


def api_of(account: Account) -> Api:
    """A client with a fresh billing token of `account`."""
    _, raw = create_token(account, name="Testes", scope=ApiToken.Scope.BILLING)
    return Api(raw, Client(raise_request_exception=True))


def differences(expected: Any, actual: Any, volatile: set[str], path: str = "") -> list[str]:
    """Where `actual` breaks the matching rule of §9; lists compare whatever their order."""
    if path in volatile:
        return [] if _same_type(expected, actual) else [f"{path}: {actual!r} is no {expected!r}"]
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{path}: {actual!r} is no object"]
        faults = [f"{path}/{key} is missing" for key in expected if key not in actual]
        for key in expected.keys() & actual.keys():
            faults += differences(expected[key], actual[key], volatile, f"{path}/{key}")
        return faults
    if isinstance(expected, list):
        return _list_differences(expected, actual, volatile, path)
    if type(expected) is not type(actual) or expected != actual:
        return [f"{path}: {actual!r} instead of {expected!r}"]
    return []


def _list_differences(expected: list[Any], actual: Any, volatile: set[str], path: str) -> list[str]:
    if not isinstance(actual, list) or len(expected) != len(actual):
        return [f"{path}: {actual!r} instead of a list of {len(expected)}"]
    rest = list(actual)
    faults: list[str] = []
    for position, item in enumerate(expected):
        tries = [differences(item, one, volatile, f"{path}/{position}") for one in rest]
        best = min(range(len(tries)), key=lambda i: len(tries[i]))
        faults += tries[best]
        rest.pop(best)
    return faults


def _same_type(expected: Any, actual: Any) -> bool:
    return expected is None or actual is None or type(expected) is type(actual)
