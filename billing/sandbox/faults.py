"""What goes wrong on demand: POST /control/faults. DELETE forgets it, of one {"provider"} or all.

{"provider": "stripe", "kind": "cut", "method": "POST", "path": "/v1/payment_intents",
 "times": 1, "skip": 0, "seconds": 2.5, "status": 500, "body": "…"}

`path` is the beginning of a path (default: any), `times` how often (0: until it is cleared),
`skip` how many matching requests go well before. Kinds:

- down: the connection is reset, nothing is done
- cut: done, and the connection is reset instead of an answer
- slow: done after `seconds`
- late: done at once, answered after `seconds`
- status: nothing is done; `status` with `body`
- garbage: done, and answered with 200 and `body`, or with bytes that are nothing
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import Any

KINDS = ("down", "cut", "slow", "late", "status", "garbage")
NONSENSE = "<html>\x00\xff isto não é o que você esperava"


@dataclass
class Fault:
    """One order; `times` and `skip` count down."""

    provider: str
    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    seconds: float = 1.0
    status: int = 500
    body: str = NONSENSE

    def fits(self, provider: str, method: str, path: str) -> bool:
        if self.provider != provider or self.method not in ("", method):
            return False
        return path.startswith(self.path)


class Faults:
    """The orders that stand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Fault] = []

    def order(self, given: dict[str, Any]) -> None:
        """Raises ValueError for an order that says nothing."""
        known = {field.name for field in fields(Fault)}
        if given.get("kind") not in KINDS or not given.keys() <= known or "provider" not in given:
            raise ValueError(f"a fault has {sorted(known)}; kinds are {KINDS}")
        with self._lock:
            self._orders.append(Fault(**given))

    def clear(self, provider: str = "") -> None:
        """Forget every order, or those for one provider."""
        with self._lock:
            kept = [one for one in self._orders if provider and one.provider != provider]
            self._orders[:] = kept

    def take(self, provider: str, method: str, path: str) -> Fault | None:
        """The fault that this request meets."""
        with self._lock:
            for fault in self._orders:
                if not fault.fits(provider, method, path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times:
                    fault.times -= 1
                    if not fault.times:
                        self._orders.remove(fault)
                return fault
        return None
