"""Another password by a link in an e-mail (P03)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.services import passwords
from billing.services.customer_passwords import ask_for_link, change
from portal import coming_back
from portal.access import PortalRequest, customer_page
from portal.entry_forms import AddressForm, NewPasswordForm
from portal.pages import guarded_page
from portal.views.entry import ip_of

ASKED = "Se houver uma conta com este e-mail, enviaremos as instruções em alguns minutos."
CHANGED = "Senha alterada. Entre com a nova senha."


def forgot(request: HttpRequest) -> HttpResponse:
    """One answer for every address."""
    form = AddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        ask_for_link(form.cleaned_data["email"], ip=ip_of(request))
        messages.info(request, ASKED)
        return HttpResponseRedirect(reverse("portal-esqueci"))
    return guarded_page(render(request, "portal/esqueci.html", {"form": form}))


@customer_page()
def ask_own(request: PortalRequest) -> HttpResponse:
    """The same for who is signed in, from P04."""
    if request.method == "POST":
        ask_for_link(request.user.email, ip=ip_of(request))
        messages.success(request, f"Enviaremos as instruções para {request.user.email}.")
    return HttpResponseRedirect(reverse("portal-seguranca"))


@sensitive_post_parameters("password", "again")
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """The new password; 410 for a link that was used, is older than an hour, or is none of ours."""
    user = passwords.user_of(token)
    if user is None:
        return _over(request)
    form = NewPasswordForm(request.POST if request.method == "POST" else None, email=user.email)
    if form.is_valid():
        if change(token, form.cleaned_data["password"], ip=ip_of(request)) is None:
            return _over(request)
        messages.success(request, CHANGED)
        response = HttpResponseRedirect(reverse("portal-entrar"))
        coming_back.forget(response)
        return response
    return guarded_page(render(request, "portal/redefinir.html", {"form": form, "pessoa": user}))


def _over(request: HttpRequest) -> HttpResponse:
    return guarded_page(render(request, "portal/redefinir_encerrado.html", status=410))
