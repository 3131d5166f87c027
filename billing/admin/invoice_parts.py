"""What hangs on invoices: lines, receivables, series, attachments, and what is still to be done."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from billing.admin.sections import BILLING
from billing.models import (
    Attachment,
    FollowUp,
    InvoiceLine,
    InvoiceTally,
    NumberSeries,
    Receivable,
)

_RECEIVABLE_CHIPS: dict[str, tuple[Tone, str]] = {
    Receivable.State.TO_EMIT: ("neutral", "pencil"),
    Receivable.State.TO_RECEIVE: ("info", "clock"),
    Receivable.State.RECEIVED: ("success", "check"),
    Receivable.State.CANCELLED: ("neutral", "stop"),
    Receivable.State.RENEGOTIATED: ("neutral", "back"),
}


class LineInline(TenantInline):
    model = InvoiceLine
    fields = ("position", "name", "units", "unit_value", "value", "tax_amount")
    ordering = ("position",)
    verbose_name_plural = "Itens cobrados"

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        return super().get_queryset(request).select_related("service_item")

    @admin.display(description="descrição")
    def name(self, line: InvoiceLine) -> str:
        return " – ".join(dict.fromkeys(filter(None, (line.title, line.description)))) or "—"


class ReceivableInline(TenantInline):
    model = Receivable
    fields = (
        "position",
        "due_date",
        "payment_value",
        "situation",
        "open_principal",
        "received_value",
        "received_at",
    )
    ordering = ("position",)
    verbose_name_plural = "Parcelas"

    @admin.display(description="situação")
    def situation(self, receivable: Receivable) -> str:
        return chip(*_RECEIVABLE_CHIPS[receivable.state], receivable.get_state_display())


@admin.register(InvoiceLine)
class InvoiceLineAdmin(TenantAdmin):
    tenant_path = "invoice__account"
    secondary = True
    list_display = ("invoice", "position", "__str__", "units", "unit_value", "value", "tax_amount")
    list_select_related = ("invoice__series",)
    ordering = ("-pk",)


@admin.register(Receivable)
class ReceivableAdmin(TenantAdmin):
    section = BILLING
    list_display = (
        "invoice",
        "position",
        "due_date",
        "payment_value",
        "open_principal",
        "situation",
        "received_at",
    )
    list_filter = ("state",)
    list_select_related = ("invoice__series",)
    search_fields = ("=invoice__number", "invoice__fold")
    search_help_text = "Número da fatura ou cliente"
    ordering = ("-pk",)

    @admin.display(description="situação", ordering="state")
    def situation(self, receivable: Receivable) -> str:
        return chip(*_RECEIVABLE_CHIPS[receivable.state], receivable.get_state_display())


@admin.register(NumberSeries)
class NumberSeriesAdmin(TenantAdmin):
    """Counters. They only go forward, and only by emissions (INV-8)."""

    tenant_path = "organization__account"
    section = BILLING
    list_display = ("organization", "code", "prefix", "first_number", "next_number")
    list_select_related = ("organization",)
    ordering = ("organization", "code")
    fields = ("organization", "code", "prefix", "first_number", "next_number")


@admin.register(InvoiceTally)
class InvoiceTallyAdmin(TenantAdmin):
    secondary = True
    list_display = ("issue_date", "due_date", "status_code", "count", "amount")
    ordering = ("-pk",)
    fields = ("issue_date", "due_date", "status_code", "count", "amount")


@admin.register(Attachment)
class AttachmentAdmin(TenantAdmin):
    secondary = True
    list_display = ("filename", "invoice", "content_type", "size", "created_at")
    list_select_related = ("invoice__series",)
    ordering = ("-pk",)
    fields = ("filename", "invoice", "content_type", "size", "created_at")


@admin.register(FollowUp)
class FollowUpAdmin(TenantAdmin):
    tenant_path = "invoice__account"
    section = BILLING
    list_display = ("invoice", "kind", "state", "attempts", "next_attempt_at")
    list_filter = ("kind", "state")
    list_select_related = ("invoice__series",)
    ordering = ("-pk",)
