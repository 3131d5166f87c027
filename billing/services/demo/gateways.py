"""The demonstration's accounts with providers, which lead to the stand-ins (ux §1.6)."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import requests
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import BankAgreement, FinancialAccount, GatewayAccount, Party, SavedMethod
from billing.services.demo.people import CUSTOMERS
from billing.services.payments import card_saving
from billing.services.payments.card_gateway import provider_of
from billing.services.pix.hooks import set_up_hook
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable

log = logging.getLogger(__name__)

Provider = GatewayAccount.Provider
TIMEOUT = 10  # seconds
# There is nothing behind them: the stand-ins' own.
KEY = "sk_test_demonstracao"
ACCOUNTS: dict[str, dict[str, Any]] = {
    Provider.STRIPE: {"path": "stripe", "secrets": {"api_key": KEY}},
    Provider.PIX: {
        "path": "pix",
        "options": {"key": "cobranca@demo.test", "name": "Demo Servicos", "city": "Sao Paulo"},
        "secrets": {"client_id": "demonstracao", "client_secret": "segredo-do-sandbox"},
    },
    Provider.BOLETO: {
        "path": "boletos",
        "options": {"contract": "neutral"},
        "secrets": {"client_id": "banco-demo", "client_secret": "segredo-demo"},
    },
    Provider.MAILJET: {
        "path": "mailjet",
        "options": {"sender": "cobranca@demo.test"},
        "secrets": {
            "api_key": "demonstracao", "secret_key": "demonstracao",
            "hook_user": "mailjet", "hook_password": "aviso-de-demonstracao",
        },
    },
}  # fmt: skip
# The default one first.
CARDS = (
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_authenticationRequired",
)
AGREEMENT = {"code": "", "carteira": "109", "agency": "4321", "account_number": "09876"}


def load(account: Account) -> None:
    """The rows, led to where the stand-ins are now; nothing without any."""
    base = settings.PROVIDERS_SANDBOX
    if not base:
        return
    for provider, facts in ACCOUNTS.items():
        gateway, is_new = GatewayAccount.objects.get_or_create(
            account=account,
            provider=provider,
            organization=None,
            defaults={
                "name": "Operadora de teste", "hook": uuid.uuid4(), "is_active": True,
                "options": facts.get("options", {}),
            },
        )  # fmt: skip
        if is_new:
            gateway.secrets = facts["secrets"]
        gateway.base_url = f"{base}/{facts['path']}"
        gateway.save()
    _agree(account)


def connect(account: Account) -> None:
    """Tell the stand-ins where their notices go, and save the cards; not inside a transaction.

    Done again only where something changed. A stand-in that is away is left alone: the
    demonstration is there without it.
    """
    if not settings.PROVIDERS_SANDBOX:
        return
    gateways = {g.provider: g for g in GatewayAccount.objects.of(account)}
    try:
        _connect_stripe(gateways[Provider.STRIPE])
        _save_cards(account, gateways[Provider.STRIPE])
        set_up_hook(gateways[Provider.PIX].pk, account=account, actor=SYSTEM)
        _connect_mailjet(gateways[Provider.MAILJET])
    except (
        DomainError, GatewayRefused, GatewayUnavailable, requests.RequestException
    ) as error:  # fmt: skip
        log.warning("demo.providers_away", extra={"error": str(error)})


def _agree(account: Account) -> None:
    """Boletos of the demonstration are registered on line."""
    gateway = GatewayAccount.objects.get(account=account, provider=Provider.BOLETO)
    for bank in FinancialAccount.objects.of(account).filter(bank_code="341"):
        defaults = {
            **{k: v for k, v in AGREEMENT.items() if k not in ("code", "carteira")},
            "account_dv": "5",
            "registration": BankAgreement.Registration.ONLINE,
            "gateway": gateway,
            "account": account,
        }
        BankAgreement.objects.get_or_create(
            financial_account=bank,
            code=AGREEMENT["code"],
            carteira=AGREEMENT["carteira"],
            defaults=defaults,
        )


def _hook(gateway: GatewayAccount) -> str:
    return settings.PUBLIC_URL + reverse("provider-hook", args=[gateway.hook])


def _connect_stripe(gateway: GatewayAccount) -> None:
    if gateway.options.get("hook_url") == _hook(gateway):
        return
    secret = provider_of(gateway).register_hook(_hook(gateway))
    known = gateway.secrets.get("webhook_secrets", [])
    gateway.secrets = {**gateway.secrets, "webhook_secrets": [*known[-2:], secret]}
    gateway.options = {**gateway.options, "hook_url": _hook(gateway)}
    gateway.save()


def _save_cards(account: Account, gateway: GatewayAccount) -> None:
    customer = Party.objects.get(account=account, document=CUSTOMERS["A"]["document"])
    if SavedMethod.objects.filter(gateway=gateway, customer=customer).exists():
        return
    for card in CARDS:
        setup = card_saving.start_saving(customer, account=account)
        answer = requests.post(
            f"{gateway.base_url}/v1/setup_intents/{setup.external_id}/confirm",
            data={"payment_method": card},
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        card_saving.finish_saving(setup.external_id, gateway=gateway, actor=SYSTEM)


def _connect_mailjet(gateway: GatewayAccount) -> None:
    secrets = gateway.secrets
    answer = requests.post(
        f"{settings.PROVIDERS_SANDBOX}/control/mailjet/hook",
        json={
            "url": _hook(gateway),
            "user": secrets["hook_user"],
            "password": secrets["hook_password"],
        },
        timeout=TIMEOUT,
    )
    answer.raise_for_status()
    with transaction.atomic():
        GatewayAccount.objects.filter(pk=gateway.pk).update(
            options={**gateway.options, "hook_url": _hook(gateway)}
        )
