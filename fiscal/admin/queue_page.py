"""What waits, and why it does not leave (§8.4 to §9): one page for whoever answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.models import Heartbeat
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import MODELS
from fiscal.admin.outlook import Outlook, Reason
from fiscal.admin.sections import ISSUE, may
from fiscal.models import WAITING, Company, FiscalDocument, FiscalEvent, Inutilizacao, State
from fiscal.services.staff_orders import release_queue
from lib import clock

SILENT_AFTER = timedelta(minutes=5)
GROUPS = 100  # of company, environment and model: more do not help anybody on one page
CONFLICTS = 20
LOOKED_BACK = timedelta(days=90)


@dataclass
class Group:
    """The waiting documents of a company, environment and model."""

    company: Company
    ambiente: str
    modelo: int
    n: int
    oldest: datetime
    states: list[tuple[str, int]]
    reasons: list[Reason]
    can_release: bool

    @property
    def url(self) -> str:
        url = reverse("admin:fiscal_fiscaldocument_changelist")
        query = f"empresa={self.company.pk}&ambiente={self.ambiente}&modelo={self.modelo}"
        return f"{url}?{query}&situacao=esperando"

    @property
    def kind(self) -> str:
        return MODELS.get(self.modelo, str(self.modelo))

    @property
    def is_stopped(self) -> bool:
        return any(one.what == "parada" for one in self.reasons)


class QueuePage(TenantAdmin):
    """Part of the screen of documents."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.queue_view)
        return [path("fila/", view, name="fiscal_fiscaldocument_queue"), *super().get_urls()]

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """GET shows; POST lets a stopped company go on."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._release(request)
        now = clock.now()
        groups = self._groups(request, now)
        context = {
            **self.admin_site.each_context(request),
            "title": "Fila de envio",
            "opts": self.opts,
            "groups": groups,
            "n_waiting": sum(group.n for group in groups),
            "conflicts": list(self._conflicts(request, now)),
            "n_events": self._n_due(request, FiscalEvent),
            "n_voids": self._n_due(request, Inutilizacao),
            "silent_since": _silent_since(now),
            "now": now,
        }
        return TemplateResponse(request, "admin/fiscal/fila.html", context)

    def _groups(self, request: HttpRequest, now: datetime) -> list[Group]:
        """Counted in one query, over the index of what is due."""
        waiting = self.get_queryset(request).filter(
            next_attempt_at__isnull=False, state__in=WAITING
        )
        rows = (
            waiting.order_by()
            .values("company_id", "ambiente", "modelo", "state")
            .annotate(n=Count("pk"), oldest=Min("created_at"))
        )
        found: dict[tuple[int, str, int], list[dict[str, Any]]] = {}
        for row in rows:
            key = (row["company_id"], row["ambiente"], row["modelo"])
            found.setdefault(key, []).append(row)
        companies = Company.objects.in_bulk({company_id for company_id, _, _ in found})
        outlook = Outlook(companies.values(), now=now)
        groups = [
            self._group(request, companies[key[0]], key, parts, outlook)
            for key, parts in found.items()
        ]
        return sorted(groups, key=lambda group: group.oldest)[:GROUPS]

    def _group(
        self, request: HttpRequest, company: Company, key: tuple[int, str, int],
        parts: list[dict[str, Any]], outlook: Outlook,
    ) -> Group:  # fmt: skip
        _, ambiente, modelo = key
        return Group(
            company,
            ambiente,
            modelo,
            sum(part["n"] for part in parts),
            min(part["oldest"] for part in parts),
            [(state_chip(part["state"], State(part["state"]).label), part["n"]) for part in parts],
            outlook.reasons(company, ambiente=ambiente, modelo=modelo),
            may(request, company.account_id, ISSUE),
        )

    def _conflicts(self, request: HttpRequest, now: datetime) -> QuerySet[FiscalDocument]:
        rows: QuerySet[FiscalDocument] = self.get_queryset(request).filter(
            state=State.CONFLITO, created_at__gte=now - LOOKED_BACK
        )
        return rows.select_related("company").order_by("-created_at", "-pk")[:CONFLICTS]

    def _n_due(self, request: HttpRequest, model: Any) -> int:
        rows = model.objects.filter(next_attempt_at__isnull=False)
        return int(rows.filter(account__in=self.visible_accounts(request)).count())

    def _release(self, request: HttpRequest) -> HttpResponse:
        text = request.POST.get("empresa", "")
        rows = Company.objects.filter(account__in=self.visible_accounts(request))
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        company = rows.filter(pk=number).select_related("account").first()
        if company is None or not may(request, company.account_id, ISSUE):
            raise PermissionDenied
        n = release_queue(company, actor=actor_in(request), now=clock.now())
        messages.success(request, f"{company}: fila liberada, {n} documento(s) na vez.")
        return redirect("admin:fiscal_fiscaldocument_queue")


def _silent_since(now: datetime) -> datetime | None:
    """When the workers were last heard of, if that is too long ago."""
    beat = Heartbeat.objects.order_by("-at").first()
    return beat.at if beat is not None and now - beat.at > SILENT_AFTER else None
