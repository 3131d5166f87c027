"""What others are told of a decision, queued in the transaction that takes it."""

from __future__ import annotations

import logging

from django.conf import settings

from fiscal.models import FiscalDocument, Inutilizacao
from fiscal.services import hook_events, mail
from lib import clock
from lib.queue import enqueue

log = logging.getLogger(__name__)


def announce(document: FiscalDocument, event: str) -> None:
    """Write what gatilhos are told, and enqueue `settings.FISCAL_SUBSCRIBERS` for the document.

    All of them read its state from the row, after the commit. A document that another one replaced
    is told of by that one.
    """
    log.info(
        "document.decided",
        extra={"nota_id": document.pk, "decision": event, "cstat": document.c_stat},
    )
    hook_events.tell_of_document(document, event, at=clock.now())
    mail.tell_recipient(document, event, now=clock.now())
    for task in settings.FISCAL_SUBSCRIBERS:
        enqueue(task, document.pk)


def announce_void(void: Inutilizacao) -> None:
    """A range of numbers was voided: tell gatilhos and `settings.FISCAL_VOID_SUBSCRIBERS`."""
    log.info("numbers.voided", extra={"inutilizacao_id": void.pk, "automatic": void.is_automatic})
    hook_events.tell_of_void(void, at=clock.now())
    for task in settings.FISCAL_VOID_SUBSCRIBERS:
        enqueue(task, void.pk)


def cancellation_refused(document: FiscalDocument) -> None:
    """The document of an earlier attempt stands, and its cancellation was refused."""
    alarm(document, "cancelamento_recusado")
    hook_events.tell_of_document(document, hook_events.CANCELLATION_REFUSED, at=clock.now())


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
