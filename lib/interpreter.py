"""How our processes that run for long use the interpreter."""

from __future__ import annotations

import gc
import sys

# A page or a document makes thousands of objects, and next to none in a cycle.
THRESHOLDS = (50_000, 20, 50)
# Threads wait for the database and the network, not for each other: longer turns, fewer changes.
SWITCH_SECONDS = 0.02


def settle() -> None:
    """To be called once what every request or task needs is loaded: it is never looked through."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
