"""The job that makes an export (P19)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage

from accounts.models import Job
from accounts.services.jobs import Progress
from billing.models import Party
from billing.selectors.customer_standing import Standing
from billing.services.exports import archives, files, personal, tables
from billing.services.exports.asking import What
from billing.services.exports.selection import chosen
from lib import clock
from lib.errors import NotFound
from lib.tabular import write_csv

_CSV, _ZIP, _JSON = "text/csv", "application/zip", "application/json"
_TYPES = {
    What.INVOICES: ("csv", _CSV),
    What.LINES: ("csv", _CSV),
    What.NOTES: ("zip", _ZIP),
    What.PDFS: ("zip", _ZIP),
    What.PERSONAL: ("json", _JSON),
}


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Make the file of `job.params` and keep it. Raises NotFound when the customer is gone.

    `retry_of` is an export whose ZIP lacks the items `only`: they are added to a copy of it.
    """
    what = What(job.params["what"])
    customer = Party.objects.of(job.account).filter(pk=job.params["customer"]).first()
    if customer is None:
        raise NotFound()
    suffix, content_type = _TYPES[what]
    first, last = (date.fromisoformat(job.params[name]) for name in ("first", "last"))
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder) / f"export.{suffix}"
        _make(what, path, job, customer, (first, last), progress)
        name = _name(what, first, last, suffix)
        return files.store(path, name=name, content_type=content_type)


def _make(
    what: What,
    path: Path,
    job: Job,
    customer: Party,
    period: tuple[date, date],
    progress: Progress,
) -> None:
    account = job.account
    today = clock.today(account.time_zone)
    if what == What.PERSONAL:
        progress.set_total(1)
        found = personal.everything(account, customer, today=today)
        path.write_text(json.dumps(found, ensure_ascii=False, indent=2, default=str), "utf-8")
        progress.ok()
        return
    rows = chosen(account, customer, *period, today=today)
    if what in (What.NOTES, What.PDFS):
        _zip(what, path, job, rows, progress)
        return
    progress.set_total(len(rows))
    made, header = (
        (tables.invoice_rows(rows, today=today), tables.INVOICES)
        if what == What.INVOICES
        else (tables.line_rows(rows), tables.LINES)
    )
    write_csv(path, header, _counted(made, rows, progress))


def _zip(what: What, path: Path, job: Job, rows: list[Standing], progress: Progress) -> None:
    entries = archives.note_entries if what == What.NOTES else archives.pdf_entries
    earlier = Job.objects.of(job.account).filter(pk=job.params.get("retry_of")).first()
    only = job.params.get("only", ())
    begun = (earlier.result or {}).get("path") if earlier is not None else ""
    if begun:
        with default_storage.open(begun) as kept:
            path.write_bytes(kept.read())
    else:
        only = ()  # its file is gone: everything again
    archives.write(path, list(entries(rows, account=job.account)), progress, only=only)


def _counted(
    made: Iterable[tables.Cells], rows: list[Standing], progress: Progress
) -> Iterator[tables.Cells]:
    """Progress counts invoices: items come behind the number of their own."""
    done = ""
    for cells in made:
        if cells[1] != done:
            done = cells[1]
            if progress.n_ok < len(rows):
                progress.ok()
        yield cells


def _name(what: What, first: date, last: date, suffix: str) -> str:
    if what == What.PERSONAL:
        return f"{what}.{suffix}"
    return f"{what}-{first:%Y-%m}-a-{last:%Y-%m}.{suffix}"
