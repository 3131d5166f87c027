"""Sending a reissued boleto to its payer, as soon as it can be paid (P08-3)."""

from __future__ import annotations

import logging

from billing.models import Charge
from billing.services.emails.automatic import send_reissued
from lib.errors import DomainError

log = logging.getLogger(__name__)


def tell_reissue(charge_id: int) -> int:
    """Answers how many messages were written; none twice, and none of what is over already."""
    charge = (
        Charge.objects.select_related("account", "receivable")
        .filter(pk=charge_id, state=Charge.State.OPEN)
        .first()
    )
    if charge is None:
        return 0
    try:
        return len(send_reissued(charge))
    except DomainError as error:
        # Nobody to write to: the boleto stands all the same, and staff see it.
        log.info("boleto.not_told", extra={"charge_id": charge_id, "why": error.mensagem})
        return 0
