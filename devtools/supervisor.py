"""Keeps a few processes running, and leaves none of them behind."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable

from devtools.processes import die_with_parent
from devtools.terminal import say
from devtools.venv import ROOT

STOP_GRACE = 15.0  # seconds between SIGTERM and SIGKILL
BACK_OFF = (1, 2, 5, 10, 30)  # seconds before the first, second, … restart of a child
STEADY_AFTER = 60.0  # a child that lived this long starts again at the first back-off
TICK = 0.1


class Child:
    """One process that should always run, in a session of its own so that Ctrl-C passes it by."""

    def __init__(
        self, name: str, command: list[str], env: dict[str, str], keep: tuple[int, ...] = ()
    ) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.keep = keep  # file descriptors it inherits
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_at = 0.0  # when it may start (again)
        self.failures = 0

    def start(self) -> None:
        """Start it now."""
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self.keep,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),
        )
        self.started_at = time.monotonic()

    def tend(self) -> None:
        """Start it if it is due; if it died, clear what it left and set the time of the restart."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.kill()
        self.failures = 1 if now - self.started_at > STEADY_AFTER else self.failures + 1
        delay = BACK_OFF[min(self.failures, len(BACK_OFF)) - 1]
        self.start_at = now + delay
        say(f"{self.name} parou sozinho (código {code}); novo início em {delay} s.")

    def kill(self) -> None:
        """Kill -9 the whole group: the members outlive a leader that died without a word."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def uptime(self) -> float:
        """Seconds since its start, 0 when it does not run."""
        return time.monotonic() - self.started_at if self.process else 0.0


class Supervisor:
    """Keeps the children running until a signal asks to stop, and then leaves none behind."""

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self.signals = 0
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP for us; a shell's `&` ignores SIGINT, which we answer anyway.
            if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._on_signal)

    def _on_signal(self, signum: int, frame: object) -> None:
        self.signals += 1

    def finish(self, child: Child) -> int | None:
        """Run a child to its own end; its exit code, or None when a signal asked to stop."""
        child.start()
        while child.process and child.process.poll() is None and not self.signals:
            time.sleep(TICK / 5)
        if self.signals or child.process is None:
            self.stop([child])
            return None
        return child.process.returncode

    def run(self, each_tick: Callable[[], None]) -> None:
        """Tend the children until a signal comes, calling `each_tick` in between."""
        try:
            while not self.signals:
                for child in self.children:
                    child.tend()
                each_tick()
                time.sleep(TICK)
        finally:
            self.stop(self.children)

    def stop(self, children: list[Child]) -> None:
        """SIGTERM to each leader alone (the queue hangs if its group gets it), then kill -9.

        A second signal meanwhile ends the patience at once.
        """
        running = [child for child in children if child.process]
        for child in running:
            if child.process:
                child.process.terminate()
        deadline = time.monotonic() + STOP_GRACE
        asked = self.signals
        while time.monotonic() < deadline and self.signals <= max(asked, 1):
            if all(child.process is None or child.process.poll() is not None for child in running):
                break
            time.sleep(TICK / 5)
        for child in running:
            child.kill()
