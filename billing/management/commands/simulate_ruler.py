"""manage.py simulate_ruler: what a ruler would have done in the past (DUN-8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from billing.models import NotificationRuler, RulerStep
from billing.services.dunning.simulation import Happening, simulate
from billing.services.dunning.simulation_report import (
    CSV_HEADER,
    Report,
    csv_row,
    lines_of,
)
from lib import clock
from lib.br import parse_date
from lib.tabular import write_csv

MAX_DAYS = 3 * 366


class Command(BaseCommand):
    help = "Simula uma régua de cobrança sobre o passado. Nada é gravado nem enviado."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ruler", type=int, required=True, metavar="N", help="id da régua")
        parser.add_argument(
            "--from", dest="start", metavar="AAAA-MM-DD", help="padrão: início do mês passado"
        )
        parser.add_argument(
            "--to", dest="end", metavar="AAAA-MM-DD", help="padrão: fim do mês passado"
        )
        parser.add_argument("--account", metavar="IDENTIFICADOR", help="confere a conta da régua")
        parser.add_argument("--csv", metavar="ARQUIVO.csv", help="grava cada passo simulado")

    def handle(self, *args: Any, **options: Any) -> None:
        ruler = _ruler(options["ruler"], options["account"])
        start, end = _period(options, clock.today(ruler.account.time_zone))
        steps = {step.pk: step for step in ruler.steps.filter(is_active=True)}
        report = Report(start, end)
        rows = _counted(simulate(ruler, account=ruler.account, start=start, end=end), report)
        try:
            if options["csv"]:
                _write(options["csv"], rows, steps)
            else:
                for _ in rows:
                    pass
        except ValueError as error:
            raise CommandError(f"A régua tem um passo com condição inválida: {error}") from error
        self.stdout.write(f"{ruler.account.name}: régua {ruler.pk}, {ruler.name}")
        self.stdout.write("\n".join(lines_of(report, list(steps.values()))))


def _ruler(pk: int, slug: str | None) -> NotificationRuler:
    rulers = NotificationRuler.objects.select_related("account")
    if slug:
        account = Account.objects.filter(slug=slug).first()
        if account is None:
            raise CommandError(f"Conta desconhecida: {slug}.")
        rulers = rulers.of(account)
    found: NotificationRuler | None = rulers.filter(pk=pk).first()
    if found is None:
        raise CommandError(f"Régua desconhecida: {pk}.")
    return found


def _period(options: dict[str, Any], today: date) -> tuple[date, date]:
    last = today.replace(day=1) - timedelta(days=1)
    start = _date(options["start"], "--from") or last.replace(day=1)
    end = _date(options["end"], "--to") or last
    if start > end:
        raise CommandError("--from deve ser anterior ou igual a --to.")
    if (end - start).days > MAX_DAYS:
        raise CommandError("Simule no máximo três anos de cada vez.")
    return start, end


def _date(text: str | None, option: str) -> date | None:
    if not text:
        return None
    try:
        return parse_date(text)
    except ValueError as error:
        raise CommandError(f"{option} {text}: use aaaa-mm-dd.") from error


def _counted(happenings: Iterator[Happening], report: Report) -> Iterator[Happening]:
    for one in happenings:
        report.add(one)
        yield one


def _write(path: str, rows: Iterator[Happening], steps: dict[int, RulerStep]) -> None:
    try:
        write_csv(Path(path), CSV_HEADER, (csv_row(one, steps[one.step.id]) for one in rows))
    except OSError as error:
        raise CommandError(f"Não foi possível gravar {path}: {error.strerror}.") from error
