"""Close the customers' pages for maintenance, and open them again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lib import maintenance


class Command(BaseCommand):
    help = "Fecha as páginas dos clientes (503) para manutenção, ou abre de novo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("state", choices=["on", "off"])
        parser.add_argument("--until", help="fim previsto, aaaa-mm-ddThh:mm, horário de Brasília")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["state"] == "off":
            maintenance.end()
            self.stdout.write("As páginas dos clientes estão abertas.")
            return
        maintenance.begin(_moment(options["until"]))
        self.stdout.write("As páginas dos clientes estão em manutenção.")


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError("Use aaaa-mm-ddThh:mm.") from error
