"""The sandbox's own moment: the real one, moved or stopped through the control API (SBX-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fiscal.sandbox.store import Store
from lib import clock as real

_NAME = "relogio"


class Clock:
    """`now()` in UTC; the state is a setting of the store, so that a restart keeps it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def now(self) -> datetime:
        """This moment as the sandbox tells it."""
        state = self.store.setting(_NAME, {})
        if "parado" in state:
            return datetime.fromisoformat(state["parado"])
        return real.now() + timedelta(seconds=state.get("adiante", 0.0))

    def move(self, wanted: dict[str, Any]) -> None:
        """Take `agora` (ISO moment), `avancar` (seconds) and `parado` (bool); ValueError if bad."""
        now = self.now()
        if "agora" in wanted:
            now = datetime.fromisoformat(str(wanted["agora"]))
            if now.tzinfo is None:
                raise ValueError("agora precisa do fuso, como em 2026-12-01T00:00:00-03:00")
        now += timedelta(seconds=float(wanted.get("avancar", 0)))
        stopped = bool(wanted.get("parado", "parado" in self.store.setting(_NAME, {})))
        self.store.set(_NAME, _state(now.astimezone(UTC), stopped=stopped))

    def show(self) -> dict[str, Any]:
        """What GET /relogio answers."""
        state = self.store.setting(_NAME, {})
        return {"agora": self.now().isoformat(), "parado": "parado" in state}


def _state(now: datetime, *, stopped: bool) -> dict[str, Any]:
    if stopped:
        return {"parado": now.isoformat()}
    return {"adiante": (now - real.now()).total_seconds()}
