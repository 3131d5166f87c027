"""A tenant's accounts with providers: their secrets, their address, where their notices go."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import Actor, record
from accounts.services.webhook_requests import policy
from billing.errors import ProviderRefused
from billing.gateways.cards import CardRefused
from billing.models import GatewayAccount
from billing.services.payments.card_gateway import provider_of
from lib import outbound
from lib.crypto import Unreadable
from lib.errors import GatewayUnavailable

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105  a name
MAX_WEBHOOK_SECRETS = 3  # valid together during a rotation (ST-5)
# Names of secrets by provider, as each adapter documents them.
SECRETS: dict[str, tuple[str, ...]] = {
    GatewayAccount.Provider.STRIPE: ("api_key", WEBHOOK_SECRET),
    GatewayAccount.Provider.PIX: (
        "client_id", "client_secret", "certificate", "certificate_key",
    ),
    GatewayAccount.Provider.BOLETO: ("client_id", "client_secret", "token"),
    GatewayAccount.Provider.MAILJET: ("api_key", "secret_key", "hook_user", "hook_password"),
}  # fmt: skip


def with_secrets(gateway: GatewayAccount, given: dict[str, str]) -> GatewayAccount:
    """Put what was typed into the (unsaved) row's secrets; what is empty stays as it is.

    A secret of notices joins those that are still good. Secrets that cannot be read any more are
    replaced by what was typed.
    """
    try:
        known: dict[str, Any] = gateway.secrets
    except Unreadable:
        known = {}
    typed = {name: value.strip() for name, value in given.items() if value and value.strip()}
    if signing := typed.pop(WEBHOOK_SECRET, ""):
        others = [each for each in known.get("webhook_secrets", []) if each != signing]
        known["webhook_secrets"] = [signing, *others][:MAX_WEBHOOK_SECRETS]
    gateway.secrets = {**known, **typed}
    if gateway.hook is None:
        gateway.hook = uuid.uuid4()
    return gateway


def kept_secrets(gateway: GatewayAccount) -> list[str]:
    """Names of what is kept, never what it is."""
    try:
        return sorted(name for name, value in gateway.secrets.items() if value)
    except Unreadable:
        return []


def check_address(url: str) -> None:
    """Raises ValidationError for an address that this installation does not go to (SSRF)."""
    if not url or url.startswith(f"{settings.PROVIDERS_SANDBOX or '-'}/"):
        return
    try:
        outbound.check(url, policy())
    except (outbound.Blocked, outbound.NoAnswer) as error:
        raise ValidationError(f"Endereço recusado: {error}.") from error


def hook_url(gateway: GatewayAccount) -> str:
    """Where the provider's notices are to be sent."""
    return settings.PUBLIC_URL + reverse("provider-hook", args=[gateway.hook])


def register_hook(gateway_id: int, *, account: Account, actor: Actor) -> str:
    """Have Stripe send its notices here, and keep the secret that signs them; answers the address.

    Not inside a transaction. Raises NotFound, ProviderRefused.
    """
    gateway: GatewayAccount = GatewayAccount.objects.get_of(
        account, pk=gateway_id, provider=GatewayAccount.Provider.STRIPE
    )
    url = hook_url(gateway)
    try:
        secret = provider_of(gateway).register_hook(url)
    except (CardRefused, GatewayUnavailable) as error:
        raise ProviderRefused(str(error)) from error
    with transaction.atomic():
        row = GatewayAccount.objects.select_for_update().get(pk=gateway.pk)
        with_secrets(row, {WEBHOOK_SECRET: secret}).save()
        record(account, actor=actor, action="provedor.aviso_registrado", target=row)
    return url
