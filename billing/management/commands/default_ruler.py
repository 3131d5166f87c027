"""manage.py default_ruler: the usual dunning ruler for organizations that have none (DUN-2)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import Party
from billing.services.dunning.rulers import create_default


class Command(BaseCommand):
    help = "Cria a régua padrão das organizações de uma conta que não a têm. Ela nasce desativada."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", metavar="CONTA", help="identificador da conta")
        parser.add_argument("--organization", type=int, metavar="ID", help="padrão: todas")

    def handle(self, *args: Any, **options: Any) -> None:
        account = Account.objects.filter(slug=options["account"]).first()
        if account is None:
            raise CommandError(f"Conta desconhecida: {options['account']}.")
        organizations = Party.objects.of(account).filter(kind=Party.Kind.ORGANIZATION)
        if options["organization"] is not None:
            organizations = organizations.filter(pk=options["organization"])
        if not organizations.exists():
            raise CommandError("A conta não tem esta organização.")
        for organization in organizations.order_by("pk"):
            ruler = create_default(organization, actor=SYSTEM)
            self.stdout.write(f"{organization}: régua {ruler.pk}, {ruler.name}")
