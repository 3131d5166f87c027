"""Customers, organizations, contacts and portal access."""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from accounts.access import Capability, accounts_of
from accounts.admin_base import TenantAdmin, TenantForm, TenantInline
from accounts.admin_display import chip
from accounts.admin_trail import signed_in
from billing.admin.sections import CUSTOMERS, FoldedSearch
from billing.models import Contact, CustomerAccess, OrganizationProfile, Party, PartySnapshot
from billing.services.organizations import prepare_organization
from lib.br import UFS, document_mask, fold, is_cep, is_cnpj, is_cpf, normalise_document

INVALID_CPF = "CPF inválido. Confira os 11 números."
INVALID_CNPJ = (
    "CNPJ inválido. Confira os 14 caracteres; letras são aceitas nas 12 primeiras posições."
)
LOGO_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml"}
LOGO_MAX_BYTES = 512_000


class PartyForm(TenantForm):
    """A party's data; documents and CEP are taken with or without their masks."""

    document = forms.CharField(label="CNPJ/CPF", max_length=20, required=False)
    zipcode = forms.CharField(label="CEP", max_length=10, required=False)

    def clean_document(self) -> str:
        document = normalise_document(self.cleaned_data["document"])
        kind = self.cleaned_data.get("kind") or self.instance.kind
        if document and kind == Party.Kind.PERSON and not is_cpf(document):
            raise ValidationError(INVALID_CPF)
        if document and kind != Party.Kind.PERSON and not is_cnpj(document):
            raise ValidationError(INVALID_CNPJ)
        return document

    def clean_zipcode(self) -> str:
        zipcode: str = self.cleaned_data["zipcode"].replace("-", "").strip()
        if zipcode and not is_cep(zipcode):
            raise ValidationError("O CEP deve ter 8 números.")
        return zipcode

    def clean_state(self) -> str:
        state: str = self.cleaned_data["state"].strip().upper()
        if state and state not in UFS:
            raise ValidationError("UF inválida. Use a sigla, por exemplo SP.")
        return state


class ContactInline(TenantInline):
    model = Contact
    fields = editable = (
        "name",
        "email",
        "phone",
        "whatsapp",
        "is_billing",
        "is_primary",
        "is_technical",
    )
    may_add = may_delete = True


