"""The company's data: form, review, saving (P15), and the address of a CEP."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Capability
from accounts.services import attempts
from billing.selectors.addresses import address_of
from billing.services.customer_data import (
    DataChanged,
    changes,
    data_of,
    faults_of,
    save_data,
    version_of,
)
from lib.br import is_cep, only_digits
from lib.errors import GatewayRefused, GatewayUnavailable, InvalidInput
from lib.postal_codes import Address
from portal.access import PortalRequest, customer_page
from portal.company_form import BAD_CEP, CompanyForm, with_address
from portal.submit import new_key, once

log = logging.getLogger(__name__)

SAVED = "Dados atualizados. Valem para as próximas notas e boletos."
NOTHING = "Nada mudou nos seus dados."
NOT_FOUND = "CEP não encontrado. Preencha o endereço manualmente."
UNAVAILABLE = "Não foi possível consultar o CEP agora. Preencha o endereço manualmente."
FOUND = "Endereço preenchido pelo CEP. Confira e informe o número."
_LOOKUPS, _WITHIN = 60, timedelta(minutes=10)  # of one person; each may cost a request outside


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.CUSTOMERS)
def edit(request: PortalRequest) -> HttpResponse:
    """The data; for whoever may change them a form whose answer is a page to review.

    `acao` of a POST: `cep` fills the address in, `editar` goes back to the form, `salvar` saves
    what was reviewed, and anything else reviews.
    """
    portal = request.portal
    if not portal.can(Capability.CUSTOMERS):
        context = {"dados": data_of(portal.customer), "mudancas": []}
        return render(request, "portal/dados_leitura.html", context)
    if request.method != "POST":
        return _form_page(request, CompanyForm(customer=portal.customer))
    act = request.POST.get("acao")
    if act == "cep":
        return _filled(request)
    if act == "editar":
        return _form_page(request, _as_typed(request, request.POST.dict()))
    form = CompanyForm(request.POST, customer=portal.customer)
    if form.is_valid():
        form.take(faults_of(portal.customer, form.data_given()))
    if not form.is_valid():
        return _form_page(request, form)
    return _save(request, form) if act == "salvar" else _review(request, form)


def _form_page(
    request: PortalRequest, form: CompanyForm, *, aviso: str = "", tom: str = "ok"
) -> HttpResponse:
    context = {"form": form, "aviso": aviso, "aviso_tom": tom}
    return render(request, "portal/dados.html", context)


def _as_typed(request: PortalRequest, typed: dict[str, Any]) -> CompanyForm:
    """The form with what was typed, not judged yet."""
    boxes = {name: name in typed for name in ("isento", "sem_numero")}
    return CompanyForm(customer=request.portal.customer, initial={**typed, **boxes})


def _filled(request: PortalRequest) -> HttpResponse:
    """The form with the address of its CEP; what was typed by hand stays."""
    typed = request.POST.dict()
    cep = only_digits(typed.get("cep", ""))
    if not is_cep(cep):
        return _form_page(request, _as_typed(request, typed), aviso=BAD_CEP, tom="erro")
    found, text = _looked_up(request, cep)
    if found is None:
        return _form_page(request, _as_typed(request, typed), aviso=text, tom="atencao")
    return _form_page(request, _as_typed(request, with_address(typed, found)), aviso=FOUND)


def _review(
    request: PortalRequest, form: CompanyForm, *, status: int = 200, erro: str = ""
) -> HttpResponse:
    """Before and after, to be confirmed."""
    customer = request.portal.customer
    found = changes(data_of(customer), form.data_given())
    if not found:
        messages.info(request, NOTHING, extra_tags="info")
        return HttpResponseRedirect(reverse("portal-dados"))
    context: dict[str, Any] = {
        "mudancas": found,
        "guardados": form.typed(),
        "versao": version_of(customer),
        "chave": new_key(),
    }
    if erro:
        context["erro"] = erro
    return render(request, "portal/dados_revisao.html", context, status=status)


def _save(request: PortalRequest, form: CompanyForm) -> HttpResponse:
    try:
        return once(request, lambda: _saved(request, form))
    except InvalidInput as error:
        form.take(error.erros)
        return _form_page(request, form)
    except DataChanged as error:
        # What is stored now, beside what was typed: nothing typed is lost.
        request.portal.customer.refresh_from_db()
        return _review(request, form, status=409, erro=error.mensagem)


def _saved(request: PortalRequest, form: CompanyForm) -> str:
    portal = request.portal
    found = save_data(
        form.data_given(),
        account=portal.account,
        customer=portal.customer,
        seen=request.POST.get("versao", ""),
        actor=portal.actor,
    )
    if found:
        messages.success(request, SAVED)
    else:
        messages.info(request, NOTHING, extra_tags="info")
    return reverse("portal-dados")


# --- CEP -----------------------------------------------------------------------------------------


@require_safe
@customer_page(Capability.CUSTOMERS)
def postal_code(request: PortalRequest, cep: str) -> HttpResponse:
    """The address of a CEP as JSON, for the form's script; a failure says what to do instead."""
    if not request.portal.can(Capability.CUSTOMERS):
        return JsonResponse({"mensagem": "Você não tem permissão para isto."}, status=403)
    digits = only_digits(cep[:20])
    if not is_cep(digits):
        return JsonResponse({"mensagem": BAD_CEP}, status=400)
    found, text = _looked_up(request, digits)
    if found is None:
        return JsonResponse({"mensagem": text}, status=404 if text == NOT_FOUND else 503)
    return JsonResponse(
        {
            "cep": found.cep,
            "logradouro": found.street,
            "bairro": found.district,
            "municipio": found.city,
            "uf": found.state,
            "mensagem": FOUND,
        }
    )


def _looked_up(request: PortalRequest, cep: str) -> tuple[Address | None, str]:
    """The address, or None and why there is none."""
    who = str(request.portal.user.pk)
    if not attempts.begin("cep", who, limit=_LOOKUPS, within=_WITHIN):
        return None, UNAVAILABLE
    try:
        found = address_of(cep)
    except (GatewayUnavailable, GatewayRefused) as error:
        log.info("postal_code.unavailable", extra={"error": type(error).__name__})
        return None, UNAVAILABLE
    return found, "" if found else NOT_FOUND
