"""Links to attached files: signed, expiring, and good for one file only."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing

from billing.models import Attachment, InvoiceLink
from lib import clock
from lib.errors import NotFound
from lib.links import signer

_SALT = "billing.attachment"
_LASTING = "billing.attachment.lasting"


def file_url(attachment: Attachment) -> str:
    """The address from which whoever holds it may fetch the file, until it expires."""
    signed = signer(_SALT).sign_ids(attachment.account_id, attachment.pk)
    return f"{settings.PUBLIC_URL}/files/{signed}"


def lasting_url(attachment: Attachment, link: InvoiceLink) -> str:
    """The address of a file for whoever has a link to its invoice: good as long as that one."""
    signed = signer(_LASTING).sign_ids(attachment.account_id, attachment.pk, link.pk)
    return f"{settings.PUBLIC_URL}/files/{signed}"


def attachment_of_link(signed: str) -> Attachment:
    """The attachment that a link names; NotFound when it was tampered with, expired or deleted."""
    try:
        account_id, pk = signer(_SALT).unsign_object(
            signed, max_age=timedelta(hours=settings.FILE_LINK_HOURS)
        )
    except signing.SignatureExpired as error:
        raise NotFound() from error
    except signing.BadSignature:
        account_id, pk = _lasting(signed)
    found: Attachment | None = Attachment.objects.filter(
        pk=pk, account_id=account_id, account__is_active=True
    ).first()
    if found is None:
        raise NotFound()
    return found


def _lasting(signed: str) -> tuple[int, int]:
    """Account and file of a link that hangs on another one, which must still work."""
    try:
        account_id, pk, link_id = signer(_LASTING).unsign_object(signed)
    except signing.BadSignature as error:
        raise NotFound() from error
    alive = InvoiceLink.objects.filter(
        pk=link_id, invoice__attachments=pk, revoked_at=None, expires_at__gt=clock.now()
    )
    if not alive.exists():
        raise NotFound()
    return account_id, pk
