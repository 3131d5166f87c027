"""Background tasks of accounts."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.models import Task

from accounts.models import Heartbeat
from accounts.services import attempts, idempotency, jobs, sessions, webhook_delivery, webhooks
from lib import clock
from lib.queue import enqueue

WORKER = "worker"


def beat() -> str:
    """Say that the workers are alive; the health page and the supervisor read it."""
    now = clock.now()
    Heartbeat.objects.update_or_create(name=WORKER, defaults={"at": now})
    return now.isoformat()


def run_job(job_id: int) -> str:
    """Do a job. Safe to run again."""
    return str(jobs.run_job(job_id).state)


def sweep_jobs() -> int:
    """Queue again the jobs whose worker died."""
    silent = jobs.silent_jobs()
    for job_id in silent:
        enqueue("accounts.tasks.run_job", job_id)
    return len(silent)


def purge_idempotency() -> int:
    """Forget answers kept for longer than clients may ask again."""
    return idempotency.purge_expired()


def deliver_webhooks() -> int:
    """Send the notices to integrators that are due; called for, and each minute."""
    return webhook_delivery.deliver()


def purge_webhooks() -> int:
    """Forget notices older than 30 days."""
    return webhooks.purge_old()


def purge_sign_in() -> int:
    """Forget counted tries and browsers that are long gone, with Django's sessions of them."""
    # Django itself ends its sessions by the real clock.
    expired, _ = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return attempts.purge() + sessions.purge() + expired


def prune_queue() -> int:
    """Drop the queue's records of tasks older than a week (save_limit 0 keeps them all)."""
    limit = clock.now() - timedelta(days=7)
    deleted, _ = Task.objects.filter(stopped__lt=limit).delete()
    return deleted
