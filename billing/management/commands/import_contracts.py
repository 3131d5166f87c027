"""manage.py import_contracts: customers, contracts, rules and services from a spreadsheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from accounts.models import Account
from billing.services.imports import (
    Fault,
    ImportOptions,
    ImportReport,
    import_file,
    write_template,
)
from lib.errors import DomainError
from lib.progress import Bar

_SHOWN = 1000  # faults that a terminal shows; --json has them all


class Command(BaseCommand):
    help = "Importa clientes, contratos, regras e serviços de um CSV ou XLSX (docs/import.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", metavar="ARQUIVO")
        parser.add_argument("--account", metavar="IDENTIFICADOR")
        parser.add_argument("--organization", default="", metavar="CNPJ", help="quem emite")
        parser.add_argument(
            "--partial", action="store_true", help="importa os contratos bons e separa os outros"
        )
        parser.add_argument(
            "--rejected", metavar="CAMINHO", help="onde gravar as linhas rejeitadas"
        )
        parser.add_argument("--dry-run", action="store_true", help="confere sem gravar nada")
        parser.add_argument("--no-invoices", action="store_true", help="não cria as faturas agora")
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--template", metavar="CAMINHO", help="só grava um modelo .csv ou .xlsx"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["template"]:
                write_template(Path(options["template"]))
                self.stdout.write(f"Modelo gravado em {options['template']}.")
                return
            self._import(options)
        except DomainError as error:
            raise CommandError(error.mensagem) from error

    def _import(self, options: dict[str, Any]) -> None:
        if not options["file"] or not options["account"]:
            raise CommandError("Informe o arquivo e --account (ou --template).")
        report = self._run(_account(options["account"]), options)
        if options["json"]:
            text = json.dumps(report.as_dict(), cls=DjangoJSONEncoder, ensure_ascii=False)
            self.stdout.write(text)
        else:
            self.stdout.write("\n".join(_text(report, options["file"])))
        if report.faults:
            raise CommandError(_refusal(report))

    def _run(self, account: Account, options: dict[str, Any]) -> ImportReport:
        bars: dict[str, Bar] = {}

        def progress(step: str, done: int, total: int) -> None:
            bars.setdefault(step, Bar(total, step)).update(done)

        rejected = options["rejected"]
        try:
            return import_file(
                account,
                Path(options["file"]),
                options=ImportOptions(
                    organization=options["organization"],
                    partial=options["partial"],
                    dry_run=options["dry_run"],
                    create_invoices=not options["no_invoices"],
                    rejected_path=Path(rejected) if rejected else None,
                ),
                progress=progress,
            )
        finally:
            for bar in bars.values():
                bar.close()


def _account(slug: str) -> Account:
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        raise CommandError(f"Conta desconhecida: {slug}.")
    if not account.is_active:
        raise CommandError(f"A conta {slug} está inativa.")
    return account


def _refusal(report: ImportReport) -> str:
    n_lines = len({fault.line for fault in report.faults})
    found = f"{len(report.faults)} erro(s) em {n_lines} linha(s)"
    if report.was_imported:
        return f"{found}; {report.rejected_lines} linha(s) em {report.rejected_path}."
    if report.dry_run:
        return f"{found}."
    return f"Nada foi importado: {found}."


def _text(report: ImportReport, name: str) -> list[str]:
    lines = [f"{name}: {report.lines} linha(s)"]
    lines += _list("Erros", report.faults)
    lines += _list("Avisos", report.warnings)
    if report.faults and not (report.was_imported or report.dry_run):
        return lines
    if not report.has_changes:
        return [*lines, "Sem mudanças."]
    lines += [
        "Simulação, nada foi gravado:" if report.dry_run else "Importado:",
        f"  clientes           {report.customers}",
        f"  contratos          {report.contracts}",
        f"  regras             {report.rules}",
        f"  serviços novos     {report.services_created}",
        f"  cancelamentos      {report.cancelled}",
        f"  faturas criadas    {report.invoices_created}",
    ]
    lines += [f"  regra {pk} impedida: {why}" for pk, why in sorted(report.parked.items())]
    return lines


def _list(title: str, found: list[Fault]) -> list[str]:
    if not found:
        return []
    shown = [f"  {fault}" for fault in found[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"  … e mais {len(found) - _SHOWN}; use --json para ver todos.")
    return [f"{title}:", *shown]
