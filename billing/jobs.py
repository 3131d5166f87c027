"""Long work of billing, as jobs: what accounts.services.jobs calls by name."""

from __future__ import annotations

from datetime import date
from typing import Any

from accounts.models import Job
from accounts.services.audit import actor_of
from accounts.services.jobs import Progress
from billing.services import note_batches
from billing.services.bank_files import applying
from billing.services.exports import making
from billing.services.run import RunRequest, report
from billing.services.run import run_billing as run
from lib import clock


def issue_notes(job: Job, progress: Progress) -> dict[str, Any]:
    """Issue the notes of invoices; its parameter is `invoices`, their ids."""
    return note_batches.issue_batch(job, progress)


def apply_retorno(job: Job, progress: Progress) -> dict[str, Any]:
    """Apply a bank's file; its parameter is `file`, its id."""
    return applying.run(job, progress)


def export_data(job: Job, progress: Progress) -> dict[str, Any]:
    """Make a customer's export; its parameters are those of billing.services.exports.asking."""
    return making.run(job, progress)


def run_billing(job: Job, progress: Progress) -> dict[str, Any]:
    """A billing run; its parameters are `until` (ISO date) and `selected` (invoice ids)."""
    done: dict[str, int] = {}

    def listener(step: str, count: int, total: int) -> None:
        if step not in done:
            progress.set_total(progress.total + total)
        added = count - done.get(step, 0)
        done[step] = count
        progress.ok(added)

    request = RunRequest(
        account=job.account,
        until=date.fromisoformat(job.params["until"]),
        today=clock.today(job.account.time_zone),
        selected=tuple(job.params.get("selected", ())),
        job_id=job.pk,
    )
    return report(run(request, actor=actor_of(job.started_by), listener=listener))
