"""manage.py check_invariants: prove the invariants, or show the rows that break them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from billing.selectors.invariants import violations


class Command(BaseCommand):
    help = "Confere os invariantes do faturamento; termina com 1 se algum for violado."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", metavar="IDENTIFICADOR", help="padrão: todas")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = Account.objects.order_by("id")
        if options["account"]:
            accounts = accounts.filter(slug=options["account"])
            if not accounts:
                raise CommandError(f"Conta desconhecida: {options['account']}.")
        count = 0
        for account in accounts:
            for violation in violations(account):
                count += 1
                self.stdout.write(f"{account.slug}: {violation.rule}: {violation.row}")
        if count:
            self.stderr.write(f"{count} violação(ões).")
            sys.exit(1)
        self.stdout.write("Nenhuma violação.")
