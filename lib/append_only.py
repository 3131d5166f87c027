"""Tables whose rows the database itself refuses to change or delete, on both engines."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_POSTGRES = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'table {table} is append-only'); END"
)


def install(connection: BaseDatabaseWrapper, table: str) -> None:
    """Make `table` append-only; harmless when it already is. `table` comes from our own code."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRES.format(table=table))
            return
        for verb in ("update", "delete"):
            cursor.execute(_SQLITE.format(table=table, verb=verb))


def remove(connection: BaseDatabaseWrapper, table: str) -> None:
    """Lift the rule: for a migration's reverse, and for emptying a test database."""
    names = ("append_only", "no_truncate", "no_update", "no_delete")
    with connection.cursor() as cursor:
        for name in names:
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{name}{on}")
