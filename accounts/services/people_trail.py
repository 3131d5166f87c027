"""What people do with their own access, told in the trail of every account they act in."""

from __future__ import annotations

from typing import Any

from accounts.models import Account, AuditEvent, User
from accounts.services.audit import Actor, record


def told(
    user: User, *, action: str, ip: str | None = None, after: dict[str, Any] | None = None
) -> None:
    """One event in each active account of the user; who acts is the user, as customer or staff."""
    for account, kind in _accounts(user).items():
        actor = Actor(kind, user.pk, user.email, ip)
        record(account, actor=actor, action=action, target=user, after=after)


def _accounts(user: User) -> dict[Account, str]:
    """Account → kind of actor; somebody who is both acts as staff there."""
    found: dict[Account, str] = {}
    for access in user.customer_accesses.filter(account__is_active=True).select_related("account"):
        found[access.account] = AuditEvent.Actor.CUSTOMER
    for role in user.memberships.filter(account__is_active=True).select_related("account"):
        found[role.account] = AuditEvent.Actor.USER
    return found
