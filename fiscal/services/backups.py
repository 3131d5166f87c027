"""Monthly files of a company in produção: its XML and its DANFEs (fiscal-api §15, KEEP-2).

A month may hold more than a task has time for, so a build goes on from task to task and appends to
an unfinished file. What the row does not know of that file does not count: it is begun again.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from fiscal.errors import DocumentNotFound, PrintFailed
from fiscal.models import Archive, Backup, Company
from fiscal.services import archive, printing
from lib import clock
from lib.locks import exclusive
from lib.queue import enqueue

log = logging.getLogger(__name__)

TASK = "fiscal.tasks.build_backup"
AMBIENTE = "producao"  # backups exist only there
MONTHS_KEPT = 6
LATE = timedelta(days=3)  # how far back a night looks for what entered earlier months
SECONDS = 45.0  # of one task, which is cut at 120: one print may take long
LEASE = timedelta(minutes=5)
ROWS_PER_BATCH = 100
_SATURDAY = 5
_CORRECTION = re.compile(r"-cce-0*([0-9]+)\.xml$")
_KINDS = (Archive.Kind.AUTHORIZED, Archive.Kind.IMPORTED, Archive.Kind.EVENT, Archive.Kind.VOID)
_PRINTED = (Archive.Kind.AUTHORIZED, Archive.Kind.IMPORTED)
_MODEL_55 = re.compile(r"[0-9A-Z]{20}55[0-9A-Z]{22}-nfe\.xml")


# --- what is due -------------------------------------------------------------------------------


def prepare(*, now: datetime) -> int:
    """Begin what is due, delete what is old; answers how many were begun. Safe to run again.

    Due are the past month, once it is over and again for what entered late, months before it that
    something entered since (an import, a carta de correção), and each Saturday the present one.
    """
    today = timezone.localtime(now).date()
    last = f"{today.replace(day=1) - timedelta(days=1):%Y%m}"
    over = [(company, last) for company in _companies(last)] + _entered(last, now)
    count = sum(_begin_if_stale(company, month, now) for company, month in over)
    if today.weekday() == _SATURDAY:
        month = f"{today:%Y%m}"
        count += sum(_begin(company, month, now) for company in _companies(month))
    purge(today=today)
    return count


def _companies(month: str) -> Iterator[Company]:
    """Companies with a file of that month."""
    for company in Company.objects.order_by("pk").defer("logo").iterator():
        if _files(company.pk, month).exists():
            yield company


def _entered(last: str, now: datetime) -> list[tuple[Company, str]]:
    """Companies and months before `last`, still kept, that a file entered these days."""
    names = ("created_at", "ambiente", "kind", "month", "company_id")
    oldest = _oldest_kept(timezone.localtime(now).date())
    found = set()
    for at, ambiente, kind, month, company_id in (
        Archive.objects.order_by("-id").values_list(*names).iterator()
    ):
        if at < now - LATE:
            break  # ids and moments grow together
        if ambiente == AMBIENTE and kind in _KINDS and oldest <= month < last:
            found.add((company_id, month))
    companies = Company.objects.defer("logo").in_bulk({company_id for company_id, _ in found})
    return [(companies[company_id], month) for company_id, month in sorted(found)]


def _begin_if_stale(company: Company, month: str, now: datetime) -> bool:
    """The month is over: whatever was built before that, or before a later file, is not all."""
    found = Backup.objects.filter(company=company, month=month).first()
    if found is not None and found.part:
        return False  # on its way
    newest = _files(company.pk, month).order_by("-id").values_list("created_at", flat=True).first()
    over = _end_of(month)
    if found is not None and found.built_at and found.built_at >= max(over, newest or over):
        return False
    return _begin(company, month, now)


def _end_of(month: str) -> datetime:
    """The moment when it is over in Brasília."""
    year, number = divmod(int(month[:4]) * 12 + int(month[4:]), 12)
    return timezone.make_aware(datetime(year, number + 1, 1))


@transaction.atomic
def _begin(company: Company, month: str, now: datetime) -> bool:
    """Start a build. What was finished stays to be downloaded until the new file is there."""
    key = {"company": company, "month": month}
    Backup.objects.get_or_create(**key, defaults={"account_id": company.account_id})
    row = Backup.objects.select_for_update().get(**key)
    if row.part:
        return False
    _start_part(row, Backup.Part.XMLS)
    row.started_at, row.next_attempt_at = now, now + LEASE
    row.save()
    enqueue(TASK, row.pk)
    return True


def _start_part(row: Backup, part: str) -> None:
    row.part, row.position, row.n_files = part, "", 0
    row.work = f"{folder(row)}/{row.month}-{part}-{secrets.token_hex(8)}.zip"


def sweep(*, now: datetime) -> int:
    """Queue again the builds that a lost task left behind."""
    with transaction.atomic():
        rows = Backup.objects.select_for_update(skip_locked=True).filter(next_attempt_at__lte=now)
        found = list(rows)
        for row in found:
            row.next_attempt_at = now + LEASE
            row.save(update_fields=["next_attempt_at"])
            enqueue(TASK, row.pk)
    return len(found)


# --- building ----------------------------------------------------------------------------------


def build(backup_id: int, *, seconds: float = SECONDS) -> None:
    """Go on with a build for some `seconds`; queues itself again until all is there."""
    with exclusive("backup", backup_id) as ours:
        row = Backup.objects.filter(pk=backup_id).exclude(part="").first() if ours else None
        if row is None:
            return
        is_whole = _append(row, until=time.monotonic() + seconds)
        if is_whole:
            _finish_part(row, now=clock.now())
        else:
            row.next_attempt_at = clock.now() + LEASE
        with transaction.atomic():
            row.save()
            if row.part:
                enqueue(TASK, row.pk)


def _append(row: Backup, *, until: float) -> bool:
    """Append files until the time is over; True when there are no more."""
    path = _opened(row)
    with ZipFile(path, "a", ZIP_DEFLATED) as target:
        for found in _following(row):
            name, content = _entry(row, found)
            if name:
                target.writestr(_info(found, name), content)
                row.n_files += 1
            row.position = found.name
            if time.monotonic() >= until:
                return False
    return True


def _opened(row: Backup) -> Path:
    """The unfinished file, holding exactly what the row says; emptied when it does not."""
    path = location(row.work)
    path.parent.mkdir(parents=True, exist_ok=True)
    if row.position and not _holds(path, row.n_files):
        log.warning("backup.begun_again", extra={"backup_id": row.pk, "part": row.part})
        row.position, row.n_files = "", 0
    if not row.position:
        path.unlink(missing_ok=True)
    return path


def _holds(path: Path, n_files: int) -> bool:
    try:
        with ZipFile(path) as found:
            return len(found.namelist()) == n_files
    except (OSError, BadZipFile):
        return False


def _files(company_id: int, month: str) -> QuerySet[Archive]:
    rows: QuerySet[Archive] = Archive.objects.filter(
        company_id=company_id, ambiente=AMBIENTE, month=month, kind__in=_KINDS
    )
    return rows


def _following(row: Backup) -> Iterator[Archive]:
    """The files after the row's position in order of name; of a name the last one kept."""
    rows = _files(row.company_id, row.month)
    if row.part == Backup.Part.DANFES:
        rows = rows.filter(kind__in=_PRINTED).select_related("document")
    position = row.position
    while batch := list(rows.filter(name__gt=position).order_by("name", "-id")[:ROWS_PER_BATCH]):
        for found in batch:
            if found.name != position:
                position = found.name
                yield found


