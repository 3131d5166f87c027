"""Sending what waits: many documents at once, while each waits for its authority (PERF-2).

An authority takes half a second for an answer and a document a hundredth of that of our processor,
so a worker of the queue sends several, each in a thread. Who picks a document locks its row and
opens its attempt in the same transaction: nobody claims anything beforehand, and no two have one.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from threading import Barrier

from django.conf import settings
from django.db import close_old_connections, connection, connections

from accounts.services import calls
from fiscal.authorities.transport import waiting
from fiscal.selectors import hot_rows
from fiscal.services import delivery
from lib import clock

TASK = "fiscal.tasks.send_waiting"
# Other tasks wait for this worker. With the longest call that is less than the limit of a task.
SECONDS = 20.0
POLL_SECONDS = 0.05
LOOK_SECONDS = 0.1


def call() -> None:
    """After the commit, have what waits sent soon. Nothing is lost without: there is the sweep."""
    calls.call_after_commit(TASK)


def work(*, seconds: float = SECONDS) -> int:
    """Send what is due; answers how many documents were dealt with.

    Several processes may do so at once. Calls a successor when something is left after `seconds`.
    Raises what a sender stumbled over, when the others have ended.
    """
    calls.begin(TASK)
    until = time.monotonic() + seconds
    n = _alone(until) if senders() == 1 else _together(until)
    if hot_rows.n_to_send(clock.now(), at_most=1):
        calls.call(TASK)
    return n


def senders() -> int:
    """Documents on their way at once, of this process; the embedded database has one writer."""
    return settings.FISCAL_SENDERS if connection.vendor == "postgresql" else 1


def _alone(until: float) -> int:
    n = 0
    while time.monotonic() < until and delivery.advance_next():
        n += 1
    return n


def _together(until: float) -> int:
    n, running, pace = 0, set[Future[int]](), _Pace()
    if _n_due(until) == senders():  # more than this process can have on their way: it wants help
        calls.call(TASK)
    while (n_due := _n_due(until)) or running:
        if n_due == 1 and not running:  # the usual case: no thread for it
            found = int(delivery.advance_next())
        else:
            more = min(n_due, pace.of_use(len(running)) - len(running))
            running |= {_pool().submit(_in_thread, until) for _ in range(more)}
            done, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            found = sum(_counted(done, running))
        if not found and n_due:  # somebody else is at them
            time.sleep(POLL_SECONDS)
        n += found
    return n


class _Pace:
    """How many senders are of use: threads that compute only get in each other's way.

    While a sender waits for its authority for nine tenths of its time, nine others can compute.
    """

    def __init__(self) -> None:
        self._look()

    def of_use(self, running: int) -> int:
        """At least `running`; looked at anew ten times a second."""
        passed = time.monotonic() - self._since
        if running and passed < LOOK_SECONDS:
            return running
        share = (waiting.seconds() - self._waited) / (running * passed) if running else 0.0
        self._look()
        return max(running, min(senders(), round(1 / (1.01 - min(share, 1.0)))))

    def _look(self) -> None:
        self._since, self._waited = time.monotonic(), waiting.seconds()


def _counted(done: set[Future[int]], running: set[Future[int]]) -> list[int]:
    """What ended senders dealt with; raises what one stumbled over, when the others have ended."""
    if any(one.exception() for one in done):
        wait(running)
    return [one.result() for one in done]


def _n_due(until: float) -> int:
    if time.monotonic() >= until:
        return 0
    return hot_rows.n_to_send(clock.now(), at_most=senders())


def _in_thread(until: float) -> int:
    close_old_connections()  # the server may have been restarted since this thread last worked
    try:
        return _alone(until)
    finally:
        close_old_connections()


@cache
def _pool() -> ThreadPoolExecutor:
    """Kept with its threads: each has a connection to the database, and some to authorities."""
    return ThreadPoolExecutor(senders(), thread_name_prefix="sender")


def close() -> None:
    """End the threads and their connections; the next `work` begins new ones."""
    if _pool.cache_info().currsize:
        gate = Barrier(senders())
        ended = [_pool().submit(_leave, gate) for _ in range(senders())]
        wait(ended)
        _pool().shutdown()
        _pool.cache_clear()


def _leave(gate: Barrier) -> None:
    gate.wait()  # one for each thread
    connections.close_all()
