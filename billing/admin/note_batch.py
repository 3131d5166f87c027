"""Issuing the notes of many invoices, confirmed on a page (ux §1.3)."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import signed_in
from accounts.models import Account
from billing.admin.links import admin_link
from billing.models import Invoice
from billing.services.note_batches import issuable, start_batch
from fiscal.admin.sections import EMIT, accounts_acting, may

AT_ONCE = 5_000  # invoices of one choice


class NoteBatch(TenantAdmin):
    """Part of the screen of invoices."""

    def has_notes_permission(self, request: HttpRequest) -> bool:
        accounts = accounts_acting(request, EMIT)
        return accounts is None or bool(accounts)

    @admin.action(description="Emitir notas fiscais", permissions=["notes"])
    def issue_notes(
        self, request: HttpRequest, chosen: QuerySet[Invoice]
    ) -> HttpResponseBase | None:
        """One job for each account among the chosen ones, once confirmed."""
        rows = list(chosen.select_related("account", "customer", "series")[:AT_ONCE])
        waiting = _issuable(request, rows)
        if "confirmado" not in request.POST:
            return self._notes_page(request, rows, waiting)
        for account in {row.account_id: row.account for row in waiting}.values():
            mine = [row.pk for row in waiting if row.account_id == account.pk]
            job = start_batch(account, mine, user=signed_in(request))
            text = format_html("Emissão de {} nota(s): {}.", len(mine), admin_link(job))
            messages.success(request, text)
        return None

    def _notes_page(
        self, request: HttpRequest, rows: list[Invoice], waiting: list[Invoice]
    ) -> HttpResponseBase:
        """Count, sum, the first ten, and what will be skipped (ux §1.3)."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Emitir notas fiscais",
            "opts": self.opts,
            "waiting": waiting,
            "first": waiting[:10],
            "total": sum((row.gross_value for row in waiting), Decimal("0.00")),
            "n_skipped": len(rows) - len(waiting),
            "chosen": [row.pk for row in rows],
            "list_url": reverse("admin:billing_invoice_changelist"),
        }
        return TemplateResponse(request, "admin/billing/emitir_notas.html", context)


def _issuable(request: HttpRequest, rows: list[Invoice]) -> list[Invoice]:
    """Those whose note may be issued, in accounts where the person may do that."""
    accounts: dict[int, Account] = {row.account_id: row.account for row in rows}
    found: set[int] = set()
    for account_id, account in accounts.items():
        if may(request, account_id, EMIT):
            mine = [row.pk for row in rows if row.account_id == account_id]
            found.update(issuable(account, mine).values_list("pk", flat=True))
    return [row for row in rows if row.pk in found]
