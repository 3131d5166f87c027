"""manage.py run_billing: the billing run from the command line."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from billing.models import BillingRun
from billing.services import run as service
from billing.services.simulation import Simulation, simulate
from lib import clock
from lib.br import parse_date
from lib.money import brl
from lib.progress import Bar
from lib.tabular import write_csv

# Beyond the bank calendar there is nothing right to say about due dates.
FIRST_YEAR, LAST_YEAR = 2000, 2079


class Command(BaseCommand):
    help = "Roda o faturamento: cria, reajusta e emite tudo o que vence até a data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until", metavar="AAAA-MM-DD", help="padrão: hoje")
        parser.add_argument("--account", metavar="IDENTIFICADOR", help="padrão: todas")
        parser.add_argument("--dry-run", action="store_true", help="só simula")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--report", metavar="ARQUIVO.csv", help="grava o relatório por regra")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = _accounts(options["account"])
        results = []
        for account in accounts:
            until = _date(options["until"]) or clock.today(account.time_zone)
            if options["dry_run"]:
                results.append(self._simulate(account, until, as_json=options["json"]))
            else:
                results.append(self._run(account, until, options))
        if options["json"]:
            self.stdout.write(service.to_json(results))

    def _simulate(self, account: Account, until: date, *, as_json: bool) -> dict[str, Any]:
        result = simulate(account, until=until, today=clock.today(account.time_zone))
        if not as_json:
            self.stdout.write(_simulation_text(account, result))
        return _simulation_json(account, result)

    def _run(self, account: Account, until: date, options: dict[str, Any]) -> dict[str, Any]:
        bars: dict[str, Bar] = {}

        def listener(step: str, done: int, total: int) -> None:
            bar = bars.setdefault(step, Bar(total, f"{account.slug}: {step}"))
            bar.update(done)

        request = service.RunRequest(account, until, clock.today(account.time_zone))
        run = service.run_billing(request, listener=listener)
        for bar in bars.values():
            bar.close()
        summary = service.report(run)
        if options["report"]:
            _write_report(run, options["report"])
        if not options["json"]:
            self.stdout.write(_run_text(account, run, summary))
        return summary


def _accounts(slug: str | None) -> list[Account]:
    if not slug:
        return list(Account.objects.filter(is_active=True).order_by("id"))
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        raise CommandError(f"Conta desconhecida: {slug}.")
    return [account]


def _date(text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = parse_date(text)
    except ValueError as error:
        raise CommandError(f"--until {text}: use aaaa-mm-dd.") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise CommandError(f"--until {text}: use um ano de {FIRST_YEAR} a {LAST_YEAR}.")
    return day


def _write_report(run: BillingRun, path: str) -> None:
    try:
        write_csv(Path(path), service.CSV_HEADER, service.report_rows(run))
    except OSError as error:
        raise CommandError(
            f"A rodada {run.pk} terminou, mas o relatório não pôde ser gravado em {path}: "
            f"{error.strerror}."
        ) from error


def _run_text(account: Account, run: BillingRun, summary: dict[str, Any]) -> str:
    lines = [
        f"{account.name}: rodada {run.pk} até {run.until:%d/%m/%Y}",
        f"  faturas criadas    {run.created}",
        f"  reajustes          {run.readjusted}",
        f"  faturas finais     {run.finals}",
        f"  faturas emitidas   {run.emitted} ({brl(run.emitted_total)})",
        f"  não emitidas       {run.skipped}",
        f"  regras impedidas   {run.parked}",
        "  por resultado:",
    ]
    lines += [
        f"    {row['label']}: {row['entries']} linha(s), {row['items']} item(ns)"
        for row in summary["outcomes"]
    ]
    return "\n".join(lines)


def _simulation_text(account: Account, result: Simulation) -> str:
    lines = [
        f"{account.name}: simulação até {result.until:%d/%m/%Y} (nada foi gravado)",
        f"  faturas a criar    {result.to_create} ({brl(result.to_create_total)})",
        f"  reajustes          {result.readjustments}, aguardando índice {result.waiting_index}",
        f"  faturas finais     {result.finals} ({brl(result.finals_total)})",
        f"  faturas a emitir   {result.to_emit} ({brl(result.to_emit_total)})",
        f"  emitido no mês anterior {brl(result.previous_total)}",
    ]
    lines += [f"  não emitidas ({code}): {n}" for code, n in sorted(result.not_emitted.items())]
    lines += [f"  regra {pk} impedida: {why}" for pk, why in sorted(result.parked.items())]
    changed = [line for line in result.customers.values() if line.difference]
    for line in sorted(changed, key=lambda line: -abs(line.difference))[:20]:
        lines.append(
            f"    {line.customer}: {brl(line.total)} (antes {brl(line.previous)}, "
            f"diferença {brl(line.difference)})"
        )
    return "\n".join(lines)


def _simulation_json(account: Account, result: Simulation) -> dict[str, Any]:
    return {
        "account": account.slug,
        "until": result.until.isoformat(),
        "dry_run": True,
        "to_create": result.to_create,
        "to_create_total": str(result.to_create_total),
        "to_emit": result.to_emit,
        "to_emit_total": str(result.to_emit_total),
        "finals": result.finals,
        "finals_total": str(result.finals_total),
        "readjustments": result.readjustments,
        "waiting_index": result.waiting_index,
        "parked": result.parked,
        "not_emitted": result.not_emitted,
        "previous_total": str(result.previous_total),
        "customers": [
            {
                "customer_id": pk,
                "customer": line.customer,
                "invoices": line.invoices,
                "total": str(line.total),
                "previous": str(line.previous),
                "difference": str(line.difference),
            }
            for pk, line in sorted(result.customers.items())
        ],
    }
