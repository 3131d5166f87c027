"""What our connections to PostgreSQL do otherwise than Django's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.signals import connection_created
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, TransactionStatus


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
    # It would take our plans away with its own after every rollback.
    connection.connection.prepare_threshold = None
    if connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", MomentLoader)


def install() -> None:
    """Set up every connection from now on."""
    connection_created.connect(_set_up, dispatch_uid="lib.postgres")


def fetched(sql: str, values: Sequence[Any], *, keeps_plan: bool = True) -> list[Any]:
    """The rows of a statement, on either engine.

    PostgreSQL keeps the plan of one that comes often, unless told otherwise. Django's cursors write
    the values into the statement, so that each is planned anew; and where nobody listens to
    statements, theirs is not needed around ours either, nor psycopg's (decision 0031).
    """
    db: Any = connections[DEFAULT_DB_ALIAS]
    if db.vendor != "postgresql" or not keeps_plan or db.execute_wrappers or db.queries_logged:
        return _listened_to(db, sql, values)
    db.ensure_connection()
    db.validate_no_broken_transaction()
    direct = vars(db).get("lib_direct")
    if direct is None or direct.connection is not db.connection:
        direct = db.lib_direct = _Direct(db.connection)
    with db.wrap_database_errors:
        return direct.rows(sql, values)


def _listened_to(db: Any, sql: str, values: Sequence[Any]) -> list[Any]:
    with db.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[Any] = cursor.fetchall()
        return rows


MOST_PLANS = 500  # kept by one connection
# Its table changed, or somebody took the plans away.
_OF_A_PLAN = psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName
_READ = ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK

# A statement and the types that its values have now.
_Kind = tuple[str, tuple[int, ...]]


class _Direct:
    """Statements of one connection through libpq: what a cursor does around each costs more.

    One that comes often is prepared under a name of ours; psycopg's own are not touched.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._libpq = connection.pgconn
        self._values = Transformer(connection)
        self._times: dict[_Kind, int] = {}
        self._names: dict[_Kind, bytes] = {}
        self._numbers = count()

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """All rows of the answer; none of a statement that answers none. Raises psycopg.Error."""
        with self.connection.lock:
            self._begin()
            params = self._values.dump_sequence(values, [PyFormat.AUTO] * len(values))
            kind = sql, self._values.types or ()
            name = self._names.get(kind) or self._prepared(kind)
            formats = self._values.formats
            if name:
                self._libpq.send_query_prepared(name, params, formats)
            else:
                self._libpq.send_query_params(_numbered(sql), params, kind[1], formats)
            try:
                result = self._answer()
            except _OF_A_PLAN:
                self._names.pop(kind, None)  # planned anew the next time
                raise
            self._values.set_pgresult(result)
            rows: list[Any] = self._values.load_rows(0, result.ntuples, tuple)
            return rows

    def _begin(self) -> None:
        """As psycopg does before the first statement of a transaction."""
        if self.connection.autocommit or self._libpq.transaction_status != TransactionStatus.IDLE:
            return
        self._libpq.send_query(b"BEGIN")
        self._answer()

    def _prepared(self, kind: _Kind) -> bytes:
        """Its name on the connection; none before it came PREPARE_AFTER times."""
        times = self._times[kind] = self._times.get(kind, 0) + 1
        if times < PREPARE_AFTER or len(self._names) >= MOST_PLANS:
            return b""
        name = f"lib_{next(self._numbers)}".encode()
        self._libpq.send_prepare(name, _numbered(kind[0]), kind[1])
        self._answer()
        self._names[kind] = name
        return name

    def _answer(self) -> Any:
        *_, result = self.connection.wait(execute(self._libpq))
        if result.status not in _READ:
            raise error_from_result(result, encoding=self.connection.info.encoding)
        return result


@lru_cache(maxsize=2_048)
def _numbered(sql: str) -> bytes:
    """With PostgreSQL's own marks: %s is $1, $2, …; %% is one of them."""
    number = count(1)
    return re.sub("%([s%])", lambda m: f"${next(number)}" if m[1] == "s" else "%", sql).encode()
