"""The demonstration: the fixture of ux §1.6, as far as the product goes.

Loading it again changes nothing and is quick; `afresh` empties its account first. It never touches
another account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, record
from billing.services.demo import (
    agreements,
    boletos,
    gateways,
    indexes,
    ledger,
    many,
    notes,
    people,
    resources,
    story,
    wipe,
)
from billing.services.demo.when import When
from billing.services.dunning.rulers import create_default
from fiscal.services import demo as issuers
from fiscal.services.demo import DemoToken
from lib import clock

# What the specification asks for and has no place to be recorded in yet.
PENDING = (
    "certificado com 20 dias de validade e outro vencido; documento fiscal de cada situação",
    "agentes de PDV: um on-line, um fora do ar, um com NFC-e pendente há 21 h",
    "endereço de webhook que responde 500; um retorno CNAB com cada resultado",
)


@dataclass(frozen=True)
class Demo:
    """What to tell whoever loaded it: how to sign in and which token to use."""

    account: Account
    today: date
    token: str
    fiscal_tokens: list[DemoToken] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        staff = [
            {"email": f"{role}@demo.test", "papel": role, "cliente": ""} for role in people.STAFF
        ]
        customers = [
            {"email": email, "papel": str(role), "cliente": people.CUSTOMERS[key]["name"]}
            for email, _, key, role in people.ACCESSES
        ]
        return {
            "conta": self.account.slug,
            "hoje": self.today.isoformat(),
            "senha": people.PASSWORD,
            "equipe": staff,
            "clientes": customers,
            "tokens": [
                {"nome": people.TOKEN_NAME, "escopo": "billing", "token": self.token},
                *(_shown(token) for token in self.fiscal_tokens),
            ],
            "pendente": list(PENDING),
        }


def _shown(token: DemoToken) -> dict[str, str]:
    shown = {"nome": token.name, "escopo": token.scope, "token": token.token}
    if token.company:
        shown |= {"cnpj": token.company, "uf": token.uf, "ambiente": token.ambiente}
    return shown


@transaction.atomic
def load_demo(*, today: date, afresh: bool = False) -> Demo:
    """Load the demonstration around `today` (a date in São Paulo); all of it, or nothing."""
    account, _ = Account.objects.get_or_create(
        slug=people.SLUG, defaults={"name": "Demonstração", "is_sandbox": True}
    )
    # Two loads at the same moment: the second waits here, and finds everything done.
    account = Account.objects.select_for_update().get(pk=account.pk)
    if afresh:
        wipe.wipe(account)
        record(account, actor=SYSTEM, action="demonstracao.refeita", target=account)
    when = When(today)
    indexes.load(at=clock.now())
    everybody = people.load(account, afresh=afresh)
    email = resources.load(account, everybody.organization)
    gateways.load(account)
    create_default(everybody.organization, actor=SYSTEM)
    contracts = agreements.load(account, everybody, when, email=email)
    ledger.load(account, everybody, contracts, when)
    boletos.load(account)
    many.load(account, everybody, contracts["entregas"], when)
    tokens = issuers.load(account, at=clock.now())
    notes.load(account)
    story.load(account, everybody, when)
    return Demo(account, today, people.token(account), tokens)
