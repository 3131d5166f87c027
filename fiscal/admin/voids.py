"""Inutilizações: looked at, and asked for on a page of their own (ux B13, B14)."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.acts import ActForm, is_repeated
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import ENVIRONMENTS, MODELS, Columns
from fiscal.admin.document_acts import LEAST, MOST, checked_statement, statement_widget
from fiscal.admin.document_lists import EnvironmentFilter, ModelFilter
from fiscal.admin.sections import ISSUE, ISSUING, accounts_acting
from fiscal.authorities.cstat import hint
from fiscal.models import Company, Inutilizacao, VoidState
from fiscal.selectors.voids import series_of
from fiscal.services.inutilizacao import MAX_RANGE, request_void
from fiscal.services.numbering import LAST_NUMBER
from lib.errors import DomainError
from lib.templatetags.br import EMPTY


def issuers(request: HttpRequest) -> QuerySet[Company]:
    """The companies for which the person may issue."""
    accounts = accounts_acting(request, ISSUE)
    rows: QuerySet[Company] = Company.objects.filter(removed_at=None).order_by("nome", "pk")
    return rows if accounts is None else rows.filter(account__in=accounts)


class VoidForm(ActForm):
    empresa = forms.ModelChoiceField(
        Company.objects.none(), label="Empresa", empty_label="Escolha",
        error_messages={"required": "Informe a empresa."},
    )  # fmt: skip
    ambiente = forms.ChoiceField(label="Ambiente", choices=list(ENVIRONMENTS.items()))
    modelo = forms.TypedChoiceField(label="Modelo", choices=list(MODELS.items()), coerce=int)
    serie = forms.IntegerField(
        label="Série", min_value=0, max_value=999, error_messages={"required": "Informe a série."}
    )
    inicial = forms.IntegerField(
        label="Número inicial", min_value=1, max_value=LAST_NUMBER,
        error_messages={"required": "Informe o número inicial."},
    )  # fmt: skip
    final = forms.IntegerField(
        label="Número final", min_value=1, max_value=LAST_NUMBER,
        error_messages={"required": "Informe o número final."},
        help_text=f"Até {MAX_RANGE} números por pedido; um só número: repita o inicial.",
    )  # fmt: skip
    justificativa = forms.CharField(
        label="Justificativa", widget=statement_widget(LEAST, MOST),
        error_messages={"required": "Informe a justificativa."},
    )  # fmt: skip

    def clean_justificativa(self) -> str:
        text = self.cleaned_data["justificativa"]
        return checked_statement(text, "A justificativa", least=LEAST, most=MOST)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = data.get("inicial"), data.get("final")
        if first and last and first > last:
            self.add_error("final", "O número final deve ser maior ou igual ao inicial.")
        company = data.get("empresa")
        if company and not self.errors:
            known = series_of(company, ambiente=data["ambiente"], modelo=data["modelo"])
            if data["serie"] not in known:
                self.add_error("serie", "Esta série nunca foi usada pela empresa.")
        return data


class OriginFilter(admin.SimpleListFilter):
    title, parameter_name = "quem pediu", "origem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sistema", "Sistema"), ("pessoa", "Pessoa ou API")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value not in ("sistema", "pessoa"):
            return queryset
        return queryset.filter(is_automatic=value == "sistema")


@admin.register(Inutilizacao)
class InutilizacaoAdmin(Columns, TenantAdmin):
    section = ISSUING
    change_list_template = "admin/fiscal/inutilizacao/change_list.html"
    list_display = ("numbers", "situation", "issuer", "kind", "environment", "origin", "created_at")
    list_filter = ("state", ModelFilter, EnvironmentFilter, OriginFilter)
    list_select_related = ("company",)
    search_fields = ("company__nome", "protocolo__exact")
    search_help_text = "Empresa ou protocolo"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "kind", "ano", "numbers", "justificativa", "origin", "situation",
        "protocolo", "code", "reason", "advice", "received_at", "n_attempts",
        "next_attempt_at", "created_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Inutilizacao]:
        rows: QuerySet[Inutilizacao] = super().get_queryset(request)
        return rows.defer("xml")

    @admin.display(description="série e números")
    def numbers(self, void: Inutilizacao) -> str:
        last = f" a {void.last}" if void.last != void.first else ""
        return f"Série {void.serie}: {void.first}{last}"

    @admin.display(description="pedida por", ordering="is_automatic")
    def origin(self, void: Inutilizacao) -> str:
        return "Sistema (falha na sequência)" if void.is_automatic else "Pessoa ou API"

    @admin.display(description="situação", ordering="state")
    def situation(self, void: Inutilizacao) -> str:
        return state_chip(void.state, void.get_state_display())

    @admin.display(description="código da resposta (cStat)")
    def code(self, void: Inutilizacao) -> str:
        return void.c_stat or EMPTY

    @admin.display(description="resposta (xMotivo)")
    def reason(self, void: Inutilizacao) -> str:
        return void.x_motivo or EMPTY

    @admin.display(description="o que fazer")
    def advice(self, void: Inutilizacao) -> str:
        return (hint(void.c_stat) if void.c_stat else "") or EMPTY

    # --- asking -------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.void_view)
        return [path("inutilizar/", view, name="fiscal_inutilizacao_void"), *super().get_urls()]

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        accounts = accounts_acting(request, ISSUE)
        more = {"may_void": accounts is None or bool(accounts)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def void_view(self, request: HttpRequest) -> HttpResponse:
        """GET asks for the range, POST voids it at the authority."""
        accounts = accounts_acting(request, ISSUE)
        if accounts is not None and not accounts:
            raise PermissionDenied
        form = self._form(request)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, form)
        return self._void(request, form)

    def _form(self, request: HttpRequest) -> VoidForm:
        sent = request.GET
        given = {name: sent[name] for name in VoidForm.base_fields if name in sent}
        given |= {"idempotency_key": uuid.uuid4().hex}
        is_post = request.method == "POST"
        form = VoidForm(request.POST if is_post else None, initial=given)
        field: Any = form.fields["empresa"]
        field.queryset = issuers(request)
        return form

    def _void(self, request: HttpRequest, form: VoidForm) -> HttpResponse:
        data = form.cleaned_data
        company = data["empresa"]
        try:
            if is_repeated(request, company.account, data["idempotency_key"]):
                return redirect("admin:fiscal_inutilizacao_changelist")
            row = request_void(
                company,
                ambiente=data["ambiente"],
                modelo=data["modelo"],
                serie=data["serie"],
                first=data["inicial"],
                last=data["final"],
                justificativa=data["justificativa"],
            )
        except DomainError as error:
            form.tell(error)
            return self._page(request, form)
        told = {"cstat": row.c_stat, "numeros": str(row)}
        record(
            company.account, actor=actor_in(request), action="nf.inutilizada", target=row,
            after=told,
        )  # fmt: skip
        _say(request, row)
        return redirect("admin:fiscal_inutilizacao_change", row.pk)

    def _page(self, request: HttpRequest, form: VoidForm) -> HttpResponse:
        form.renew_key()
        context = {
            **self.admin_site.each_context(request),
            "title": "Inutilizar números",
            "opts": self.opts,
            "object": None,
            "act": {
                "button": "Confirmar inutilização",
                "keep": "Não inutilizar",
                "is_danger": True,
            },
            "notes": [
                "Números inutilizados nunca mais são usados; o pedido não tem volta.",
                "Serve para números que nenhuma nota autorizada tem: falhas na sequência e notas "
                "recusadas que não serão corrigidas. O prazo é o dia 10 do mês seguinte.",
            ],
            "form": form,
            "back_url": reverse("admin:fiscal_inutilizacao_changelist"),
            "list_url": reverse("admin:fiscal_inutilizacao_changelist"),
        }
        return TemplateResponse(request, "admin/fiscal/confirmar.html", context)


def _say(request: HttpRequest, row: Inutilizacao) -> None:
    said = f"SEFAZ: {row.c_stat} – {row.x_motivo}"
    if row.state == VoidState.HOMOLOGADA:
        messages.success(request, f"Números inutilizados. {said}")
    elif row.state == VoidState.REJEITADA:
        advice = hint(row.c_stat) if row.c_stat else ""
        messages.error(request, f"A SEFAZ recusou. {said} {advice}".strip())
    else:
        messages.warning(request, "A SEFAZ ainda não respondeu: o pedido segue sozinho.")
