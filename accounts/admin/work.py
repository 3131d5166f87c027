"""Background work: tasks, signs of life."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from accounts.admin.site import SYSTEM
from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from accounts.admin_trail import actor_in
from accounts.models import (
    Heartbeat,
    IdempotencyRecord,
    Job,
    JobError,
    TaskCall,
)
from accounts.services.jobs import request_cancel
from lib.errors import DomainError

ERRORS_SHOWN = 20

_JOB_CHIPS: dict[str, tuple[Tone, str]] = {
    Job.State.QUEUED: ("neutral", "clock"),
    Job.State.RUNNING: ("info", "half"),
    Job.State.DONE: ("success", "check"),
    Job.State.DONE_WITH_ERRORS: ("warning", "alert"),
    Job.State.FAILED: ("danger", "cross"),
    Job.State.CANCELLED: ("neutral", "stop"),
}


@admin.register(Job)
class JobAdmin(TenantAdmin):
    """Long work in progress and done; it can be asked to stop."""

    section = SYSTEM
    list_display = ("__str__", "situation", "progress", "started_by", "created_at", "finished_at")
    list_filter = ("state", "kind")
    list_select_related = ("started_by",)
    ordering = ("-pk",)
    fields = (
        "name",
        "situation",
        "progress",
        "message",
        "first_errors",
        "params",
        "result",
        "attempts",
        "started_by",
        "created_at",
        "started_at",
        "heartbeat_at",
        "finished_at",
    )
    actions = ("cancel",)

    @admin.display(description="situação", ordering="state")
    def situation(self, job: Job) -> str:
        return chip(*_JOB_CHIPS[job.state], job.get_state_display())

    @admin.display(description="tipo")
    def name(self, job: Job) -> str:
        return job.label

    @admin.display(description="andamento")
    def progress(self, job: Job) -> str:
        done = job.n_ok + job.n_failed
        if not job.total:
            return str(done) if done else "—"
        return f"{done} de {job.total} ({100 * done // job.total}%)"

    @admin.display(description="erros")
    def first_errors(self, job: Job) -> str:
        rows = job.errors.order_by("pk").values_list("item", "cause")[:ERRORS_SHOWN]
        if not rows:
            return "—"
        listed = format_html_join("", "<li><strong>{}</strong>: {}</li>", rows)
        url = reverse("admin:accounts_joberror_changelist")
        more = format_html('<a href="{}?job__id__exact={}">Ver todos</a>', url, job.pk)
        return format_html("<ul>{}</ul>{}", listed, more)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, write=True)

    @admin.action(description="Cancelar as tarefas escolhidas", permissions=["cancel"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Ask them to stop after the current item."""
        for job in jobs:
            if not self.allowed(request, job, write=True):
                continue
            try:
                request_cancel(job.pk, account=job.account, actor=actor_in(request))
                messages.success(request, f"{job}: cancelamento pedido.")
            except DomainError as error:
                messages.error(request, f"{job}: {error.mensagem}")


@admin.register(JobError)
class JobErrorAdmin(TenantAdmin):
    tenant_path = "job__account"
    secondary = True
    list_display = ("job", "item", "cause")
    list_select_related = ("job",)
    fields = ("job", "item", "cause")
    ordering = ("-pk",)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(TenantAdmin):
    """Which keys were used; the answers kept for them are their senders' business."""

    tenant_path = ()  # the operator's alone
    section = SYSTEM
    list_display = ("key", "status", "created_at")
    search_fields = ("=key",)
    ordering = ("-pk",)
    fields = ("key", "status", "created_at")

    def audited_accounts(self, obj: Any) -> list[int]:
        return [obj.account_id]


@admin.register(Heartbeat)
class HeartbeatAdmin(TenantAdmin):
    tenant_path = ()
    section = SYSTEM
    list_display = ("name", "at")
    fields = ("name", "at")


@admin.register(TaskCall)
class TaskCallAdmin(TenantAdmin):
    """Which tasks are on their way."""

    tenant_path = ()
    section = SYSTEM
    list_display = ("task", "called_at")
    fields = ("task", "called_at")
