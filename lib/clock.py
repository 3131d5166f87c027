"""The only readers of the clock: everything else receives dates and moments as arguments (T-1)."""

import os
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

SAO_PAULO = "America/Sao_Paulo"
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _moved_date() -> date | None:
    """The date that UX_TODAY (aaaa-mm-dd) puts in place of the real one; unset or empty is None."""
    text = os.environ.get("UX_TODAY", "")
    if not text:
        return None
    # fromisoformat alone would also take 20260812 and week dates.
    if _ISO_DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise ValueError(f"UX_TODAY must be a date written aaaa-mm-dd, got {text!r}")


def now() -> datetime:
    """This moment, aware and in UTC; under UX_TODAY, that date at the present São Paulo time."""
    moved = _moved_date()
    moment = datetime.now(UTC)
    if moved is None:
        return moment
    wall = moment.astimezone(ZoneInfo(SAO_PAULO)).time()
    return datetime.combine(moved, wall, tzinfo=ZoneInfo(SAO_PAULO)).astimezone(UTC)


def real_seconds() -> float:
    """POSIX seconds of the real moment whatever UX_TODAY: what somebody's telephone computes by."""
    return datetime.now(UTC).timestamp()


def today(tz: str = SAO_PAULO) -> date:
    """The calendar date in the zone `tz`; UX_TODAY wins in every zone."""
    return _moved_date() or datetime.now(ZoneInfo(tz)).date()
