"""What our connections to PostgreSQL do otherwise than Django's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
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


def fetched(sql: str, values: Sequence[Any], *, keeps_plan: bool = True) -> list[Any]:
    """The rows of a statement, on either engine.

    PostgreSQL keeps the plan of one that comes often, unless told otherwise. Django's cursors write
    the values into the statement, so that each is planned anew; and where nobody listens to
    statements, theirs is not needed around ours either.
    """
    db: Any = connections[DEFAULT_DB_ALIAS]
    if db.vendor != "postgresql" or not keeps_plan or db.execute_wrappers or db.queries_logged:
        return _listened_to(db, sql, values, keeps_plan)
    db.ensure_connection()
    db.validate_no_broken_transaction()
    with db.wrap_database_errors, psycopg.Cursor(db.connection) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def _listened_to(db: Any, sql: str, values: Sequence[Any], keeps_plan: bool) -> list[Any]:
    with db.cursor() as cursor:
        if keeps_plan and db.vendor == "postgresql":
            cursor.cursor = psycopg.Cursor(db.connection)
        cursor.execute(sql, values)
        rows: list[Any] = cursor.fetchall()
        return rows
