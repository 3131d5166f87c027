"""Billing runs and what they answered for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from billing.admin.links import list_link
from billing.admin.sections import BILLING
from billing.models import BillingRun, RunEntry
from billing.services import run as service
from lib.tabular import csv_lines

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
        return format_html(
            '{} · <a href="{}">Baixar planilha</a>',
            list_link(RunEntry, "Ver linha a linha", run__id__exact=run.pk),
            reverse("admin:billing_run_report", args=[run.pk]),
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.report_view)
        return [
            path("<path:object_id>/relatorio.csv", view, name="billing_run_report"),
            *super().get_urls(),
        ]

    def report_view(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Every entry of the run, for a spreadsheet; streamed, as there may be thousands."""
        run: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        response = StreamingHttpResponse(
            csv_lines(service.CSV_HEADER, service.report_rows(run)),
            content_type="text/csv; charset=utf-8",
        )
        response["Content-Disposition"] = f'attachment; filename="rodada-{run.pk}.csv"'
        return response


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
