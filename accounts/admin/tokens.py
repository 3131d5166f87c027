"""API tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.site import ACCESS
from accounts.admin_base import TenantAdmin, TenantForm, shown_once
from accounts.admin_display import chip
from accounts.admin_trail import actor_in
from accounts.models import (
    ApiToken,
)
from accounts.services.tokens import create_token, revoke_token, token_faults
from lib.br import normalise_document


class TokenForm(TenantForm):
    """A token to be created; the service's own checks, told field by field."""

    company_cnpj = forms.CharField(label="CNPJ da empresa", max_length=18, required=False)

    def clean_company_cnpj(self) -> str:
        return normalise_document(self.cleaned_data["company_cnpj"])

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        faults = token_faults(
            name=data.get("name", ""),
            scope=data.get("scope", ""),
            company_cnpj=data.get("company_cnpj", ""),
            ambiente=data.get("ambiente", ""),
        )
        names = {"company": "company_cnpj"}
        for fault in faults:
            field = names.get(fault.campo, fault.campo)
            if field not in self.errors:
                self.add_error(field, fault.mensagem)
        return data


@admin.register(ApiToken)
class ApiTokenAdmin(TenantAdmin):
    """Tokens: created and revoked by services; the text is shown once, when created."""

    section = ACCESS
    form = TokenForm
    list_display = ("name", "scope", "prefix", "situation", "last_used_at", "created_at")
    list_filter = ("scope",)
    search_fields = ("name", "prefix")
    ordering = ("-pk",)
    fields = (
        "name",
        "scope",
        "company_cnpj",
        "ambiente",
        "prefix",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    only_on_add = ("name", "scope", "company_cnpj", "ambiente")
    may_add = True
    actions = ("revoke",)

    @admin.display(description="situação", ordering="revoked_at")
    def situation(self, token: ApiToken) -> str:
        if token.revoked_at:
            return chip("neutral", "stop", "Revogado")
        return chip("success", "check", "Em uso")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        token, raw = create_token(
            obj.account,
            name=obj.name,
            scope=obj.scope,
            company_cnpj=obj.company_cnpj,
            ambiente=obj.ambiente,
            actor=actor_in(request),
        )
        obj.pk, obj.prefix = token.pk, token.prefix
        request.new_token = raw  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        raw: str = request.new_token  # type: ignore[attr-defined]
        return shown_once(request, self, obj, title="Token de API", secret=raw)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail."""

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, write=True)

    @admin.action(description="Revogar os tokens escolhidos", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        """Make them useless from now on."""
        mine = [token for token in tokens if self.allowed(request, token, write=True)]
        for token in mine:
            revoke_token(token.pk, account=token.account, actor=actor_in(request))
        messages.success(request, f"{len(mine)} token(s) revogado(s).")
