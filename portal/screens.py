"""Every screen of the portal: id → path → who may see it (screens.json, ux §1.6).

Roles are those of accounts.access; `anonimo` needs no login, `ninguem` is a page that is not there.
A path's `{name}` stands for a row of the demonstration: `on_demo` fills it in.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from accounts.models import Account, User
from accounts.services import passwords
from accounts.services.audit import SYSTEM, actor_of
from billing.models import Contract, EmailMessage, Invoice, Party, SavedMethod
from billing.services.demo.people import CUSTOMERS
from billing.services.emails.letters import opened
from billing.services.exports.asking import Period, What, ask_export
from billing.services.invitations import invite
from billing.services.links import make_link, token_of
from lib import clock

FILE = Path(__file__).parent / "screens.json"
ANONYMOUS, NOBODY = "anonimo", "ninguem"
# Who opens a screen of a role, at the demonstration.
PEOPLE = {
    "titular": "titular@aurora.test",
    "cliente_financeiro": "financeiro@aurora.test",
    "cliente_leitura": "leitura@aurora.test",
}
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Screen:
    """One path of a screen; `roles` as in screens.json, the first of them the fullest."""

    id: str
    path: str
    roles: tuple[str, ...]

    @property
    def email(self) -> str:
        """Who is to open it at the demonstration; "" for anybody."""
        return PEOPLE.get(self.roles[0], "")

    @property
    def status(self) -> int:
        """What it is answered with, to whom it is for."""
        return 404 if NOBODY in self.roles else 200


def screens() -> list[Screen]:
    """As the file has them, in its order."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return [
        Screen(screen, path, tuple(roles))
        for screen, paths in found.items()
        for path, roles in paths.items()
    ]


def on_demo(account: Account) -> list[Screen]:
    """The screens with paths that lead somewhere at the demonstration, whose rows it adds to.

    Raises a model's DoesNotExist where the demonstration is not loaded.
    """
    rows = _Rows(account)
    return [
        Screen(one.id, _NAME.sub(lambda found: rows.of(found[1]), one.path), one.roles)
        for one in screens()
    ]


class _Rows:
    """What the names in paths stand for; written when it is first asked for."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def of(self, name: str) -> str:
        return str(getattr(self, name))

    @cached_property
    def customer(self) -> Party:
        document = CUSTOMERS["A"]["document"]
        found: Party = Party.objects.get(account=self.account, document=document)
        return found

    @cached_property
    def titular(self) -> User:
        return User.objects.get(email=PEOPLE["titular"])

    @cached_property
    def contrato(self) -> int:
        contract = Contract.objects.get(account=self.account, external_code="demo-hospedagem")
        return int(contract.pk)

    @cached_property
    def link(self) -> str:
        invoice = Invoice.objects.get(account=self.account, idempotency_key="demo:1001")
        return token_of(make_link(invoice, recipient="contas@aurora.test"))

    @cached_property
    def senha(self) -> str:
        return passwords.make_token(self.titular)

    @cached_property
    def convite(self) -> str:
        """Only the letter knows the token."""
        address = "convidada@aurora.test"
        invite(self.customer, email=address, name="Bia", role="cliente_leitura", actor=SYSTEM)
        mail = EmailMessage.objects.of(self.account).filter(recipient=address).latest("pk")
        found = re.search(r"/central/convite/([^/\s]+)/", opened(mail.body))
        assert found
        return found[1]

    @cached_property
    def cartao(self) -> int:
        """One that pays nothing automatically; 0 where there are no stand-ins to keep any."""
        cards = SavedMethod.objects.of(self.account).filter(customer=self.customer)
        return cards.filter(is_default=False).values_list("pk", flat=True).first() or 0

    @cached_property
    def tarefa(self) -> int:
        today = clock.today(self.account.time_zone)
        job = ask_export(
            What.INVOICES,
            Period(today.replace(month=1, day=1), today),
            account=self.account,
            customer=self.customer,
            user=self.titular,
            actor=actor_of(self.titular),
            today=today,
        )
        return job.pk
