"""Business days where an organization is: br_bank, and the days it has closed besides (T-3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from lib.calendars import BR_BANK, Calendar


@lru_cache(maxsize=256)
def calendar_with(holidays: tuple[str, ...]) -> Calendar:
    """br_bank with an organization's own closed days (ISO dates)."""
    if not holidays:
        return BR_BANK
    return Calendar("br_bank", frozenset(date.fromisoformat(day) for day in holidays))


def note_day(received_on: date, days: int, holidays: Sequence[str]) -> date:
    """When a note is issued that waits for the receipt: so many business days after (§6.7)."""
    return calendar_with(tuple(holidays)).add_business_days(received_on, days)
