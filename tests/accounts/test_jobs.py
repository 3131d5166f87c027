"""Long work: progress, cancelling, resuming after a dead worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django_q.models import OrmQ
from factories import AccountFactory, UserFactory

from accounts.models import AuditEvent, Job, JobError
from accounts.services import jobs
from accounts.services.audit import SYSTEM, actor_of
from accounts.services.jobs import Progress, create_job, request_cancel, run_job
from accounts.tasks import run_job as task
from accounts.tasks import sweep_jobs
from lib import clock
from lib.errors import Conflict, InvalidInput, NotFound

Handler = Callable[[Job, Progress], dict[str, Any] | None]


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    """Make jobs of kind "teste" do this."""

    def use(function: Handler) -> None:
        monkeypatch.setattr(jobs, "_handler", lambda kind: function)

    return use


def new_job(account: object, **fields: Any) -> Job:
    return Job.objects.create(account=account, kind="teste", **fields)


@pytest.mark.django_db
def test_a_job_is_written_queued_and_told_together(account):
    user = UserFactory()

    job = create_job(account, kind="teste", params={"até": "2026-08-31"}, user=user)

    assert (job.state, job.started_by) == ("queued", user)
    assert OrmQ.objects.count() == 1
    assert AuditEvent.objects.get().action == "tarefa.criada"


@pytest.mark.django_db
def test_progress_and_result_are_kept(account, handler):
    seen = []

    def work(job: Job, progress: Progress) -> dict[str, Any]:
        progress.set_total(3)
        for _ in range(3):
            progress.ok()
        seen.append(Job.objects.get().total)
        return {"faturas": 3}

    handler(work)

    assert task(new_job(account).pk) == "done"

    job = Job.objects.get()
    assert seen == [3]
    assert (job.n_ok, job.total, job.result, job.attempts) == (3, 3, {"faturas": 3}, 1)
    assert job.finished_at is not None


@pytest.mark.django_db
def test_items_that_fail_are_listed_and_the_work_goes_on(account, handler):
    def work(job: Job, progress: Progress) -> None:
        progress.ok()
        progress.failed("linha 2", "CNPJ inválido.")
        progress.ok()

    handler(work)

    job = run_job(new_job(account).pk)

    assert (job.state, job.n_ok, job.n_failed) == ("done_with_errors", 2, 1)
    assert list(job.errors.values_list("item", "cause")) == [("linha 2", "CNPJ inválido.")]


@pytest.mark.django_db
def test_a_refusal_is_the_job_s_message(account, handler):
    def work(job: Job, progress: Progress) -> None:
        raise InvalidInput("O arquivo está vazio.")

    handler(work)

    job = run_job(new_job(account).pk)

    assert (job.state, job.message) == ("failed", "O arquivo está vazio.")


@pytest.mark.django_db
def test_a_crash_is_told_without_detail_and_raised_for_the_log(account, handler):
    def work(job: Job, progress: Progress) -> None:
        raise RuntimeError("segredo 123")

    handler(work)
    job = new_job(account)

    with pytest.raises(RuntimeError):
        run_job(job.pk)

    job = Job.objects.get()
    assert (job.state, job.message) == (
        "failed",
        "Erro inesperado. A equipe técnica foi avisada.",
    )


@pytest.mark.django_db
def test_a_waiting_job_is_cancelled_at_once(account, handler):
    handler(lambda job, progress: pytest.fail("não devia rodar"))
    job = new_job(account)

    request_cancel(job.pk, account=account, actor=SYSTEM)
    run_job(job.pk)

    assert Job.objects.get().state == "cancelled"


@pytest.mark.django_db
def test_a_running_job_stops_after_the_item_in_hand(account, handler, monkeypatch):
    monkeypatch.setattr(jobs, "_FLUSH_EVERY", timedelta(0))
    actor = actor_of(UserFactory())

    def work(job: Job, progress: Progress) -> None:
        progress.ok()
        request_cancel(job.pk, account=account, actor=actor)
        progress.ok()
        pytest.fail("devia ter parado")

    handler(work)

    job = run_job(new_job(account).pk)

    assert (job.state, job.n_ok) == ("cancelled", 2)
    assert AuditEvent.objects.get().action == "tarefa.cancelada"


@pytest.mark.django_db
def test_a_finished_job_cannot_be_cancelled(account, handler):
    handler(lambda job, progress: None)
    job = run_job(new_job(account).pk)

    with pytest.raises(Conflict, match="já terminou"):
        request_cancel(job.pk, account=account, actor=SYSTEM)

    assert Job.objects.get().state == "done"


@pytest.mark.django_db
def test_another_account_cannot_cancel_a_job(account, other_account):
    job = new_job(account)

    with pytest.raises(NotFound):
        request_cancel(job.pk, account=other_account, actor=SYSTEM)

    assert Job.objects.get().state == "queued"


@pytest.mark.django_db
def test_a_finished_job_is_not_done_again(account, handler):
    times = []
    handler(lambda job, progress: times.append(1))
    job = new_job(account)

    run_job(job.pk)
    run_job(job.pk)

    assert times == [1]


@pytest.mark.django_db
def test_a_job_whose_worker_is_alive_is_left_alone(account, handler):
    handler(lambda job, progress: pytest.fail("não devia rodar"))
    job = new_job(account)
    job.start(at=clock.now() - timedelta(seconds=100))
    job.save()

    assert run_job(job.pk).state == "running"
    assert Job.objects.get().attempts == 1


@pytest.mark.django_db
def test_a_job_whose_worker_died_is_taken_over_with_its_errors_forgotten(account, handler):
    handler(lambda job, progress: progress.ok())
    job = new_job(account)
    job.start(at=clock.now() - timedelta(seconds=121))
    job.save()
    JobError.objects.create(job=job, item="linha 1", cause="Antiga.")

    job = run_job(job.pk)

    assert (job.state, job.attempts, job.errors.count()) == ("done", 2, 0)


@pytest.mark.django_db
def test_a_job_that_keeps_killing_its_worker_is_given_up(account, handler):
    handler(lambda job, progress: pytest.fail("não devia rodar"))
    job = new_job(account, attempts=5)

    job = run_job(job.pk)

    assert job.state == "failed"
    assert "derrubou o processo" in job.message


@pytest.mark.django_db
def test_the_sweep_queues_silent_jobs_and_no_others(account):
    old = clock.now() - timedelta(minutes=3)
    silent, fresh, lost = new_job(account), new_job(account), new_job(account)
    silent.start(at=old)
    silent.save()
    fresh.start(at=clock.now())
    fresh.save()
    Job.objects.filter(pk=lost.pk).update(created_at=old)

    assert sweep_jobs() == 2
    assert sorted(jobs.silent_jobs()) == sorted([silent.pk, lost.pk])
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_a_job_once(handler):
    account = AccountFactory()
    times: list[int] = []
    barrier = Barrier(4)

    def work(job: Job, progress: Progress) -> None:
        times.append(job.pk)

    handler(work)
    job = new_job(account)

    def worker(_: int) -> str:
        barrier.wait()
        try:
            return str(run_job(job.pk).state)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(worker, range(4)))

    assert times == [job.pk]
    assert set(states) <= {"running", "done"}
    assert Job.objects.get().attempts == 1
