"""Which notices customers turned on and off, and the counters of protocols: for reading only."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin
from billing.admin.sections import BILLING, CUSTOMERS
from billing.models import NotificationPreference, ProtocolSeries


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(TenantAdmin):
    """Without a row a notice is as shipped."""

    section = CUSTOMERS
    list_display = ("customer", "event", "channel", "is_on")
    list_filter = ("event", "is_on")
    list_select_related = ("customer",)
    search_fields = ("customer__fold",)
    search_help_text = "Cliente"
    ordering = ("-pk",)
    fields = ("customer", "event", "channel", "is_on")


@admin.register(ProtocolSeries)
class ProtocolSeriesAdmin(TenantAdmin):
    section = BILLING
    list_display = ("prefix", "year", "next_number")
    ordering = ("-year", "prefix")
    fields = ("prefix", "year", "next_number")
