"""Acts on several documents at once, confirmed on a page (ux §1.3)."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.document_acts import ASKED, UNSENT
from fiscal.admin.sections import EMIT, accounts_acting, may
from fiscal.models import FiscalDocument
from lib.queue import enqueue

RESUME = "fiscal.tasks.resume_document"
AT_ONCE = 200  # documents that one choice nudges


class BatchPage(TenantAdmin):
    """Part of the screen of documents."""

    def has_nudge_permission(self, request: HttpRequest) -> bool:
        accounts = accounts_acting(request, EMIT)
        return accounts is None or bool(accounts)

    @admin.action(description="Consultar ou enviar agora", permissions=["nudge"])
    def nudge_chosen(
        self, request: HttpRequest, chosen: QuerySet[FiscalDocument]
    ) -> HttpResponseBase | None:
        """Queue the chosen ones that wait, once confirmed; blocks and breakers still hold them."""
        rows = list(chosen.select_related("account")[:AT_ONCE])
        waiting = [
            row
            for row in rows
            if row.state in (*ASKED, *UNSENT) and may(request, row.account_id, EMIT)
        ]
        if "confirmado" not in request.POST:
            return self._batch_page(request, rows, waiting)
        for row in waiting:
            enqueue(RESUME, row.pk)
            record(row.account, actor=actor_in(request), action="nf.reenviada", target=row)
        messages.success(request, f"{len(waiting)} documento(s) na fila para agora.")
        return None

    def _batch_page(
        self, request: HttpRequest, rows: list[FiscalDocument], waiting: list[FiscalDocument]
    ) -> HttpResponseBase:
        """Count, sum, the first ten, and what will be skipped (ux §1.3)."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Consultar ou enviar agora",
            "opts": self.opts,
            "waiting": waiting,
            "first": waiting[:10],
            "total": sum(row.total for row in waiting),
            "n_skipped": len(rows) - len(waiting),
            "chosen": [row.pk for row in rows],
            "list_url": reverse("admin:fiscal_fiscaldocument_changelist"),
        }
        return TemplateResponse(request, "admin/fiscal/lote.html", context)
