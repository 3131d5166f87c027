"""From a tenant's account with a bank to the provider that speaks with it.

GatewayAccount of Pix — options: `key` (the Pix key, as the directory writes it), `name` and `city`
of the receiver (default: the organization's), `token_url`, `scope`, `secret_in_form` (bool), `ca`
(PEM), `hook_header` ({"name", "value"} that our own proxy sets when the bank's certificate is
good). Secrets: `client_id`, `client_secret`, `certificate` and `certificate_key` (PEM),
`hook_token`. Without an address there is no provider: static codes only (PX-1).
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.services.webhook_requests import policy
from billing.errors import PixNotSetUp
from billing.gateways.pix import brcode
from billing.gateways.pix.bacen import BacenPix
from billing.gateways.pix.provider import PixMisconfigured, PixProvider
from billing.gateways.pix.wire import Credentials, Wire
from billing.models import GatewayAccount, Invoice
from billing.selectors.gateways import gateway_for
from lib.crypto import Unreadable


@dataclass(frozen=True)
class Receiver:
    """What a code says of who receives."""

    key: str
    name: str
    city: str


def gateway_of(invoice: Invoice) -> GatewayAccount:
    """The account that the invoice's Pix are received by. Raises PixNotSetUp."""
    found = gateway_for(
        invoice.account,
        provider=GatewayAccount.Provider.PIX,
        organization_id=invoice.organization_id,
    )
    if found is None or not brcode.is_key(str(found.options.get("key", ""))):
        raise PixNotSetUp()
    return found


def has_provider(gateway: GatewayAccount) -> bool:
    return bool(gateway.base_url)


def provider_of(gateway: GatewayAccount) -> PixProvider:
    """Raises PixMisconfigured when there is nobody to ask, or no way to read the secrets."""
    if not gateway.base_url:
        raise PixMisconfigured("A conta Pix não tem o endereço do banco.")
    try:
        secrets = gateway.secrets
    except Unreadable as error:
        raise PixMisconfigured("Os segredos da conta Pix não podem ser lidos.") from error
    options = gateway.options
    credentials = Credentials(
        base_url=gateway.base_url.rstrip("/"),
        client_id=str(secrets.get("client_id", "")),
        client_secret=str(secrets.get("client_secret", "")),
        token_url=str(options.get("token_url", "")),
        in_body=bool(options.get("secret_in_form")),
        certificate_pem=str(secrets.get("certificate", "")),
        key_pem=str(secrets.get("certificate_key", "")),
        ca_pem=str(options.get("ca", "")),
        **({"scope": str(options["scope"])} if options.get("scope") else {}),
    )
    return BacenPix(Wire(credentials, policy()))


def receiver_of(gateway: GatewayAccount, invoice: Invoice) -> Receiver:
    """Name and city of the account's options, else of who issued the invoice."""
    issuer = invoice.organization_snapshot
    data = issuer.data if issuer is not None else {}
    name = gateway.options.get("name") or data.get("company_name") or data.get("name")
    city = gateway.options.get("city") or data.get("city") or "BRASIL"
    return Receiver(str(gateway.options["key"]), str(name or invoice.organization), str(city))
