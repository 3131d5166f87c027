"""manage.py pdf_cache: delete cached PDFs; they are rendered again when somebody asks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from billing.documents.cache import clear, purge
from billing.models import Party
from lib.br import normalise_document
from lib.errors import DomainError


class Command(BaseCommand):
    help = "Apaga PDFs em cache; eles são gerados de novo no próximo download."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--purge", action="store_true", help="os antigos, os não lidos e o que passa do limite"
        )
        what.add_argument("--clear", action="store_true", help="os de --account, todos ou alguns")
        parser.add_argument("--account", metavar="IDENTIFICADOR")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--invoice", type=int, metavar="ID", help="só os desta fatura")
        which.add_argument("--organization", metavar="CNPJ", help="só os desta organização")
        which.add_argument("--all", action="store_true", help="todos os da conta")

    def handle(self, *args: Any, **options: Any) -> None:
        count = purge() if options["purge"] else self._clear(options)
        self.stdout.write(f"{count} PDF(s) apagado(s).")

    def _clear(self, options: dict[str, Any]) -> int:
        if not (options["invoice"] or options["organization"] or options["all"]):
            raise CommandError("Diga o que apagar: --invoice, --organization ou --all.")
        account = _account(options["account"])
        organization_id = _organization(account, options["organization"])
        try:
            return clear(account, invoice_id=options["invoice"], organization_id=organization_id)
        except DomainError as error:
            raise CommandError(f"Fatura desconhecida: {options['invoice']}.") from error


def _account(slug: str | None) -> Account:
    if not slug:
        raise CommandError("Informe --account.")
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        raise CommandError(f"Conta desconhecida: {slug}.")
    return account


def _organization(account: Account, document: str | None) -> int | None:
    if not document:
        return None
    found = Party.objects.of(account).filter(
        kind=Party.Kind.ORGANIZATION, document=normalise_document(document)
    )
    pk: int | None = found.values_list("pk", flat=True).first()
    if pk is None:
        raise CommandError(f"Organização desconhecida: {document}.")
    return pk
