"""What the product logged, as data."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ORDINARY = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.entries: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = {key: value for key, value in vars(record).items() if key not in _ORDINARY}
        self.entries.append({"event": record.getMessage(), **extra})


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """Every event of our own loggers: its name under "event", and its extra fields."""
    keeper = _Keeper()
    loggers = [logging.getLogger(name) for name in ("accounts", "billing", "lib")]
    for logger in loggers:
        logger.addHandler(keeper)
    try:
        yield keeper.entries
    finally:
        for logger in loggers:
            logger.removeHandler(keeper)
