"""Documents and what was sent for them: only to be read; the API and its services act."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from fiscal.admin.sections import ISSUING
from fiscal.models import (
    Archive,
    Attempt,
    EventState,
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    State,
    VoidState,
)

_TONES: dict[str, tuple[Tone, str]] = {
    State.AUTORIZADO: ("success", "check"),
    State.CONTINGENCIA: ("warning", "clock"),
    State.REJEITADO: ("danger", "alert"),
    State.DENEGADO: ("danger", "stop"),
    State.CONFLITO: ("danger", "alert"),
    State.INDEFINIDO: ("warning", "alert"),
    State.CANCELADO: ("neutral", "stop"),
    State.INUTILIZADO: ("neutral", "stop"),
    EventState.REGISTRADO: ("success", "check"),
    VoidState.HOMOLOGADA: ("success", "check"),
    VoidState.REJEITADA: ("danger", "alert"),
    VoidState.INDEFINIDA: ("warning", "alert"),
}


def _chip(state: str, label: str) -> str:
    return chip(*_TONES.get(state, ("info", "clock")), label)


@admin.register(FiscalDocument)
class FiscalDocumentAdmin(TenantAdmin):
    section = ISSUING
    list_display = ("label", "company", "ambiente", "situation", "total", "dh_emi")
    list_filter = ("modelo", "ambiente", "state")
    list_select_related = ("company",)
    search_fields = ("=ref", "=chave", "=numero", "recipient_name", "=recipient_document")
    ordering = ("-created_at", "-pk")
    fieldsets = (
        (
            None,
            {"fields": ("company", "ref", "modelo", "ambiente", "serie", "numero", "chave",
                        "situation", "dh_emi", "total", "recipient_name", "recipient_document",
                        "superseded_by")},
        ),
        (
            "Autoridade",
            {"fields": ("protocolo", "authorized_at", "c_stat", "x_motivo", "notes", "tp_emis",
                        "dh_cont", "x_just", "is_effected", "recibo")},
        ),
        (
            "Registro",
            {"fields": ("n_attempts", "next_attempt_at", "is_imported", "payload", "created_at",
                        "updated_at")},
        ),
    )  # fmt: skip

    @admin.display(description="documento", ordering="numero")
    def label(self, document: FiscalDocument) -> str:
        number = f"{document.serie}/{document.numero}" if document.numero else document.ref
        return f"{document.modelo} {number}"

    @admin.display(description="situação", ordering="state")
    def situation(self, document: FiscalDocument) -> str:
        return _chip(document.state, document.get_state_display())


@admin.register(FiscalEvent)
class FiscalEventAdmin(TenantAdmin):
    section = ISSUING
    list_display = ("tp_evento", "n_seq", "document", "situation", "dh_evento")
    list_filter = ("tp_evento", "state")
    list_select_related = ("document",)
    search_fields = ("=document__chave", "=document__ref", "=protocolo")
    ordering = ("-pk",)
    fields = (
        "document", "tp_evento", "n_seq", "situation", "details", "target", "authority",
        "protocolo", "c_stat", "x_motivo", "dh_evento", "registered_at", "n_attempts",
        "next_attempt_at", "created_at",
    )  # fmt: skip

    @admin.display(description="situação", ordering="state")
    def situation(self, event: FiscalEvent) -> str:
        return _chip(event.state, event.get_state_display())


@admin.register(Inutilizacao)
class InutilizacaoAdmin(TenantAdmin):
    section = ISSUING
    list_display = ("company", "ambiente", "modelo", "ano", "serie", "first", "last", "situation")
    list_filter = ("modelo", "ambiente", "state")
    list_select_related = ("company",)
    search_fields = ("company__nome", "=protocolo")
    ordering = ("-pk",)
    fields = (
        "company", "ambiente", "modelo", "ano", "serie", "first", "last", "justificativa",
        "is_automatic", "situation", "protocolo", "c_stat", "x_motivo", "received_at",
        "n_attempts", "next_attempt_at", "created_at",
    )  # fmt: skip

    @admin.display(description="situação", ordering="state")
    def situation(self, void: Inutilizacao) -> str:
        return _chip(void.state, void.get_state_display())


@admin.register(Attempt)
class AttemptAdmin(TenantAdmin):
    """Each call that may have changed something outside; bodies are in the archive."""

    secondary = True
    list_display = ("kind", "subject", "company", "authority", "outcome", "c_stat", "started_at")
    list_filter = ("kind", "outcome")
    list_select_related = ("company",)
    search_fields = ("=subject",)
    ordering = ("-pk",)
    fields = (
        "company", "document", "kind", "subject", "authority", "id_lote", "sha256", "outcome",
        "c_stat", "x_motivo", "error", "elapsed_ms", "started_at", "ended_at",
    )  # fmt: skip


@admin.register(Archive)
class ArchiveAdmin(TenantAdmin):
    secondary = True
    list_display = ("name", "kind", "company", "ambiente", "month", "size")
    list_filter = ("kind", "ambiente")
    list_select_related = ("company",)
    search_fields = ("name",)
    ordering = ("-pk",)
    fields = (
        "company", "document", "kind", "name", "ambiente", "month", "size", "sha256", "created_at",
    )  # fmt: skip