def _entry(row: Backup, found: Archive) -> tuple[str, bytes]:
    """Name and content of a file inside; no name when it is not to be there."""
    if row.part == Backup.Part.XMLS:
        return _CORRECTION.sub(r"-cce-\1.xml", found.name), archive.read_file(found)
    if not _MODEL_55.fullmatch(found.name) or found.document is None:
        return "", b""
    try:
        return f"{found.document.chave}.pdf", printing.danfe(found.document)
    except (PrintFailed, DocumentNotFound):
        # One print must not keep the others from the accountant; its XML is in the other file.
        log.warning("backup.not_printed", extra={"nota_id": found.document_id})
        return "", b""


def _info(found: Archive, name: str) -> ZipInfo:
    """Dated by when the file was kept, so that the same files make the same ZIP."""
    info = ZipInfo(name, timezone.localtime(found.created_at).timetuple()[:6])
    info.compress_type = ZIP_STORED if name.endswith(".pdf") else ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _finish_part(row: Backup, *, now: datetime) -> None:
    """Publish the file that is whole, and go on with the next or be done."""
    before = getattr(row, row.part)
    if not row.n_files:
        location(row.work).unlink(missing_ok=True)
    setattr(row, row.part, row.work if row.n_files else "")
    if before:
        location(before).unlink(missing_ok=True)
    if row.part == Backup.Part.XMLS:
        _start_part(row, Backup.Part.DANFES)
        row.next_attempt_at = now + LEASE
        return
    row.part, row.work, row.position = "", "", ""
    # What entered while it was being built may be missing: it counts as built when it was begun.
    row.built_at, row.next_attempt_at = row.started_at, None
    log.info("backup.built", extra={"backup_id": row.pk, "company_id": row.company_id})


# --- keeping -----------------------------------------------------------------------------------


def folder(row: Backup) -> str:
    """Each company has its own, named by its key alone."""
    return f"backups/{row.company_id}"


def location(name: str) -> Path:
    return Path(settings.MEDIA_ROOT) / name


def purge(*, today: date) -> int:
    """Delete what ended more than six months ago; answers how many months."""
    count = 0
    for row in Backup.objects.filter(month__lt=_oldest_kept(today)):
        for name in filter(None, (row.xmls, row.danfes, row.work)):
            location(name).unlink(missing_ok=True)
        row.delete()
        count += 1
    return count


def _oldest_kept(today: date) -> str:
    """The first month (AAAAMM) that is not deleted yet."""
    oldest = today.year * 12 + today.month - 1 - MONTHS_KEPT
    return f"{oldest // 12:04d}{oldest % 12 + 1:02d}"
