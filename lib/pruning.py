"""Keeping a table of renderings small: all of them can be made again (PDF-5, PDF-1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Model, Q, QuerySet, Sum

ROWS_PER_BATCH = 200  # some 10 MB; the writer's lock is given back in between


def prune(model: type[Model], *, now: datetime) -> int:
    """Delete old and unread rows, then the least recently read ones beyond the size limit.

    The model has `created_at`, `last_accessed` and `size` (bytes); the limits are the settings
    PDF_CACHE_*. Answers how many. Each batch commits by itself; safe to run twice and to be cut.
    """
    rows: QuerySet[Any] = model._default_manager.all()
    old = Q(created_at__lt=now - timedelta(days=settings.PDF_CACHE_DAYS))
    unread = Q(last_accessed__lt=now - timedelta(days=settings.PDF_CACHE_IDLE_DAYS))
    return delete(rows.filter(old | unread)) + _shrink(rows, settings.PDF_CACHE_MAX_BYTES)


def delete(rows: QuerySet[Any]) -> int:
    """Delete the rows in batches; answers how many."""
    count = 0
    while ids := list(rows.order_by("id").values_list("id", flat=True)[:ROWS_PER_BATCH]):
        count += _delete_ids(rows, ids)
    return count


def _shrink(rows: QuerySet[Any], limit: int) -> int:
    """Delete the least recently read until all together are within `limit` bytes."""
    excess = (rows.aggregate(total=Sum("size"))["total"] or 0) - limit
    count = 0
    while excess > 0:
        ids = []
        for pk, size in rows.order_by("last_accessed", "id").values_list("id", "size")[
            :ROWS_PER_BATCH
        ]:
            if excess <= 0:
                break
            ids.append(pk)
            excess -= size
        if not ids:
            break
        count += _delete_ids(rows, ids)
    return count


def _delete_ids(rows: QuerySet[Any], ids: list[int]) -> int:
    return int(rows.model._default_manager.filter(id__among=ids).delete()[0])
