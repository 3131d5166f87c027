"""Printed templates, their versions, and the cache of what they printed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_display import chip
from accounts.admin_trail import actor_in, signed_in
from billing.admin.links import list_link
from billing.admin.sections import PRINTING
from billing.documents.screening import screen, screen_css
from billing.documents.templates import TemplateFault, compile_template
from billing.models import Asset, DocumentTemplate, DocumentTemplateVersion, PdfCache
from billing.services.templates import activate_version, publish_version
from lib.errors import DomainError


@admin.register(DocumentTemplate)
class DocumentTemplateAdmin(TenantAdmin):
    """The name of a layout, its language and whether it is the one used when nothing else is."""

    section = PRINTING
    list_display = ("name", "organization", "language", "is_default", "active_version")
    list_filter = ("language", "is_default")
    list_select_related = ("organization", "active_version__template")
    search_fields = ("name",)
    ordering = ("organization", "name")
    fields = ("organization", "name", "language", "is_default", "active_version", "versions_link")
    only_on_add = ("organization",)
    editable = ("name", "language", "is_default")
    may_add = True

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "organization":
            field.queryset = field.queryset.filter(kind="organization")
        return field

    @admin.display(description="versões")
    def versions_link(self, template: DocumentTemplate) -> str:
        filters = {"template__id__exact": template.pk}
        return list_link(DocumentTemplateVersion, "Ver todas as versões", **filters)


class VersionForm(TenantForm):
    """The text of a new version, checked before it is kept."""

    html = forms.CharField(
        label="HTML", widget=forms.Textarea(attrs={"rows": 30, "class": "codigo"})
    )
    css = forms.CharField(
        label="CSS", required=False, widget=forms.Textarea(attrs={"rows": 15, "class": "codigo"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        try:
            compile_template(screen(data.get("html", ""))[0], screen_css(data.get("css", ""))[0])
        except TemplateFault as fault:
            self.add_error("html", ValidationError(fault.text))
        return data


@admin.register(DocumentTemplateVersion)
class DocumentTemplateVersionAdmin(TenantAdmin):
    """Texts that never change: a correction is a new version, and one of them is active."""

    tenant_path = "template__account"
    section = PRINTING
    form = VersionForm
    list_display = ("__str__", "situation", "created_at", "created_by")
    list_select_related = ("template", "created_by")
    search_fields = ("template__name",)
    ordering = ("-pk",)
    fields = ("template", "number", "situation", "html", "css", "created_at", "created_by")
    only_on_add = ("template", "html", "css")
    may_add = True
    actions = ("activate",)

    @admin.display(description="situação")
    def situation(self, version: DocumentTemplateVersion) -> str:
        if version.template.active_version_id == version.pk:
            return chip("success", "check", "Ativa")
        return chip("neutral", "dot", "Guardada")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        published = publish_version(
            obj.template_id,
            account=obj.template.account,
            html=obj.html,
            css=obj.css,
            user=signed_in(request),
            actor=actor_in(request),
        )
        obj.pk, obj.number = published.version.pk, published.version.number
        for warning in published.warnings:
            messages.warning(request, warning)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail."""

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, write=True)

    @admin.action(description="Ativar a versão escolhida", permissions=["activate"])
    def activate(self, request: HttpRequest, versions: QuerySet[DocumentTemplateVersion]) -> None:
        """Print with it from now on."""
        for version in versions.select_related("template__account"):
            if not self.allowed(request, version, write=True):
                continue
            try:
                account = version.template.account
                activate_version(version.pk, account=account, actor=actor_in(request))
                messages.success(request, f"{version} está ativa.")
            except DomainError as error:
                messages.error(request, error.mensagem)


@admin.register(Asset)
class AssetAdmin(TenantAdmin):
    secondary = True
    list_display = ("sha256", "content_type", "created_at")
    ordering = ("-pk",)
    fields = ("sha256", "content_type", "created_at")


@admin.register(PdfCache)
class PdfCacheAdmin(TenantAdmin):
    tenant_path = "invoice__account"
    secondary = True
    list_display = ("invoice", "template_version", "language", "pages", "size", "last_accessed")
    list_select_related = ("invoice__series", "template_version__template")
    ordering = ("-pk",)
    fields = (
        "invoice",
        "template_version",
        "language",
        "pages",
        "size",
        "content_hash",
        "source_hash",
        "created_at",
        "last_accessed",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PdfCache]:
        return super().get_queryset(request).defer("data")
