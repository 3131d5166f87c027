"""manage.py cnab_retorno: read a bank's file, show what it says, and apply it when told to."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account, Job
from accounts.services.audit import SYSTEM
from accounts.services.jobs import Progress, run_job
from billing.management.commands.import_index import error_text
from billing.models import CnabFile, CnabRecord
from billing.services.bank_files import applying
from billing.services.bank_files.report import report
from billing.services.bank_files.results import MONEY
from billing.services.bank_files.retorno import receive
from lib.br import date_br
from lib.errors import DomainError
from lib.money import brl, decimal_br
from lib.progress import Bar

SHOWN = 200
_HEAD = (
    "Linha  Nosso número          Pagador               Vencimento       Valor        Pago"
    "  Crédito     Resultado"
)


class Command(BaseCommand):
    help = "Lê um arquivo de retorno, mostra o que faria e, com --apply, aplica."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="ARQUIVO")
        parser.add_argument("--account", metavar="IDENTIFICADOR", help="padrão: a única conta")
        parser.add_argument("--apply", action="store_true", help="aplica o que foi lido")
        parser.add_argument("--yes", action="store_true", help="não pergunta, mesmo com avisos")
        parser.add_argument("--all", action="store_true", help="mostra todas as linhas")

    def handle(self, *args: Any, **options: Any) -> None:
        account = _account(options["account"])
        path = Path(options["file"])
        try:
            file = receive(path.read_bytes(), filename=path.name, account=account, actor=SYSTEM)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from error
        except DomainError as error:
            raise CommandError(error_text(error)) from error
        self.stdout.write(_preview(file, limit=None if options["all"] else SHOWN))
        if options["apply"] and (options["yes"] or _agrees(file)):
            self._apply(file)

    def _apply(self, file: CnabFile) -> None:
        bar = Bar(applying.applicable(file).count(), file.filename)

        def listener(progress: Progress) -> None:
            bar.update(progress.n_ok)

        try:
            job = applying.start(file.pk, account=file.account, confirmed=True)
        except DomainError as error:
            raise CommandError(error_text(error)) from error
        job = run_job(job.pk, listener=listener)
        bar.close()
        self.stdout.write(_report(file, job))


def _account(slug: str | None) -> Account:
    found = list(
        Account.objects.filter(slug=slug) if slug else Account.objects.filter(is_active=True)[:2]
    )
    if len(found) != 1:
        raise CommandError(
            f"Conta desconhecida: {slug}." if slug else "Há mais de uma conta: use --account."
        )
    return found[0]


def _agrees(file: CnabFile) -> bool:
    rows = file.records.filter(result__in=MONEY, applied_at=None)
    total = sum(rows.values_list("paid", flat=True), Decimal(0))
    answer = input(f"Aplicar {rows.count()} baixas ({brl(total)})? [s/N] ")
    return answer.strip().lower() in ("s", "sim")


def _preview(file: CnabFile, *, limit: int | None) -> str:
    records = file.records.order_by("line")
    shown = list(records[:limit])
    lines = [
        f"{file.filename}: {file.agreement}, leiaute {file.layout}, {records.count()} registro(s)",
        *(f"  AVISO {fault['text']}" for fault in file.faults),
        _HEAD,
        *(_line(one) for one in shown),
    ]
    if limit is not None and records.count() > limit:
        lines.append(f"  … e mais {records.count() - limit} linha(s); use --all.")
    return "\n".join([*lines, *_totals(report(file))])


def _line(record: CnabRecord) -> str:
    due = date_br(record.due_date) if record.due_date else "—"
    credited = date_br(record.credited_on) if record.credited_on else "—"
    return (
        f"{record.line:>5}  {record.nosso_numero:<20}  {record.payer[:20]:<20}  {due:<10}"
        f"  {decimal_br(record.value, 2):>10}  {decimal_br(record.paid, 2):>10}  {credited:<10}"
        f"  {record.get_result_display()}: {record.message}"
    )


def _totals(found: dict[str, Any]) -> list[str]:
    lines = ["Por resultado:"]
    lines += [
        f"  {row['label']:<36} {row['records']:>6}  {brl(Decimal(row['paid'])):>16}"
        for row in found["results"]
    ]
    lines.append(f"  {'Total':<36} {found['records']:>6}  {brl(Decimal(found['paid'])):>16}")
    if found["waiting"]:
        lines.append(f"{found['waiting']} linha(s) esperam uma decisão.")
    return lines


def _report(file: CnabFile, job: Job) -> str:
    lines = [f"{file.filename}: {job.get_state_display()}, {job.n_ok} registro(s) tratados"]
    lines += [f"  ERRO {one.item}: {one.cause}" for one in job.errors.all()]
    found = report(file)
    lines.append(f"  aplicados {found['applied']} de {found['records']}")
    lines.append(f"  tarifas   {brl(Decimal(found['fees']))}")
    return "\n".join(lines)
