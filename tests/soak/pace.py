"""A clock that hurries, shared by all processes of the fiscal soak.

The engine and the sandbox read the same one (lib.clock), so every pause, deadline, limit and window
of both keeps its length in their own time: a day of recovery fits minutes, and no constant of the
product is touched. Only what a socket waits is real time, and is divided.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from fiscal.authorities import sefaz
from fiscal.authorities.transport import Limits
from fiscal.services import delivery
from lib import clock

FILE, BEGAN = "SOAK_CLOCK", "SOAK_BEGAN"  # names in the environment
TIMES = 30  # two minutes for an hour
_FORMAT = "d"


def prepare(folder: Path) -> None:
    """Put the shared clock into `folder`; processes find it through the environment."""
    file = folder / "clock"
    file.write_bytes(struct.pack(_FORMAT, 0.0))
    os.environ.update({FILE: str(file), BEGAN: str(time.time())})


def hurry() -> None:
    """Let this process read the hurried clock, and wait for sockets as briefly."""
    began = float(os.environ[BEGAN])
    with Path(os.environ[FILE]).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 0)

    def now() -> datetime:
        ahead = struct.unpack_from(_FORMAT, shared)[0]
        return datetime.fromtimestamp(began + (time.time() - began) * TIMES + ahead, UTC)

    def today(tz: str = clock.SAO_PAULO) -> date:
        return now().astimezone(ZoneInfo(tz)).date()

    clock.now, clock.today = now, today
    _impatient()


def jump(seconds: float) -> None:
    """Move the clock of every process ahead."""
    with Path(os.environ[FILE]).open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        ahead = struct.unpack_from(_FORMAT, shared)[0]
        struct.pack_into(_FORMAT, shared, 0, ahead + seconds)


def _impatient() -> None:
    """Real time: what sockets wait, how long a call took, and naps between questions."""
    original = sefaz.Sefaz.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("asking", shorter(sefaz.ASKING))
        kwargs.setdefault("changing", shorter(sefaz.CHANGING))
        original(self, *args, **kwargs)

    sefaz.Sefaz.__init__ = init  # type: ignore[method-assign]
    delivery.QUICK_MS //= TIMES
    nap = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / TIMES))
    delivery.time = nap  # type: ignore[assignment]


def shorter(limits: Limits) -> Limits:
    """Limits of a socket by the hurried clock."""
    return Limits(limits.connect, limits.read / TIMES, limits.overall / TIMES)
