"""Reads of the audit trail."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.access import MODEL_CAPABILITIES, Capability, Level, can, grant
from accounts.models import AuditEvent, User


def readable_events(user: User) -> QuerySet[AuditEvent]:
    """The events that a member of staff may read, newest first, account loaded.

    Who only reads the own area (ux §5) sees what was done to the kinds of rows they may change.
    """
    events = AuditEvent.objects.select_related("account").order_by("-at", "-pk")
    if user.is_superuser:
        return events
    condition = Q(pk=None)
    for account_id, role in user.roles.items():
        level = grant(role, Capability.AUDIT).level
        if level is Level.FULL:
            condition |= Q(account=account_id)
        elif level is Level.READ:
            condition |= Q(account=account_id, object_type__in=own_area(role))
    return events.filter(condition)


def own_area(role: str) -> list[str]:
    """Names of the models that a role may change."""
    return sorted(
        label.partition(".")[2]
        for label, capability in MODEL_CAPABILITIES.items()
        if capability is not None and can(role, capability, write=True)
    )
