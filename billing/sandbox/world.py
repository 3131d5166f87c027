"""All stand-ins together, and what they know: in memory, and in one JSON file."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from billing.sandbox.deliveries import Deliveries
from billing.sandbox.faults import Faults
from billing.sandbox.providers import PROVIDERS, provider_class
from billing.sandbox.wire import StandIn

SAVE_EVERY = 0.5  # seconds
MAX_CALLS = 20_000


class World:
    """The books of all providers. `calls` are the requests that came, the oldest first."""

    def __init__(self, file: Path | None, address: str) -> None:
        self.file, self.address = file, address
        self.books: dict[str, Any] = {"notices": [], "providers": {}}
        if file is not None and file.exists():
            self.books = json.loads(file.read_text(encoding="utf-8"))
        self.faults = Faults()
        self.calls: list[dict[str, Any]] = []
        self.deliveries = Deliveries(self.books["notices"], self._sign)
        self._standing: dict[str, StandIn] = {}
        self._making = threading.Lock()
        self._ended = threading.Event()
        self._saver = threading.Thread(target=self._keep, daemon=True)
        self._saver.start()

    def provider(self, name: str) -> StandIn:
        """Made when it is first asked for. Raises KeyError for a prefix that nobody has."""
        with self._making:
            if name not in self._standing:
                books = self.books["providers"].setdefault(name, {})
                made = provider_class(name)(books, self._teller(name), f"{self.address}/{name}")
                self._standing[name] = made
            return self._standing[name]

    def reset(self) -> None:
        """As on the first day."""
        self.faults.clear()
        self.deliveries.forget()
        self.calls.clear()
        for name in PROVIDERS:
            with self._making:
                standing = self._standing.pop(name, None)
            if standing is None:
                self.books["providers"].pop(name, None)
                continue
            with standing.lock:
                standing.books.clear()
                self.books["providers"].pop(name, None)

    def stop(self) -> None:
        self._ended.set()
        self.deliveries.stop()
        self._saver.join(5)
        self.save()

    def save(self) -> None:
        if self.file is None:
            return
        with contextlib.ExitStack() as held:
            for standing in list(self._standing.values()):
                held.enter_context(standing.lock)
            text = json.dumps(self.books, ensure_ascii=False)
        beside = self.file.with_suffix(".part")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, self.file)

    def note(self, call: dict[str, Any]) -> None:
        self.calls.append(call)
        if len(self.calls) > MAX_CALLS:
            del self.calls[: MAX_CALLS // 2]

    def _keep(self) -> None:
        seen = -1
        while not self._ended.wait(SAVE_EVERY):
            count = len(self.calls)
            if count != seen:
                seen = count
                self.save()

    def _teller(self, name: str) -> Any:
        def tell(kind: str, url: str, body: str, **more: Any) -> None:
            self.deliveries.tell(name, kind, url, body, **more)

        return tell

    def _sign(self, notice: dict[str, Any]) -> dict[str, str]:
        standing = self.provider(notice["provider"])
        with standing.lock:
            return standing.sign(notice)
