"""From a tenant's account with a provider of card payments to what speaks with it.

GatewayAccount of Stripe — secrets: `api_key`, and `webhook_secrets`, a list of all that may sign at
present (ST-5); options: `publishable_key`, for the fields in the browser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from accounts.models import Account
from billing.errors import NoCardGateway
from billing.gateways.cards import CardRefused
from billing.gateways.stripe.adapter import Stripe, adapter
from billing.models import GatewayAccount, Invoice, Party, ProviderCustomer
from billing.selectors.gateways import gateway_for
from lib.crypto import Unreadable
from lib.errors import GatewayUnavailable

STRIPE = GatewayAccount.Provider.STRIPE
T = TypeVar("T")


def card_gateway(account: Account, *, organization_id: int | None = None) -> GatewayAccount:
    """The account by which cards are charged. Raises NoCardGateway."""
    found = gateway_for(account, provider=STRIPE, organization_id=organization_id)
    if found is None:
        raise NoCardGateway()
    return found


def gateway_of(invoice: Invoice) -> GatewayAccount:
    """Raises NoCardGateway."""
    return card_gateway(invoice.account, organization_id=invoice.organization_id)


def provider_of(gateway: GatewayAccount) -> Stripe:
    """Raises GatewayUnavailable when the secrets cannot be read."""
    try:
        secrets = gateway.secrets
    except Unreadable as error:
        raise GatewayUnavailable("os segredos da conta não podem ser lidos") from error
    return adapter(gateway.base_url, secrets.get("api_key", ""), secrets.get("webhook_secrets", ()))


def customer_reference(gateway: GatewayAccount, customer: Party) -> str:
    """Who the customer is for the provider; told to it the first time.

    Asks the provider: not inside a transaction. Raises GatewayUnavailable, CardRefused.
    """
    known = ProviderCustomer.objects.filter(gateway=gateway, customer=customer).first()
    if known is not None:
        return known.reference
    row, _ = ProviderCustomer.objects.get_or_create(
        gateway=gateway,
        customer=customer,
        defaults={"account_id": gateway.account_id, "reference": _made(gateway, customer)},
    )
    return row.reference


def for_customer(gateway: GatewayAccount, customer: Party, ask: Callable[[str], T]) -> T:
    """What `ask` answers for the customer's reference; for a new one where the provider lost it.

    Another account with the provider, or somebody deleted it there. Raises as `customer_reference`.
    """
    reference = customer_reference(gateway, customer)
    try:
        return ask(reference)
    except CardRefused as error:
        if not error.is_customer_gone:
            raise
    anew = _made(gateway, customer, instead_of=reference)
    mine = ProviderCustomer.objects.filter(gateway=gateway, customer=customer)
    mine.filter(reference=reference).update(reference=anew)
    return ask(anew)


def _made(gateway: GatewayAccount, customer: Party, *, instead_of: str = "") -> str:
    """Two at once get the same customer; a key is bound to what was said with it."""
    said = f"{customer.name}\n{customer.email}\n{instead_of}"
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return provider_of(gateway).create_customer(
        key=f"customer:{gateway.hook}:{customer.pk}:{digest}",
        name=customer.name,
        email=customer.email,
        labels={"account": str(gateway.account_id), "customer": str(customer.pk)},
    )


def customer_of(gateway: GatewayAccount, reference: str) -> Party | None:
    """Whose the provider's customer is; None for one that is not ours."""
    row = (
        ProviderCustomer.objects.filter(gateway=gateway, reference=reference)
        .select_related("customer")
        .first()
    )
    return row.customer if row is not None else None
