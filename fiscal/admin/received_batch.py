"""One word on several received notes at once, confirmed on a page (DIS-6, ux §1.3)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.admin_base import TenantAdmin
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.received_acts import AUDIT, MEANING, ReasonForm, facts, takes
from fiscal.admin.sections import ISSUE, accounts_acting, may
from fiscal.models import EventState, ReceivedNfe
from fiscal.services.received.manifest_many import Said, manifest_many
from fiscal.services.received.manifested import (
    CIENCIA,
    CONFIRMACAO,
    DESCONHECIMENTO,
    NAO_REALIZADA,
)

AT_ONCE = 100  # notes of one choice: five messages to the authority
_SHOWN = 10
_TITLES = {
    CIENCIA: "Dar ciência das notas escolhidas",
    CONFIRMACAO: "Confirmar a operação das notas escolhidas",
    DESCONHECIMENTO: "Desconhecer a operação das notas escolhidas",
    NAO_REALIZADA: "Operação não realizada nas notas escolhidas",
}


class ManifestPage(TenantAdmin):
    """Part of the screen of received NF-e. A repeated request finds nothing left to be said."""

    def has_manifest_permission(self, request: HttpRequest) -> bool:
        accounts = accounts_acting(request, ISSUE)
        return accounts is None or bool(accounts)

    @admin.action(description="Dar ciência", permissions=["manifest"])
    def ciencia(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        return self._manifest(request, chosen, CIENCIA)

    @admin.action(description="Confirmar a operação", permissions=["manifest"])
    def confirmacao(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        return self._manifest(request, chosen, CONFIRMACAO)

    @admin.action(description="Desconhecer a operação", permissions=["manifest"])
    def desconhecimento(
        self, request: HttpRequest, chosen: QuerySet[Any]
    ) -> HttpResponseBase | None:
        return self._manifest(request, chosen, DESCONHECIMENTO)

    @admin.action(description="Operação não realizada", permissions=["manifest"])
    def nao_realizada(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        return self._manifest(request, chosen, NAO_REALIZADA)

    def _manifest(
        self, request: HttpRequest, chosen: QuerySet[ReceivedNfe], tipo: str
    ) -> HttpResponseBase | None:
        """Ask, then send; None leads back to the list."""
        rows = list(chosen.select_related("account", "company")[:AT_ONCE])
        fit = [row for row in rows if may(request, row.account_id, ISSUE) and takes(row, tipo)]
        is_sent = "confirmado" in request.POST
        form = _form(tipo, request.POST if is_sent else None)
        if not fit or not is_sent or not form.is_valid():
            n_skipped = chosen.count() - len(fit)
            return self._batch_page(request, tipo, fit, n_skipped=n_skipped, form=form)
        text = form.cleaned_data.get("justificativa", "")
        done = manifest_many(fit, tipo=tipo, justificativa=text)
        for line in done:
            if line.manifestation is not None:
                record(
                    line.received.account, actor=actor_in(request), action=AUDIT[tipo],
                    target=line.received, after=facts(line.manifestation),
                )  # fmt: skip
        _tell(request, done)
        return None

    def _batch_page(
        self,
        request: HttpRequest,
        tipo: str,
        fit: list[ReceivedNfe],
        *,
        n_skipped: int,
        form: forms.Form,
    ) -> HttpResponseBase:
        """Count, sum, the first ten, and what will be left out."""
        context = {
            **self.admin_site.each_context(request),
            "title": _TITLES[tipo],
            "opts": self.opts,
            "action": tipo,
            "meaning": MEANING[tipo],
            "is_danger": tipo in (DESCONHECIMENTO, NAO_REALIZADA),
            "fit": fit,
            "first": fit[:_SHOWN],
            "total": sum(row.total for row in fit if row.total is not None),
            "n_skipped": n_skipped,
            "form": form,
            "list_url": reverse("admin:fiscal_receivednfe_changelist"),
            "back_url": request.get_full_path(),  # with the filters
        }
        return TemplateResponse(request, "admin/fiscal/receivednfe/manifestar.html", context)


def _form(tipo: str, data: Any) -> forms.Form:
    kind = ReasonForm if tipo == NAO_REALIZADA else forms.Form
    return kind(data, label_suffix="")


def _tell(request: HttpRequest, done: list[Said]) -> None:
    """Good news are counted; of the rest each reason is told once."""
    states = [one.manifestation.state for one in done if one.manifestation and not one.refusal]
    n_done = states.count(EventState.REGISTRADO)
    if n_done:
        messages.success(request, f"{n_done} manifestação(ões) registrada(s).")
    n_waiting = sum(state not in (EventState.REGISTRADO, EventState.REJEITADO) for state in states)
    if n_waiting:
        text = f"{n_waiting} sem resposta da SEFAZ ainda: seguem sozinhas até ela responder."
        messages.warning(request, text)
    reasons: dict[str, int] = {}
    for reason in filter(None, map(_reason, done)):
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        messages.error(request, f"{count} recusada(s): {reason}")


def _reason(one: Said) -> str:
    row = one.manifestation
    if one.refusal or row is None or row.state != EventState.REJEITADO:
        return one.refusal
    return f"{row.c_stat} – {row.x_motivo}"
