"""Links to the boleto of a receivable: signed, expiring, good for one receivable only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db.models import Case, Exists, OuterRef, Value, When

from billing.models import Charge, Receivable
from lib.errors import NotFound
from lib.links import signer

_SALT = "billing.boleto"
VALID_FOR = timedelta(days=60)


def boleto_url(row: Any) -> str | None:
    """Where whoever holds it may print the boleto of a receivable, as lists of the API read it.

    None until its bank has registered one, and once it cannot be paid by it any more.
    """
    if not row.has_boleto:
        return None
    signed = signer(_SALT).sign_ids(row.invoice.account_id, row.id)
    return f"{settings.PUBLIC_URL}/documents/boletos/{signed}.pdf"


def has_boleto() -> Case:
    """An expression over rows of Receivable: there is one to be paid, of its present value."""
    payable = Exists(
        Charge.objects.filter(
            receivable=OuterRef("pk"),
            kind=Charge.Kind.BOLETO,
            state=Charge.State.OPEN,
            principal=OuterRef("open_principal"),
        )
    )
    # Most of what is listed is of months to come: it is not even looked for.
    return Case(When(state=Receivable.State.TO_RECEIVE, then=payable), default=Value(False))


def receivable_of_link(signed: str) -> Receivable:
    """The receivable that a link names, its account loaded.

    NotFound when the link was tampered with or expired, or the invoice is no more to be shown.
    """
    try:
        account_id, pk = signer(_SALT).unsign_object(signed, max_age=VALID_FOR)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotFound() from error
    rows = Receivable.objects.select_related("account").filter(
        account__is_active=True, invoice__emitted_at__isnull=False, invoice__void=False
    )
    found: Receivable | None = rows.filter(pk=pk, account_id=account_id).first()
    if found is None:
        raise NotFound()
    return found
