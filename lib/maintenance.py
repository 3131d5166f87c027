"""“Em manutenção”: a file in the data folder closes the customers' pages, whatever else works.

It needs neither database nor restart. Its text, where there is any, is when the work is expected
to end: `aaaa-mm-ddThh:mm` in Brasília time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings

from lib.clock import SAO_PAULO


@dataclass(frozen=True)
class Maintenance:
    """Work that is going on; `until` is its expected end, where one was told."""

    until: datetime | None = None


def path() -> Path:
    return Path(settings.DATA_DIR) / "manutencao"


def current() -> Maintenance | None:
    """None while the pages are open."""
    try:
        text = path().read_text(encoding="utf-8").strip()
    except OSError:
        return None
    with suppress(ValueError):
        return Maintenance(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(SAO_PAULO)))
    return Maintenance()


def begin(until: datetime | None = None) -> None:
    """Close the pages. `until` is a wall time in Brasília."""
    path().write_text(f"{until:%Y-%m-%dT%H:%M}\n" if until else "", encoding="utf-8")


def end() -> None:
    """Open them again."""
    path().unlink(missing_ok=True)
