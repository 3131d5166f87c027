"""The baseline: finished rows written again, into identical tables, as fast as the engine can.

PostgreSQL gets one COPY per table, of text made beforehand; SQLite one executemany. The tables have
the columns, constraints, foreign keys and indexes of the real ones, and stay between rounds.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import connection, transaction

_OF_INVOICE = "invoice_id IN (SELECT id FROM billing_invoice WHERE account_id = {account})"
# What a step writes or rewrites: table → which rows.
WRITTEN = {
    "materialise": {
        "billing_invoice": "account_id = {account}",
        "billing_invoiceline": _OF_INVOICE,
        "billing_receivable": "account_id = {account}",
        "billing_invoicerule": "account_id = {account}",
    },
    "emission": {
        "billing_partysnapshot": (
            "party_id IN (SELECT id FROM billing_party WHERE account_id = {account})"
        ),
        "billing_invoice": "account_id = {account}",
        "billing_receivable": "account_id = {account}",
        "accounts_webhookevent": "account_id = {account}",
        "accounts_auditevent": "account_id = {account} AND action = 'fatura.emitida'",
        "billing_followup": _OF_INVOICE,
    },
}


def insert(account: int, *, step: str) -> float:
    """Seconds that the rows of `account` take; the twins are `plain_<step>_<table>`."""
    tables = {table: where.format(account=account) for table, where in WRITTEN[step].items()}
    if connection.vendor == "postgresql":
        return _by_copy(tables, step)
    return _by_executemany(tables, step)


def _by_copy(tables: dict[str, str], step: str) -> float:
    finished: list[tuple[str, str, list[bytes]]] = []
    with connection.cursor() as cursor:
        for table, where in tables.items():
            twin = f"plain_{step}_{table}"
            _make_twin(cursor, table, twin)
            columns = _columns(cursor, table)
            with cursor.copy(
                f"COPY (SELECT {columns} FROM {table} WHERE {where} ORDER BY id) TO STDOUT"
            ) as copy:
                finished.append((twin, columns, _blocks(copy)))
        cursor.execute("VACUUM ANALYZE")
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for twin, columns, blocks in finished:
            with cursor.copy(f"COPY {twin} ({columns}) FROM STDIN") as copy:
                for block in blocks:
                    copy.write(block)
    return time.perf_counter() - started


def _blocks(copy: Any, size: int = 64 * 1024) -> list[bytes]:
    """The lines of a COPY in blocks, as a file would be sent."""
    blocks, block = [], bytearray()
    for line in copy:
        block += line
        if len(block) >= size:
            blocks.append(bytes(block))
            block.clear()
    return [*blocks, bytes(block)]


def _make_twin(cursor: Any, table: str, twin: str) -> None:
    cursor.execute("SELECT to_regclass(%s)", [twin])
    if cursor.fetchone()[0]:
        return
    cursor.execute(f"CREATE TABLE {twin} (LIKE {table} INCLUDING ALL)")
    cursor.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype = 'f'",
        [table],
    )
    for (definition,) in cursor.fetchall():
        cursor.execute(f"ALTER TABLE {twin} ADD {definition}")


def _columns(cursor: Any, table: str) -> str:
    """The columns that can be written: all but the generated ones."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    )
    return ", ".join(f'"{name}"' for (name,) in cursor.fetchall())


def _by_executemany(tables: dict[str, str], step: str) -> float:
    finished = []
    with connection.cursor() as cursor:
        for table, where in tables.items():
            twin = f"plain_{step}_{table}"
            _make_sqlite_twin(cursor, table, twin)
            # hidden: 2 and 3 are generated columns
            cursor.execute(f"SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden = 0")
            names = [name for (name,) in cursor.fetchall()]
            columns = ", ".join(f'"{name}"' for name in names)
            marks = ", ".join(["?"] * len(names))
            # The driver's own cursor, and no bare columns: values as they are stored.
            stored = ", ".join(f'+"{name}"' for name in names)
            rows = connection.connection.execute(f"SELECT {stored} FROM {table} WHERE {where}")
            statement = f"INSERT INTO {twin} ({columns}) VALUES ({marks})"
            finished.append((statement, [tuple(row) for row in rows]))
    started = time.perf_counter()
    with transaction.atomic():
        for statement, rows in finished:
            connection.connection.executemany(statement, rows)
    return time.perf_counter() - started


def _make_sqlite_twin(cursor: Any, table: str, twin: str) -> None:
    cursor.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL "
        "AND type IN ('table', 'index') ORDER BY type DESC",
        [table],
    )
    for kind, name, sql in cursor.fetchall():
        text = sql.replace(f'TABLE "{table}"', f'TABLE IF NOT EXISTS "{twin}"')
        if kind == "index":
            text = sql.replace(
                f' "{name}" ON "{table}"', f' IF NOT EXISTS "{twin}_{name}" ON "{twin}"'
            )
        cursor.execute(text.replace("%", "%%"))
