"""What may be tried only so often, counted in the database for all web processes together."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.db.models import QuerySet

from accounts.models import Attempt
from lib import clock

KEPT = timedelta(days=1)  # longer than every window


def begin(kind: str, who: str, *, limit: int, within: timedelta) -> bool:
    """Count a try of `who`; False when there were `limit` in the window before it.

    It is written before what it allows is done, so tries that come together are all seen. One that
    is not allowed does not count: the window ends when the counted ones are old.
    """
    row = Attempt.objects.create(kind=kind, key=_digest(who), at=clock.now())
    if _recent(kind, who, within).count() <= limit:
        return True
    Attempt.objects.filter(pk=row.pk).delete()
    return False


def is_blocked(kind: str, who: str, *, limit: int, within: timedelta) -> bool:
    """Would another try be refused now?"""
    return _recent(kind, who, within).count() >= limit


def forget(kind: str, who: str) -> None:
    """It went well: what was counted before does not matter any more."""
    Attempt.objects.filter(kind=kind, key=_digest(who)).delete()


def purge() -> int:
    """Drop what counts for nothing any more. Answers how many."""
    return int(Attempt.objects.filter(at__lt=clock.now() - KEPT).delete()[0])


def _recent(kind: str, who: str, within: timedelta) -> QuerySet[Attempt]:
    return Attempt.objects.filter(kind=kind, key=_digest(who), at__gt=clock.now() - within)


def _digest(who: str) -> str:
    return hashlib.sha256(who.strip().lower().encode(errors="surrogatepass")).hexdigest()
