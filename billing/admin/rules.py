"""Recurring rules and the presets they are made from. Read-only: a change has to reach the
invoices that are not yet emitted, which the services do and a form does not."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from billing.admin.links import list_link
from billing.admin.sections import AGREEMENTS
from billing.models import (
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    RuleService,
    ScheduledUpdate,
    TemplateService,
)

_CHIPS: dict[str, tuple[Tone, str]] = {
    InvoiceRule.Status.ACTIVE: ("success", "check"),
    InvoiceRule.Status.PAUSED: ("warning", "pause"),
    InvoiceRule.Status.ENDED: ("neutral", "stop"),
}
_SERVICE = ("position", "service_item", "description", "units", "unit_value", "value")
_DUE = (
    "charge_type",
    "day_number",
    "day_quantity",
    "due_month_quantity",
    "only_business_days",
    "parcel_number",
)
_OPTIONS = (
    "management_type",
    "payment_method",
    "installments",
    "issue_nfse",
    "days_until_automatic_nfe_emission",
    "nfe_body",
)


class RuleServiceInline(TenantInline):
    model = RuleService
    fields = _SERVICE
    ordering = ("position",)


class ScheduledUpdateInline(TenantInline):
    model = ScheduledUpdate
    fields = ("price_index", "service_item", "month_quantity", "execution_date", "state")


@admin.register(InvoiceRule)
class InvoiceRuleAdmin(TenantAdmin):
    section = AGREEMENTS
    inlines = (RuleServiceInline, ScheduledUpdateInline)
    list_display = (
        "__str__",
        "contract",
        "situation",
        "gross_value",
        "period_unit",
        "next_occurrence",
        "management_type",
    )
    list_filter = ("status", "period_unit", "management_type")
    list_select_related = ("contract",)
    search_fields = ("title", "description", "external_code", "contract__name")
    search_help_text = "Título, descrição, código externo ou contrato"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "title",
                    "contract",
                    "situation",
                    "parked_reason",
                    "parked_at",
                    "gross_value",
                    "description",
                    "invoices_link",
                )
            },
        ),
        (
            "Calendário",
            {
                "fields": (
                    "init_date",
                    "end_date",
                    "period_unit",
                    "month_quantity",
                    "accrual_month_quantity",
                    "next_occurrence",
                    "last_occurrence",
                )
            },
        ),
        ("Vencimento", {"fields": (*_DUE, "due_day_locked")}),
        ("Cobrança", {"fields": (*_OPTIONS, "notify_customer", "apply_negative_updates")}),
        ("Registro", {"fields": ("external_code", "created_at", "updated_at")}),
    )

    @admin.display(description="situação", ordering="status")
    def situation(self, rule: InvoiceRule) -> str:
        if rule.parked_reason:
            return chip("danger", "alert", "Impedida")
        return chip(*_CHIPS[rule.status], rule.get_status_display())

    @admin.display(description="faturas")
    def invoices_link(self, rule: InvoiceRule) -> str:
        return list_link(Invoice, "Ver as faturas desta regra", rule__id__exact=rule.pk)


@admin.register(RuleService)
class RuleServiceAdmin(TenantAdmin):
    tenant_path = "rule__account"
    secondary = True
    list_display = ("rule", "position", "__str__", "units", "unit_value", "value")
    list_select_related = ("rule", "service_item")
    ordering = ("-pk",)
    fields = ("rule", *_SERVICE)


class TemplateServiceInline(TenantInline):
    model = TemplateService
    fields = _SERVICE
    ordering = ("position",)


@admin.register(InvoiceTemplate)
class InvoiceTemplateAdmin(TenantAdmin):
    section = AGREEMENTS
    inlines = (TemplateServiceInline,)
    list_display = ("name", "organization", "period_unit", "month_quantity", "gross_value")
    list_filter = ("period_unit",)
    list_select_related = ("organization",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": ("name", "organization", "description", "gross_value")}),
        (
            "Calendário e vencimento",
            {
                "fields": (
                    "period_unit",
                    "month_quantity",
                    "accrual_month_quantity",
                    *_DUE,
                    "create_parcels",
                )
            },
        ),
        ("Cobrança", {"fields": (*_OPTIONS, "notify_customer", "apply_negative_updates")}),
        ("Registro", {"fields": ("created_at",)}),
    )


@admin.register(TemplateService)
class TemplateServiceAdmin(TenantAdmin):
    tenant_path = "template__account"
    secondary = True
    list_display = ("template", "position", "__str__", "units", "unit_value", "value")
    list_select_related = ("template", "service_item")
    ordering = ("-pk",)
    fields = ("template", *_SERVICE)
