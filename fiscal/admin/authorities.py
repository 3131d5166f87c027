"""How the authorities are: facts that all accounts share."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin
from fiscal.admin.sections import ISSUING
from fiscal.models import AuthorityStatus, Consumption, Contingency


@admin.register(AuthorityStatus)
class AuthorityStatusAdmin(TenantAdmin):
    tenant_path = ()
    section = ISSUING
    list_display = ("uf", "modelo", "ambiente", "authority", "c_stat", "checked_at", "open_until")
    list_filter = ("modelo", "ambiente", "authority")
    search_fields = ("=uf", "=authority")
    ordering = ("uf", "modelo", "ambiente", "authority")
    fields = (
        "authority", "uf", "modelo", "ambiente", "c_stat", "x_motivo", "checked_at", "n_failures",
        "failing_since", "open_until", "n_up",
    )  # fmt: skip


@admin.register(Contingency)
class ContingencyAdmin(TenantAdmin):
    """Times in contingency (CON-1). Of a whole UF, so of no account."""

    tenant_path = ()
    section = ISSUING
    list_display = ("uf", "modelo", "ambiente", "mode", "entered_at", "left_at")
    list_filter = ("mode", "modelo", "ambiente")
    search_fields = ("=uf",)
    ordering = ("-entered_at", "-pk")
    fields = (
        "uf", "modelo", "ambiente", "company", "mode", "reason", "entered_by", "entered_at",
        "left_at",
    )  # fmt: skip


@admin.register(Consumption)
class ConsumptionAdmin(TenantAdmin):
    """Calls counted before the authority counts them (656, §8.6)."""

    tenant_path = ()
    secondary = True
    list_display = ("base", "ambiente", "service", "subject", "count", "blocked_until")
    list_filter = ("ambiente", "service")
    search_fields = ("=base", "=subject")
    ordering = ("-window_start", "-pk")
    fields = (
        "base", "ambiente", "service", "subject", "window_start", "count", "blocked_until",
    )  # fmt: skip
