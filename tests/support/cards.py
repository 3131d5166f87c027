"""A tenant whose customers pay by card, against the stand-in of the provider."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from django.test import Client
from django_q.models import OrmQ
from factories import AccountFactory, CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice, line
from support.payment_sandbox import Providers

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.gateways.stripe.adapter import Stripe
from billing.models import GatewayAccount, InboundEvent, Invoice, Party, Receivable, SavedMethod
from billing.selectors import invariants
from billing.services import inbound
from billing.services.payments import card_saving
from billing.services.payments.card_charging import CardOutcome, charge_card
from billing.services.payments.card_gateway import provider_of

SITE = "http://produto.test"


@dataclass
class Shop:
    """`key` is the secret key of its account with the stand-in."""

    account: Account
    organization: Party
    customer: Party
    gateway: GatewayAccount
    key: str
    providers: Providers

    @property
    def stripe(self) -> Stripe:
        return provider_of(self.gateway)

    def books(self) -> dict[str, Any]:
        """What the provider knows of this shop."""
        found: dict[str, Any] = self.providers.books("stripe")["accounts"][self.key]
        return found

    def charged(self) -> list[tuple[str, Decimal]]:
        """(intent, BRL) of all money that moved, less what went back."""
        return [
            (c["payment_intent"], Decimal(c["amount"] - c["amount_refunded"]).scaleb(-2))
            for c in self.books()["charges"].values()
        ]

    def control(self, what: str, **given: Any) -> Any:
        return self.providers.control(f"stripe/{what}", key=self.key, **given)

    def save(self, card: str = "pm_card_visa", customer: Party | None = None) -> SavedMethod:
        """The customer types a card into the provider's fields, and comes back."""
        setup = self.type_card(card, customer)
        return card_saving.finish_saving(setup, gateway=self.gateway, actor=SYSTEM)

    def type_card(self, card: str, customer: Party | None = None) -> str:
        """Only the provider knows of it yet; its id of the setup."""
        setup = card_saving.start_saving(customer or self.customer, account=self.account)
        answer = requests.post(
            f"{self.gateway.base_url}/v1/setup_intents/{setup.external_id}/confirm",
            data={"payment_method": card, "client_secret": setup.secret},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=10,
        )
        answer.raise_for_status()
        return setup.external_id

    def invoice(self, value: str = "100.00", **fields: Any) -> Invoice:
        """Emitted, due on 20/08/2026."""
        return emitted_invoice(self.organization, self.customer, lines=[line(value)], **fields)

    def receivable(self, value: str = "100.00", **fields: Any) -> Receivable:
        found: Receivable = self.invoice(value, **fields).receivables.get()
        return found

    def charge(
        self, receivable: Receivable, method: SavedMethod | None = None, **given: Any
    ) -> CardOutcome:
        given = {"on_session": True, "actor": SYSTEM} | given
        return charge_card(
            receivable.pk,
            account=self.account,
            saved_method_id=method.pk if method else None,
            **given,
        )

    # --- notices -----------------------------------------------------------------------------

    def notices(self, kind: str = "") -> list[dict[str, Any]]:
        """What the provider has to tell this shop, the oldest first."""
        url = hook_url(self.gateway)
        found = self.providers.notices("stripe")
        return [n for n in found if n["url"] == url and n["kind"].startswith(kind)]

    def post(self, notice: dict[str, Any], **headers: str) -> int:
        """Hand a notice to the product, signed as of now; the status."""
        signed = self.providers.running.world.provider("stripe").sign(notice)
        given = {"HTTP_STRIPE_SIGNATURE": signed["Stripe-Signature"]} | headers
        answer = Client().post(
            f"/hooks/{self.gateway.hook}",
            data=notice["body"].encode(),
            content_type="application/json",
            **given,
        )
        return answer.status_code

    def hear(self, kind: str = "", *, reverse: bool = False) -> list[str]:
        """Everything told so far of this kind, worked off; what came of the new ones."""
        told = self.notices(kind)
        for notice in reversed(told) if reverse else told:
            assert self.post(notice) == 200
        waiting = InboundEvent.objects.filter(
            gateway=self.gateway, state=InboundEvent.State.WAITING
        )
        return [inbound.apply_notice(pk) for pk in waiting.values_list("pk", flat=True)]

    def check(self) -> None:
        """Books agree: no invariant is broken, and each real charge is one settled payment."""
        assert not list(invariants.violations(self.account))
        ours = {
            p.external_id: p.amount - p.refunded_total
            for p in self.gateway.payments.filter(settled_at__isnull=False)
        }
        assert ours == dict(self.charged())


def hook_url(gateway: GatewayAccount) -> str:
    return f"{SITE}/hooks/{gateway.hook}"


def shop(providers: Providers, slug: str = "exemplo") -> Shop:
    """An account, its organization, a customer, and a gateway whose notices are registered."""
    account = AccountFactory(slug=slug)
    key = f"sk_test_{slug}"
    gateway = GatewayAccount(
        account=account,
        provider=GatewayAccount.Provider.STRIPE,
        name="Stripe",
        base_url=providers.url("stripe"),
        hook=uuid.uuid4(),
    )
    gateway.secrets = {"api_key": key}
    secret = provider_of(gateway).register_hook(hook_url(gateway))
    gateway.secrets = {"api_key": key, "webhook_secrets": [secret]}
    gateway.save()
    return Shop(
        account,
        OrganizationFactory(account=account),
        CompanyFactory(account=account),
        gateway,
        key,
        providers,
    )


def queued(task: str) -> list[tuple[int, ...]]:
    """Arguments of the queued calls of a task, the oldest first."""
    tasks = [row.task for row in OrmQ.objects.order_by("id")]
    return [each["args"] for each in tasks if each["func"] == task]
