"""manage.py prepare: what must be true before the servers start, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.schedules import ensure_schedules

# Any constant: what matters is that all machines ask for the same one.
_LOCK = 7_203_551


class Command(BaseCommand):
    help = "Migra o banco, registra as tarefas agendadas e carrega a demonstração."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="não carrega a demonstração")

    def handle(self, *args: Any, **options: Any) -> None:
        with _one_machine_at_a_time():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                call_command("migrate", verbosity=0, interactive=False, stdout=self.stdout)
            ensure_schedules()
            if not options["no_demo"] and settings.AMBIENTE != "producao":
                call_command("demo", stdout=self.stdout)


@contextmanager
def _one_machine_at_a_time() -> Iterator[None]:
    """Several machines may start on one PostgreSQL at the same moment."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
