"""Gatilhos and their notices: made and removed through the API, here to be looked at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, chip
from fiscal.admin.document_lists import BoundedPaginator, EnvironmentFilter
from fiscal.admin.sections import ISSUING
from fiscal.models import FiscalHook, HookNotice
from fiscal.models.hook import NOTICE_SUBJECTS
from lib.templatetags.br import EMPTY

_TONES: dict[str, tuple[Tone, str]] = {
    FiscalHook.State.ACTIVE: ("success", "check"),
    FiscalHook.State.DISABLED: ("neutral", "stop"),
    HookNotice.State.DELIVERED: ("success", "check"),
    HookNotice.State.DEAD: ("danger", "cross"),
}


@admin.register(FiscalHook)
class FiscalHookAdmin(TenantAdmin):
    section = ISSUING
    list_display = ("event", "url", "company", "ambiente", "situation", "last_tried_at")
    list_filter = ("event", EnvironmentFilter, "state")
    list_select_related = ("company",)
    search_fields = ("url", "=public_id")
    ordering = ("-pk",)
    fields = (
        "public_id", "event", "url", "authorization_header", "company", "ambiente", "situation",
        "failing_since", "bad_since", "disabled_at", "last_tried_at", "created_at",
    )  # fmt: skip

    @admin.display(description="situação", ordering="state")
    def situation(self, hook: FiscalHook) -> str:
        return chip(*_TONES[hook.state], hook.get_state_display())


@admin.register(HookNotice)
class HookNoticeAdmin(TenantAdmin):
    secondary = True
    list_display = ("hook", "situation", "about", "tries", "last_status", "created_at")
    list_filter = ("state",)
    list_select_related = ("hook", "document", "inutilizacao")
    paginator = BoundedPaginator
    search_fields = ("hook__public_id__exact", "document__ref__exact", "document__chave__exact")
    search_help_text = "Id do gatilho, referência ou chave do documento, por inteiro"
    ordering = ("-pk",)
    fields = (
        "hook", "document", "inutilizacao", "situation", "tries", "next_attempt_at",
        "last_attempt_at", "last_status", "last_ms", "last_error", "last_body", "last_answer",
        "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[HookNotice]:
        rows: QuerySet[HookNotice] = super().get_queryset(request)
        return rows.defer("last_body", "last_answer", "document__payload", "inutilizacao__xml")

    @admin.display(description="sobre")
    def about(self, notice: HookNotice) -> str:
        if notice.document is not None:
            return str(notice.document.ref)
        subjects = (getattr(notice, name) for name in NOTICE_SUBJECTS)
        return next((str(one) for one in subjects if one is not None), EMPTY)

    @admin.display(description="resultado", ordering="state")
    def situation(self, notice: HookNotice) -> str:
        return chip(*_TONES.get(notice.state, ("info", "clock")), notice.get_state_display())
