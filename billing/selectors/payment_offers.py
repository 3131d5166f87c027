"""How an invoice can be paid: what its organization has agreed on with banks and providers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q

from billing.models import GatewayAccount, Invoice
from billing.selectors.late_terms import charge_template_of
from billing.services.boletos.choice import agreement_of


@dataclass(frozen=True)
class Offers:
    """Ways to pay an invoice, each looked up when it is asked for."""

    invoice: Invoice

    @cached_property
    def boleto(self) -> bool:
        return agreement_of(self.invoice, charge_template_of(self.invoice)) is not None

    @property
    def pix(self) -> bool:
        return GatewayAccount.Provider.PIX in self._providers

    @property
    def card(self) -> bool:
        return GatewayAccount.Provider.STRIPE in self._providers

    @cached_property
    def _providers(self) -> set[str]:
        """Those that the organization has an active account with, or every organization has."""
        mine = Q(organization=self.invoice.organization_id) | Q(organization=None)
        active = GatewayAccount.objects.of(self.invoice.account).filter(mine, is_active=True)
        return set(active.values_list("provider", flat=True))


def offers_of(invoice: Invoice) -> Offers:
    """What can be offered for this invoice, whose account is loaded, now."""
    return Offers(invoice)
