"""Which notices come, and to whom invoices go (P18); with a login, or by the link of a notice.

The pages behind a link go by its token alone, no cookie: another site has nothing to forge a form
with. A GET changes nothing, for readers of mail open every link.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Capability
from accounts.models import AuditEvent
from accounts.services.audit import Actor
from billing.models import Party
from billing.services import billing_addresses as addresses
from billing.services import preferences
from billing.services.billing_addresses import LinkExpired
from lib.errors import DomainError, NotFound
from portal.access import PortalRequest, customer_page
from portal.forms import PortalForm
from portal.masking import masked_name
from portal.pages import private_page
from portal.submit import new_key, once

SAVED = "Preferências salvas."
ASKED = "Enviamos um e-mail para {address}. O endereço passa a receber depois de confirmar."
REMOVED = "{address} não recebe mais as faturas."
CONFIRMED = "E-mail confirmado. A partir de agora ele recebe as faturas."
_METHODS = ["GET", "HEAD", "POST"]


class AddressForm(PortalForm):
    """Another address that invoices go to."""

    email = forms.EmailField(
        label="Novo e-mail de cobrança",
        max_length=254,
        help_text="Enviamos um link de confirmação para este e-mail, válido por 7 dias.",
        error_messages={"invalid": addresses.NOT_ONE},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    labels_for_required = {"email": "Informe o novo e-mail de cobrança."}


# --- with a login ---------------------------------------------------------------------------------


@require_http_methods(_METHODS)
@customer_page(Capability.PREFERENCES)
def show(request: PortalRequest) -> HttpResponse:
    """The grid and the recipients; a POST saves the grid."""
    if request.method == "POST":
        return once(request, lambda: _saved(request))
    return _page(request, AddressForm())


def _saved(request: PortalRequest) -> str:
    portal = request.portal
    preferences.save_preferences(
        portal.account, portal.customer, on=set(request.POST.getlist("aviso")), actor=portal.actor
    )
    messages.success(request, SAVED)
    return reverse("portal-preferencias")


@require_POST
@customer_page(Capability.PREFERENCES)
def add_address(request: PortalRequest) -> HttpResponse:
    """Ask the owner of a new address."""
    form = AddressForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        return once(request, lambda: _asked(request, form.cleaned_data["email"]))
    except DomainError as error:
        _tell(form, error)
        return _page(request, form, status=429 if error.http_status == 429 else 200)


def _asked(request: PortalRequest, address: str) -> str:
    portal = request.portal
    addresses.ask_to_add(portal.account, portal.customer, address, actor=portal.actor)
    messages.success(request, ASKED.format(address=address))
    return reverse("portal-preferencias")


@require_POST
@customer_page(Capability.PREFERENCES)
def remove_address(request: PortalRequest) -> HttpResponse:
    """Take an address off; never the last one (P18-2)."""
    try:
        return once(request, lambda: _removed(request, request.POST.get("email", "")))
    except NotFound as error:
        raise Http404 from error
    except DomainError as error:
        return _page(request, AddressForm(), erro=error.mensagem)


def _removed(request: PortalRequest, address: str) -> str:
    portal = request.portal
    addresses.remove(portal.account, portal.customer, address, actor=portal.actor)
    messages.success(request, REMOVED.format(address=address))
    return reverse("portal-preferencias")


def _tell(form: AddressForm, error: DomainError) -> None:
    """A refusal of the service, at its field."""
    for one in error.erros or ():
        form.add_error(one.campo if one.campo in form.fields else None, one.mensagem)
    if not error.erros:
        form.add_error(None, error.mensagem)


def _page(
    request: PortalRequest, form: AddressForm, *, status: int = 200, erro: str = ""
) -> HttpResponse:
    customer = request.portal.customer
    context = {
        "linhas": preferences.grid_of(customer),
        "canais": preferences.CHANNELS,
        "obrigatorio": preferences.LOCKED_WHY,
        "enderecos": addresses.billing_addresses(customer),
        "form": form,
        "erro": erro,
        "chave": new_key(),
    }
    return render(request, "portal/preferencias.html", context, status=status)


# --- by a link ------------------------------------------------------------------------------------


@csrf_exempt
@require_http_methods(_METHODS)
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The grid for whoever got a notice, without the rest of the company's page."""
    try:
        customer, address = preferences.open_token(token)
    except NotFound as error:
        raise Http404 from error
    if request.method == "POST":
        preferences.save_preferences(
            customer.account, customer, on=set(request.POST.getlist("aviso")),
            actor=_reader(request, customer, address),
        )  # fmt: skip
        messages.success(request, SAVED, extra_tags="ok")
        return HttpResponseRedirect(request.path)
    context: dict[str, Any] = {
        "linhas": preferences.grid_of(customer),
        "canais": preferences.CHANNELS,
        "obrigatorio": preferences.LOCKED_WHY,
        "empresa": masked_name(customer.name, customer.document),
        "is_sandbox": customer.account.is_sandbox,
    }
    return private_page(request, "portal/preferencias_link.html", context)


@csrf_exempt
@require_http_methods(_METHODS)
def confirm_address(request: HttpRequest, token: str) -> HttpResponse:
    """The owner of an address is asked; a POST says yes."""
    try:
        customer, address = addresses.open_request(token)
        if request.method == "POST":
            addresses.add(token, actor=_reader(request, customer, address))
    except NotFound as error:
        raise Http404 from error
    except LinkExpired as error:
        context = {"text": error.mensagem, "can_renew": False}
        return private_page(request, "portal/link_encerrado.html", context, status=410)
    context = {
        "email": address,
        "empresa": customer.name,
        "feito": CONFIRMED if request.method == "POST" else "",
        "is_sandbox": customer.account.is_sandbox,
    }
    return private_page(request, "portal/confirmar_email.html", context)


def _reader(request: HttpRequest, customer: Party, address: str) -> Actor:
    """Whoever holds the link, as the trail names them."""
    return Actor(AuditEvent.Actor.LINK, customer.pk, address, request.META.get("REMOTE_ADDR"))
