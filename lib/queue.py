"""The one door to background work."""

from __future__ import annotations

from django_q.tasks import async_task


def enqueue(task: str, *pks: int, group: str | None = None) -> str:
    """Queue `task` (a dotted path) with primary keys only; returns the queue's id.

    The broker is the same database, so a call inside a transaction commits or vanishes with it.
    Tasks may run twice or be cut anywhere: they guard themselves with the row's state.
    """
    return str(async_task(task, *pks, group=group))
