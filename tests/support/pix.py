"""A tenant's account with the stand-in of a Pix bank, and what people do there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from support.payment_sandbox import Providers

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.gateways.pix import wire
from billing.models import Charge, GatewayAccount, InboundEvent, Party
from billing.sandbox.pix import SECRET
from billing.services import inbound
from billing.services.pix.hooks import set_up_hook
from billing.services.pix.issue import issue_pix

KEY = "123e4567-e12b-12d1-a456-426655440000"


def pix_gateway(
    account: Account, base_url: str, *, organization: Party | None = None, **options: Any
) -> GatewayAccount:
    """An account with a bank at `base_url`; empty for static codes only."""
    gateway = GatewayAccount(
        account=account,
        organization=organization,
        provider=GatewayAccount.Provider.PIX,
        name="Banco de teste",
        base_url=base_url,
        options={"key": KEY, "name": "ACME BRASIL LTDA", "city": "BRASILIA", **options},
        hook=uuid.uuid4(),
    )
    gateway.secrets = {"client_id": f"conta-{account.pk}", "client_secret": SECRET}
    gateway.save()
    return gateway


@dataclass
class Bank:
    """The stand-in as one tenant's bank. `today` is the day that it and the product are at."""

    providers: Providers
    gateway: GatewayAccount
    client: Client = field(default_factory=Client)

    @classmethod
    def of(cls, providers: Providers, account: Account, *, today: str, hook: bool = True) -> Bank:
        wire.TOKENS.clear()
        bank = cls(providers, pix_gateway(account, providers.url("pix")))
        bank.today(today)
        if hook:
            set_up_hook(bank.gateway.pk, account=account, actor=SYSTEM)
            bank.gateway.refresh_from_db()
        return bank

    def today(self, day: str) -> None:
        self.providers.control("pix/today", date=day)

    def issue(self, receivable: Any, **given: Any) -> Charge:
        return issue_pix(receivable.pk, receivable.account, **given)

    def pay(self, charge: Charge, **given: Any) -> str:
        """Somebody pays at the bank; answers the endToEndId."""
        answer = self.providers.control("pix/pay", txid=charge.txid, **given)
        return str(answer["endToEndId"])

    def of_bank(self, charge: Charge) -> dict[str, Any]:
        """The charge in the bank's books."""
        mine = self.providers.books("pix")["clients"][f"conta-{self.gateway.account_id}"]
        found: dict[str, Any] = mine["charges"][charge.txid]
        return found

    def calls(self, method: str = "", path: str = "") -> list[str]:
        """Requests other than for tokens and hooks."""
        found = self.providers.calls("pix", method, path)
        return [
            f"{c['method']} {c['path']}"
            for c in found
            if c["path"][:5] in ("/cob/", "/cobv", "/pix/")
        ]

    def post(self, notice: dict[str, Any]) -> int:
        """Hand one kept notice to the product; answers the status."""
        path = urlsplit(notice["url"]).path
        answer = self.client.post(path, notice["body"], content_type="application/json")
        return answer.status_code

    def deliver(self) -> list[str]:
        """Hand all notices to the product and work them off; answers the results."""
        for notice in self.providers.notices("pix"):
            assert self.post(notice) == 200
        return work_off()


def work_off() -> list[str]:
    """Work off the notices that wait."""
    waiting = InboundEvent.objects.filter(state=InboundEvent.State.WAITING).order_by("pk")
    return [inbound.apply_notice(pk) for pk in waiting.values_list("pk", flat=True)]
