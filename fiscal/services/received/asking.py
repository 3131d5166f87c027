"""One question for received documents: before it leaves, and when it fails (DIS-2, §8.6).

What sources have in common: the cursor, the hour after nothing new, the failures.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.models import DistributionCursor, Source
from fiscal.services import consumption
from fiscal.services.consumption import Caller, Service
from fiscal.services.received import cursors
from fiscal.services.received.telling import tell_failure
from lib.locks import exclusive

log = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
SOON = timedelta(minutes=10)  # after a network failure
TOLD_AFTER = 3  # failures of the network in a row, before an integrator is told
_LIMIT = 300


@contextmanager
def alone(cursor: DistributionCursor) -> Iterator[bool]:
    """Never two questions at once for one CNPJ in one environment, whoever's accounts they are."""
    name = f"{cursor.company.document} {cursor.ambiente} {cursor.source}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3])
    with exclusive("distribution", number) as ours:
        yield ours


def taxpayer(cursor: DistributionCursor) -> Caller:
    """Distribution counts by the whole CNPJ: each branch has NSU of its own."""
    return Caller(cursor.company.document, cursor.ambiente)


@transaction.atomic
def begin(cursor_id: int, *, now: datetime) -> DistributionCursor | None:
    """The cursor, if it may be asked for now; the next time is set, should nobody answer."""
    cursor = cursors.locked(cursor_id)
    if not cursors.receives(cursor.company, source=cursor.source, ambiente=cursor.ambiente):
        cursor.next_at = None
        cursor.save(update_fields=["next_at"])
        return None
    until = _blocked_until(cursor, now)
    cursor.next_at = until or now + cursors.LEASE
    if until is None:
        cursor.asked_at = now
    cursor.save(update_fields=["next_at", "asked_at"])
    return None if until else cursor


def _blocked_until(cursor: DistributionCursor, now: datetime) -> datetime | None:
    if cursor.blocked_until is not None and cursor.blocked_until > now:
        return cursor.blocked_until
    if cursor.source != Source.NFE:
        return None
    who, service = taxpayer(cursor), Service.DISTRIBUTION_NSU
    at = consumption.allowed_at(who, service=service, subject="", now=now)
    return at if at > now else None


def rest(cursor: DistributionCursor, *, now: datetime) -> None:
    """Nothing more for now: no question for an hour, the next at its turn. The caller saves."""
    cursor.blocked_until = now + HOUR
    cursor.next_at = now + cursors.EVERY[cursor.source]  # type: ignore[index]


def answered(cursor: DistributionCursor, *, now: datetime) -> None:
    """The caller saves."""
    cursor.answered_at, cursor.n_failures, cursor.last_error = now, 0, ""


@transaction.atomic
def unanswered(cursor_id: int, reason: str, *, now: datetime) -> None:
    """The network failed: again soon, ever later."""
    cursor = cursors.locked(cursor_id)
    cursor.n_failures += 1
    cursor.last_error = reason[:_LIMIT]
    cursor.next_at = now + min(SOON * cursor.n_failures, cursors.EVERY[cursor.source])  # type: ignore[index]
    cursor.save()
    if cursor.n_failures == TOLD_AFTER:
        _tell(cursor, now)


@transaction.atomic
def impossible(cursor_id: int, reason: str, *, now: datetime) -> None:
    """Refused for what only a person can mend: a certificate, the company's record."""
    refused(cursors.locked(cursor_id), reason, now=now)


def refused(cursor: DistributionCursor, reason: str, *, now: datetime) -> None:
    """As `impossible`, of a locked cursor; told once, until there is an answer again."""
    is_news = cursor.n_failures == 0
    cursor.n_failures += 1
    cursor.last_error = reason[:_LIMIT]
    cursor.next_at = now + cursors.EVERY[cursor.source]  # type: ignore[index]
    cursor.save()
    if is_news:
        _tell(cursor, now)


def _tell(cursor: DistributionCursor, now: datetime) -> None:
    log.warning("received.failing", extra={"cursor_id": cursor.pk, "reason": cursor.last_error})
    tell_failure(cursor, at=now)
