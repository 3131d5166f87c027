"""manage.py cnab_remessa: write the next bank file of an agreement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services.audit import SYSTEM
from billing.management.commands.import_index import error_text
from billing.models import BankAgreement, CnabFile
from billing.services.bank_files.remessa import generate, mark_sent
from lib.errors import DomainError
from lib.money import brl


class Command(BaseCommand):
    help = "Gera a remessa do que espera envio em um convênio."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agreement", type=int, required=True, metavar="N", help="convênio")
        parser.add_argument("--send", action="store_true", help="marca o arquivo como enviado")
        parser.add_argument("--output", metavar="PASTA", default=".", help="padrão: pasta atual")

    def handle(self, *args: Any, **options: Any) -> None:
        agreement = BankAgreement.objects.filter(pk=options["agreement"]).first()
        if agreement is None:
            raise CommandError(f"Convênio {options['agreement']} não cadastrado.")
        folder = Path(options["output"])
        if not folder.is_dir():
            raise CommandError(f"{folder} não é uma pasta.")
        try:
            file = generate(agreement.pk, account=agreement.account, actor=SYSTEM)
            path = _save(file, folder)
            if options["send"]:
                file = mark_sent(file.pk, account=agreement.account, actor=SYSTEM)
        except DomainError as error:
            raise CommandError(error_text(error)) from error
        self.stdout.write(_text(file, path))


def _save(file: CnabFile, folder: Path) -> Path:
    path = folder / file.filename
    try:
        path.write_bytes(bytes(file.content))
    except OSError as error:
        raise CommandError(
            f"A remessa {file.sequence} foi gerada, mas não pôde ser gravada em {path}: "
            f"{error.strerror}."
        ) from error
    return path


def _text(file: CnabFile, path: Path) -> str:
    lines = [
        f"Remessa {file.sequence} de {file.agreement}: {path}",
        f"  títulos            {file.records.count()} ({brl(file.declared_total or 0)})",
        f"  situação           {file.get_state_display()}",
        f"  SHA-256            {file.sha256}",
    ]
    lines += [f"  AVISO {fault['text']}" for fault in file.faults]
    return "\n".join(lines)
