"""Words for the person at the terminal, in pt-BR, apart from the result of a command."""

from __future__ import annotations

import contextlib
import sys


def say(text: str) -> None:
    """Tell the person at the terminal, apart from what a command prints as its result."""
    with contextlib.suppress(OSError):  # the terminal may be gone, and children still need stopping
        print(f"[dev] {text}", file=sys.stderr, flush=True)


def give_up(text: str) -> SystemExit:
    """The exception that ends the script with this explanation and exit code 1."""
    say(text)
    return SystemExit(1)
