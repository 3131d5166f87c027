"""Companies, written by the services of the API: one set of rules for both."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_base import shown_once
from accounts.admin_display import chip
from accounts.admin_trail import actor_in
from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActingScreen, Done
from fiscal.admin.certificates import validity_chip
from fiscal.admin.columns import MODELS
from fiscal.admin.company_forms import NUMBERS, TYPED, WHERE, CompanyForm
from fiscal.admin.outlook import Outlook
from fiscal.admin.sections import ISSUING, SETUP
from fiscal.models import Certificate, Company
from fiscal.services.companies import opened, remove_company
from fiscal.services.company_fields import AMBIENTES
from fiscal.services.staff_orders import renew_token
from lib import clock
from lib.templatetags.br import EMPTY, data, documento

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
_CERTIFICATE = ("certificado", "senha_certificado", "certificado_especifico")
_LOGO = ("logotipo", "remove_logotipo")


def _is_live(company: Company) -> bool:
    return company.removed_at is None


def _renew(ambiente: str) -> Act:
    def run(company: Company, data: dict[str, Any], actor: Actor) -> Done:
        raw = renew_token(company, ambiente=ambiente, actor=actor)
        return Done(f"Token de {WHERE[ambiente]}", secret=raw)

    return Act(
        f"token-{ambiente}", f"Trocar token de {WHERE[ambiente]}", "Trocar o token",
        "Manter o token atual", SETUP, _is_live, run,
        notes=lambda row: [
            "O token atual deixa de valer na hora: o sistema que o usa para de emitir até "
            "receber o novo.",
            "O token novo é mostrado uma vez só, na próxima página.",
        ],
    )  # fmt: skip


def _remove(company: Company, data: dict[str, Any], actor: Actor) -> Done:
    remove_company(company.pk, account=company.account, actor=actor, at=clock.now())
    return Done("Empresa excluída. Os documentos dela continuam guardados.")


_REMOVE = Act(
    "excluir", "Excluir empresa", "Excluir a empresa", "Manter a empresa", SETUP, _is_live, _remove,
    is_danger=True,
    notes=lambda row: [
        f"{row.nome}, {documento(row.document)}.",
        "Os tokens param de valer, e o certificado, o CSC e as senhas são apagados. Não tem volta.",
        "Os documentos ficam guardados pelo prazo da lei, sem acesso pela API.",
    ],
)  # fmt: skip


@admin.register(Company)
class CompanyAdmin(ActingScreen):
    """Issuers. A new one gets its tokens, shown once."""

    section = ISSUING
    form = CompanyForm
    acts: ClassVar[tuple[Act, ...]] = (*map(_renew, AMBIENTES), _REMOVE)
    change_form_template = "admin/fiscal/acting_form.html"
    list_display = ("nome", "documento", "uf", "issues", "certificate", "situation")
    list_filter = ("uf", "habilita_nfe", "habilita_nfce")
    search_fields = ("nome", "nome_fantasia", "cnpj", "cpf")
    ordering = ("nome", "pk")
    fieldsets = (
        (None, {"fields": (*_IDENTITY, "situation")}),
        ("Endereço", {"fields": (*_ADDRESS, "codigo_municipio")}),
        ("Documentos", {"fields": _ISSUES}),
        ("Séries e números", {"fields": (*NUMBERS, "all_series", "service_series")}),
        ("Certificado", {"fields": ("certificates", *_CERTIFICATE)}),
        ("NFC-e: código de segurança (CSC)", {"fields": (*_CSC, "codes")}),
        ("Logotipo", {"fields": ("logo_preview", *_LOGO)}),
        ("E-mail", {"fields": _MAIL}),
        ("Registro", {"fields": ("created_at", "updated_at", "removed_at")}),
    )
    only_on_add = ("cnpj", "cpf")
    editable: ClassVar[tuple[str, ...]] = (
        *_IDENTITY[2:], *_ADDRESS, *_ISSUES, *_MAIL, *_CSC, *_CERTIFICATE, *_LOGO, *NUMBERS,
    )  # fmt: skip
    may_add = True

    def is_frozen(self, row: Company) -> bool:
        return row.removed_at is not None

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        found = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return found
        hidden = (*TYPED, *NUMBERS)
        kept = [
            (title, {**options, "fields": [n for n in options["fields"] if n not in hidden]})
            for title, options in found
        ]
        return [one for one in kept if one[1]["fields"]]

    # --- what is shown ------------------------------------------------------------------------

    @admin.display(description="CNPJ ou CPF", ordering="cnpj")
    def documento(self, company: Company) -> str:
        return documento(company.document)

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
        rows = sorted(company.certificates.all(), key=lambda row: row.not_after)
        if not rows:
            return chip("neutral", "cross", "Nenhum")
        now = clock.now()
        return format_html("{} {}", data(rows[-1].not_after), validity_chip(rows[-1], now=now))

    @admin.display(description="certificados guardados")
    def certificates(self, company: Company) -> str:
        now = clock.now()
        rows = sorted(company.certificates.all(), key=lambda row: row.not_after, reverse=True)
        lines = (
            (row.subject, data(row.not_before), data(row.not_after), validity_chip(row, now=now))
            for row in rows
        )
        return format_html_join("", "<p>{}<br>de {} a {} {}</p>", lines) or "Nenhum."

    @admin.display(description="todas as séries")
    def all_series(self, company: Company) -> str:
        rows = company.series.order_by("ambiente", "modelo", "serie")
        lines = [
            (
                reverse("admin:fiscal_series_change", args=(row.pk,)),
                f"{MODELS.get(row.modelo, row.modelo)} série {row.serie}, {WHERE[row.ambiente]}",
                row.next_number,
            )
            for row in rows
        ]
        return format_html_join("", '<a href="{}">{}</a>: próximo {}<br>', lines) or (
            "Nenhum número usado até agora."
        )

    @admin.display(description="séries de RPS e DPS")
    def service_series(self, company: Company) -> str:
        rows = company.service_series.order_by("ambiente", "tipo", "municipality", "series")
        lines = [
            (
                reverse("admin:fiscal_serviceseries_change", args=(row.pk,)),
                f"{'DPS' if row.tipo == 'nfsen' else 'RPS'} série {row.series}, "
                f"{WHERE[row.ambiente]}",
                row.next_number,
            )
            for row in rows
        ]
        return format_html_join("", '<a href="{}">{}</a>: próximo {}<br>', lines) or (
            "Nenhum número usado até agora."
        )

    @admin.display(description="CSC guardado")
    def codes(self, company: Company) -> str:
        """Whether there is one; never which."""
        kept = {where: bool(getattr(company, f"csc_nfce_{where}")) for where in AMBIENTES}
        return ", ".join(f"{WHERE[where]}: {'sim' if is_set else 'não'}"
                         for where, is_set in kept.items())  # fmt: skip

    @admin.display(description="logotipo atual")
    def logo_preview(self, company: Company) -> str:
        if not company.logo:
            return EMPTY
        url = reverse("admin:fiscal_company_logo", args=(company.pk,))
        return format_html('<img class="logotipo-danfe" src="{}" alt="Logotipo">', url)

    @admin.display(description="situação", ordering="removed_at")
    def situation(self, company: Company) -> str:
        if company.removed_at:
            return chip("neutral", "stop", "Excluída")
        return chip("success", "check", "Ativa")

    def get_queryset(self, request: HttpRequest) -> Any:
        kept = Certificate.objects.defer("key", "pem")
        return super().get_queryset(request).prefetch_related(Prefetch("certificates", kept))

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        company = kwargs.get("obj")
        if company is not None and _is_live(company):
            outlook = Outlook([company], now=clock.now())
            context["reasons"] = [
                *outlook.certificate(company),
                *(one for where in AMBIENTES for one in outlook.stopped(company, where)),
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.logo_view)
        return [
            path("<path:object_id>/logo.png", view, name="fiscal_company_logo"),
            *super().get_urls(),
        ]

    def logo_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        company: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, company):
            raise PermissionDenied
        if not company.logo:
            raise Http404
        return HttpResponse(bytes(company.logo), content_type="image/png")

    # --- writing ------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        written = form.write(actor_in(request))
        obj.pk = written.pk
        if form.cleaned_data.get("certificado") is not None:
            ends = max(row.not_after for row in written.certificates.all())
            messages.success(request, f"Certificado guardado, válido até {data(ends)}.")
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
