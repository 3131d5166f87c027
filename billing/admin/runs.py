"""Billing runs and what they answered for."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from billing.admin.links import list_link
from billing.admin.sections import BILLING
from billing.models import BillingRun, RunEntry

_CHIPS: dict[str, tuple[Tone, str]] = {
    RunEntry.Outcome.CREATED: ("success", "check"),
    RunEntry.Outcome.EMITTED: ("success", "check"),
    RunEntry.Outcome.READJUSTED: ("info", "check"),
    RunEntry.Outcome.READJUSTMENT_SKIPPED: ("neutral", "stop"),
    RunEntry.Outcome.WAITING_INDEX: ("warning", "clock"),
    RunEntry.Outcome.FINAL: ("info", "check"),
    RunEntry.Outcome.NOT_EMITTED: ("warning", "alert"),
    RunEntry.Outcome.PARKED: ("danger", "alert"),
    RunEntry.Outcome.UP_TO_DATE: ("neutral", "check"),
    RunEntry.Outcome.PAUSED: ("neutral", "pause"),
    RunEntry.Outcome.ENDED: ("neutral", "stop"),
}


@admin.register(BillingRun)
class BillingRunAdmin(TenantAdmin):
    section = BILLING
    list_display = (
        "__str__",
        "situation",
        "created",
        "emitted",
        "emitted_total",
        "readjusted",
        "parked",
        "started_at",
    )
    ordering = ("-pk",)
    fields = (
        "until",
        "today",
        "situation",
        "entries_link",
        "created",
        "emitted",
        "emitted_total",
        "readjusted",
        "finals",
        "parked",
        "skipped",
        "started_at",
        "finished_at",
        "job",
    )

    @admin.display(description="situação", ordering="finished_at")
    def situation(self, run: BillingRun) -> str:
        if run.finished_at is None:
            return chip("info", "half", "Em andamento")
        if run.parked:
            return chip("warning", "alert", f"{run.parked} regra(s) impedida(s)")
        return chip("success", "check", "Concluída")

    @admin.display(description="relatório")
    def entries_link(self, run: BillingRun) -> str:
        return list_link(RunEntry, "Ver linha a linha", run__id__exact=run.pk)


@admin.register(RunEntry)
class RunEntryAdmin(TenantAdmin):
    tenant_path = "run__account"
    secondary = True
    list_display = ("run", "result", "rule_id", "invoice_id", "count", "amount", "detail")
    list_filter = ("outcome",)
    list_select_related = ("run",)
    search_fields = ("detail",)
    ordering = ("-pk",)
    fields = (
        "run",
        "result",
        "detail",
        "count",
        "amount",
        "rule_id",
        "contract_id",
        "invoice_id",
    )

    @admin.display(description="resultado", ordering="outcome")
    def result(self, entry: RunEntry) -> str:
        return chip(*_CHIPS[entry.outcome], entry.get_outcome_display())