@admin.register(Party)
class PartyAdmin(FoldedSearch, TenantAdmin):
    """Who bills and who is billed. Organizations are set up by the account's administrators."""

    section = CUSTOMERS
    form = PartyForm
    inlines = (ContactInline,)
    list_display = ("name", "kind_chip", "masked", "city_uf", "external_code", "client_since")
    list_filter = ("kind", "state")
    search_fields = ("fold", "document")
    search_help_text = "Nome, CNPJ/CPF ou id"
    ordering = ("fold", "pk")
    fieldsets = (
        (
            None,
            {"fields": ("kind", "name", "company_name", "document", "external_code", "email")},
        ),
        (
            "Endereço",
            {
                "fields": (
                    "zipcode",
                    "address",
                    "number",
                    "complement",
                    "district",
                    "city",
                    "state",
                    "ibge_code",
                    "country",
                )
            },
        ),
        (
            "Contato e cobrança",
            {
                "fields": (
                    "phone",
                    "billing_contacts",
                    "nfse_email",
                    "allow_email_on_nfse",
                    "preferred_due_day",
                    "language",
                )
            },
        ),
        (
            "Mais dados",
            {
                "fields": (
                    "state_inscription",
                    "city_inscription",
                    "is_consumer",
                    "client_since",
                    "contacts_text",
                    "comments",
                    "created_at",
                    "updated_at",
                )
            },
        ),
    )
    only_on_add = ("kind",)
    editable = (
        "name",
        "company_name",
        "document",
        "external_code",
        "email",
        "zipcode",
        "address",
        "number",
        "complement",
        "district",
        "city",
        "state",
        "ibge_code",
        "country",
        "phone",
        "billing_contacts",
        "nfse_email",
        "allow_email_on_nfse",
        "preferred_due_day",
        "language",
        "state_inscription",
        "city_inscription",
        "is_consumer",
        "client_since",
        "contacts_text",
        "comments",
    )
    may_add = True

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        if not super().allowed(request, row, write=write):
            return False
        user = signed_in(request)
        if user.is_superuser or not write or row is None or row.kind != Party.Kind.ORGANIZATION:
            return True
        return row.account_id in accounts_of(user, Capability.USERS, write=True)

    def formfield_for_choice_field(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        user = signed_in(request)
        sets_up = user.is_superuser or accounts_of(user, Capability.USERS, write=True)
        if db_field.name == "kind" and not sets_up:
            organization = Party.Kind.ORGANIZATION
            kwargs["choices"] = [c for c in Party.Kind.choices if c[0] != organization]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        document = normalise_document(search_term)
        if document and any(char.isdigit() for char in document):
            by_document = queryset.filter(document__startswith=document)
            if by_document.exists():
                return by_document, False
        return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.fold = fold(obj.name)[:200]
        super().save_model(request, obj, form, change)
        if obj.kind == Party.Kind.ORGANIZATION:
            prepare_organization(obj)

    @admin.display(description="tipo", ordering="kind")
    def kind_chip(self, party: Party) -> str:
        if party.kind == Party.Kind.ORGANIZATION:
            return chip("info", "dot", party.get_kind_display())
        return party.get_kind_display()

    @admin.display(description="CNPJ/CPF", ordering="document")
    def masked(self, party: Party) -> str:
        return document_mask(party.document) or "—"

    @admin.display(description="município", ordering="city")
    def city_uf(self, party: Party) -> str:
        return " – ".join(filter(None, (party.city, party.state))) or "—"


class ProfileForm(forms.ModelForm):
    """An organization's look and habits; the logo comes as a file."""

    logo_file = forms.FileField(
        label="novo logotipo", required=False, help_text="PNG, JPEG ou SVG de até 500 KB"
    )

    def clean_due_day_options(self) -> list[int]:
        days = self.cleaned_data["due_day_options"] or []
        if not isinstance(days, list) or not all(type(d) is int and 1 <= d <= 31 for d in days):
            raise ValidationError("Use uma lista de dias de 1 a 31, por exemplo [5, 10, 15].")
        return sorted(set(days))

    def clean_extra_holidays(self) -> list[str]:
        days = self.cleaned_data["extra_holidays"] or []
        try:
            return sorted({date.fromisoformat(day).isoformat() for day in days})
        except (TypeError, ValueError) as error:
            text = 'Use uma lista de datas, por exemplo ["2026-01-25"].'
            raise ValidationError(text) from error

    def clean_logo_file(self) -> Any:
        upload = self.cleaned_data["logo_file"]
        if not upload:
            return None
        if upload.size > LOGO_MAX_BYTES:
            raise ValidationError("O arquivo excede 500 KB.")
        content = upload.read()
        kind = next((t for magic, t in LOGO_TYPES.items() if content.startswith(magic)), None)
        if kind is None:
            raise ValidationError("Tipo de arquivo não aceito.")
        self.instance.logo, self.instance.logo_type = content, kind
        return upload


@admin.register(OrganizationProfile)
class OrganizationProfileAdmin(TenantAdmin):
    tenant_path = "party__account"
    section = CUSTOMERS
    form = ProfileForm
    list_display = ("party", "min_payment_days", "colors")
    list_select_related = ("party",)
    search_fields = ("party__fold",)
    ordering = ("party__fold",)
    fieldsets = (
        (None, {"fields": ("party", "website", "invoice_notes")}),
        (
            "Aparência",
            {"fields": ("logo_shown", "logo_file", "color_primary", "color_accent")},
        ),
        (
            "Cobrança",
            {
                "fields": (
                    "min_payment_days",
                    "minimum_receivable",
                    "due_day_options",
                    "extra_holidays",
                    "refund_unused_days",
                )
            },
        ),
    )
    editable = (
        "website",
        "invoice_notes",
        "logo_file",
        "color_primary",
        "color_accent",
        "min_payment_days",
        "minimum_receivable",
        "due_day_options",
        "extra_holidays",
        "refund_unused_days",
    )

    @admin.display(description="cores")
    def colors(self, profile: OrganizationProfile) -> str:
        swatch = '<span class="cor" style="background:{}"></span> {} '
        return format_html(
            swatch + swatch,
            profile.color_primary,
            profile.color_primary,
            profile.color_accent,
            profile.color_accent,
        )

    @admin.display(description="logotipo")
    def logo_shown(self, profile: OrganizationProfile) -> str:
        if not profile.logo:
            return "—"
        code = b64encode(profile.logo).decode()
        source = f"data:{profile.logo_type};base64,{code}"
        return format_html('<img src="{}" alt="Logotipo" class="logotipo">', source)


@admin.register(Contact)
class ContactAdmin(TenantAdmin):
    section = CUSTOMERS
    list_display = ("name", "party", "email", "phone", "is_billing", "is_primary")
    list_filter = ("is_billing", "is_primary", "is_technical")
    list_select_related = ("party",)
    search_fields = ("name", "email", "party__fold")
    ordering = ("-pk",)
    autocomplete_fields = ("party",)
    fields = (
        "party",
        "name",
        "email",
        "phone",
        "whatsapp",
        "is_billing",
        "is_primary",
        "is_technical",
    )
    only_on_add = ("party",)
    editable = ("name", "email", "phone", "whatsapp", "is_billing", "is_primary", "is_technical")
    may_add = may_delete = True


@admin.register(CustomerAccess)
class CustomerAccessAdmin(TenantAdmin):
    """Which customer a person acts for in the portal."""

    section = CUSTOMERS
    audit_prefix = "usuario.papel"
    list_display = ("user", "customer", "role")
    list_filter = ("role",)
    list_select_related = ("user", "customer")
    search_fields = ("user__email", "customer__fold")
    ordering = ("-pk",)
    autocomplete_fields = ("user", "customer")
    fields = ("user", "customer", "role")
    only_on_add = ("user", "customer")
    editable = ("role",)
    may_add = may_delete = True


@admin.register(PartySnapshot)
class PartySnapshotAdmin(TenantAdmin):
    tenant_path = "party__account"
    secondary = True
    list_display = ("party", "created_at", "digest")
    list_select_related = ("party",)
    search_fields = ("party__fold",)
    ordering = ("-pk",)
    fields = ("party", "created_at", "data", "digest")
