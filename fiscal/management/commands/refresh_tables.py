"""manage.py refresh_tables: newer official lists, and the operator's CEP and CNPJ directories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fiscal.services.tables import refresh_table, restore_table
from fiscal.tables.directories import CEPS, CNPJS, import_directory
from fiscal.tables.registers import KINDS
from lib.errors import DomainError


class Command(BaseCommand):
    help = (
        "Troca uma tabela oficial (ncm, cfop, cnae, municipios, cclasstrib) por um arquivo mais "
        "novo, e importa as bases de CEP e de CNPJ que a instalação tiver."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("table", nargs="?", choices=sorted(KINDS), metavar="TABELA")
        parser.add_argument("file", nargs="?", type=Path, metavar="ARQUIVO")
        parser.add_argument("--ceps", type=Path, metavar="ARQUIVO", help="CSV de CEPs")
        parser.add_argument("--cnpjs", type=Path, metavar="ARQUIVO", help="CSV de CNPJs")
        parser.add_argument("--shipped", action="store_true", help="volta à tabela de fábrica")

    def handle(self, *args: Any, **options: Any) -> None:
        table, file, is_shipped = options["table"], options["file"], options["shipped"]
        directories = [(CEPS, options["ceps"]), (CNPJS, options["cnpjs"])]
        if not table and not any(source for _, source in directories):
            raise CommandError("Informe uma tabela e seu arquivo, --ceps ou --cnpjs.")
        if table and bool(file) == is_shipped:
            raise CommandError("Informe o arquivo da tabela, ou --shipped para a de fábrica.")
        try:
            if table:
                self._table(table, file)
            for directory, source in directories:
                if source:
                    n = import_directory(directory, source)
                    self.stdout.write(f"{directory.name}: {n} registros.")
        except DomainError as error:
            raise CommandError(error.mensagem) from error

    def _table(self, table: str, file: Path | None) -> None:
        if file is not None:
            self.stdout.write(f"{table}: {refresh_table(table, file)} códigos.")
        elif restore_table(table):
            self.stdout.write(f"{table}: voltou à tabela de fábrica.")
        else:
            self.stdout.write(f"{table}: já era a tabela de fábrica.")
