"""E-mails, blocked addresses, backups and kept prints: made by the system, here to be looked at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator
from fiscal.admin.records import document_link
from fiscal.admin.sections import ISSUING
from fiscal.admin.service_note_records import note_link
from fiscal.models import Backup, BlockedEmail, MailMessage, PrintCache
from fiscal.models.mail import MailState

_TONES: dict[str, tuple[Tone, str]] = {
    MailState.PENDENTE: ("info", "clock"),
    MailState.ENVIADO: ("success", "check"),
    MailState.IGNORADO: ("neutral", "stop"),
    MailState.FALHOU: ("danger", "cross"),
}


@admin.register(MailMessage)
class MailMessageAdmin(TenantAdmin):
    section = ISSUING
    list_display = ("recipient", "kind", "about", "situation", "n_attempts", "created_at")
    list_filter = ("kind", "state")
    list_select_related = ("document", "service_note")
    search_fields = (
        "recipient__exact", "document__ref__exact", "document__chave__exact",
        "service_note__ref__exact", "service_note__number__exact",
    )  # fmt: skip
    search_help_text = "Endereço, referência, chave ou número da NFS-e, por inteiro"
    paginator = BoundedPaginator
    ordering = ("-pk",)
    fields = (
        "recipient", "kind", "about", "n_seq", "situation", "message_id", "n_attempts",
        "next_attempt_at", "last_error", "sent_at", "created_at",
    )  # fmt: skip

    @admin.display(description="documento")
    def about(self, message: MailMessage) -> str:
        if message.service_note is not None:
            return note_link(message.service_note)
        return document_link(message.document)

    @admin.display(description="situação", ordering="state")
    def situation(self, message: MailMessage) -> str:
        return chip(*_TONES[message.state], message.get_state_display())


@admin.register(BlockedEmail)
class BlockedEmailAdmin(TenantAdmin):
    secondary = True
    list_display = ("email", "block_type", "bounce_type", "blocked_at")
    list_filter = ("block_type",)
    search_fields = ("=email",)
    ordering = ("-pk",)
    fields = ("email", "block_type", "bounce_type", "diagnostic_code", "blocked_at")


@admin.register(Backup)
class BackupAdmin(Columns, TenantAdmin):
    secondary = True
    list_display = ("issuer", "month", "n_files", "built_at")
    list_select_related = ("company",)
    search_fields = ("=month", "=company__cnpj")
    ordering = ("-pk",)
    fields = ("issuer", "month", "xmls", "danfes", "n_files", "started_at", "built_at")


@admin.register(PrintCache)
class PrintCacheAdmin(TenantAdmin):
    tenant_path = "document__account"
    secondary = True
    list_display = ("document", "name", "size", "created_at", "last_accessed")
    list_filter = ("name",)
    ordering = ("-pk",)
    fields = ("document", "name", "source_hash", "size", "created_at", "last_accessed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PrintCache]:
        kept: QuerySet[PrintCache] = super().get_queryset(request)
        return kept.select_related("document").defer("data", "document__payload")
