"""Certificates: sent with their company, chosen by their dates; nothing here is typed."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip
from fiscal.admin.sections import ISSUING
from fiscal.models import Certificate
from fiscal.services.certificates import WARNING_DAYS
from lib import clock


@admin.register(Certificate)
class CertificateAdmin(TenantAdmin):
    """Everything about a certificate but its key."""

    section = ISSUING
    list_display = ("company", "document", "situation", "not_before", "not_after")
    list_select_related = ("company",)
    search_fields = ("company__nome", "document", "subject")
    ordering = ("not_after", "pk")
    fields = (
        "company",
        "document",
        "subject",
        "serial",
        "thumbprint",
        "situation",
        "not_before",
        "not_after",
        "warned_days",
        "created_at",
    )

    @admin.display(description="situação", ordering="not_after")
    def situation(self, certificate: Certificate) -> str:
        now = clock.now()
        days = (certificate.not_after - now).days
        if certificate.not_after <= now:
            return chip("danger", "alert", "Vencido")
        if certificate.not_before > now:
            return chip("info", "clock", "Ainda não vale")
        if days <= WARNING_DAYS[0]:
            return chip("warning", "alert", f"Vence em {days} dia(s)")
        return chip("success", "check", "Válido")
