"""How long the threads of this process stood in one place, all together."""

from __future__ import annotations

import time
from threading import Lock
from types import TracebackType


class Occupancy:
    """`with occupancy:` around the place; `seconds()` grows by one a second for each thread inside.

    So the share of their time that n threads spend there is what it grew by, over n times the time
    that passed, also while none of them has come out yet.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside, self._seconds, self._at = 0, 0.0, time.monotonic()

    def __enter__(self) -> None:
        self._count(1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._count(-1)

    def seconds(self) -> float:
        return self._count(0)

    def _count(self, step: int) -> float:
        with self._lock:
            now = time.monotonic()
            self._seconds += self._inside * (now - self._at)
            self._at = now
            self._inside += step
            return self._seconds
