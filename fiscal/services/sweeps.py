"""The sweep behind the queue: every waiting row has a time, and is found when it has come.

Several workers may sweep at once: a row belongs to the one whose UPDATE moved its time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from accounts.services import calls
from fiscal.models import (
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    Manifestation,
    ServiceNote,
    ServiceOrder,
)
from fiscal.selectors import hot_rows, service_notes
from fiscal.services import dispatch
from fiscal.services.nfse import dispatch as note_dispatch
from lib import clock
from lib.queue import enqueue

# Longer than the task of any row can take; a lost task costs this much time.
LEASE = timedelta(minutes=3)
BATCH = 500
_NOTE_TASK = "fiscal.tasks.resume_service_note"


def claim_due() -> int:
    """Queue a task for every row that is due now; answers how many.

    What waits to be sent for the first time, or again, is sent by one task that is called for.
    """
    now = clock.now()
    n = hot_rows.n_to_send(now, at_most=BATCH)
    if n:
        calls.call(dispatch.TASK)
    n_notes = service_notes.n_to_send(now, at_most=BATCH)
    if n_notes:
        calls.call(note_dispatch.TASK)
    return n + n_notes + sum(_claim(rows, task, now) for rows, task in _waiting(now))


def _waiting(now: datetime) -> list[tuple[models.QuerySet[Any], str]]:
    documents = due(FiscalDocument, now).exclude(hot_rows.IS_TO_SEND)
    return [
        (documents, "fiscal.tasks.resume_document"),
        (due(FiscalEvent, now), "fiscal.tasks.resume_event"),
        (due(Inutilizacao, now), "fiscal.tasks.resume_void"),
        (due(Manifestation, now), "fiscal.tasks.resume_manifestation"),
        (due(ServiceNote, now).exclude(service_notes.IS_TO_SEND), _NOTE_TASK),
        (due(ServiceOrder, now), "fiscal.tasks.resume_service_order"),
    ]


def due(model: type[models.Model], now: datetime) -> models.QuerySet[Any]:
    """Rows whose time has come, the longest waiting first (CON-6: offline ones, oldest first)."""
    rows = model._default_manager.filter(next_attempt_at__lte=now)
    return rows.order_by("next_attempt_at", "id")


def _claim(rows: models.QuerySet[Any], task: str, now: datetime) -> int:
    n = 0
    for pk, was in rows.values_list("pk", "next_attempt_at")[:BATCH]:
        n += _claim_one(rows.model, task, pk, was, now)
    return n


@transaction.atomic
def _claim_one(model: type[models.Model], task: str, pk: int, was: datetime, now: datetime) -> int:
    """The task and the new time commit together: a row is never claimed without its task."""
    mine = model._default_manager.filter(pk=pk, next_attempt_at=was)
    if not mine.update(next_attempt_at=now + LEASE):
        return 0
    enqueue(task, pk)
    return 1
