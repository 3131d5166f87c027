"""A progress bar on standard error, only when a person is looking at it."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY = 0.1  # seconds between drawings
_WIDTH = 30


class Bar:
    """`label [#####.....]  42% 420 3s`; silent unless the stream is a terminal.

    Without a total (0) there is only the count.
    """

    def __init__(self, total: int, label: str, *, stream: TextIO | None = None) -> None:
        self.total = total
        self.label = label
        self._stream = stream or sys.stderr
        self._is_shown = self._stream.isatty()
        self._started = time.monotonic()
        self._drawn = 0.0
        self._done = 0

    def update(self, done: int) -> None:
        """`done` items of the total are ready."""
        self._done = done
        now = time.monotonic()
        if self._is_shown and (now - self._drawn >= _EVERY):
            self._drawn = now
            self._draw(now)

    def close(self) -> None:
        """Leave the last drawing on its line."""
        if self._is_shown:
            self._draw(time.monotonic())
            self._stream.write("\n")
            self._stream.flush()
            self._is_shown = False

    def _draw(self, now: float) -> None:
        seconds = int(now - self._started)
        self._stream.write(f"\r{self.label} {self._share()}{self._done} {seconds}s\x1b[K")
        self._stream.flush()

    def _share(self) -> str:
        if not self.total:
            return ""
        share = min(1.0, self._done / self.total)
        full = round(share * _WIDTH)
        return f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%} "
