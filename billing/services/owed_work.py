"""What an emitted invoice is owed besides its numbers: its PDF, its charges and its e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from billing.models import (
    BankAgreement,
    EmailTemplate,
    FollowUp,
    GatewayAccount,
    Invoice,
    Management,
    PaymentMethod,
)
from lib.bulk import insert_rows

Kind = FollowUp.Kind
EVERYTHING = (Kind.PDF, Kind.CHARGES, Kind.EMAIL)
# An e-mail waits for the rest; if nobody tells it that the rest is done, this long.
EMAIL_WAITS = timedelta(hours=6)
_COLUMNS = ("invoice", "kind", "state", "next_attempt_at")
_CARD = (PaymentMethod.PAYMENT_GATEWAY,)


def owe(
    account_id: int,
    invoice_ids: Sequence[int],
    *,
    at: datetime,
    kinds: Sequence[Kind] = EVERYTHING,
) -> None:
    """Owe emitted invoices of an account what applies to them, of `kinds`; five queries.

    They have no such work yet. Charges only where there is anything to charge with; an e-mail only
    for automatic management with a template.
    """
    rows = [(pk, Kind.PDF.value, at) for pk in invoice_ids if Kind.PDF in kinds]
    if Kind.CHARGES in kinds:
        rows += [(pk, Kind.CHARGES.value, at) for pk in _to_charge(account_id, invoice_ids)]
    if Kind.EMAIL in kinds:
        later = at + EMAIL_WAITS
        rows += [(pk, Kind.EMAIL.value, later) for pk in _to_send(account_id, invoice_ids)]
    waiting = FollowUp.State.WAITING.value
    insert_rows(FollowUp, _COLUMNS, [(pk, kind, waiting, when) for pk, kind, when in rows])


def owe_again(invoice: Invoice, *, at: datetime, kinds: Sequence[Kind]) -> None:
    """`owe` one invoice, in place of what it may be owed already."""
    FollowUp.objects.filter(invoice=invoice, kind__in=kinds).delete()
    owe(invoice.account_id, [invoice.pk], at=at, kinds=kinds)


def _to_charge(account_id: int, invoice_ids: Sequence[int]) -> list[int]:
    """Those with something to receive, and somebody to receive it by."""
    agreements = BankAgreement.objects.filter(account_id=account_id, is_active=True)
    gateways = GatewayAccount.objects.filter(
        account_id=account_id,
        is_active=True,
        provider__in=(GatewayAccount.Provider.PIX, GatewayAccount.Provider.STRIPE),
    )
    by: list[tuple[int | None, str]] = [
        (pk, "") for pk in agreements.values_list("financial_account__organization", flat=True)
    ]
    by += [(pk, provider) for pk, provider in gateways.values_list("organization", "provider")]
    if not by:
        return []
    condition = Q()
    for organization_id, provider in set(by):
        one = Q() if organization_id is None else Q(organization_id=organization_id)
        if provider == GatewayAccount.Provider.STRIPE:
            one &= Q(payment_method__in=_CARD)
        condition |= one if one else Q(id__gt=0)
    found = Invoice.objects.filter(condition, id__among=invoice_ids, payment_value__gt=0)
    return list(found.order_by("id").values_list("id", flat=True))


def _to_send(account_id: int, invoice_ids: Sequence[int]) -> list[int]:
    template = EmailTemplate.objects.filter(
        account_id=account_id, pk=OuterRef("automatic_email_template_ref")
    )
    found = Invoice.objects.filter(
        Exists(template), id__among=invoice_ids, management_type=Management.AUTOMATIC
    )
    return list(found.order_by("id").values_list("id", flat=True))
