"""Ending contracts: one (P13), all of them (P14), and taking it back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Capability
from billing.models import Contract
from billing.selectors.contract_history import open_invoices
from billing.selectors.endings import ending_of
from billing.services.cancellations import (
    Asked,
    ContractChanged,
    Offer,
    TooLate,
    live_contracts,
    offer_of,
    offers_for,
    request_cancellation,
    request_everything,
    undo_cancellation,
    version_of_all,
)
from lib.errors import InvalidInput
from portal.access import PortalRequest, customer_page
from portal.cancellation_forms import EverythingForm, OneForm
from portal.reauth import fresh_password
from portal.states import situations
from portal.submit import new_key, once
from portal.views.contracts import contract_of, detail_context, today_of

DONE = "Cancelamento pedido. Protocolo {protocol}. Enviamos a confirmação para {email}."
UNDONE = "Cancelamento desfeito. O contrato continua em vigor."


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.CANCEL_CONTRACT)
def cancel(request: PortalRequest, contract_id: int) -> HttpResponse:
    """One page tells all that ending the contract means; its button ends it."""
    contract = contract_of(request, contract_id)
    offer = offer_of(contract, today=today_of(request))
    if request.method != "POST":
        if not _may_end(contract):
            return _changed(request, contract, status=200)
        return _one_page(request, offer, OneForm(offer=offer))
    form = OneForm(request.POST, offer=offer)
    if not form.is_valid():
        return _one_page(request, offer, form)
    try:
        return once(request, lambda: _cancelled(request, contract, form))
    except InvalidInput as error:
        form.take(error)
        return _one_page(request, offer, form)
    except ContractChanged as error:
        if not _may_end(contract_of(request, contract_id)):
            return _changed(request, contract, status=409)
        fresh = OneForm(offer=offer)
        return _one_page(request, offer, fresh, status=409, erro=error.mensagem)


def _cancelled(request: PortalRequest, contract: Contract, form: OneForm) -> str:
    portal, given = request.portal, form.cleaned_data
    made = request_cancellation(
        contract.pk,
        account=portal.account,
        customer=portal.customer,
        on=given["ultimo_dia"],
        seen=given["versao"],
        asked=Asked(portal.user, portal.actor, given["motivo"], given["comentario"]),
    )
    messages.success(request, DONE.format(protocol=made.protocol, email=portal.user.email))
    return reverse("portal-contrato", args=[contract.pk])


def _may_end(contract: Contract) -> bool:
    """As it stood when it was read."""
    return contract.status != Contract.Status.CANCELLED and ending_of(contract) is None


def _changed(request: PortalRequest, contract: Contract, *, status: int) -> HttpResponse:
    """The contract's page: it was cancelled already, or its end is asked for."""
    context = detail_context(request, contract.pk)
    row = context["contrato"]
    now = (
        f"Cancelamento agendado para {row.ending.effective_on:%d/%m/%Y}"
        if row.ending
        else row.texto
    )
    if status == 409:
        context["erro"] = (
            f"Este contrato mudou enquanto você estava aqui (agora: {now}). Nada foi feito."
        )
    return render(request, "portal/contrato.html", context, status=status)


def _one_page(
    request: PortalRequest, offer: Offer, form: OneForm, *, status: int = 200, erro: str = ""
) -> HttpResponse:
    invoices = _still_due(request, [offer])
    context: dict[str, Any] = {
        "oferta": offer,
        "contrato": offer.contract,
        "form": form,
        "faturas": invoices,
        "chave": new_key(),
    }
    if erro:
        context["erro"] = erro
    return render(request, "portal/cancelar.html", context, status=status)


def _still_due(request: PortalRequest, offers: list[Offer]) -> list[Any]:
    """The open invoices of these contracts, as they stand."""
    contracts = [offer.contract for offer in offers]
    invoices = list(open_invoices(contracts, request.portal.customer))
    states = situations(invoices, today=today_of(request))
    return [states[invoice.pk] for invoice in invoices]


@require_POST
@customer_page(Capability.CANCEL_CONTRACT)
def undo(request: PortalRequest, contract_id: int) -> HttpResponse:
    """Keep a contract whose end was asked for."""
    contract = contract_of(request, contract_id)
    try:
        return once(request, lambda: _undone(request, contract))
    except TooLate as error:
        context = {**detail_context(request, contract.pk), "erro": error.mensagem}
        return render(request, "portal/contrato.html", context, status=409)


def _undone(request: PortalRequest, contract: Contract) -> str:
    portal = request.portal
    undo_cancellation(
        contract.pk, account=portal.account, customer=portal.customer, actor=portal.actor
    )
    messages.success(request, UNDONE)
    return reverse("portal-contrato", args=[contract.pk])


# --- everything ----------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.CANCEL_CONTRACT)
@fresh_password
def everything(request: PortalRequest) -> HttpResponse:
    """Every contract at once, under one protocol."""
    portal = request.portal
    live = live_contracts(portal.account, portal.customer)
    if request.method != "POST":
        return _all_page(request, live, EverythingForm())
    form = EverythingForm(request.POST)
    if not form.is_valid():
        return _all_page(request, live, form)
    try:
        return once(request, lambda: _all_cancelled(request, form))
    except InvalidInput as error:
        form.take(error)
        return _all_page(request, live, form)
    except ContractChanged as error:
        fresh = live_contracts(portal.account, portal.customer)
        return _all_page(request, fresh, EverythingForm(), status=409, erro=error.mensagem)


def _all_cancelled(request: PortalRequest, form: EverythingForm) -> str:
    portal, given = request.portal, form.cleaned_data
    made = request_everything(
        account=portal.account,
        customer=portal.customer,
        is_sure=given["confirmacao"],
        seen=given["versao"],
        asked=Asked(portal.user, portal.actor, given["motivo"], given["comentario"]),
    )
    messages.success(request, DONE.format(protocol=made.protocol, email=portal.user.email))
    return reverse("portal-contratos")


def _all_page(
    request: PortalRequest,
    contracts: list[Contract],
    form: EverythingForm,
    *,
    status: int = 200,
    erro: str = "",
) -> HttpResponse:
    offers = offers_for(contracts, today=today_of(request))
    ends = [(one, ending_of(one)) for one in contracts]
    context: dict[str, Any] = {
        "ofertas": offers,
        "agendados": [(one, end) for one, end in ends if end is not None],
        "total": sum(offer.usual.total for offer in offers),
        "faturas": _still_due(request, offers),
        "versao": version_of_all(offers),
        "form": form,
        "chave": new_key(),
    }
    if erro:
        context["erro"] = erro
    return render(request, "portal/cancelamento.html", context, status=status)
