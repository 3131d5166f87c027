"""The audit trail."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from accounts.admin.site import ACCESS
from accounts.admin_base import TenantAdmin
from accounts.admin_trail import signed_in
from accounts.models import (
    AuditEvent,
)
from accounts.selectors.audit import readable_events


@admin.register(AuditEvent)
class AuditEventAdmin(TenantAdmin):
    """The trail: read, never written. The change address is closed to all, operator included."""

    section = ACCESS
    list_display = ("at", "actor_label", "actor_kind", "action", "target", "ip", "details")
    list_display_links = None
    list_filter = ("actor_kind",)
    search_fields = ("action", "actor_label", "request_id")
    ordering = ("-at", "-pk")
    fields = (
        "at",
        "actor_kind",
        "actor_label",
        "action",
        "target",
        "ip",
        "request_id",
        "before_text",
        "after_text",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        return readable_events(signed_in(request))

    def get_urls(self) -> list[Any]:
        details = self.admin_site.admin_view(self.detail_view)
        name = "accounts_auditevent_detail"
        return [path("<path:object_id>/detalhe/", details, name=name), *super().get_urls()]

    def change_view(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        raise PermissionDenied

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return super().change_view(request, object_id)

    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise PermissionDenied

    def tells_history(self, request: HttpRequest, obj: Any) -> bool:
        return False

    @admin.display(description="objeto")
    def target(self, event: AuditEvent) -> str:
        model = _models().get(event.object_type)
        if model is None or event.object_id is None:
            return event.object_type or "—"
        text = f"{capfirst(str(model._meta.verbose_name))} {event.object_id}"
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=(event.object_id,)), text)

    @admin.display(description="antes")
    def before_text(self, event: AuditEvent) -> str:
        return _json(event.before)

    @admin.display(description="depois")
    def after_text(self, event: AuditEvent) -> str:
        return _json(event.after)

    @admin.display(description="detalhe")
    def details(self, event: AuditEvent) -> str:
        url = reverse("admin:accounts_auditevent_detail", args=(event.pk,))
        return format_html('<a href="{}" aria-label="Ver evento {}">Ver</a>', url, event.pk)


@cache
def _models() -> dict[str, type[Model]]:
    """Models with a screen, by the name the trail keeps."""
    return {str(model._meta.model_name): model for model in admin.site._registry}


def _json(value: Any) -> str:
    if not value:
        return "—"
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    return format_html("<pre>{}</pre>", text)
