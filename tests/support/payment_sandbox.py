"""The stand-in of all providers for tests: one per session, emptied before each test that uses it.

pytest_plugins = … is not needed: `from support.payment_sandbox import providers  # noqa: F401`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from billing.sandbox import server


@dataclass
class Providers:
    """A running sandbox. `url("stripe")` is where a gateway's base_url leads."""

    base_url: str
    running: server.Running

    def url(self, provider: str) -> str:
        return f"{self.base_url}/{provider}"

    def control(self, path: str, method: str = "POST", /, **given: Any) -> Any:
        """What /control/`path` answers."""
        answer = requests.request(method, f"{self.base_url}/control/{path}", json=given, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def fault(self, provider: str, kind: str, **more: Any) -> None:
        """Order a fault (billing.sandbox.faults)."""
        self.control("faults", provider=provider, kind=kind, **more)

    def calls(self, provider: str, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """Requests that came, the oldest first."""
        return [
            call
            for call in self.control("calls", "GET")
            if call["provider"] == provider
            and call["method"].startswith(method)
            and call["path"].startswith(path)
        ]

    def books(self, provider: str) -> dict[str, Any]:
        found: dict[str, Any] = self.control(f"books/{provider}", "GET")
        return found

    def notices(self, provider: str = "") -> list[dict[str, Any]]:
        """What was or is to be told to the product."""
        found = self.control("notices", "GET")
        return [each for each in found if each["provider"].startswith(provider)]


@pytest.fixture(scope="session")
def _running_providers() -> Iterator[Providers]:
    running = server.start(None)
    yield Providers(running.base_url, running)
    running.stop()


@pytest.fixture
def providers(_running_providers: Providers) -> Providers:
    """The sandbox, as on its first day; notices wait until they are asked for."""
    _running_providers.control("reset")
    _running_providers.control("deliveries", mode="off")
    return _running_providers
