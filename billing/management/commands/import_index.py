"""manage.py import_index: monthly values of a price index from a CSV of the Central Bank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from billing.models import PriceIndex
from billing.services.indexes import StoreReport, import_index
from lib.errors import DomainError


class Command(BaseCommand):
    help = "Carrega valores de um índice de um CSV (data;valor), como o do SGS do Banco Central."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("index", metavar="ÍNDICE", help=", ".join(PriceIndex.values))
        parser.add_argument("file", metavar="ARQUIVO")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = import_index(options["index"], Path(options["file"]))
        except DomainError as error:
            raise CommandError(error_text(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict(), cls=DjangoJSONEncoder))
        else:
            self.stdout.write(report_text(report))


def error_text(error: DomainError) -> str:
    """The refusal and each of its faults on a line."""
    return "\n".join(
        [error.mensagem, *(f"  {fault.campo}: {fault.mensagem}" for fault in error.erros)]
    )


def report_text(report: StoreReport) -> str:
    """What was stored, for people."""
    label = PriceIndex(report.index).label
    lines = [
        f"{label}: {report.created} novo(s), {report.unchanged} sem mudança, "
        f"{len(report.corrected)} corrigido(s)"
    ]
    lines += [
        f"  ATENÇÃO {item.month:%m/%Y} mudou de {_percent(item.before)} para "
        f"{_percent(item.after)}; reajustes já aplicados não mudam"
        for item in report.corrected
    ]
    if report.gaps:
        months = ", ".join(f"{month:%m/%Y}" for month in report.gaps)
        lines.append(f"  Aviso: faltam os meses {months}")
    return "\n".join(lines)


def _percent(value: Any) -> str:
    return f"{value.normalize():f}%".replace(".", ",")
