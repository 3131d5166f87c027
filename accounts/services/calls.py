"""Tasks that work off whatever waits: however often they are called, one on its way is enough.

Queueing a task for each row costs more than the row's own work. Instead the writer of a row calls
after its commit, which writes nothing while a task is on its way; the task says when it begins,
and from then on it may be called again. A call can be lost with its process: whoever calls also
has a sweep that finds the rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction

from accounts.models import TaskCall
from lib import clock
from lib.compiled import CompiledQuery
from lib.queue import enqueue

# A call whose task was lost is forgotten after this.
LASTS = timedelta(minutes=2)

_CALLED_AT = CompiledQuery(
    lambda task: TaskCall.objects.filter(task=task).values_list("called_at"), marks=("a task",)
)


def call_after_commit(task: str) -> None:
    """`call` once the present transaction is committed, however often it is asked for."""
    name = f"call {task}"
    if all(getattr(waiting[1], "__name__", "") != name for waiting in connection.run_on_commit):
        run = partial(call, task)
        # Django tells of one that fails by its name, which a partial has not.
        run.__name__ = run.__qualname__ = name  # type: ignore[attr-defined]
        transaction.on_commit(run, robust=True)


def call(task: str) -> None:
    """Queue the task, unless one is on its way already."""
    now = clock.now()
    rows = _CALLED_AT.rows(task)
    if rows and rows[0][0] is not None and rows[0][0] > now - LASTS:
        return
    with transaction.atomic():
        free = TaskCall.objects.filter(task=task).exclude(called_at__gt=now - LASTS)
        if free.update(called_at=now) or _is_first(task, now):
            enqueue(task)


def _is_first(task: str, now: datetime) -> bool:
    _, is_new = TaskCall.objects.get_or_create(task=task, defaults={"called_at": now})
    return is_new


def begin(task: str) -> None:
    """The task begins: for what is written from now on it may be called again."""
    TaskCall.objects.filter(task=task).update(called_at=None)
