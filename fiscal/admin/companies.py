"""Companies and their series, written by the services of the API: one set of rules for both."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from accounts.admin_base import TenantAdmin, TenantForm, shown_once
from accounts.admin_display import chip
from accounts.admin_trail import actor_in
from accounts.services.audit import SYSTEM, record
from fiscal.admin.sections import ISSUING
from fiscal.errors import InvalidRequest, RecordInvalid
from fiscal.models import Company, Series
from fiscal.services.companies import change_company, create_company, opened, rehearsal
from fiscal.services.company_fields import AMBIENTES
from fiscal.services.numbering import set_next_number
from lib import clock
from lib.br import normalise_document, only_digits

_IDENTITY = (
    "cnpj",
    "cpf",
    "nome",
    "nome_fantasia",
    "inscricao_estadual",
    "inscricao_municipal",
    "regime_tributario",
    "email",
    "telefone",
)
_ADDRESS = ("logradouro", "numero", "complemento", "bairro", "cep", "municipio", "uf")
_ISSUES = (
    "habilita_nfe",
    "habilita_nfce",
    "habilita_nfse",
    "habilita_nfsen_producao",
    "habilita_nfsen_homologacao",
    "habilita_contingencia_offline_nfce",
    "nfe_sincrono",
    "nfe_sincrono_homologacao",
    "discrimina_impostos",
)
_MAIL = ("enviar_email_destinatario", "enviar_email_homologacao")
_CSC = (
    "id_token_nfce_producao",
    "codigo_producao",
    "id_token_nfce_homologacao",
    "codigo_homologacao",
)
# Typed, and never shown again.
_CODES = {"codigo_producao": "csc_nfce_producao", "codigo_homologacao": "csc_nfce_homologacao"}
_TYPED = (*_CODES, "certificado", "senha_certificado")


def _password(label: str) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "off"})
    help_text = "Em branco: fica o que está guardado."
    return forms.CharField(
        label=label, widget=widget, required=False, strip=False, help_text=help_text
    )


class CompanyForm(TenantForm):
    """A company as people type it; what is wrong with it is told by the service's rules."""

    cnpj = forms.CharField(label="CNPJ", max_length=18, required=False)
    cpf = forms.CharField(label="CPF", max_length=14, required=False)
    telefone = forms.CharField(label="telefone", max_length=20, required=False)
    cep = forms.CharField(label="CEP", max_length=10, required=False)
    codigo_producao = _password("CSC de produção")
    codigo_homologacao = _password("CSC de homologação")
    certificado = forms.FileField(label="certificado A1 (PFX ou P12)", required=False)
    senha_certificado = _password("senha do certificado")

    def clean_cnpj(self) -> str:
        return normalise_document(self.cleaned_data["cnpj"])

    def clean_cpf(self) -> str:
        return normalise_document(self.cleaned_data["cpf"])

    def clean_telefone(self) -> str:
        return only_digits(self.cleaned_data["telefone"])

    def clean_cep(self) -> str:
        return only_digits(self.cleaned_data["cep"])

    def body(self) -> dict[str, Any]:
        """The attributes of the API: all of a new company, those that were changed of another."""
        data = self.cleaned_data
        names = self.changed_data if self.instance.pk else list(data)
        body = {name: data[name] for name in names if name not in ("account", *_TYPED)}
        body |= {campo: data[name] for name, campo in _CODES.items() if data.get(name)}
        upload = data.get("certificado")
        if upload is not None:
            upload.seek(0)
            body["arquivo_certificado_base64"] = base64.b64encode(upload.read()).decode()
            body["senha_certificado"] = data["senha_certificado"]
        return body

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if self.errors:
            return data
        try:
            with rehearsal(True):
                self.write(SYSTEM)
        except RecordInvalid as refusal:
            for fault in refusal.erros:
                self._tell(fault.campo, fault.mensagem)
        return data

    def _tell(self, campo: str, mensagem: str) -> None:
        names = {"arquivo_certificado_base64": "certificado"}
        names |= {sent: name for name, sent in _CODES.items()}
        name = names.get(campo, campo)
        known = name in self.fields
        text = mensagem.removeprefix(f"{campo} ") if known else mensagem
        self.add_error(name if known else None, text)

    def write(self, actor: Any) -> Company:
        """Create or change the company. Raises RecordInvalid."""
        common = {"body": self.body(), "actor": actor, "at": clock.now()}
        if self.instance.pk is None:
            return create_company(self.cleaned_data["account"], **common)
        return change_company(self.instance.pk, account=self.instance.account, **common)


