"""What others are told of a decision on a service note, in the transaction that takes it."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings

from accounts.services import calls
from fiscal.models import FiscalHook, ServiceNote
from fiscal.services import hooks, mail
from lib import clock

log = logging.getLogger(__name__)

AUTHORIZED, REFUSED = "autorizado", "erro_autorizacao"
CANCELLED, REPLACED = "cancelado", "substituido"
CANCELLATION_REFUSED = "erro_cancelamento"
# §13.3 names the first two. The others are told when they come while no client waits for them.
_TOLD = (AUTHORIZED, REFUSED)


def announce(note: ServiceNote, decision: str, *, is_awaited: bool = True) -> None:
    """Tell gatilhos, the taker and `settings.FISCAL_NOTE_SUBSCRIBERS`; all read the committed row.

    `is_awaited`: a client has the answer to its request, so that a cancellation is no news.
    """
    log.info("note.decided", extra={"nota_id": note.pk, "decision": decision})
    now = clock.now()
    if decision in _TOLD or not is_awaited:
        tell_hooks(note, at=now)
    mail.tell_taker(note, decision, now=now)
    for task in settings.FISCAL_NOTE_SUBSCRIBERS:
        calls.call_after_commit(task)


def tell_hooks(note: ServiceNote, *, at: datetime) -> list[FiscalHook]:
    """Write the notice of the note to every matching address; answers them."""
    return hooks.announce(
        note.company, ambiente=note.ambiente, event=note.tipo, service_note=note, at=at
    )


def alarm(note: ServiceNote, reason: str) -> None:
    """An operator has to look."""
    extra = {
        "nota_id": note.pk,
        "company_id": note.company_id,
        "reason": reason,
        "code": note.last_code,
    }
    log.warning("note.alarm", extra=extra)
