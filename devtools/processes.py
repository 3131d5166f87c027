"""Processes that end with this one, whichever way it ends."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded once, here: between fork and exec there is no room for more than the call itself.
LIBC = ctypes.CDLL(None)


def die_with_parent(parent: int) -> None:
    """Between fork and exec: ask the kernel for a SIGTERM when the parent ends, even by kill -9."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def call(command: list[str], *, env: dict[str, str], cwd: Path) -> int:
    """Run a command in the foreground and return its exit code (128 + n for a signal n).

    Signals we get meanwhile are the command's to answer; then KeyboardInterrupt ends us too.
    """
    child = subprocess.Popen(
        command, cwd=cwd, env=env, preexec_fn=functools.partial(die_with_parent, os.getpid())
    )
    received: list[int] = []

    def forward(signum: int, frame: object) -> None:
        received.append(signum)
        # The terminal has already sent Ctrl-C to the whole foreground group.
        if signum != signal.SIGINT or not (sys.stdin and sys.stdin.isatty()):
            child.send_signal(signum)

    before = {s: signal.signal(s, forward) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    code = child.wait()
    for signum, handler in before.items():
        signal.signal(signum, handler)
    if received:
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code
