"""How the authorities are: facts that all accounts share; and the ways around them (§8.7, §9)."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from accounts.access import accounts_of
from accounts.admin_base import TenantAdmin, capability_of
from accounts.admin_display import chip
from accounts.admin_trail import actor_in, signed_in
from accounts.services.audit import Actor
from fiscal.admin.acts import Act, ActForm, ActingScreen, Done, is_repeated
from fiscal.admin.columns import ENVIRONMENTS, MODELS, Columns
from fiscal.admin.document_acts import checked_statement, statement_widget
from fiscal.admin.document_lists import EnvironmentFilter, ModelFilter
from fiscal.admin.sections import ISSUE, ISSUING, accounts_acting
from fiscal.admin.voids import issuers
from fiscal.models import AuthorityStatus, Company, Consumption, Contingency
from fiscal.services import staff_orders
from fiscal.services.authority_status import DOWN, UP
from lib import clock
from lib.errors import DomainError
from lib.templatetags.br import EMPTY, data_hora

_LEAST, _MOST = staff_orders.LEAST_REASON, staff_orders.MOST_REASON


@admin.register(AuthorityStatus)
class AuthorityStatusAdmin(Columns, TenantAdmin):
    tenant_path = ()
    section = ISSUING
    list_display = (
        "authority",
        "where",
        "kind",
        "environment",
        "situation",
        "checked_at",
        "breaker",
    )
    list_filter = (ModelFilter, EnvironmentFilter, "authority")
    search_fields = ("=uf", "=authority")
    search_help_text = "UF ou autoridade"
    ordering = ("uf", "modelo", "ambiente", "authority")
    fields = (
        "authority", "where", "kind", "environment", "situation", "c_stat", "x_motivo",
        "checked_at", "breaker", "n_failures", "failing_since", "n_up",
    )  # fmt: skip

    @admin.display(description="UF", ordering="uf")
    def where(self, status: AuthorityStatus) -> str:
        """Network failures are of the authority, whatever the UF: in a row without one."""
        return status.uf or "Todas (rede)"

    @admin.display(description="situação", ordering="c_stat")
    def situation(self, status: AuthorityStatus) -> str:
        if status.open_until:
            return chip("danger", "alert", "Fora do ar")
        if status.c_stat == UP:
            return chip("success", "check", "Em operação")
        if status.c_stat == DOWN:
            return chip("danger", "alert", "Parada")
        if status.n_failures:
            return chip("warning", "alert", f"{status.n_failures} falha(s)")
        return chip("neutral", "dot", status.c_stat or "Sem problema conhecido")

    @admin.display(description="envio", ordering="open_until")
    def breaker(self, status: AuthorityStatus) -> str:
        if status.open_until is None:
            return "Liberado"
        return f"Suspenso; nova consulta a partir de {data_hora(status.open_until)}"


# --- contingency ------------------------------------------------------------------------------


class EnterForm(ActForm):
    empresa = forms.ModelChoiceField(
        Company.objects.none(), label="Empresa", empty_label="Escolha",
        error_messages={"required": "Informe a empresa."},
    )  # fmt: skip
    ambiente = forms.ChoiceField(label="Ambiente", choices=list(ENVIRONMENTS.items()))
    forma = forms.ChoiceField(
        label="Forma",
        choices=[
            ("svc", "SVC: outra SEFAZ autoriza"),
            ("epec", "EPEC: aviso prévio, a nota vai depois"),
        ],
        help_text="EPEC só quando a SVC também não atende; a nota segue em até 168 horas.",
    )
    toda_a_uf = forms.BooleanField(
        label="Todas as empresas da UF, de todas as contas", required=False
    )
    motivo = forms.CharField(
        label="Motivo", widget=statement_widget(_LEAST, _MOST),
        error_messages={"required": "Informe o motivo."},
        help_text="Vai na nota (xJust) e no DANFE. De 15 a 256 caracteres.",
    )  # fmt: skip

    def clean_motivo(self) -> str:
        text = self.cleaned_data["motivo"]
        return checked_statement(text, "O motivo", least=_LEAST, most=_MOST)


def _leave(row: Contingency, data: dict[str, Any], actor: Actor) -> Done:
    staff_orders.leave_contingency(row, actor=actor, now=clock.now())
    return Done("Contingência encerrada: as próximas notas vão à SEFAZ de origem.")


_LEAVE = Act(
    "encerrar", "Encerrar contingência", "Encerrar contingência", "Continuar em contingência",
    ISSUE, lambda row: row.left_at is None, _leave, is_danger=True,
    notes=lambda row: [
        f"Desde {data_hora(row.entered_at)}, por {row.entered_by or 'sistema'}: {row.reason}",
        "Notas já autorizadas na SVC valem; as que esperam são assinadas de novo para a origem.",
    ],
)  # fmt: skip


@admin.register(Contingency)
class ContingencyAdmin(Columns, ActingScreen):
    """Times in contingency (CON-1): of a company, or of a whole UF, which only the operator
    orders and everybody sees."""

    tenant_path = "company__account"
    section = ISSUING
    acts: ClassVar[tuple[Act, ...]] = (_LEAVE,)
    change_form_template = "admin/fiscal/acting_form.html"
    change_list_template = "admin/fiscal/contingency/change_list.html"
    list_display = ("where", "whose", "mode", "environment", "situation", "entered_at", "author",
                    "left_at")  # fmt: skip
    list_filter = ("mode", EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("=uf", "company__nome")
    search_help_text = "UF ou empresa"
    ordering = ("-entered_at", "-pk")
    fields = (
        "where", "whose", "mode", "environment", "situation", "reason", "author", "entered_at",
        "left_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contingency]:
        """Those of the person's companies, and those of whole UFs."""
        user = signed_in(request)
        rows: QuerySet[Contingency] = Contingency.objects.order_by(*self.ordering)
        if user.is_superuser:
            return rows
        accounts = accounts_of(user, capability_of(Contingency))
        return rows.filter(Q(company=None) | Q(company__account__in=accounts))

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        if row is not None and row.company_id is None and not write:
            return super().allowed(request, write=False)
        return super().allowed(request, row, write=write)

    def standing(self, row: Contingency) -> str:
        return "encerrada" if row.left_at else "aberta"

    @admin.display(description="UF e modelo", ordering="uf")
    def where(self, row: Contingency) -> str:
        return f"{row.uf} · {MODELS.get(row.modelo, row.modelo)}"

    @admin.display(description="de quem", ordering="company")
    def whose(self, row: Contingency) -> str:
        return str(row.company) if row.company else f"Toda a UF {row.uf}"

    @admin.display(description="quem abriu", ordering="entered_by")
    def author(self, row: Contingency) -> str:
        return row.entered_by or "Sistema"

    @admin.display(description="situação", ordering="left_at")
    def situation(self, row: Contingency) -> str:
        if row.left_at:
            return chip("neutral", "check", "Encerrada")
        return chip("warning", "clock", "Em vigor")

    # --- entering -----------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.enter_view)
        return [path("entrar/", view, name="fiscal_contingency_enter"), *super().get_urls()]

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        accounts = accounts_acting(request, ISSUE)
        more = {"may_enter": accounts is None or bool(accounts)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        """GET asks who, where and why; POST asks the SVC and enters."""
        accounts = accounts_acting(request, ISSUE)
        if accounts is not None and not accounts:
            raise PermissionDenied
        is_post = request.method == "POST"
        given = {"idempotency_key": uuid.uuid4().hex}
        form = EnterForm(request.POST if is_post else None, initial=given)
        field: Any = form.fields["empresa"]
        field.queryset = issuers(request).filter(habilita_nfe=True)
        if not signed_in(request).is_superuser:
            del form.fields["toda_a_uf"]
        if not is_post or not form.is_valid():
            return self._enter_page(request, form)
        return self._enter(request, form)

    def _enter(self, request: HttpRequest, form: EnterForm) -> HttpResponse:
        data = form.cleaned_data
        company = data["empresa"]
        try:
            if is_repeated(request, company.account, data["idempotency_key"]):
                return redirect("admin:fiscal_contingency_changelist")
            row = staff_orders.enter_contingency(
                company,
                ambiente=data["ambiente"],
                by_epec=data["forma"] == "epec",
                whole_uf=bool(data.get("toda_a_uf")),
                reason=data["motivo"],
                actor=actor_in(request),
                now=clock.now(),
            )
        except DomainError as error:
            form.tell(error)
            return self._enter_page(request, form)
        messages.success(request, f"Em contingência: {row}.")
        return redirect("admin:fiscal_contingency_change", row.pk)

    def _enter_page(self, request: HttpRequest, form: EnterForm) -> HttpResponse:
        form.renew_key()
        back = reverse("admin:fiscal_contingency_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Entrar em contingência",
            "opts": self.opts,
            "object": None,
            "act": {
                "button": "Entrar em contingência",
                "keep": "Continuar na emissão normal",
                "is_danger": True,
            },
            "notes": [
                "Vale para NF-e: as próximas saem com outra chave e com o motivo abaixo.",
                "Na SVC só se ela responder que está aberta: quem a abre é a SEFAZ de origem.",
                "NFC-e não passa por aqui: sem resposta da SEFAZ ela sai offline sozinha, onde a "
                "empresa e a UF permitem.",
            ],
            "form": form,
            "back_url": back,
            "list_url": back,
        }
        return TemplateResponse(request, "admin/fiscal/confirmar.html", context)


@admin.register(Consumption)
class ConsumptionAdmin(Columns, TenantAdmin):
    """Calls counted before the authority counts them (656, §8.6)."""

    tenant_path = ()
    secondary = True
    list_display = ("base", "environment", "service", "subject", "count", "until")
    list_filter = (EnvironmentFilter, "service")
    search_fields = ("=base", "=subject")
    ordering = ("-window_start", "-pk")
    fields = ("base", "environment", "service", "subject", "window_start", "count", "until")

    @admin.display(description="bloqueado até", ordering="blocked_until")
    def until(self, row: Consumption) -> str:
        return data_hora(row.blocked_until) if row.blocked_until else EMPTY
