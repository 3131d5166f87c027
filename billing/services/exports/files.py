"""The files of exports: in the private storage for a week, named by their jobs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.core.files.storage import default_storage

from accounts.models import Account, Job, User
from accounts.services.audit import Actor, record
from billing.models import Party
from billing.services.attachments import ORPHAN_AFTER
from billing.services.exports.asking import KIND
from lib import clock
from lib.errors import NotFound

FOLDER = "exports"
KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Stored:
    """A file that may be downloaded until `until`."""

    name: str
    content_type: str
    size: int
    until: datetime
    path: str


def store(source: Path, *, name: str, content_type: str) -> dict[str, Any]:
    """Keep a file; what the job's result is to say of it."""
    random = secrets.token_hex(16)
    with source.open("rb") as file:
        path = default_storage.save(f"{FOLDER}/{random[:2]}/{random}", File(file))
    return {
        "path": path,
        "name": name,
        "content_type": content_type,
        "size": source.stat().st_size,
        "until": (clock.now() + KEPT).isoformat(),
    }


def stored_of(job: Job, *, now: datetime) -> Stored | None:
    """The job's file, as long as it may be downloaded."""
    result = job.result or {}
    if job.kind != KIND or not result.get("path"):
        return None
    until = datetime.fromisoformat(result["until"])
    if until <= now:
        return None
    return Stored(
        result["name"], result["content_type"], int(result["size"]), until, result["path"]
    )


def get_job(job_id: int, *, account: Account, customer: Party, user: User) -> Job:
    """A long work of this person for this company. Raises NotFound."""
    mine = {"started_by": user, "params__customer": customer.pk}
    found: Job = Job.objects.get_of(account, pk=job_id, **mine)
    return found


def download(
    job_id: int, *, account: Account, customer: Party, user: User, actor: Actor
) -> tuple[Stored, BinaryIO]:
    """The file, open, and the trail of it. Raises NotFound, also when it is over or lost."""
    job = get_job(job_id, account=account, customer=customer, user=user)
    stored = stored_of(job, now=clock.now())
    if stored is None or not default_storage.exists(stored.path):
        raise NotFound()
    record(account, actor=actor, action="exportacao.baixada", target=job)
    return stored, cast("BinaryIO", default_storage.open(stored.path))


def purge() -> int:
    """Delete the files whose week is over, and those that no job names; answers how many."""
    now, n = clock.now(), 0
    named = set()
    for job in Job.objects.filter(kind=KIND, result__path__isnull=False).iterator():
        result = dict(job.result or {})
        path = result["path"]
        if not path:
            continue
        if stored_of(job, now=now) is not None:
            named.add(path)
            continue
        default_storage.delete(path)
        Job.objects.filter(pk=job.pk).update(result={**result, "path": ""})
        n += 1
    for path in list(_stored()):
        is_old = default_storage.get_modified_time(path) < now - ORPHAN_AFTER
        if path not in named and is_old and not _is_named(path):
            default_storage.delete(path)
            n += 1
    return n


def _is_named(path: str) -> bool:
    """Asked again: a job may have ended since the rows were read."""
    return Job.objects.filter(kind=KIND, result__path=path).exists()


def _stored() -> Iterable[str]:
    try:
        folders, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        _, files = default_storage.listdir(f"{FOLDER}/{folder}")
        yield from (f"{FOLDER}/{folder}/{file}" for file in files)
