"""Where a bank tells us of Pix: an address with a secret in it, registered for the key."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import ProviderRefused
from billing.gateways.pix.provider import PixRefused, PixUnavailable
from billing.models import GatewayAccount
from billing.services.pix.wiring import provider_of


def set_up_hook(gateway_id: int, *, account: Account, actor: Actor) -> str:
    """Have the bank post notices of the account's key to us; answers the address.

    The bank appends `/pix` to it. Safe to repeat: the secret is made once. Raises NotFound, or
    ProviderRefused with what the bank says.
    """
    gateway = _with_token(gateway_id, account)
    url = address_of(gateway)
    try:
        provider_of(gateway).register_hook(str(gateway.options.get("key", "")), url)
    except (PixRefused, PixUnavailable) as error:
        raise ProviderRefused(str(error)) from error
    with transaction.atomic():
        record(account, actor=actor, action="pix.aviso_registrado", target=gateway)
    return url


def address_of(gateway: GatewayAccount) -> str:
    """With its secret: for the bank only, never for a log or a page."""
    path = reverse("provider-hook", args=[gateway.hook])
    return f"{settings.PUBLIC_URL}{path}/{gateway.secrets['hook_token']}"


@transaction.atomic
def _with_token(gateway_id: int, account: Account) -> GatewayAccount:
    found: GatewayAccount = GatewayAccount.objects.get_of(
        account, pk=gateway_id, provider=GatewayAccount.Provider.PIX
    )
    gateway = GatewayAccount.objects.select_for_update().get(pk=found.pk)
    known = gateway.secrets
    if not known.get("hook_token"):
        gateway.secrets = {**known, "hook_token": secrets.token_urlsafe(32)}
        gateway.save(update_fields=["closed", "updated_at"])
    return gateway
