"""What our connections to PostgreSQL do otherwise than Django's."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db.backends.signals import connection_created


@lru_cache(maxsize=16_384)
def _moment(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)


class MomentLoader(psycopg.adapt.Loader):
    """Reads timestamptz; rows of one batch have the same, and equal ones are one object.

    A fifth of reading a page of invoices was reading moments with the loader that Django sets.
    """

    timezone = UTC  # Django compares it with the connection's

    def load(self, data: Any) -> datetime:
        return _moment(bytes(data))


PREPARE_AFTER = 5  # executions of the same statement on a connection


def _set_up(sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor != "postgresql":
        return
    connection.connection.prepare_threshold = PREPARE_AFTER
    if connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", MomentLoader)


def install() -> None:
    """Set up every connection from now on."""
    connection_created.connect(_set_up, dispatch_uid="lib.postgres")


def prepares(cursor: Any) -> None:
    """Let PostgreSQL keep the plan of the statement that this cursor executes, if it comes often.

    Django's cursors write the values into the statement, so that each is planned anew.
    """
    if cursor.db.vendor == "postgresql":
        cursor.cursor = psycopg.Cursor(cursor.db.connection)