@admin.register(Company)
class CompanyAdmin(TenantAdmin):
    """Issuers. A new one gets its tokens, shown once."""

    section = ISSUING
    form = CompanyForm
    list_display = ("nome", "documento", "uf", "issues", "certificate", "situation")
    list_filter = ("uf", "habilita_nfe", "habilita_nfce")
    search_fields = ("nome", "nome_fantasia", "cnpj", "cpf")
    ordering = ("nome", "pk")
    fieldsets = (
        (None, {"fields": (*_IDENTITY, "situation")}),
        ("Endereço", {"fields": (*_ADDRESS, "codigo_municipio")}),
        ("Documentos", {"fields": _ISSUES}),
        ("E-mail", {"fields": _MAIL}),
        ("NFC-e", {"fields": _CSC}),
        (
            "Certificado",
            {"fields": ("certificate", "certificado", "senha_certificado",
                        "certificado_especifico")},
        ),
        ("Registro", {"fields": ("created_at", "updated_at", "removed_at")}),
    )  # fmt: skip
    only_on_add = ("cnpj", "cpf")
    editable: ClassVar[tuple[str, ...]] = (
        *_IDENTITY[2:], *_ADDRESS, *_ISSUES, *_MAIL, *_CSC, "certificado", "senha_certificado",
        "certificado_especifico",
    )  # fmt: skip
    may_add = True

    def is_frozen(self, row: Company) -> bool:
        return row.removed_at is not None

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        found = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return found
        return [
            (title, {**options, "fields": [n for n in options["fields"] if n not in _TYPED]})
            for title, options in found
        ]

    @admin.display(description="CNPJ ou CPF", ordering="cnpj")
    def documento(self, company: Company) -> str:
        return company.document

    @admin.display(description="emite")
    def issues(self, company: Company) -> str:
        names = {
            "NF-e": company.habilita_nfe,
            "NFC-e": company.habilita_nfce,
            "NFS-e": company.habilita_nfse or company.habilita_nfsen_producao,
        }
        return ", ".join(name for name, is_on in names.items() if is_on) or "nada"

    @admin.display(description="certificado até")
    def certificate(self, company: Company) -> str:
        ends = [row.not_after for row in company.certificates.all()]
        return f"{max(ends):%d/%m/%Y}" if ends else "nenhum"

    @admin.display(description="situação", ordering="removed_at")
    def situation(self, company: Company) -> str:
        if company.removed_at:
            return chip("neutral", "stop", "Excluída")
        return chip("success", "check", "Ativa")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("certificates")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        written = form.write(actor_in(request))
        obj.pk = written.pk
        if not change:
            tokens = [f"{where}: {opened(getattr(written, f'token_{where}'))}"
                      for where in AMBIENTES]  # fmt: skip
            request.new_tokens = "\n".join(tokens)  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        tokens: str = request.new_tokens  # type: ignore[attr-defined]
        answer: HttpResponse = shown_once(
            request, self, obj, title="Tokens da empresa", secret=tokens
        )
        return answer

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail."""

    log_change = log_addition


class SeriesForm(TenantForm):
    """The next number of a series, never below what was used."""

    def clean_next_number(self) -> int:
        number: int = self.cleaned_data["next_number"]
        try:
            with rehearsal(True):
                _renumber(self.instance, number)
        except InvalidRequest as refusal:
            raise forms.ValidationError(refusal.mensagem) from refusal
        return number


def _renumber(series: Series, number: int) -> None:
    set_next_number(
        series.company,
        ambiente=series.ambiente,
        modelo=series.modelo,
        serie=series.serie,
        number=number,
    )


@admin.register(Series)
class SeriesAdmin(TenantAdmin):
    """Where each numbering goes on (NUM-1, NUM-8)."""

    section = ISSUING
    form = SeriesForm
    list_display = ("company", "ambiente", "modelo", "serie", "next_number")
    list_filter = ("ambiente", "modelo")
    list_select_related = ("company",)
    search_fields = ("company__nome", "company__cnpj")
    ordering = ("company__nome", "ambiente", "modelo", "serie")
    fields = ("company", "ambiente", "modelo", "serie", "next_number")
    editable = ("next_number",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        with rehearsal(False):
            _renumber(obj, form.cleaned_data["next_number"])
            record(
                obj.account,
                actor=actor_in(request),
                action="serie.alterada",
                target=obj,
                before={"next_number": form.initial["next_number"]},
                after={"next_number": form.cleaned_data["next_number"]},
            )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Told by `save_model`, in the transaction that changes it."""
