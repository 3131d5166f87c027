"""From a tenant's account with a provider of card payments to what speaks with it.

GatewayAccount of Stripe — secrets: `api_key`, and `webhook_secrets`, a list of all that may sign at
present (ST-5); options: `publishable_key`, for the fields in the browser.
"""

from __future__ import annotations

from accounts.models import Account
from billing.errors import NoCardGateway
from billing.gateways.stripe.adapter import Stripe, adapter
from billing.models import GatewayAccount, Invoice, Party, ProviderCustomer
from billing.selectors.gateways import gateway_for
from lib.crypto import Unreadable
from lib.errors import GatewayUnavailable

STRIPE = GatewayAccount.Provider.STRIPE


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
    reference = provider_of(gateway).create_customer(
        # Two at once get the same customer.
        key=f"customer:{gateway.hook}:{customer.pk}",
        name=customer.name,
        email=customer.email,
        labels={"account": str(gateway.account_id), "customer": str(customer.pk)},
    )
    row, _ = ProviderCustomer.objects.get_or_create(
        gateway=gateway,
        customer=customer,
        defaults={"account_id": gateway.account_id, "reference": reference},
    )
    return row.reference


def customer_of(gateway: GatewayAccount, reference: str) -> Party | None:
    """Whose the provider's customer is; None for one that is not ours."""
    row = (
        ProviderCustomer.objects.filter(gateway=gateway, reference=reference)
        .select_related("customer")
        .first()
    )
    return row.customer if row is not None else None
