"""What a customer is written about card payments. Each is written once, however often it is asked.

A customer without an address is not written to: the invoice's page tells the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from billing.models import Payment, Refund
from billing.services.emails.automatic import (
    send_authentication_link,
    send_refund,
)
from lib.errors import DomainError

log = logging.getLogger(__name__)


def tell_action(payment_id: int) -> int:
    """The bank wants a confirmation (ST-4); answers to how many it was written."""
    payment = _payment(payment_id)
    if payment.state != Payment.State.REQUIRES_ACTION:
        return 0
    return _written(send_authentication_link, payment)


def tell_refund(refund_id: int) -> int:
    """Money goes back to the card; answers to how many it was written."""
    refund = Refund.objects.select_related("payment__account", "payment__invoice").get(pk=refund_id)
    return _written(send_refund, refund) if refund.state == Refund.State.SUCCEEDED else 0


def _payment(payment_id: int) -> Payment:
    return Payment.objects.select_related("account", "invoice").get(pk=payment_id)


def _written(send: Callable[[Any], list[Any]], about: Payment | Refund) -> int:
    try:
        return len(send(about))
    except DomainError as error:
        log.warning("card.not_written", extra={"about": str(about), "why": error.mensagem})
        return 0
