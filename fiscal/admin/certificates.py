"""Certificates: sent with their company, chosen by their dates; nothing here is typed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip, yes_no
from fiscal.admin.sections import ISSUING
from fiscal.models import Certificate
from fiscal.services.certificates import WARNING_DAYS
from lib import clock
from lib.templatetags.br import documento

URGENT = 7  # days (ux B14)


def validity_chip(certificate: Certificate, *, now: datetime) -> str:
    days = (certificate.not_after - now).days
    if certificate.not_after <= now:
        return chip("danger", "alert", "Vencido")
    if certificate.not_before > now:
        return chip("info", "clock", "Ainda não vale")
    if days <= URGENT:
        return chip("danger", "alert", f"Vence em {days} dia(s)")
    if days <= WARNING_DAYS[0]:
        return chip("warning", "alert", f"Vence em {days} dia(s)")
    return chip("success", "check", "Válido")


class ValidityFilter(admin.SimpleListFilter):
    title, parameter_name = "validade", "validade"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("vencido", "Vencidos"), ("7", "Em até 7 dias"), ("30", "Em até 30 dias"),
                ("60", "Em até 60 dias")]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value, now = self.value() or "", clock.now()
        if value == "vencido":
            return queryset.filter(not_after__lte=now)
        if value not in ("7", "30", "60"):
            return queryset
        return queryset.filter(not_after__gt=now, not_after__lte=now + timedelta(days=int(value)))


@admin.register(Certificate)
class CertificateAdmin(TenantAdmin):
    """Everything about a certificate but its key; those that end first stand first."""

    section = ISSUING
    list_display = ("owner", "holder", "situation", "days_left", "not_after", "is_used")
    list_filter = (ValidityFilter,)
    list_select_related = ("company",)
    search_fields = ("company__nome", "document", "subject")
    search_help_text = "Empresa, titular, CNPJ ou CPF"
    ordering = ("not_after", "pk")
    fields = (
        "company_link", "holder", "subject", "serial", "thumbprint", "situation", "days_left",
        "is_used", "chain", "not_before", "not_after", "warned_days", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Certificate]:
        rows: QuerySet[Certificate] = super().get_queryset(request).defer("key", "pem")
        others = Certificate.objects.defer("key", "pem")
        return rows.prefetch_related(Prefetch("company__certificates", others))

    @admin.display(description="empresa", ordering="company__nome")
    def owner(self, certificate: Certificate) -> str:
        return certificate.company.nome

    @admin.display(description="empresa")
    def company_link(self, certificate: Certificate) -> str:
        url = reverse("admin:fiscal_company_change", args=(certificate.company_id,))
        return format_html('<a href="{}">{}</a>', url, certificate.company)

    @admin.display(description="CNPJ ou CPF", ordering="document")
    def holder(self, certificate: Certificate) -> str:
        return documento(certificate.document)

    @admin.display(description="avisos da cadeia")
    def chain(self, certificate: Certificate) -> str:
        lines = ((text,) for text in certificate.warnings)
        return format_html_join("", "{}<br>", lines) or "Nenhum."

    @admin.display(description="situação", ordering="not_after")
    def situation(self, certificate: Certificate) -> str:
        return validity_chip(certificate, now=clock.now())

    @admin.display(description="dias restantes", ordering="not_after")
    def days_left(self, certificate: Certificate) -> str:
        return str(max((certificate.not_after - clock.now()).days, 0))

    @admin.display(description="em uso")
    def is_used(self, certificate: Certificate) -> str:
        """Of the valid ones of its company the one that ends last signs (CRT-5)."""
        now = clock.now()
        valid = [
            row
            for row in certificate.company.certificates.all()
            if row.not_before <= now < row.not_after
        ]
        chosen = max(valid, key=lambda row: (row.not_after, row.pk), default=None)
        return yes_no(chosen is not None and chosen.pk == certificate.pk)
