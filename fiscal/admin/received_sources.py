"""What is behind received documents: the questions asked, everything delivered, the words said."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip
from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActingScreen, Done
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, CompanyFilter, EnvironmentFilter
from fiscal.admin.received_acts import word_of
from fiscal.admin.received_lists import UnreadFilter
from fiscal.admin.sections import EMIT, ISSUING
from fiscal.api.received_common import xml_answer
from fiscal.models import (
    DistributionCursor,
    Manifestation,
    ReceivedDocument,
)
from fiscal.services import archive
from fiscal.services.received import reading
from fiscal.services.received.fetching import fetch
from lib import clock
from lib.templatetags.br import EMPTY, chave

# What a clerk calls the kinds of delivered documents.
_KINDS = {
    "resnfe": "NF-e (resumo)",
    "procnfe": "NF-e",
    "resevento": "Evento (resumo)",
    "proceventonfe": "Evento",
    "nfse": "NFS-e",
    "evento": "Evento de NFS-e",
}


def _ask_now(row: DistributionCursor, data: dict[str, Any], actor: Actor) -> Done:
    n = fetch(row.pk)
    cursor = DistributionCursor.objects.get(pk=row.pk)
    told = {"notas": n, "nsu": cursor.ult_nsu}
    if cursor.last_error:
        return Done(f"Sem resposta útil: {cursor.last_error}", is_good=False, told=told)
    return Done(f"{n} nota(s) nova(s) ou alterada(s).", told=told)


def _may_ask(row: DistributionCursor) -> bool:
    return row.blocked_until is None or row.blocked_until <= clock.now()


@admin.register(DistributionCursor)
class DistributionCursorAdmin(Columns, ActingScreen):
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = (
        Act("consultar", "Consultar agora", "Consultar agora", "Voltar", EMIT, _may_ask, _ask_now,
            audit="recebidos.consultados",
            notes=lambda row: ["Depois de uma consulta sem novidade a autoridade pede uma hora."]),
    )  # fmt: skip
    change_form_template = "admin/fiscal/acting_form.html"
    list_display = (
        "issuer", "source", "environment", "health", "progress", "answered_at", "next_at",
    )  # fmt: skip
    list_filter = ("source", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("company__nome",)
    search_help_text = "Parte do nome da empresa"
    ordering = ("-pk",)
    fields = (
        "issuer", "source", "environment", "health", "ult_nsu", "max_nsu", "gap", "last_version",
        "asked_at", "answered_at", "next_at", "blocked_until", "n_failures", "last_error",
        "created_at",
    )  # fmt: skip

    @admin.display(description="situação")
    def health(self, row: DistributionCursor) -> str:
        if row.next_at is None:
            return chip("neutral", "stop", "Desligada")
        if row.n_failures:
            return chip("danger", "alert", f"{row.n_failures} falha(s) seguida(s)")
        if row.last_error or row.gap_after < row.gap_until:
            return chip("warning", "clock", "Em espera")
        return chip("success", "check", "Em dia")

    @admin.display(description="lido")
    def progress(self, row: DistributionCursor) -> str:
        return f"{row.ult_nsu} de {row.max_nsu}"

    @admin.display(description="a buscar um a um")
    def gap(self, row: DistributionCursor) -> str:
        if row.gap_after >= row.gap_until:
            return EMPTY
        return f"NSU {row.gap_after + 1} a {row.gap_until}"


@admin.register(ReceivedDocument)
class ReceivedDocumentAdmin(Columns, TenantAdmin):
    """Everything that was delivered, also what nobody could read."""

    section = ISSUING
    paginator = BoundedPaginator
    list_display = ("what", "nsu", "key", "issuer", "created_at", "error")
    list_filter = (UnreadFilter, "source", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("chave",)  # shows the box
    search_help_text = "Chave por inteiro"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "source", "what", "schema", "nsu", "key", "size", "sha256",
        "file", "error", "created_at",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        bare = "".join(search_term.split())
        return (queryset.filter(chave=bare) if bare else queryset), False

    @admin.display(description="documento", ordering="schema")
    def what(self, row: ReceivedDocument) -> str:
        kind = reading.kind_of(row.schema)
        return _KINDS.get(kind.lower(), row.schema)

    @admin.display(description="chave", ordering="chave")
    def key(self, row: ReceivedDocument) -> str:
        return chave(row.chave) if row.chave else EMPTY

    @admin.display(description="arquivo")
    def file(self, row: ReceivedDocument) -> str:
        where = reverse("admin:fiscal_receiveddocument_arquivo", args=(row.pk,))
        return format_html('<a href="{}">Baixar como veio</a>', where)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.file_view)
        name = "fiscal_receiveddocument_arquivo"
        return [path("<path:object_id>/arquivo/", view, name=name), *super().get_urls()]

    def file_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The bytes as they were delivered; what is no XML is a file of no kind."""
        row: Any = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        content, name = archive.unpacked(row.content), row.chave or f"nsu-{row.nsu or row.pk}"
        if not row.error:
            return xml_answer(content, f"{name}.xml")
        answer = HttpResponse(content, content_type="application/octet-stream")
        answer["Content-Disposition"] = f'attachment; filename="{name}.bin"'
        answer["Cache-Control"] = "private, no-store"
        return answer

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReceivedDocument]:
        rows: QuerySet[ReceivedDocument] = super().get_queryset(request)
        return rows.defer("content")


@admin.register(Manifestation)
class ManifestationAdmin(TenantAdmin):
    """What the companies said, or tried to say, of the notes that they received."""

    secondary = True
    paginator = BoundedPaginator
    list_display = ("note", "word", "situation", "answer", "dh_evento", "issuer")
    list_filter = ("state", "is_adopted")
    list_select_related = ("received__company",)
    search_fields = ("protocolo",)  # shows the box
    search_help_text = "Chave da nota ou protocolo, por inteiro"
    ordering = ("-pk",)
    fields = (
        "received", "word", "justificativa", "situation", "is_adopted", "protocolo", "c_stat",
        "x_motivo", "dh_evento", "registered_at", "n_attempts", "next_attempt_at", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Manifestation]:
        rows: QuerySet[Manifestation] = super().get_queryset(request)
        return rows.defer("xml", "proc")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        bare = "".join(search_term.split())
        wanted = Q(received__chave=bare) | Q(protocolo=bare)
        return (queryset.filter(wanted) if bare else queryset), False

    @admin.display(description="NF-e", ordering="received__chave")
    def note(self, row: Manifestation) -> str:
        return format_html(
            "{}<br><small>{}</small>", row.received.issuer_name or EMPTY, chave(row.received.chave)
        )

    @admin.display(description="empresa", ordering="received__company__nome")
    def issuer(self, row: Manifestation) -> str:
        return str(row.received.company.nome)

    @admin.display(description="resposta da SEFAZ", ordering="c_stat")
    def answer(self, row: Manifestation) -> str:
        return " – ".join(filter(None, (row.c_stat, row.x_motivo))) or EMPTY

    @admin.display(description="manifestação", ordering="tp_evento")
    def word(self, row: Manifestation) -> str:
        return word_of(row)

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Manifestation) -> str:
        return state_chip(row.state, row.get_state_display())
