"""Events, attempts and files of documents: only to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from fiscal.admin.chips import attempt_chip, state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, EnvironmentFilter
from fiscal.admin.document_story import event_name
from fiscal.admin.sections import ISSUING
from fiscal.admin.service_note_records import note_link
from fiscal.api.files import xml_response
from fiscal.authorities.cstat import hint
from fiscal.documents.nfe.events import CARTA_CORRECAO, KINDS
from fiscal.models import Archive, Attempt, EventState, FiscalDocument, FiscalEvent
from lib.templatetags.br import EMPTY


def document_link(document: FiscalDocument | None) -> str:
    if document is None:
        return EMPTY
    url = reverse("admin:fiscal_fiscaldocument_change", args=(document.pk,))
    return format_html('<a href="{}">{}</a>', url, document)


# What people write into an event, under the names of the forms.
_TAGS = {"xCorrecao": "Correção", "xJust": "Justificativa", "nProt": "Protocolo da nota"}


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = "tipo", "tipo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, event_name(code)) for code in ("110110", "110111", "110112", "110150")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(tp_evento=value) if value in KINDS else queryset


@admin.register(FiscalEvent)
class FiscalEventAdmin(Columns, TenantAdmin):
    section = ISSUING
    paginator = BoundedPaginator
    list_display = ("name", "n_seq", "situation", "about", "c_stat", "dh_evento")
    list_filter = (KindFilter, "state")
    list_select_related = ("document",)
    search_fields = ("document__chave__exact", "document__ref__exact", "protocolo__exact")
    search_help_text = "Chave ou referência do documento, ou protocolo, por inteiro"
    ordering = ("-pk",)
    fields = (
        "about", "name", "n_seq", "situation", "told", "cancels", "authority", "protocolo",
        "code", "reason", "advice", "dh_evento", "registered_at", "n_attempts",
        "next_attempt_at", "prints", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[FiscalEvent]:
        rows: QuerySet[FiscalEvent] = super().get_queryset(request)
        return rows.defer("xml", "document__payload")

    @admin.display(description="tipo", ordering="tp_evento")
    def name(self, event: FiscalEvent) -> str:
        return event_name(event.tp_evento)

    @admin.display(description="documento")
    def about(self, event: FiscalEvent) -> str:
        return document_link(event.document)

    @admin.display(description="situação", ordering="state")
    def situation(self, event: FiscalEvent) -> str:
        return state_chip(event.state, event.get_state_display())

    @admin.display(description="dados")
    def told(self, event: FiscalEvent) -> str:
        """What the issuer wrote, without the text that every such event has."""
        shown = {name: value for name, value in event.details.items() if name != "xCondUso"}
        lines = [(_TAGS.get(name, name), value) for name, value in shown.items()]
        return format_html_join("", "<p>{}: {}</p>", lines) or EMPTY

    @admin.display(description="cancela o evento")
    def cancels(self, event: FiscalEvent) -> str:
        target = event.target
        return f"{event_name(target.tp_evento)} nº {target.n_seq}" if target else EMPTY

    @admin.display(description="código da resposta (cStat)")
    def code(self, event: FiscalEvent) -> str:
        return event.c_stat or EMPTY

    @admin.display(description="resposta (xMotivo)")
    def reason(self, event: FiscalEvent) -> str:
        return event.x_motivo or EMPTY

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        event = kwargs.get("obj")
        if event is not None:
            title = f"{event_name(event.tp_evento)} nº {event.n_seq}"
            context |= {"title": title, "subtitle": None}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="o que fazer")
    def advice(self, event: FiscalEvent) -> str:
        return (hint(event.c_stat) if event.c_stat else "") or EMPTY

    @admin.display(description="impressão")
    def prints(self, event: FiscalEvent) -> str:
        if event.tp_evento != CARTA_CORRECAO or event.state != EventState.REGISTRADO:
            return EMPTY
        name = "admin:fiscal_fiscaldocument_correction"
        url = reverse(name, args=(event.document_id, event.n_seq))
        return format_html('<a href="{}">Carta de correção (PDF)</a>', url)


class _Linked(Columns):
    """With a link to the row's document."""

    @admin.display(description="documento")
    def document_link(self, row: Any) -> str:
        note = getattr(row, "service_note", None)
        return document_link(row.document) if note is None else note_link(note)


@admin.register(Attempt)
class AttemptAdmin(_Linked, TenantAdmin):
    """Each call that may have changed something outside; bodies are in the archive."""

    secondary = True
    paginator = BoundedPaginator
    list_display = ("kind", "subject", "issuer", "authority", "result", "c_stat", "started_at")
    list_filter = ("kind", "outcome")
    list_select_related = ("company",)
    search_fields = ("subject__exact",)
    search_help_text = "Chave, ou identificação do evento ou da inutilização, por inteiro"
    ordering = ("-pk",)
    fields = (
        "issuer", "document_link", "kind", "subject", "authority", "id_lote", "sha256", "result",
        "c_stat", "x_motivo", "error", "elapsed_ms", "started_at", "ended_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        rows: QuerySet[Attempt] = super().get_queryset(request)
        return rows.defer("reply")

    @admin.display(description="resultado", ordering="outcome")
    def result(self, attempt: Attempt) -> str:
        return attempt_chip(attempt)


@admin.register(Archive)
class ArchiveAdmin(_Linked, TenantAdmin):
    secondary = True
    paginator = BoundedPaginator
    list_display = ("name", "kind", "issuer", "environment", "month", "size")
    list_filter = ("kind", EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("name__exact",)
    search_help_text = "Nome do arquivo, por inteiro"
    ordering = ("-pk",)
    fields = (
        "issuer", "document_link", "kind", "name", "environment", "month", "size", "sha256",
        "created_at",
    )  # fmt: skip
    change_form_template = "admin/fiscal/archive/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Archive]:
        rows: QuerySet[Archive] = super().get_queryset(request)
        return rows.defer("content")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.download_view)
        return [
            path("<path:object_id>/baixar/", view, name="fiscal_archive_download"),
            *super().get_urls(),
        ]

    def download_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The file as it was kept, byte for byte."""
        found: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return xml_response(found)
