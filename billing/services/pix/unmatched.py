"""Pix that belong to no charge of ours: kept for staff to say what they are for."""

from __future__ import annotations

import logging

from django.db import IntegrityError, transaction

from accounts.services.audit import SYSTEM, record
from billing.gateways.pix.provider import Received
from billing.models import GatewayAccount, InboundEvent
from lib import clock

log = logging.getLogger(__name__)

KIND = "pix.sem_cobranca"
_PREFIX = "sem-cobranca:"
RESULT = "Nenhuma cobrança tem este txid. Escolha a parcela que este Pix paga."


def keep(gateway: GatewayAccount, pix: Received) -> bool:
    """Keep it, with an alert in the audit trail; whether it was not known yet."""
    now = clock.now()
    payload = {
        "endToEndId": pix.end_to_end_id,
        "txid": pix.txid,
        "valor": str(pix.amount),
        "horario": pix.at.isoformat(),
    }
    try:
        with transaction.atomic():
            event = InboundEvent.objects.create(
                account=gateway.account,
                gateway=gateway,
                external_id=f"{_PREFIX}{pix.end_to_end_id}"[:255],
                kind=KIND,
                payload=payload,
                state=InboundEvent.State.IGNORED,
                result=RESULT,
                received_at=now,
                next_attempt_at=now,
            )
            record(
                gateway.account, actor=SYSTEM, action="pix.sem_cobranca", target=event,
                after=payload,
            )  # fmt: skip
    except IntegrityError:
        return False
    log.warning("pix.unmatched", extra={"event_id": event.pk, "gateway_id": gateway.pk})
    return True
