"""What others are told of a decision, queued in the transaction that takes it."""

from __future__ import annotations

import logging

from django.conf import settings

from fiscal.models import FiscalDocument, Inutilizacao
from lib.queue import enqueue

log = logging.getLogger(__name__)


def announce(document: FiscalDocument, event: str) -> None:
    """Enqueue `settings.FISCAL_SUBSCRIBERS` for the document; they read its state from the row.

    A document that another one replaced is told of by that one.
    """
    log.info(
        "document.decided",
        extra={"nota_id": document.pk, "decision": event, "cstat": document.c_stat},
    )
    for task in settings.FISCAL_SUBSCRIBERS:
        enqueue(task, document.pk)


def announce_void(void: Inutilizacao) -> None:
    """A range of numbers was voided: enqueue `settings.FISCAL_VOID_SUBSCRIBERS`."""
    log.info("numbers.voided", extra={"inutilizacao_id": void.pk, "automatic": void.is_automatic})
    for task in settings.FISCAL_VOID_SUBSCRIBERS:
        enqueue(task, void.pk)


def alarm(document: FiscalDocument, reason: str) -> None:
    """An operator has to look."""
    log.warning(
        "document.alarm",
        extra={
            "nota_id": document.pk,
            "company_id": document.company_id,
            "reason": reason,
            "cstat": document.c_stat,
        },
    )
