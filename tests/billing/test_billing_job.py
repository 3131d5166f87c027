"""The nightly run as a job of the queue."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django_q.models import OrmQ
from factories import AccountFactory, ContractFactory, RuleFactory

from accounts.models import Job
from accounts.services.jobs import create_job, run_job
from accounts.tasks import sweep_jobs
from billing import tasks
from billing.models import BillingRun, Invoice
from billing.selectors.invariants import violations
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(account, today):
    today("2026-02-01")
    return RuleFactory(contract=ContractFactory(account=account))


def test_the_night_queues_one_job_for_each_active_account(rule):
    AccountFactory(slug="parada", is_active=False)

    assert tasks.nightly_run() == 1

    job = Job.objects.get()
    assert (job.account, job.kind, job.params) == (
        rule.account,
        "billing.run",
        {"until": "2026-02-01"},
    )
    assert OrmQ.objects.count() == 1


def test_a_job_runs_the_billing_and_keeps_its_report(rule):
    job = create_job(rule.account, kind="billing.run", params={"until": "2026-02-01"})

    job = run_job(job.pk)

    assert job.state == "done"
    assert (job.result["created"], job.result["emitted"]) == (25, 2)
    assert job.n_ok == job.total == 3  # one rule extended, two invoices emitted
    run = BillingRun.objects.get()
    assert (run.job, run.until) == (job, date(2026, 2, 1))


def test_a_job_cancelled_midway_leaves_complete_invoices_and_says_how_many(rule):
    job = create_job(rule.account, kind="billing.run", params={"until": "2026-02-01"})

    def cancel_after_the_horizon(progress):
        if progress.n_ok == 1:
            Job.objects.filter(pk=job.pk).update(cancel_requested=True)
            progress._flushed_at = None

    job = run_job(job.pk, listener=cancel_after_the_horizon)

    assert job.state == "cancelled"
    run = BillingRun.objects.get()
    assert (run.created, run.emitted, run.finished_at) == (25, 0, None)
    assert Invoice.objects.filter(receivables=None).count() == 0
    assert list(violations(rule.account)) == []


def test_a_job_done_twice_bills_once(rule):
    job = create_job(rule.account, kind="billing.run", params={"until": "2026-02-01"})

    run_job(job.pk)
    run_job(job.pk)

    assert BillingRun.objects.count() == 1
    assert Invoice.objects.filter(state="to_receive").count() == 2


def test_a_job_whose_worker_died_is_queued_again_and_finishes(rule):
    job = create_job(rule.account, kind="billing.run", params={"until": "2026-02-01"})
    job.start(at=clock.now())
    job.heartbeat_at = clock.now() - timedelta(minutes=3)
    job.save()
    OrmQ.objects.all().delete()

    assert sweep_jobs() == 1
    job = run_job(job.pk)

    assert OrmQ.objects.count() >= 1
    assert (job.state, job.attempts) == ("done", 2)
    assert Invoice.objects.filter(state="to_receive").count() == 2


def test_the_nightly_proof_of_invariants_counts_what_it_finds(rule, caplog):
    run_job(create_job(rule.account, kind="billing.run", params={"until": "2026-02-01"}).pk)
    assert tasks.check_invariants() == 0
    Invoice.objects.filter(number=1).update(gross_value=1)

    assert tasks.check_invariants() == 2  # its lines, and its receivables
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "invariant.violated",
        "invariant.violated",
    ]
