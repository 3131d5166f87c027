"""Agreements with customers."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from billing.admin.links import admin_link
from billing.admin.sections import AGREEMENTS
from billing.models import Contract
from lib.br import date_br

_CHIPS: dict[str, tuple[Tone, str]] = {
    Contract.Status.TRIAL: ("info", "clock"),
    Contract.Status.ESTABLISHED: ("success", "check"),
    Contract.Status.CANCELLED: ("neutral", "stop"),
}
RULES_SHOWN = 50


@admin.register(Contract)
class ContractAdmin(TenantAdmin):
    """Texts may be corrected here. What is billed is changed by the services, never in this form:
    invoices not yet emitted have to follow."""

    section = AGREEMENTS
    list_display = ("name", "party", "situation", "init_date", "end_date", "cancel_date")
    list_filter = ("status", "kind", "registration_method", "overdue")
    list_select_related = ("party",)
    search_fields = ("name", "title", "external_code", "party__fold")
    search_help_text = "Nome, título, código externo ou cliente"
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("name", "title", "situation", "organization", "party", "kind")}),
        ("Textos", {"fields": ("description", "comments")}),
        (
            "Vigência",
            {
                "fields": (
                    "init_date",
                    "end_date",
                    "valid_until",
                    "cancel_date",
                    "cancel_reason",
                    "final_billed_at",
                )
            },
        ),
        (
            "Cobrança",
            {
                "fields": (
                    "rules_shown",
                    "registration_method",
                    "charging_method",
                    "plan",
                    "overdue",
                    "overdue_automatic_management",
                    "minimum_term_fine",
                    "minimum_term_until",
                )
            },
        ),
        ("Registro", {"fields": ("external_code", "created_at", "updated_at")}),
    )
    editable = ("title", "description", "comments")

    @admin.display(description="situação", ordering="status")
    def situation(self, contract: Contract) -> str:
        text = contract.get_status_display()
        return chip(*_CHIPS[contract.status], text)

    @admin.display(description="regras")
    def rules_shown(self, contract: Contract) -> str:
        rules = contract.rules.order_by("pk")[:RULES_SHOWN]
        lines = [
            (admin_link(rule), f"próxima em {date_br(rule.next_occurrence)}")
            if rule.next_occurrence
            else (admin_link(rule), rule.get_status_display())
            for rule in rules
        ]
        if not lines:
            return "—"
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} – {}</li>", lines))
