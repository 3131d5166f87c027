"""Serve the sandbox authority (guide §20) until it is told to stop; it needs no database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from fiscal.sandbox.__main__ import add_options, serve


class Command(BaseCommand):
    help = "Serve a autoridade de teste: SEFAZ, SVC e Ambiente Nacional sobre TLS com certificado."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        add_options(parser, str(settings.DATA_DIR / "sandbox"))

    def handle(self, *args: Any, **options: Any) -> None:
        serve(options["host"], options["port"], options["control_port"], options["data"])
