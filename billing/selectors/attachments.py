"""Links to attached files: signed, expiring, and good for one file only."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing

from billing.models import Attachment
from lib.errors import NotFound
from lib.links import signer

_SALT = "billing.attachment"


def file_url(attachment: Attachment) -> str:
    """The address from which whoever holds it may fetch the file, until it expires."""
    signed = signer(_SALT).sign_ids(attachment.account_id, attachment.pk)
    return f"{settings.PUBLIC_URL}/files/{signed}"


def attachment_of_link(signed: str) -> Attachment:
    """The attachment that a link names; NotFound when it was tampered with, expired or deleted."""
    try:
        account_id, pk = signer(_SALT).unsign_object(
            signed, max_age=timedelta(hours=settings.FILE_LINK_HOURS)
        )
    except signing.BadSignature as error:
        raise NotFound() from error
    found: Attachment | None = Attachment.objects.filter(
        pk=pk, account_id=account_id, account__is_active=True
    ).first()
    if found is None:
        raise NotFound()
    return found
