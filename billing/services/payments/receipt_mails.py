"""Receipts by e-mail of money that came by bank, Pix or card, each written once (P-16).

What staff record by hand they tell the customer themselves, who stood at the counter.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from billing.models import Payment
from billing.services.emails.automatic import send_receipt
from lib.errors import DomainError

log = logging.getLogger(__name__)


def tell_paid(payment_ids: Sequence[int]) -> int:
    """Write what is not written yet; answers how many messages.

    Not of what was undone meanwhile, and not to a customer without an address: the invoice's page
    tells the same.
    """
    found = Payment.objects.filter(
        pk__in=payment_ids, state__in=Payment.SETTLED, undone_at=None
    ).select_related("account", "invoice")
    return sum(_written(payment) for payment in found.order_by("id"))


def _written(payment: Payment) -> int:
    try:
        return len(send_receipt(payment))
    except DomainError as error:
        log.info("payment.not_told", extra={"payment_id": payment.pk, "why": error.mensagem})
        return 0
