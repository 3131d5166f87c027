"""Which of a tenant's accounts with providers is the one to use."""

from __future__ import annotations

from accounts.models import Account
from billing.models import GatewayAccount


def gateway_for(
    account: Account, *, provider: str, organization_id: int | None = None
) -> GatewayAccount | None:
    """The active one of the organization, else the one of all organizations; None without any."""
    active = GatewayAccount.objects.of(account).filter(provider=provider, is_active=True)
    own = active.filter(organization=organization_id) if organization_id else active.none()
    return own.first() or active.filter(organization=None).first()
