"""manage.py fetch_index: monthly values of price indexes from the Central Bank."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from billing.management.commands.import_index import error_text, report_text
from billing.models import PriceIndex
from billing.services.indexes import StoreReport, fetch_index, known_index
from lib.br import parse_date
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable


class Command(BaseCommand):
    help = "Busca valores de índices no Banco Central (endereço em SGS_URL)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "indexes", nargs="*", metavar="ÍNDICE", help=", ".join(PriceIndex.values)
        )
        parser.add_argument("--all", action="store_true", help="todos os índices")
        parser.add_argument("--since", metavar="AAAA-MM-DD")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        reports, failures = [], []
        since = _date(options["since"])
        for index in _indexes(options):
            try:
                report = fetch_index(index, since=since)
            except (DomainError, GatewayRefused, GatewayUnavailable) as error:
                failures.append(f"{PriceIndex(index).label}: {_reason(error)}")
                continue
            reports.append(report)
            if not options["json"]:
                self.stdout.write(report_text(report))
        if options["json"]:
            self._write_json(reports, failures)
        if failures:
            raise CommandError("\n".join(failures))

    def _write_json(self, reports: list[StoreReport], failures: list[str]) -> None:
        body = {"indexes": [report.as_dict() for report in reports], "failures": failures}
        self.stdout.write(json.dumps(body, cls=DjangoJSONEncoder, ensure_ascii=False))


def _indexes(options: dict[str, Any]) -> list[str]:
    asked = PriceIndex.values if options["all"] else options["indexes"]
    if not asked:
        raise CommandError("Informe os índices ou --all.")
    try:
        return [known_index(index) for index in asked]
    except DomainError as error:
        raise CommandError(error.mensagem) from error


def _date(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return parse_date(text)
    except ValueError as error:
        raise CommandError(f"--since {text}: use aaaa-mm-dd.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, DomainError):
        return error_text(error)
    if isinstance(error, GatewayUnavailable):
        return f"sem resposta do Banco Central ({error}). Nada foi gravado; tente mais tarde."
    return f"o Banco Central recusou o pedido ({error}). Nada foi gravado."
