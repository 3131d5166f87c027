"""Accounts with providers of payments and e-mail, and what these tell us."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_trail import actor_in
from billing.admin.sections import COLLECTION
from billing.admin.stray_money import STRAY_ACTS
from billing.models import GatewayAccount, InboundEvent, ProviderCustomer, SavedMethod
from billing.services import gateway_accounts as service
from billing.services.pix.hooks import set_up_hook
from fiscal.admin.acts import ActingScreen
from lib.errors import DomainError, NotFound

_LABELS = {
    "api_key": "Chave da API",
    "secret_key": "Chave secreta",
    "webhook_secret": "Segredo dos avisos",
    "client_id": "Client id",
    "client_secret": "Client secret",
    "token": "Token fixo",
    "certificate": "Certificado (PEM)",
    "certificate_key": "Chave do certificado (PEM)",
    "hook_user": "Usuário dos avisos",
    "hook_password": "Senha dos avisos",
}
_LONG = ("certificate", "certificate_key")
UNKNOWN_SECRET = "Este provedor não usa este campo."  # noqa: S105


def _secret(name: str) -> forms.CharField:
    """Never filled in: what is kept is shown to nobody."""
    widget: forms.Widget = forms.PasswordInput(render_value=False)
    if name in _LONG:
        widget = forms.Textarea(attrs={"rows": 4, "autocomplete": "off"})
    widget.attrs["autocomplete"] = "new-password"
    return forms.CharField(label=_LABELS[name], required=False, widget=widget)


class GatewayForm(TenantForm):
    """Secrets go in and never come out; an empty field leaves what is kept."""

    api_key = _secret("api_key")
    secret_key = _secret("secret_key")
    webhook_secret = _secret("webhook_secret")
    client_id = _secret("client_id")
    client_secret = _secret("client_secret")
    token = _secret("token")
    certificate = _secret("certificate")
    certificate_key = _secret("certificate_key")
    hook_user = _secret("hook_user")
    hook_password = _secret("hook_password")

    def clean_base_url(self) -> str:
        url = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        service.check_address(url)
        return url

    def clean_options(self) -> dict[str, Any]:
        found = self.cleaned_data["options"] or {}
        if not isinstance(found, dict):
            raise forms.ValidationError("Escreva um objeto JSON.")
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        provider = data.get("provider") or self.instance.provider
        for name in _LABELS:
            if data.get(name) and name not in service.SECRETS.get(provider, ()):
                self.add_error(name, UNKNOWN_SECRET)
        return data

    def typed(self) -> dict[str, str]:
        """Secrets that were typed now."""
        return {name: self.cleaned_data.get(name) or "" for name in _LABELS}


@admin.register(GatewayAccount)
class GatewayAccountAdmin(TenantAdmin):
    """The provider of an account never changes: payments refer to it."""

    section = COLLECTION
    audit_prefix = "provedor"
    form = GatewayForm
    may_add = True
    only_on_add = ("provider", "organization")
    list_display = ("name", "provider", "organization", "kept", "is_active")
    list_filter = ("provider", "is_active")
    list_select_related = ("organization",)
    search_fields = ("name",)
    ordering = ("provider", "pk")
    fieldsets = (
        (None, {"fields": ("provider", "organization", "name", "base_url", "is_active")}),
        ("Avisos do provedor", {"fields": ("address",)}),
        ("Opções", {"fields": ("options",)}),
        (
            "Segredos",
            {
                "fields": ("kept", *_LABELS),
                "description": "O que está gravado não é mostrado. Em branco: fica como está.",
            },
        ),
    )
    editable = ("name", "base_url", "is_active", "options", *_LABELS)
    secret_fields = tuple(_LABELS)
    actions = ("register_hooks",)

    @admin.display(description="segredos gravados")
    def kept(self, gateway: GatewayAccount) -> str:
        return ", ".join(service.kept_secrets(gateway)) or "nenhum"

    @admin.display(description="endereço para o provedor")
    def address(self, gateway: GatewayAccount) -> str:
        return service.hook_url(gateway)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        service.with_secrets(obj, form.typed())
        super().save_model(request, obj, form, change)

    @admin.action(description="Registrar avisos no provedor")
    def register_hooks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for gateway in queryset.select_related("account"):
            if not self.has_change_permission(request, gateway):
                continue
            is_pix = gateway.provider == GatewayAccount.Provider.PIX
            register = set_up_hook if is_pix else service.register_hook
            try:
                register(gateway.pk, account=gateway.account, actor=actor_in(request))
            except NotFound:
                messages.warning(
                    request, f"{gateway}: só contas do Stripe e de Pix são registradas aqui."
                )
            except DomainError as error:
                messages.error(request, f"{gateway}: {error.mensagem}")
            else:
                # The address of a Pix account has its secret in it: only the public part is shown.
                url = service.hook_url(gateway)
                messages.success(request, f"{gateway}: avisos registrados em {url}.")


@admin.register(InboundEvent)
class InboundEventAdmin(ActingScreen):
    """What providers told us, and what came of it; money of no charge gets its parcel here."""

    acts = STRAY_ACTS
    change_form_template = "admin/fiscal/acting_form.html"
    secondary = True
    list_display = ("received_at", "gateway", "kind", "state", "attempts", "result")
    list_filter = ("state",)
    list_select_related = ("gateway",)
    search_fields = ("external_id", "kind")
    ordering = ("-pk",)
    fields = (
        "gateway", "external_id", "kind", "state", "result", "attempts", "next_attempt_at",
        "received_at", "processed_at",
    )  # fmt: skip

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())


@admin.register(SavedMethod)
class SavedMethodAdmin(TenantAdmin):
    """Cards that customers keep; brand and last four digits are all that there is."""

    secondary = True
    list_display = ("__str__", "customer", "gateway", "is_default", "state", "created_at")
    list_filter = ("state",)
    list_select_related = ("customer", "gateway")
    search_fields = ("customer__fold",)
    ordering = ("-pk",)
    fields = (
        "customer", "gateway", "brand", "last4", "exp_month", "exp_year", "is_default", "state",
        "created_at", "removed_at",
    )  # fmt: skip


@admin.register(ProviderCustomer)
class ProviderCustomerAdmin(TenantAdmin):
    """Who our customers are for a provider."""

    secondary = True
    list_display = ("reference", "customer", "gateway", "created_at")
    list_select_related = ("customer", "gateway")
    search_fields = ("reference", "customer__fold")
    ordering = ("-pk",)
    fields = ("customer", "gateway", "reference", "created_at")
