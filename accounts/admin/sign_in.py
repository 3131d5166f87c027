"""What stands around passwords, for the operator: never a code, a secret or a digest."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.site import SYSTEM
from accounts.admin_base import TenantAdmin
from accounts.models import Attempt, RecoveryCode, SecondFactor, UserSession


class _OfEverybody(TenantAdmin):
    """Rows of people, who may act for several accounts."""

    tenant_path = ()
    section = SYSTEM
    ordering = ("-pk",)


@admin.register(Attempt)
class AttemptAdmin(_OfEverybody):
    list_display = ("kind", "at")
    list_filter = ("kind",)
    fields = ("kind", "at")


@admin.register(SecondFactor)
class SecondFactorAdmin(_OfEverybody):
    list_display = ("user", "confirmed_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "confirmed_at")


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(_OfEverybody):
    list_display = ("user", "used_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "used_at")


@admin.register(UserSession)
class UserSessionAdmin(_OfEverybody):
    list_display = ("user", "ip", "created_at", "seen_at", "ended_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "=ip")
    fields = ("user", "user_agent", "ip", "is_remembered", "created_at", "seen_at", "ended_at")
