"""Addresses that get nothing more, and how they come back."""

from __future__ import annotations

from django.core.validators import validate_email
from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.models import Contact, EmailMessage, EmailSuppression
from lib import clock

Reason = EmailSuppression.Reason


@transaction.atomic
def suppress(
    account: Account, address: str, *, reason: str, detail: str = "", actor: Actor = SYSTEM
) -> EmailSuppression:
    """Write to the address no more; the first reason stays. Audited when it is new.

    Raises ValidationError for what is no address.
    """
    bare = address.strip().lower()
    validate_email(bare)
    row, is_new = EmailSuppression.objects.get_or_create(
        account=account,
        address=bare,
        defaults={"reason": reason, "detail": detail[:500], "created_at": clock.now()},
    )
    if is_new:
        told = {"address": bare, "reason": reason}
        record(account, actor=actor, action="email.suspenso", target=row, after=told)
    return row


@transaction.atomic
def release(suppression_id: int, *, account: Account, actor: Actor) -> None:
    """Write to the address again; its contacts count as reachable. Raises NotFound."""
    row: EmailSuppression = EmailSuppression.objects.get_of(account, pk=suppression_id)
    told = {"address": row.address, "reason": row.reason}
    record(account, actor=actor, action="email.liberado", target=row, before=told)
    Contact.objects.of(account).filter(email__iexact=row.address).update(bounced_at=None)
    row.delete()


def bounced(row: EmailMessage, *, detail: str) -> None:
    """There is no such address: nothing more goes there, and its contact is marked (EM-5)."""
    contacts = Contact.objects.of(row.account).filter(email__iexact=row.recipient, bounced_at=None)
    contacts.update(bounced_at=clock.now())
    suppress(row.account, row.recipient, reason=Reason.BOUNCE, detail=detail)
