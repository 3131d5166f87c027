"""Price indexes, readjustment clauses and what they did."""

from __future__ import annotations

import json

from django.contrib import admin
from django.utils.html import format_html

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from billing.admin.sections import READJUSTMENTS
from billing.models import PriceIndexValue, Readjustment, ScheduledUpdate


@admin.register(PriceIndexValue)
class PriceIndexValueAdmin(TenantAdmin):
    """Public facts shared by all accounts: they come from files and from the Banco Central."""

    tenant_path = ()
    section = READJUSTMENTS
    list_display = ("index", "competence", "percent", "version", "is_current", "source")
    list_filter = ("index", "is_current")
    ordering = ("-month", "index", "-version")
    fields = ("index", "competence", "percent", "version", "is_current", "source", "published_at")

    @admin.display(description="mês", ordering="month")
    def competence(self, value: PriceIndexValue) -> str:
        return f"{value.month:%m/%Y}"


@admin.register(ScheduledUpdate)
class ScheduledUpdateAdmin(TenantAdmin):
    tenant_path = ("rule__account", "template__account")
    section = READJUSTMENTS
    list_display = ("__str__", "rule", "month_quantity", "execution_date", "situation")
    list_filter = ("price_index", "state")
    list_select_related = ("rule",)
    search_fields = ("rule__title", "rule__contract__name")
    ordering = ("execution_date", "pk")
    fields = (
        "rule",
        "template",
        "service_item",
        "price_index",
        "init_date",
        "month_quantity",
        "days_until_update",
        "situation",
        "execution_date",
        "remind_at",
        "notified",
        "created_at",
        "updated_at",
    )

    @admin.display(description="situação", ordering="state")
    def situation(self, update: ScheduledUpdate) -> str:
        if update.state == ScheduledUpdate.State.WAITING_INDEX:
            return chip("warning", "clock", update.get_state_display())
        return chip("info", "check", update.get_state_display())


_CHIPS: dict[str, tuple[Tone, str]] = {
    Readjustment.Outcome.EXECUTED: ("success", "check"),
    Readjustment.Outcome.SKIPPED: ("neutral", "stop"),
}


@admin.register(Readjustment)
class ReadjustmentAdmin(TenantAdmin):
    section = READJUSTMENTS
    list_display = (
        "rule",
        "price_index",
        "execution_date",
        "result",
        "n_invoices",
        "executed_at",
    )
    list_filter = ("outcome", "price_index")
    list_select_related = ("rule",)
    search_fields = ("rule__title", "rule__contract__name")
    ordering = ("-pk",)
    fields = (
        "rule",
        "price_index",
        "execution_date",
        "result",
        "factor",
        "months_shown",
        "values_shown",
        "n_invoices",
        "executed_at",
    )

    @admin.display(description="resultado", ordering="outcome")
    def result(self, row: Readjustment) -> str:
        return chip(*_CHIPS[row.outcome], row.get_outcome_display())

    @admin.display(description="meses e variações")
    def months_shown(self, row: Readjustment) -> str:
        return _json(row.months)

    @admin.display(description="valores antes e depois")
    def values_shown(self, row: Readjustment) -> str:
        return _json(row.values)


def _json(value: object) -> str:
    return format_html("<pre>{}</pre>", json.dumps(value, ensure_ascii=False, indent=2))
