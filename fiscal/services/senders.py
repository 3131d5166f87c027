"""Sending many rows at once in threads, while each waits for its authority (PERF-2).

An authority takes half a second for an answer and a row a hundredth of that of our processor. Who
picks a row locks it and opens its attempt in the same transaction: nobody claims anything
beforehand, and no two have one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Barrier

from django.conf import settings
from django.db import close_old_connections, connection, connections

from accounts.services import calls
from fiscal.authorities.transport import waiting

# Other tasks wait for this worker. With the longest call that is less than the limit of a task.
SECONDS = 20.0
POLL_SECONDS = 0.05
LOOK_SECONDS = 0.1


class Senders:
    """Works off what waits to be sent, called for by the name of its task.

    `advance_next` sends the row that has waited longest, False when none waits; `n_due` counts
    those that wait, up to a number.
    """

    def __init__(
        self, task: str, *, advance_next: Callable[[], bool], n_due: Callable[[int], int]
    ) -> None:
        self.task = task
        self._advance_next = advance_next
        self._n_waiting = n_due
        self._pool: ThreadPoolExecutor | None = None

    def call(self) -> None:
        """After the commit, have what waits sent soon. Nothing is lost without: the sweep comes."""
        calls.call_after_commit(self.task)

    def work(self, *, seconds: float = SECONDS) -> int:
        """Send what is due; answers how many rows were dealt with.

        Several processes may do so at once. Calls a successor when something is left after
        `seconds`. Raises what a sender stumbled over, when the others have ended.
        """
        calls.begin(self.task)
        until = time.monotonic() + seconds
        n = self._alone(until) if most() == 1 else self._together(until)
        if self._n_waiting(1):
            calls.call(self.task)
        return n

    def _alone(self, until: float) -> int:
        n = 0
        while time.monotonic() < until and self._advance_next():
            n += 1
        return n

    def _together(self, until: float) -> int:
        n, running, pace = 0, set[Future[int]](), Pace()
        if self._n_due(until) == most():  # more than this process can have on their way
            calls.call(self.task)
        while (n_due := self._n_due(until)) or running:
            if n_due == 1 and not running:  # the usual case: no thread for it
                found = int(self._advance_next())
            else:
                more = min(n_due, pace.of_use(len(running)) - len(running))
                running |= {self._threads().submit(self._in_thread, until) for _ in range(more)}
                done, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                found = sum(_counted(done, running))
            if not found and n_due:  # somebody else is at them
                time.sleep(POLL_SECONDS)
            n += found
        return n

    def _n_due(self, until: float) -> int:
        return 0 if time.monotonic() >= until else self._n_waiting(most())

    def _in_thread(self, until: float) -> int:
        close_old_connections()  # the server may have been restarted since this thread last worked
        try:
            return self._alone(until)
        finally:
            close_old_connections()

    def _threads(self) -> ThreadPoolExecutor:
        """Kept: each has a connection to the database, and some to authorities."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(most(), thread_name_prefix="sender")
        return self._pool

    def close(self) -> None:
        """End the threads and their connections; the next `work` begins new ones."""
        if self._pool is None:
            return
        gate = Barrier(most())
        wait([self._pool.submit(_leave, gate) for _ in range(most())])
        self._pool.shutdown()
        self._pool = None


class Pace:
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
        return max(running, min(most(), round(1 / (1.01 - min(share, 1.0)))))

    def _look(self) -> None:
        self._since, self._waited = time.monotonic(), waiting.seconds()


def most() -> int:
    """Rows on their way at once, of this process; the embedded database has one writer."""
    return settings.FISCAL_SENDERS if connection.vendor == "postgresql" else 1


def _counted(done: set[Future[int]], running: set[Future[int]]) -> list[int]:
    """What ended senders dealt with; raises what one stumbled over, when the others have ended."""
    if any(one.exception() for one in done):
        wait(running)
    return [one.result() for one in done]


def _leave(gate: Barrier) -> None:
    gate.wait()  # one for each thread
    connections.close_all()
