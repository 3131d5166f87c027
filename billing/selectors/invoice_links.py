"""Links to the PDF of an invoice: signed, expiring, and good for one invoice only."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing

from billing.models import Invoice
from lib.errors import NotFound
from lib.links import signer

_SALT = "billing.invoice"
VALID_FOR = timedelta(days=60)


def invoice_url(invoice: Invoice) -> str | None:
    """The address from which whoever holds it may read the invoice, until it expires.

    None when there is nothing to show: not emitted, or declared void (DECISIONS 11).
    """
    if invoice.emitted_at is None or invoice.void:
        return None
    signed = signer(_SALT).sign_ids(invoice.account_id, invoice.pk)
    return f"{settings.PUBLIC_URL}/documents/invoices/{signed}"


def invoice_of_link(signed: str) -> Invoice:
    """The invoice that a link names, its account loaded.

    NotFound when the link was tampered with or expired, or the invoice is no more to be shown.
    """
    try:
        account_id, pk = signer(_SALT).unsign_object(signed, max_age=VALID_FOR)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotFound() from error
    found: Invoice | None = (
        Invoice.objects.select_related("account")
        .filter(
            pk=pk,
            account_id=account_id,
            account__is_active=True,
            emitted_at__isnull=False,
            void=False,
        )
        .first()
    )
    if found is None:
        raise NotFound()
    return found
