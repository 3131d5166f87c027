"""manage.py demo: load the demonstration and say how to enter it."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services.demo import Demo, gateways, load_demo
from lib import clock
from lib.br import cnpj_mask, date_br


class Command(BaseCommand):
    help = "Carrega a conta de demonstração e mostra como entrar nela. Pode ser repetido."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reset", action="store_true", help="refaz a conta de demonstração; as outras ficam"
        )
        parser.add_argument("--json", action="store_true", help="responde um objeto JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.AMBIENTE == "producao":
            raise CommandError("A demonstração não é carregada em produção (AMBIENTE=producao).")
        demo = load_demo(today=clock.today(), afresh=options["reset"])
        gateways.connect(demo.account)
        data = demo.as_dict()
        self.stdout.write(json.dumps(data, ensure_ascii=False) if options["json"] else _text(demo))


def _text(demo: Demo) -> str:
    data = demo.as_dict()
    lines = [
        f"Demonstração pronta: conta {data['conta']}, hoje {date_br(demo.today)}.",
        f"Senha de todos: {data['senha']}",
        "Equipe (/admin/):",
        *(f"  {user['email']:<24} {user['papel']}" for user in data["equipe"]),
        "Clientes:",
        *(
            f"  {user['email']:<24} {user['papel'].removeprefix('cliente_')} de {user['cliente']}"
            for user in data["clientes"]
        ),
        *(_token(token) for token in data["tokens"]),
        "Ainda sem exemplo na demonstração:",
        *(f"  {text}" for text in data["pendente"]),
    ]
    return "\n".join(lines)


def _token(token: dict[str, str]) -> str:
    """`Token (fiscal, homologacao): … — Demo Sul, CNPJ, UF`; the others without a company."""
    if "cnpj" not in token:
        return f"Token ({token['escopo']}): {token['token']}"
    where = f"{token['nome']}, {cnpj_mask(token['cnpj'])}, {token['uf']}"
    return f"Token (fiscal, {token['ambiente']}): {token['token']}  {where}"
