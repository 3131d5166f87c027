"""What is behind received documents: service notes, the questions asked, everything delivered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from accounts.admin_display import chip
from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActingScreen, Done
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, CompanyFilter, EnvironmentFilter
from fiscal.admin.sections import EMIT, ISSUING
from fiscal.models import (
    DistributionCursor,
    Manifestation,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
)
from fiscal.services.received.fetching import fetch
from fiscal.services.received.manifested import NAMES
from lib import clock
from lib.templatetags.br import EMPTY, documento

# --- service notes -----------------------------------------------------------------------------


@admin.register(ReceivedNfse)
class ReceivedNfseAdmin(Columns, TenantAdmin):
    section = ISSUING
    paginator = BoundedPaginator
    list_display = ("issuer_of", "number", "situation", "total", "issued_at", "issuer")
    list_filter = ("status", "source", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("chave__exact", "number__exact", "issuer_document__exact", "issuer_name")
    search_help_text = "Chave, número ou CNPJ do prestador por inteiro, ou parte do nome"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "source", "chave", "number", "issuer_of", "situation", "total",
        "issued_at", "cancelled_at", "description", "checked", "versao", "nsu", "created_at",
        "updated_at",
    )  # fmt: skip

    @admin.display(description="prestador", ordering="issuer_name")
    def issuer_of(self, row: ReceivedNfse) -> str:
        number = documento(row.issuer_document) if row.issuer_document else ""
        return format_html("{}<br><small>{}</small>", row.issuer_name or EMPTY, number)

    @admin.display(description="situação", ordering="status")
    def situation(self, row: ReceivedNfse) -> str:
        return state_chip(row.status, row.get_status_display())

    @admin.display(description="serviço")
    def description(self, row: ReceivedNfse) -> str:
        services = row.body.get("completa", {}).get("servicos") or [{}]
        return str(services[0].get("discriminacao") or EMPTY)

    @admin.display(description="conferência da assinatura")
    def checked(self, row: ReceivedNfse) -> str:
        lines = [(fault,) for fault in row.faults]
        return format_html_join("", "<p>{}</p>", lines) or "Confere."


# --- what is behind them -----------------------------------------------------------------------


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
    list_display = ("issuer", "source", "environment", "health", "answered_at", "next_at")
    list_filter = ("source", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("company__nome",)
    ordering = ("-pk",)
    fields = (
        "issuer", "source", "environment", "health", "ult_nsu", "max_nsu", "last_version",
        "asked_at", "answered_at", "next_at", "blocked_until", "n_failures", "last_error",
        "created_at",
    )  # fmt: skip

    @admin.display(description="situação")
    def health(self, row: DistributionCursor) -> str:
        if row.next_at is None:
            return chip("neutral", "stop", "Desligada")
        if row.n_failures:
            return chip("danger", "alert", f"{row.n_failures} falha(s) seguida(s)")
        return chip("success", "check", "Em dia")


@admin.register(ReceivedDocument)
class ReceivedDocumentAdmin(Columns, TenantAdmin):
    """Everything that was delivered, also what nobody could read."""

    section = ISSUING
    paginator = BoundedPaginator
    list_display = ("schema", "nsu", "chave", "issuer", "created_at", "error")
    list_filter = ("source", CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("chave__exact",)
    search_help_text = "Chave por inteiro"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "source", "schema", "nsu", "chave", "size", "sha256", "error",
        "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReceivedDocument]:
        rows: QuerySet[ReceivedDocument] = super().get_queryset(request)
        return rows.defer("content")


@admin.register(Manifestation)
class ManifestationAdmin(TenantAdmin):
    """What the companies said, or tried to say, of the notes that they received."""

    secondary = True
    paginator = BoundedPaginator
    list_display = ("received", "word", "situation", "c_stat", "dh_evento")
    list_filter = ("state", "is_adopted")
    list_select_related = ("received",)
    search_fields = ("received__chave__exact", "protocolo__exact")
    search_help_text = "Chave da nota ou protocolo, por inteiro"
    ordering = ("-pk",)
    fields = (
        "received", "word", "justificativa", "situation", "is_adopted", "protocolo", "c_stat",
        "x_motivo", "dh_evento", "registered_at", "n_attempts", "next_attempt_at", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Manifestation]:
        rows: QuerySet[Manifestation] = super().get_queryset(request)
        return rows.defer("xml", "proc")

    @admin.display(description="manifestação", ordering="tp_evento")
    def word(self, row: Manifestation) -> str:
        return str(ReceivedNfe.Manifestacao(NAMES[row.tp_evento]).label)

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Manifestation) -> str:
        return state_chip(row.state, row.get_state_display())
