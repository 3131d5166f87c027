"""Whose turn it is: the endpoints of one delivery task, shared among its threads.

While a thread is at work the task looks again for what became due, so that an endpoint that hangs
keeps nobody else waiting. Nothing here knows what a turn does.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from enum import Enum
from threading import Lock

from django.db import connections

AT_ONCE = 4  # threads that may work for one healthy endpoint at the same time
FREE_THREADS = 2  # kept for healthy endpoints that nobody works for yet
LOOK_AGAIN = 0.3  # seconds between looks for what is due
LOOK_SHARE = 4  # a look that takes long is followed by a rest this many times as long


class Turn(Enum):
    """How a turn of an endpoint ended."""

    MORE = "more"
    EMPTY = "empty"
    DOWN = "down"  # it did not answer: nothing more is tried in this task


class Turns:
    """The turns of one task.

    `look` answers (endpoint, whether it fails) for everyone that has something due, in order.
    `take` takes a turn of an endpoint, on trial until it has answered in this task, and answers how
    it ended and how many attempts were made. `lock` guards all but `running`.
    """

    def __init__(
        self,
        look: Callable[[], list[tuple[int, bool]]],
        take: Callable[[int, bool], tuple[Turn, int]],
        *,
        deadline: float,
        threads: int,
    ) -> None:
        self.look = look
        self.take = take
        self.deadline = deadline
        self.threads = threads
        self.lock = Lock()
        self.turns: deque[int] = deque()
        self.busy: Counter[int] = Counter()  # endpoint → threads that work for it
        self.answered: set[int] = set()
        self.failing: set[int] = set()
        self.down: set[int] = set()
        self.n_attempts = 0
        self.running: set[Future[None]] = set()

    def run(self, pool: ThreadPoolExecutor) -> None:
        """Until nothing is due and nobody at work, or the time is over. Does not wait for that."""
        next_look = self._look()
        if self.threads <= 1:
            self.take_turns()
            return
        while time.monotonic() < self.deadline:
            if self._position() is not None:
                n = min(len(self.turns), self.threads - len(self.running))
                self.running |= {pool.submit(self._in_thread) for _ in range(n)}
            if not self.running:
                return
            pause = max(min(next_look, self.deadline) - time.monotonic(), 0)
            done, self.running = wait(self.running, pause, FIRST_COMPLETED)
            self.collect(done)
            if self.running and time.monotonic() >= next_look:
                next_look = self._look()

    def collect(self, done: set[Future[None]]) -> None:
        """Raises what a thread did not expect."""
        for each in done:
            each.result()

    # --- whose turn it is ---------------------------------------------------------------------

    def _look(self) -> float:
        """Queue turns for who has something due; answers when to look again."""
        begun = time.monotonic()
        rows = self.look()
        with self.lock:
            waiting = set(self.turns)
            self.failing |= {pk for pk, is_failing in rows if is_failing}
            self.turns.extend(pk for pk, _ in rows if pk not in waiting and self._may_wait(pk))
        now = time.monotonic()
        return now + max(LOOK_AGAIN, LOOK_SHARE * (now - begun))

    def _may_wait(self, endpoint_id: int) -> bool:
        """Who is being tried gets another turn only after an answer."""
        n = self.busy[endpoint_id]
        more = endpoint_id in self.answered and endpoint_id not in self.failing
        return endpoint_id not in self.down and (not n or (more and n < AT_ONCE))

    def _position(self) -> int | None:
        """Where the next turn that may begin stands; None when there is none."""
        is_full = self.busy.total() >= max(self.threads - FREE_THREADS, 1)
        for n, endpoint_id in enumerate(list(self.turns)):
            if not (is_full and (self.busy[endpoint_id] or endpoint_id in self.failing)):
                return n
        return None

    def _next(self) -> int | None:
        with self.lock:
            position = self._position()
            if position is None:
                return None
            endpoint_id = self.turns[position]
            del self.turns[position]
            self.busy[endpoint_id] += 1
            return endpoint_id

    def _ended(self, endpoint_id: int, turn: Turn, n_attempts: int) -> None:
        with self.lock:
            self.n_attempts += n_attempts
            self.busy[endpoint_id] -= 1
            self.busy += Counter()  # forgets the zeros
            if turn is Turn.DOWN:
                self.down.add(endpoint_id)
                self.turns = deque(pk for pk in self.turns if pk != endpoint_id)
                return
            if n_attempts:
                self.answered.add(endpoint_id)
            if turn is Turn.MORE and endpoint_id not in self.down:
                self.turns.extend([endpoint_id] * self._further(endpoint_id))

    def _further(self, endpoint_id: int) -> int:
        """Turns after one that left something: two for the healthy, up to four at once."""
        if endpoint_id in self.failing:
            return 1
        out = self.busy[endpoint_id] + self.turns.count(endpoint_id)
        return min(2, max(AT_ONCE - out, 0))

    # --- in a thread --------------------------------------------------------------------------

    def _in_thread(self) -> None:
        try:
            self.take_turns()
        finally:
            connections.close_all()

    def take_turns(self) -> None:
        while time.monotonic() < self.deadline:
            endpoint_id = self._next()
            if endpoint_id is None:
                return
            turn, n = Turn.DOWN, 0
            try:
                turn, n = self.take(endpoint_id, endpoint_id not in self.answered)
            finally:
                self._ended(endpoint_id, turn, n)
