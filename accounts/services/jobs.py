"""Long work: start, report progress, cancel, resume after a dead worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.db import transaction

from accounts.models import Account, Job, JobError, User
from accounts.services.audit import Actor, actor_of, record
from lib import clock
from lib.errors import Conflict, DomainError
from lib.queue import enqueue

# A worker that has not reported for this long is taken for dead.
SILENCE = timedelta(minutes=2)
MAX_ATTEMPTS = 5
_FLUSH_EVERY = timedelta(seconds=1)

# kind → dotted path of a function (job, progress) -> result dict. Filled by each app's jobs.
HANDLERS: dict[str, str] = {
    "billing.run": "billing.jobs.run_billing",
    "billing.notes": "billing.jobs.issue_notes",
    "billing.retorno": "billing.jobs.apply_retorno",
    "portal.export": "billing.jobs.export_data",
}
# kind → the task that tells whoever waits for the end (`Job.notify`), queued with the job's id.
TELLERS: dict[str, str] = {
    "portal.export": "billing.tasks.tell_export",
}
TOLD = (Job.State.DONE, Job.State.DONE_WITH_ERRORS, Job.State.FAILED)


class Cancelled(Exception):
    """The person asked to stop; raised between items, never inside one."""


@dataclass
class Progress:
    """A handler's view of its job: counts, errors and the wish to stop."""

    job_id: int
    n_ok: int = 0
    n_failed: int = 0
    total: int = 0
    listeners: list[Callable[[Progress], None]] = field(default_factory=list)
    _flushed_at: Any = None

    def set_total(self, total: int) -> None:
        self.total = total
        self._flush(force=True)

    def ok(self, n: int = 1) -> None:
        """`n` more items are done and committed. Raises Cancelled when asked to stop."""
        self.n_ok += n
        self._flush()

    def failed(self, item: str, cause: str) -> None:
        """An item failed; the work goes on."""
        self.n_failed += 1
        JobError.objects.create(job_id=self.job_id, item=item[:200], cause=cause)
        self._flush()

    def _flush(self, *, force: bool = False) -> None:
        now = clock.now()
        for listener in self.listeners:
            listener(self)
        if not force and self._flushed_at and now - self._flushed_at < _FLUSH_EVERY:
            return
        self._flushed_at = now
        Job.objects.filter(pk=self.job_id).update(
            n_ok=self.n_ok, n_failed=self.n_failed, total=self.total, heartbeat_at=now
        )
        if Job.objects.filter(pk=self.job_id, cancel_requested=True).exists():
            raise Cancelled()


@transaction.atomic
def create_job(
    account: Account,
    *,
    kind: str,
    params: dict[str, Any],
    user: User | None = None,
    actor: Actor | None = None,
    notify: bool = False,
) -> Job:
    """Write a job and queue it; both exist after the commit, or neither.

    `actor` is who stands in the trail, by default the user. `notify`: the end is told by e-mail.
    """
    job = Job.objects.create(
        account=account, kind=kind, params=params, started_by=user, notify=notify
    )
    by = actor or actor_of(user)
    record(account, actor=by, action="tarefa.criada", target=job, after={"kind": kind})
    enqueue("accounts.tasks.run_job", job.pk)
    return job


@transaction.atomic
def request_cancel(job_id: int, *, account: Account, actor: Actor) -> Job:
    """Ask a job to stop after its current item; a queued one stops at once."""
    job: Job = Job.objects.select_for_update().get_of(account, pk=job_id)
    if job.is_final:
        raise Conflict("Esta tarefa já terminou.")
    job.cancel_requested = True
    if job.state == Job.State.QUEUED:
        job.cancel(at=clock.now())
    job.save()
    record(account, actor=actor, action="tarefa.cancelada", target=job)
    return job


@transaction.atomic
def retry(job_id: int, *, account: Account, actor: Actor) -> Job:
    """A new job for what failed: the items in error, or all of a job that failed or was cancelled.

    Its parameters are those of the old one, `retry_of` (its id) and `only` (the items). Raises
    NotFound, Conflict while there is nothing to try again.
    """
    old: Job = Job.objects.select_for_update().get_of(account, pk=job_id)
    if not old.is_final or old.state == Job.State.DONE:
        raise Conflict("Não há o que tentar de novo nesta tarefa.")
    params = {name: old.params[name] for name in old.params if name not in ("retry_of", "only")}
    if old.state == Job.State.DONE_WITH_ERRORS:
        items = list(old.errors.order_by("pk").values_list("item", flat=True))
        params |= {"retry_of": old.pk, "only": items}
    job = create_job(
        account, kind=old.kind, params=params, user=old.started_by, actor=actor, notify=old.notify
    )
    record(account, actor=actor, action="tarefa.repetida", target=old, after={"job": job.pk})
    return job


