"""Files attached to invoices: bytes in the storage, the row in the database (billing-engine §2.3).

A file is written before its row commits and deleted after its row is gone, so a row never lacks its
file; files that a rollback or a crash left behind are what `purge_orphans` deletes.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.messages import BLANK, INVALID, NOT_LISTED
from billing.models import Attachment, Invoice
from billing.services.file_checks import (
    MAX_BYTES,
    decode_content,
    is_allowed_type,
    is_dangerous,
    is_dangerous_name,
    plain_type,
    safe_name,
)
from lib import clock
from lib.errors import FieldError, NotFound

__all__ = ["MAX_BYTES", "attachment_faults", "drop_files", "purge_orphans", "save_attachments"]

log = logging.getLogger(__name__)

TOO_BIG = "é muito grande (máximo: 10 MB)"

FOLDER = "attachments"
ORPHAN_AFTER = timedelta(hours=24)  # no request takes that long, so no file in use is touched

Elements = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class _File:
    """What an element says of its file, checked; None is what it does not say."""

    filename: str | None
    content_type: str | None
    data: bytes | None


def attachment_faults(elements: Elements | None) -> list[FieldError]:
    """What is wrong with the files, under `attachments.…`. Reads no row."""
    faults: list[FieldError] = []
    for element in elements or ():
        _read(element, faults)
    return faults


@transaction.atomic
def save_attachments(
    invoice: Invoice,
    elements: Elements | None,
    *,
    account: Account,
    actor: Actor,
    faults: list[FieldError],
) -> list[Attachment]:
    """Create, change (`id`) and delete (`id`, `_destroy`) attachments of a saved, locked invoice.

    Appends what is wrong to `faults` and, if anything is in it then, writes nothing: the caller
    refuses. Answers the attachments written. Raises NotFound for an id of another invoice.
    """
    present = _present(invoice, elements or (), account=account)
    plans = [(element, _read(element, faults)) for element in elements or ()]
    if faults:
        return []
    written = []
    for element, file in plans:
        attachment = present.get(element.get("id"))
        if element.get("_destroy"):
            _remove(attachment, actor=actor)
        elif attachment is not None:
            written.append(_change(attachment, file, actor=actor))
        else:
            written.append(_create(invoice, file, actor=actor))
    return written


def drop_files(attachments: Iterable[Attachment]) -> None:
    """Delete the files when the transaction commits: for whoever deletes the rows otherwise."""
    for attachment in attachments:
        run = partial(_delete_file, attachment.storage_key)
        # Django tells of one that fails by its name, which a partial has not.
        run.__qualname__ = _delete_file.__qualname__  # type: ignore[attr-defined]
        transaction.on_commit(run, robust=True)


def purge_orphans() -> int:
    """Delete files older than a day that no row names; answers how many. Safe to run twice."""
    stored = list(_stored_keys())  # first the files, then the rows: a new pair is seen or too young
    named = set(Attachment.objects.values_list("storage_key", flat=True).iterator())
    limit = clock.now() - ORPHAN_AFTER
    count = 0
    for key in stored:
        if key not in named and default_storage.get_modified_time(key) < limit:
            _delete_file(key)
            count += 1
    log.info("attachments.purged", extra={"n_files": count})
    return count


def _stored_keys() -> Iterable[str]:
    try:
        folders, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        _, files = default_storage.listdir(f"{FOLDER}/{folder}")
        yield from (f"{FOLDER}/{folder}/{file}" for file in files)


# --- reading -----------------------------------------------------------------------------------


def _read(element: dict[str, Any], faults: list[FieldError]) -> _File:
    """The element's file; what is missing is a fault only in a new one."""
    if element.get("_destroy"):
        return _File(None, None, None)
    is_new = element.get("id") is None
    return _File(
        _take(element, "filename", _filename, faults, is_new=is_new),
        _take(element, "content_type", _content_type, faults, is_new=is_new),
        _take(element, "content", _content, faults, is_new=is_new),
    )


def _take(
    element: dict[str, Any], name: str, read: Any, faults: list[FieldError], *, is_new: bool
) -> Any:
    """One attribute as `read` makes it; texts of refusal go to `faults`."""
    text = element.get(name)
    if not isinstance(text, str) or not text.strip():
        if is_new or name in element:
            faults.append(FieldError(f"attachments.{name}", BLANK))
        return None
    value, refusal = read(text)
    if refusal:
        faults.append(FieldError(f"attachments.{name}", refusal))
    return value


def _filename(text: str) -> tuple[str, str]:
    name = safe_name(text)
    return name, "" if name and not is_dangerous_name(name) else INVALID


def _content_type(text: str) -> tuple[str, str]:
    kind = plain_type(text)
    return kind, "" if is_allowed_type(kind) else NOT_LISTED


def _content(text: str) -> tuple[bytes, str]:
    data = decode_content(text)
    if len(data) > MAX_BYTES:
        return b"", TOO_BIG
    return data, INVALID if not data or is_dangerous(data) else ""


def _present(invoice: Invoice, elements: Elements, *, account: Account) -> dict[Any, Attachment]:
    """The attachments that elements name, by id. Raises NotFound when one is not the invoice's."""
    ids = {element["id"] for element in elements if element.get("id") is not None}
    if not ids:
        return {}
    rows = Attachment.objects.select_for_update().of(account).filter(invoice=invoice, pk__in=ids)
    found = {row.pk: row for row in rows}
    if ids - found.keys():
        raise NotFound()
    return found


# --- writing -----------------------------------------------------------------------------------


def _create(invoice: Invoice, file: _File, *, actor: Actor) -> Attachment:
    data = file.data or b""
    attachment = Attachment.objects.create(
        account_id=invoice.account_id,
        invoice=invoice,
        filename=file.filename or "",
        content_type=file.content_type or "",
        **_stored(data),
    )
    _record(attachment, "fatura.anexo_incluido", actor=actor)
    return attachment


def _change(attachment: Attachment, file: _File, *, actor: Actor) -> Attachment:
    if attachment.pk is None:  # deleted by an earlier element of the same request
        raise NotFound()
    if file.data is not None:
        drop_files([Attachment(storage_key=attachment.storage_key)])
        for name, value in _stored(file.data).items():
            setattr(attachment, name, value)
    attachment.filename = file.filename or attachment.filename
    attachment.content_type = file.content_type or attachment.content_type
    attachment.save()
    _record(attachment, "fatura.anexo_alterado", actor=actor)
    return attachment


def _remove(attachment: Attachment | None, *, actor: Actor) -> None:
    if attachment is None or attachment.pk is None:
        return
    drop_files([attachment])
    _record(attachment, "fatura.anexo_excluido", actor=actor)
    attachment.delete()


def _stored(data: bytes) -> dict[str, Any]:
    """Write the bytes under a key that tells nothing; answers the columns that describe them."""
    random = secrets.token_hex(16)
    key = default_storage.save(f"{FOLDER}/{random[:2]}/{random}", ContentFile(data))
    return {"storage_key": key, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _delete_file(key: str) -> None:
    default_storage.delete(key)


def _record(attachment: Attachment, action: str, *, actor: Actor) -> None:
    record(
        attachment.account,
        actor=actor,
        action=action,
        target=attachment.invoice,
        after={"anexo": attachment.pk, "sha256": attachment.sha256, "size": attachment.size},
    )
