"""Emptying the database after a transactional test."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from lib import append_only

APPEND_ONLY = (
    "accounts_auditevent",
    "billing_partysnapshot",
    "billing_documenttemplateversion",
    "billing_asset",
)
# What migrating writes, and tests leave alone.
KEPT = {model._meta.db_table for model in (ContentType, Permission)}


def empty(alias: str) -> None:
    """Delete every row of every model's table, as `flush` does, and leave the rest as migrated."""
    connection = connections[alias]
    tables = with_rows(connection)
    is_postgres = connection.vendor == "postgresql"
    guarded = [] if is_postgres else [name for name in APPEND_ONLY if name in tables]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        if is_postgres:  # as a replica it fires no trigger
            cursor.execute("SET LOCAL session_replication_role = replica")
        for name in guarded:
            append_only.remove(connection, name)
        for name in tables:
            cursor.execute(f"DELETE FROM {name}")
        for name in guarded:
            append_only.install(connection, name)


def with_rows(connection: BaseDatabaseWrapper) -> list[str]:
    """The tables of models that are not empty, but for `KEPT`; one query."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    looks = (
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names if name not in KEPT
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        return [name for (name,) in cursor.fetchall()]
