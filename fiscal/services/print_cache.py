"""Rendered prints, made once and answered from a table: of documents and of service notes (PDF-1).

A cached print counts only if it was made from the very same source: the XML, the events, the
options, the logo and the layout. So a cancellation or a delivered contingency needs no clearing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, Error, transaction

from fiscal.errors import PrintFailed
from fiscal.models import PrintCache, ServicePrint
from lib import clock, pruning
from lib.locks import exclusive
from lib.pdf import RenderFailed

log = logging.getLogger(__name__)

TOUCH_EVERY = timedelta(hours=1)
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Source:
    """What a print is made from; `digest` names it, `render` makes it.

    `table` keeps the prints of rows that its column `owner` names.
    """

    table: Any  # PrintCache or ServicePrint
    owner: str  # document, note
    owner_id: int
    name: str
    digest: str
    render: Callable[[], bytes]

    @property
    def lock(self) -> str:
        """Two tables may have rows of one number: each has its own lock."""
        return "danfe" if self.owner == "document" else "nfse-pdf"

    @property
    def rows(self) -> Any:
        return self.table._default_manager.filter(**{f"{self.owner}_id": self.owner_id})


def printed(source: Source) -> bytes:
    """From the cache, or made now; simultaneous first requests make it once.

    Never inside a transaction. Raises PrintFailed.
    """
    found = _stored(source)
    if found is not None:
        return found
    with exclusive(source.lock, source.owner_id, wait_seconds=WAIT_SECONDS) as ours:
        if not ours:
            raise PrintFailed("O PDF ainda está sendo gerado. Tente de novo em instantes.")
        return _stored(source) or _make(source)


def _stored(source: Source) -> bytes | None:
    row = source.rows.filter(name=source.name, source_hash=source.digest).first()
    if row is None:
        return None
    data = bytes(row.data)
    if hashlib.sha256(data).hexdigest() != row.content_hash:
        log.warning("print_cache.corrupt", extra={"nota_id": source.owner_id})
        return None
    _touch(row, clock.now())
    return data


def _touch(row: PrintCache | ServicePrint, now: datetime) -> None:
    """Note the access, now and then. It must not spoil the answer."""
    if now - row.last_accessed < TOUCH_EVERY:
        return
    with suppress(DatabaseError), transaction.atomic():
        type(row)._default_manager.filter(pk=row.pk).update(last_accessed=now)


def _make(source: Source) -> bytes:
    """Render and keep. The answer counts more than the cache."""
    try:
        data = source.render()
    except (RenderFailed, OSError) as error:
        log.warning("print.failed", extra={"nota_id": source.owner_id, "error": str(error)})
        raise PrintFailed() from error
    try:
        _store(source, data, clock.now())
    except Error as error:
        name = type(error).__name__
        log.warning("print_cache.store_failed", extra={"error": name})
    return data


@transaction.atomic
def _store(source: Source, data: bytes, now: datetime) -> None:
    values = {
        "source_hash": source.digest,
        "content_hash": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "created_at": now,
        "last_accessed": now,
        "data": data,
    }
    key = {f"{source.owner}_id": source.owner_id, "name": source.name}
    source.table._default_manager.bulk_create(
        [source.table(**key, **values)],
        update_conflicts=True,
        unique_fields=[source.owner, "name"],
        update_fields=list(values),
    )


def purge(*, now: datetime) -> int:
    """Delete old and unread prints, then the least recently read beyond the size limit.

    Answers how many. Each batch commits by itself; safe to run twice and to be cut.
    """
    count = pruning.prune(PrintCache, now=now) + pruning.prune(ServicePrint, now=now)
    log.info("print_cache.purged", extra={"n_rows": count})
    return count
