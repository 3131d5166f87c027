"""Locks between processes, for work that must not be done twice and holds no transaction.

On PostgreSQL they are advisory locks of the session, so that they count between machines; with the
embedded database everything is on one machine and they are locked files. Both end with the process
that holds them. Only `hold` is of another kind: it keeps rows until a transaction ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import Error, connection
from django.db.models import Model, QuerySet

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)

POLL_SECONDS = 0.03
# Files are shared by numbers that fall together, so there are never more than these.
FILES_PER_NAME = 64


@contextmanager
def exclusive(name: str, number: int, *, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Hold the lock (name, number) during the block: True, or False when it stayed taken.

    Numbers 2**31 apart (64 apart in files) share a lock, so it may only ever serialise work.
    """
    hold = _advisory if connection.vendor == "postgresql" else locked_file
    with hold(name, number, wait_seconds) as held:
        yield held


def hold(rows: QuerySet[Row]) -> list[Row]:
    """The rows, in order of id, which nobody can delete before the transaction ends.

    Others may change them and hold them too, so those who only refer to a row do not wait for each
    other. A row that is being deleted is waited for, and is not there if that commits. For plain
    rows: without select_related. With the embedded database whoever writes is alone anyway.
    """
    rows = rows.order_by("pk")
    if connection.vendor != "postgresql":
        return list(rows)
    try:
        sql, params = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    # Foreign keys lock the same way, but only at the commit; Django has no word for this.
    return list(rows.model._base_manager.raw(f"{sql} FOR KEY SHARE", params))


@contextmanager
def impatient() -> Iterator[None]:
    """For a write that must not delay an answer: give up within 50 ms when another is writing.

    With the embedded database only, where one writer at a time would be waited for up to 20 s. It
    ends in DatabaseError.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        [patience] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 50")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")


@contextmanager
def _advisory(name: str, number: int, wait_seconds: float) -> Iterator[bool]:
    key = (zlib.crc32(name.encode()) - 2**31, number % 2**31)
    held = _until(wait_seconds, lambda: _ask("pg_try_advisory_lock", key))
    try:
        yield held
    finally:
        if held:
            _give_back(key)


def _ask(function: str, key: tuple[int, int]) -> bool:
    # Asked again and again rather than waited for: lock_timeout would be an error, and an error
    # ends the transaction that the caller may be in.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s::int, %s::int)", key)
        return bool(cursor.fetchone()[0])


def _give_back(key: tuple[int, int]) -> None:
    """A connection that broke meanwhile gave its locks back by itself; the work is done anyway."""
    try:
        _ask("pg_advisory_unlock", key)
    except Error:
        log.warning("locks.connection_lost")
        if not connection.in_atomic_block:
            connection.close()


@contextmanager
def locked_file(name: str, number: int, wait_seconds: float = 0.0) -> Iterator[bool]:
    """`exclusive` on this machine only, whatever the database."""
    descriptor = _open(name, number)
    if descriptor is None:
        yield True
        return
    try:
        yield _until(wait_seconds, lambda: _try_flock(descriptor))
    finally:
        os.close(descriptor)  # gives the lock back


def _open(name: str, number: int) -> int | None:
    """A descriptor of its own, which is what flock distinguishes; None when there is no room."""
    folder = Path(settings.DATA_DIR) / "locks"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{name}-{number % FILES_PER_NAME}.lock"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # Doing the work twice is better than not doing it because the disk is full.
        log.warning("locks.no_file", extra={"error": error.strerror})
        return None


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(wait_seconds: float, attempt: Callable[[], bool]) -> bool:
    """Try at once and then every 30 ms until it succeeds or the time is over."""
    deadline = time.monotonic() + wait_seconds
    while not attempt():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
