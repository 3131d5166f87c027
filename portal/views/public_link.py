"""/p/f/<token>/ (P17): an invoice for whoever has its link; a GET changes nothing but a count.

The token in the address is all that these pages go by, no cookie, so that another site has nothing
to forge a form with; and browsers tell no origin from pages without referrer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.services.audit import record
from billing.api.crm import pdf_response
from billing.documents.cache import PdfFailed, invoice_pdf
from billing.models import InvoiceLink
from billing.selectors.payment_offers import offers_of
from billing.selectors.situations import WORDS
from billing.services import links
from billing.services.emails.manual import send_new_link
from billing.services.links import LinkState
from lib.errors import DomainError
from portal.pages import guarded, private_page
from portal.public_invoice import public_invoice

P = ParamSpec("P")

ENDED = {
    LinkState.EXPIRED: "Este link expirou.",
    LinkState.REVOKED: "Este link foi desativado.",
}
RENEWED = "Enviamos um novo link para o e-mail de cobrança."
View = Callable[Concatenate[HttpRequest, InvoiceLink, P], HttpResponseBase]


def with_link(scope: str = "ver") -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """A view of a working link that allows `scope`; any other link gets its own page.

    404 for what we never signed, 410 for what is over, 403 for what it does not allow.
    """

    def decorate(view: View[P]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt
        @wraps(view)
        def wrapped(
            request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            opened = links.open_link(token)
            if opened.link is None:
                raise Http404
            if opened.state != LinkState.VALID:
                return _ended(request, token, opened.state)
            if scope not in opened.link.scopes:
                return guarded(_refused(request, opened.link))
            return view(request, opened.link, *args, **kwargs)

        return wrapped

    return decorate


def base_of(link: InvoiceLink) -> str:
    """The address of the link's page on this host."""
    return reverse("public-invoice", args=[links.token_of(link)])


@require_safe
@with_link()
def show(request: HttpRequest, link: InvoiceLink) -> HttpResponse:
    """The invoice: issuer, masked payer, what is open, and ways to pay."""
    links.count_opening(link, ip=address_of(request))
    page = public_invoice(link)
    return private_page(
        request,
        "portal/fatura_publica.html",
        {
            "page": page,
            "estado_texto": WORDS[page.estado],
            "base": base_of(link),
            "offers": offers_of(link.invoice),
            "can_pay": "pagar" in link.scopes,
            "can_download": "baixar" in link.scopes,
            "is_sandbox": link.account.is_sandbox,
        },
    )


@require_safe
@with_link("baixar")
def pdf(request: HttpRequest, link: InvoiceLink) -> HttpResponseBase:
    """The invoice's PDF."""
    try:
        made = invoice_pdf(link.invoice_id, account=link.account)
    except PdfFailed as failure:
        return told(request, link, failure)
    note(request, link, "link_publico.baixado")
    return guarded(pdf_response(request, made))


@csrf_exempt
@require_POST
def renew(request: HttpRequest, token: str) -> HttpResponse:
    """A new link to the address that the old one was sent to, which is not shown; 3 an hour."""
    opened = links.open_link(token)
    if opened.link is None:
        raise Http404
    if opened.state == LinkState.REVOKED:
        return _ended(request, token, opened.state)
    try:
        send_new_link(opened.link, ip=address_of(request))
        messages.success(request, RENEWED, extra_tags="ok")
    except DomainError as error:
        messages.error(request, error.mensagem, extra_tags="erro")
    return HttpResponseRedirect(reverse("public-invoice", args=[token]))


def address_of(request: HttpRequest) -> str | None:
    """Where the request comes from, for the trail."""
    return request.META.get("REMOTE_ADDR")


def note(request: HttpRequest, link: InvoiceLink, action: str) -> None:
    """Write down what the holder of the link did."""
    who = links.visitor(link, ip=address_of(request))
    record(link.account, actor=who, action=action, target=link.invoice, after={"link": link.pk})


def told(request: HttpRequest, link: InvoiceLink, error: DomainError) -> HttpResponse:
    """Back to the invoice with what went wrong, in words."""
    messages.error(request, error.mensagem, extra_tags="erro")
    return HttpResponseRedirect(base_of(link))


def _ended(request: HttpRequest, token: str, state: LinkState) -> HttpResponse:
    context: dict[str, Any] = {
        "text": ENDED[state],
        "can_renew": state == LinkState.EXPIRED,
        "renew_url": reverse("public-renew", args=[token]),
    }
    return private_page(request, "portal/link_encerrado.html", context, status=410)


def _refused(request: HttpRequest, link: InvoiceLink) -> HttpResponse:
    context = {"text": "Este link não permite esta ação.", "can_renew": False}
    return private_page(request, "portal/link_encerrado.html", context, status=403)
