"""Acts on several documents at once."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.batches import Batch, batch_page, is_confirmed
from fiscal.admin.document_acts import ASKED, UNSENT
from fiscal.admin.sections import EMIT, accounts_acting, may
from fiscal.models import FiscalDocument
from lib.queue import enqueue
from lib.templatetags.br import brl

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
        if not is_confirmed(request):
            return batch_page(self, request, _nudging(waiting), chosen=[row.pk for row in rows])
        for row in waiting:
            enqueue(RESUME, row.pk)
            record(row.account, actor=actor_in(request), action="nf.reenviada", target=row)
        messages.success(request, f"{len(waiting)} documento(s) na fila para agora.")
        return None


def _nudging(waiting: list[FiscalDocument]) -> Batch:
    total = brl(sum(row.total for row in waiting))
    return Batch(
        action="nudge_chosen",
        title="Consultar ou enviar agora",
        button=f"Consultar ou enviar {len(waiting)} agora",
        headline=f"{len(waiting)} documento(s), {total}",
        lines=[f"{row.ref} · {brl(row.total)} · {row.get_state_display()}" for row in waiting],
        none="Nenhum dos documentos escolhidos espera por envio ou resposta.",
        skipped="já têm resposta definitiva.",
    )
