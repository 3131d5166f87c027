"""manage.py create_api_token: print a new token and nothing else."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account, ApiToken
from accounts.services.tokens import create_token
from lib.errors import DomainError


class Command(BaseCommand):
    help = "Cria um token de API e imprime só o token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", required=True, metavar="IDENTIFICADOR")
        parser.add_argument("--scope", required=True, choices=ApiToken.Scope.values)
        parser.add_argument("--company", default="", metavar="CNPJ")
        parser.add_argument("--ambiente", default="", choices=["", *ApiToken.Ambiente.values])
        parser.add_argument("--name", default="linha de comando")

    def handle(self, *args: Any, **options: Any) -> None:
        account = Account.objects.filter(slug=options["account"]).first()
        if account is None:
            raise CommandError(f"Conta desconhecida: {options['account']}.")
        try:
            _, raw = create_token(
                account,
                name=options["name"],
                scope=options["scope"],
                company_cnpj=options["company"],
                ambiente=options["ambiente"],
            )
        except DomainError as error:
            faults = " ".join(f"{fault.campo}: {fault.mensagem}" for fault in error.erros)
            raise CommandError(f"{error.mensagem} {faults}".strip()) from error
        self.stdout.write(raw)
