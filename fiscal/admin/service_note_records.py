"""What was sent for service notes, and their kept prints: only to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, EnvironmentFilter
from fiscal.admin.sections import ISSUING
from fiscal.admin.service_note_acts import faults
from fiscal.models import (
    MunicipalParameter,
    RpsBatch,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
    ServicePrint,
)
from lib.templatetags.br import EMPTY

MOST_SHOWN = 200


def note_link(note: ServiceNote | None) -> str:
    if note is None:
        return EMPTY
    url = reverse("admin:fiscal_servicenote_change", args=(note.pk,))
    return format_html('<a href="{}">{}</a>', url, note)


class _OfNote(TenantAdmin):
    """With a link to the row's note."""

    secondary = True
    paginator = BoundedPaginator
    list_select_related = ("note",)
    search_fields = ("note__ref__exact", "note__number__exact", "note__key__exact")
    search_help_text = "Referência, número ou chave da nota, por inteiro"
    ordering = ("-pk",)

    @admin.display(description="nota de serviço")
    def about(self, row: Any) -> str:
        return note_link(row.note)


@admin.register(ServiceOrder)
class ServiceOrderAdmin(_OfNote):
    list_display = ("kind", "about", "situation", "registered_at", "created_at")
    list_filter = ("kind", "state")
    fields = (
        "about", "kind", "code", "reason", "situation", "refusals", "sent_id", "n_attempts",
        "next_attempt_at", "registered_at", "created_at",
    )  # fmt: skip

    @admin.display(description="situação", ordering="state")
    def situation(self, order: ServiceOrder) -> str:
        return state_chip(order.state, order.get_state_display())

    @admin.display(description="recusa")
    def refusals(self, order: ServiceOrder) -> str:
        return faults(order) or EMPTY


@admin.register(ServiceAttempt)
class ServiceAttemptAdmin(_OfNote):
    """Each call that may have changed something outside; bodies are in the archive."""

    list_display = ("about", "route", "result", "code", "started_at")
    list_filter = ("outcome",)
    fields = (
        "about", "order", "route", "sha256", "result", "code", "message", "error", "elapsed_ms",
        "started_at", "ended_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceAttempt]:
        rows: QuerySet[ServiceAttempt] = super().get_queryset(request)
        return rows.defer("reply", "note__payload")

    @admin.display(description="resultado", ordering="outcome")
    def result(self, attempt: ServiceAttempt) -> str:
        return state_chip(attempt.outcome, attempt.get_outcome_display())


@admin.register(ServicePrint)
class ServicePrintAdmin(_OfNote):
    tenant_path = "note__account"
    list_display = ("about", "name", "size", "created_at", "last_accessed")
    fields = ("about", "name", "source_hash", "size", "created_at", "last_accessed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServicePrint]:
        kept: QuerySet[ServicePrint] = super().get_queryset(request)
        return kept.select_related("note").defer("data", "note__payload")


@admin.register(RpsBatch)
class RpsBatchAdmin(Columns, TenantAdmin):
    """Files of RPS for cities without web service, made and answered through /v2/lotes_rps."""

    section = ISSUING
    paginator = BoundedPaginator
    list_display = ("ref", "issuer", "environment", "layout", "answered_at", "created_at")
    list_filter = (EnvironmentFilter,)
    list_select_related = ("company",)
    search_fields = ("ref__exact",)
    search_help_text = "Referência, por inteiro"
    ordering = ("-pk",)
    fields = ("issuer", "environment", "ref", "layout", "held", "answered_at", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RpsBatch]:
        rows: QuerySet[RpsBatch] = super().get_queryset(request)
        return rows.defer("payload")

    @admin.display(description="notas do lote")
    def held(self, batch: RpsBatch) -> str:
        rows = batch.notes.only("pk", "number", "ref", "state").order_by("pk")[:MOST_SHOWN]
        lines = ((note_link(note), note.get_state_display()) for note in rows)
        return format_html_join("", "{}: {}<br>", lines) or EMPTY


@admin.register(MunicipalParameter)
class MunicipalParameterAdmin(Columns, TenantAdmin):
    """What the national system says of cities, shared by all accounts (NAC-13)."""

    tenant_path = ()
    secondary = True
    paginator = BoundedPaginator
    list_display = ("name", "environment", "status", "asked_at")
    list_filter = (EnvironmentFilter,)
    search_fields = ("name__startswith",)
    search_help_text = "Começo do parâmetro, como o código IBGE do município"
    ordering = ("-pk",)
    fields = ("name", "environment", "status", "answer", "asked_at")
