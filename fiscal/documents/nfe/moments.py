"""Dates and moments of a request as the layout writes them (XML-7, TData, TDateTimeUTC)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

TOLERANCE = timedelta(minutes=5)  # 703, 704

_DATE = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})(?:T.*)?", re.ASCII)
_MOMENT = re.compile(
    r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r" ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_LONGEST = 40
_FORMAT = "Use data e hora ISO 8601, como 2026-12-25T12:00:00-03:00."


def layout_date(text: str) -> str:
    """`text` as AAAA-MM-DD, from a date or the date of a moment; ValueError when it is neither."""
    found = _DATE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError("Use o formato AAAA-MM-DD.")
    year, month, day = (int(part) for part in found.groups())
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise ValueError("Data inexistente: use o formato AAAA-MM-DD.") from None


def is_bare_date(text: str) -> bool:
    """Whether a moment that `moment` accepts came without its time."""
    found = _MOMENT.fullmatch(text.strip())
    return found is not None and found[4] is None


def moment(text: str, *, zone: timezone, now: datetime) -> datetime:
    """The moment in the issuer's zone, whole seconds; without an offset it is local time there.

    A bare date is the present time when it is today, else midnight. ValueError in pt-BR when the
    text is no moment of this century.
    """
    found = _MOMENT.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(_FORMAT)
    year, month, day, hour, minute, second, offset = found.groups()
    local = now.astimezone(zone).replace(microsecond=0)
    try:
        read = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
        if hour is None:
            return local if read.date() == local.date() else read.replace(tzinfo=zone)
        found_there = read.replace(tzinfo=_zone(offset) or zone).astimezone(zone)
    except (ValueError, OverflowError):
        raise ValueError("Data ou hora inexistente.") from None
    if not 2000 <= found_there.year <= 2099:  # the century may end in between
        raise ValueError(_FORMAT)
    return found_there


def written(value: datetime) -> str:
    """AAAA-MM-DDTHH:MM:SS±HH:MM: no fraction, no Z (XML-7)."""
    return value.isoformat(timespec="seconds")


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=hours, minutes=minutes))
