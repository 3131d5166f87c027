"""Passing an invoice on: by e-mail and by WhatsApp (P07)."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Capability
from billing.errors import CannotEmail
from billing.models import Invoice
from billing.selectors.customer_invoices import get_invoice
from billing.selectors.situations import situation
from billing.services import links
from billing.services.emails.manual import send_to
from lib import clock
from lib.errors import DomainError
from portal.access import PortalRequest, customer_page
from portal.forms import PortalForm
from portal.invoice_page import whatsapp_url
from portal.submit import FIELD, new_key

SENT = "Fatura enviada para {address}."
NOT_SHARED = "Esta fatura não está mais aberta para pagamento. Nada foi compartilhado."


class SendForm(PortalForm):
    """One more address for this invoice."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        error_messages={"invalid": "Informe um e-mail válido, como nome@empresa.com.br."},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    labels_for_required = {"email": "Informe o e-mail."}


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.SEND_INVOICE)
def send(request: PortalRequest, number: str) -> HttpResponse:
    """Send the invoice to an address that is typed here."""
    portal = request.portal
    invoice = get_invoice(portal.account, portal.customer, number)
    form = SendForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["email"]
        try:
            send_to(invoice, address, actor=portal.actor, key=_key(request))
        except CannotEmail as stale:
            return _back(request, number, stale)
        except DomainError as error:
            form.add_error("email", error.mensagem)
        else:
            messages.success(request, SENT.format(address=address), extra_tags="ok")
            return HttpResponseRedirect(reverse("portal-fatura", args=[number]))
    status = 400 if form.is_bound else 200
    return _form(request, invoice, number, form, status)


def _key(request: PortalRequest) -> str:
    """Of the form that was shown; another person's form never is the same."""
    return f"{request.portal.user.pk}:{request.POST.get(FIELD, '')[:64] or new_key()}"


def _form(
    request: PortalRequest, invoice: Invoice, number: str, form: SendForm, status: int
) -> HttpResponse:
    context = {"invoice": invoice, "number": number, "form": form, "key": new_key()}
    return render(request, "portal/fatura_enviar.html", context, status=status)


@require_POST
@customer_page(Capability.SEND_INVOICE)
def share(request: PortalRequest, number: str) -> HttpResponse:
    """Make the person's link to the invoice, and open WhatsApp with it."""
    portal = request.portal
    invoice = get_invoice(portal.account, portal.customer, number)
    found = situation(invoice, today=clock.today(portal.account.time_zone))
    if not found.can_pay:
        messages.error(request, NOT_SHARED, extra_tags="erro")
        return HttpResponseRedirect(reverse("portal-fatura", args=[number]))
    link = links.share(invoice, actor=portal.actor)
    return HttpResponseRedirect(whatsapp_url(found, link))


def _back(request: PortalRequest, number: str, error: DomainError) -> HttpResponse:
    messages.error(request, error.mensagem, extra_tags="erro")
    return HttpResponseRedirect(reverse("portal-fatura", args=[number]))
