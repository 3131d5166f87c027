"""Files of disputes: bytes in the storage, the row in the database, as those of invoices.

A file is written before its row commits, so a row never lacks its file; what a rollback left
behind is what `purge_orphans` deletes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Sequence

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from billing.models import DisputeFile, DisputeMessage
from billing.services.attachments import ORPHAN_AFTER
from billing.services.disputes.uploads import Checked
from lib import clock
from lib.errors import NotFound

log = logging.getLogger(__name__)

FOLDER = "disputes"


def keep(message: DisputeMessage, files: Sequence[Checked]) -> list[DisputeFile]:
    """Store what came with a message, under keys that tell nothing."""
    return DisputeFile.objects.bulk_create(
        DisputeFile(
            message=message,
            name=one.name,
            content_type=one.content_type,
            size=len(one.data),
            path=_store(one.data),
        )
        for one in files
    )


def read(file: DisputeFile) -> bytes:
    """The bytes. Raises NotFound when the storage has lost them."""
    try:
        with default_storage.open(file.path) as stored:
            return bytes(stored.read())
    except FileNotFoundError as error:
        log.error("dispute.file_lost", extra={"file_id": file.pk})
        raise NotFound() from error


def purge_orphans() -> int:
    """Delete files older than a day that no row names; answers how many. Safe to run twice."""
    stored = list(_stored())  # first the files, then the rows: a new pair is seen or too young
    named = set(DisputeFile.objects.values_list("path", flat=True).iterator())
    limit = clock.now() - ORPHAN_AFTER
    count = 0
    for path in stored:
        if path not in named and default_storage.get_modified_time(path) < limit:
            default_storage.delete(path)
            count += 1
    return count


def _store(data: bytes) -> str:
    random = secrets.token_hex(16)
    return str(default_storage.save(f"{FOLDER}/{random[:2]}/{random}", ContentFile(data)))


def _stored() -> Iterable[str]:
    try:
        folders, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        _, files = default_storage.listdir(f"{FOLDER}/{folder}")
        yield from (f"{FOLDER}/{folder}/{file}" for file in files)
