"""What customers asked to be cancelled, under which protocol, and what became of it."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip
from billing.admin.sections import AGREEMENTS
from billing.models import CancellationRequest, ScheduledCancellation
from lib.br import date_br


def situation_of(row: ScheduledCancellation) -> str:
    """As a chip."""
    if row.done_at is not None:
        return chip("neutral", "stop", "Cancelado")
    if row.undone_at is not None:
        return chip("info", "check", "Desfeito pelo cliente")
    return chip("warning", "clock", f"Agendado para {date_br(row.effective_on)}")


@admin.register(CancellationRequest)
class CancellationRequestAdmin(TenantAdmin):
    section = AGREEMENTS
    list_display = ("protocol", "customer", "is_everything", "requested_at")
    list_filter = ("is_everything",)
    list_select_related = ("customer",)
    search_fields = ("protocol", "customer__fold")
    ordering = ("-pk",)
    fields = (
        "protocol", "customer", "is_everything", "contracts", "reason", "comment",
        "requested_by", "requested_at",
    )  # fmt: skip

    @admin.display(description="contratos")
    def contracts(self, row: CancellationRequest) -> str:
        items = row.items.select_related("contract").order_by("pk")
        shown = ((item.contract, situation_of(item)) for item in items)
        return format_html_join("", "<div>{} {}</div>", shown)


@admin.register(ScheduledCancellation)
class ScheduledCancellationAdmin(TenantAdmin):
    tenant_path = "request__account"
    section = AGREEMENTS
    list_display = ("contract", "effective_on", "final_amount", "situation", "request")
    list_select_related = ("contract", "request")
    search_fields = ("request__protocol", "contract__name")
    ordering = ("-pk",)
    fields = ("request", "contract", "effective_on", "final_amount", "situation")

    @admin.display(description="situação")
    def situation(self, row: ScheduledCancellation) -> str:
        return situation_of(row)
