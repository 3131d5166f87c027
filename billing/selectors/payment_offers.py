"""How an invoice can be paid: what its organization has agreed on with banks and providers."""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import GatewayAccount, Invoice
from billing.selectors.gateways import gateway_for
from billing.selectors.late_terms import charge_template_of
from billing.services.boletos.choice import agreement_of


@dataclass(frozen=True)
class Offers:
    """Ways to pay an invoice."""

    boleto: bool
    pix: bool
    card: bool


def offers_of(invoice: Invoice) -> Offers:
    """What can be offered for this invoice, whose account is loaded, now."""

    def has(provider: str) -> bool:
        found = gateway_for(
            invoice.account, provider=provider, organization_id=invoice.organization_id
        )
        return found is not None

    return Offers(
        boleto=agreement_of(invoice, charge_template_of(invoice)) is not None,
        pix=has(GatewayAccount.Provider.PIX),
        card=has(GatewayAccount.Provider.STRIPE),
    )
