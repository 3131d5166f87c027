"""Sending the notes that wait, several at once (PERF-2)."""

from __future__ import annotations

from fiscal.selectors import service_notes
from fiscal.services.nfse import sending
from fiscal.services.senders import SECONDS, Senders
from lib import clock

TASK = "fiscal.tasks.send_service_notes"


def _n_due(at_most: int) -> int:
    return service_notes.n_to_send(clock.now(), at_most=at_most)


_senders = Senders(TASK, advance_next=sending.advance_next, n_due=_n_due)


def call() -> None:
    """After the commit, have what waits sent soon. Nothing is lost without: there is the sweep."""
    _senders.call()


def work(*, seconds: float = SECONDS) -> int:
    """Send what is due; answers how many notes were dealt with (`Senders.work`)."""
    return _senders.work(seconds=seconds)


def close() -> None:
    """End the threads and their connections."""
    _senders.close()