@transaction.atomic
def resume(job_id: int, *, account: Account, actor: Actor) -> Job:
    """Queue a job again whose worker died. Raises NotFound, Conflict while it gives signs."""
    job: Job = Job.objects.select_for_update().get_of(account, pk=job_id)
    if not is_silent(job):
        raise Conflict("Esta tarefa não está parada.")
    enqueue("accounts.tasks.run_job", job.pk)
    record(account, actor=actor, action="tarefa.retomada", target=job)
    return job


@transaction.atomic
def set_notify(job_id: int, on: bool, *, account: Account, actor: Actor) -> Job:
    """Have the end told by e-mail, or not. Raises NotFound, Conflict once it is over."""
    job: Job = Job.objects.select_for_update().get_of(account, pk=job_id)
    if job.is_final:
        raise Conflict("Esta tarefa já terminou.")
    if job.notify != on:
        job.notify = on
        job.save(update_fields=["notify"])
        record(account, actor=actor, action="tarefa.aviso", target=job, after={"avisar": on})
    return job


def is_silent(job: Job) -> bool:
    """Is it under way without a sign of its worker?"""
    heard = job.heartbeat_at
    return bool(
        job.state == Job.State.RUNNING and heard is not None and clock.now() - heard >= SILENCE
    )


def run_job(job_id: int, *, listener: Callable[[Progress], None] | None = None) -> Job:
    """Do a job to its end. Safe to call twice: a job another worker is alive on is left alone."""
    job = _claim(job_id)
    if job is None:
        return Job.objects.get(pk=job_id)
    progress = Progress(job_id, listeners=[listener] if listener else [])
    with _closing(job_id, progress):
        handler = _handler(job.kind)
        result = handler(job, progress)
        _finish(job_id, progress, result)
    return Job.objects.get(pk=job_id)


@transaction.atomic
def _claim(job_id: int) -> Job | None:
    """Take the job for this worker; None when it is finished or somebody is working on it."""
    now = clock.now()
    job = Job.objects.select_for_update().get(pk=job_id)
    alive = job.state == Job.State.RUNNING and job.heartbeat_at and now - job.heartbeat_at < SILENCE
    if job.is_final or alive:
        return None
    if job.attempts >= MAX_ATTEMPTS:
        # A task that kills its worker is never counted by the queue, so it is counted here.
        job.fail(at=now, message="A tarefa derrubou o processo várias vezes e foi interrompida.")
        job.save()
        _tell(job)
        return None
    job.start(at=now)
    job.save()
    JobError.objects.filter(job=job).delete()
    return job


@contextmanager
def _closing(job_id: int, progress: Progress) -> Iterator[None]:
    """Turn the handler's way out into the job's final state."""
    try:
        yield
    except Cancelled:
        _close(job_id, progress, lambda job: job.cancel(at=clock.now()))
    except DomainError as error:
        text = error.mensagem
        _close(job_id, progress, lambda job: job.fail(at=clock.now(), message=text))
    except Exception:
        # Whatever it is, the job is told as failed before the fault goes on to the logs.
        text = "Erro inesperado. A equipe técnica foi avisada."
        _close(job_id, progress, lambda job: job.fail(at=clock.now(), message=text))
        raise


@transaction.atomic
def _close(job_id: int, progress: Progress, change: Callable[[Job], None]) -> None:
    job = Job.objects.select_for_update().get(pk=job_id)
    job.n_ok, job.n_failed, job.total = progress.n_ok, progress.n_failed, progress.total
    change(job)
    job.save()
    _tell(job)


def _tell(job: Job) -> None:
    if job.notify and job.state in TOLD and job.kind in TELLERS:
        enqueue(TELLERS[job.kind], job.pk)


def _finish(job_id: int, progress: Progress, result: dict[str, Any] | None) -> None:
    def change(job: Job) -> None:
        job.result = result
        if progress.n_failed:
            job.finish_with_errors(at=clock.now())
        else:
            job.finish(at=clock.now())

    _close(job_id, progress, change)


def _handler(kind: str) -> Callable[[Job, Progress], dict[str, Any] | None]:
    module, _, name = HANDLERS[kind].rpartition(".")
    handler: Callable[[Job, Progress], dict[str, Any] | None] = getattr(import_module(module), name)
    return handler


def silent_jobs() -> list[int]:
    """Jobs whose worker died, or whose queue entry was lost: to be queued again."""
    limit = clock.now() - SILENCE
    running = Job.objects.filter(state=Job.State.RUNNING, heartbeat_at__lt=limit)
    waiting = Job.objects.filter(state=Job.State.QUEUED, created_at__lt=limit)
    return list((running | waiting).values_list("pk", flat=True))
