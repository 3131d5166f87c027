"""manage.py screens: photograph every screen of the portal, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account
from billing.services.demo.people import SLUG

WITHOUT = "Faltam os pacotes de desenvolvimento (playwright). Rode ./dev test uma vez."


class Command(BaseCommand):
    help = (
        "Fotografa cada tela de portal/screens.json em var/screens/ (claro, escuro e 390 px), "
        "com os dados da demonstração."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dir", default="", help="outra pasta")
        parser.add_argument("screens", nargs="*", help="só estas telas: P05 P06")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.AMBIENTE == "producao":
            raise CommandError("As telas não são fotografadas em produção (AMBIENTE=producao).")
        account = Account.objects.filter(slug=SLUG).first()
        if account is None:
            raise CommandError("Carregue antes a demonstração: manage.py demo")
        try:
            from portal.screenshots import photograph
        except ModuleNotFoundError as error:
            raise CommandError(WITHOUT) from error
        folder = Path(options["dir"] or settings.DATA_DIR / "screens")
        for path in photograph(account, folder, only=set(options["screens"])):
            self.stdout.write(str(path))
