"""What is sold: services and plans."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin, TenantInline
from billing.admin.sections import AGREEMENTS
from billing.models import Plan, PlanProduct, ServiceItem


@admin.register(ServiceItem)
class ServiceItemAdmin(TenantAdmin):
    """The catalogue. Rules and invoices copy from it, so a change here moves none of them."""

    section = AGREEMENTS
    list_display = ("name", "value", "unit", "tax_percentage")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "description", "value", "unit", "tax_percentage", "created_at")
    editable = ("name", "description", "value", "unit", "tax_percentage")
    may_add = True


class PlanProductInline(TenantInline):
    model = PlanProduct
    fields = ("service_item", "description", "units", "unit_value", "value")


@admin.register(Plan)
class PlanAdmin(TenantAdmin):
    """Offers. Prices come from the products and are not typed here; the texts are."""

    section = AGREEMENTS
    inlines = (PlanProductInline,)
    list_display = ("name", "price", "billing_period", "charging_method", "has_trial")
    list_filter = ("billing_period", "charging_method", "has_trial")
    search_fields = ("name",)
    ordering = ("name", "pk")
    fields = (
        "name",
        "organization",
        "description",
        "features",
        "redirect_url",
        "price",
        "billing_period",
        "charging_method",
        "has_trial",
        "trial_period",
        "allow_installments",
        "installments_limit",
        "readjustment_will_be_created",
        "price_index",
        "readjustment_month_quantity",
        "readjustment_days_until_update",
        "created_at",
    )
    editable = ("name", "description", "features", "redirect_url")


@admin.register(PlanProduct)
class PlanProductAdmin(TenantAdmin):
    tenant_path = "plan__account"
    secondary = True
    list_display = ("plan", "service_item", "units", "unit_value", "value")
    list_select_related = ("plan", "service_item")
    ordering = ("-pk",)
    fields = ("plan", "service_item", "description", "units", "unit_value", "value")
