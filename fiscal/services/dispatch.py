"""Sending the NF-e and NFC-e that wait, several at once (docs/decisions/0021)."""

from __future__ import annotations

from fiscal.selectors import hot_rows
from fiscal.services import delivery
from fiscal.services.senders import SECONDS, Senders
from lib import clock

TASK = "fiscal.tasks.send_waiting"


def _n_due(at_most: int) -> int:
    return hot_rows.n_to_send(clock.now(), at_most=at_most)


def _advance_next() -> bool:
    return delivery.advance_next()


_senders = Senders(TASK, advance_next=_advance_next, n_due=_n_due)


def call() -> None:
    """After the commit, have what waits sent soon. Nothing is lost without: there is the sweep."""
    _senders.call()


def work(*, seconds: float = SECONDS) -> int:
    """Send what is due; answers how many documents were dealt with (`Senders.work`)."""
    return _senders.work(seconds=seconds)


def close() -> None:
    """End the threads and their connections."""
    _senders.close()
