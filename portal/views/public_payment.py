"""Paying the invoice of a public link: boleto, Pix and card. What makes something is a POST."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.models import Charge, InvoiceLink, Receivable
from billing.services import links
from billing.services.boletos.copies import look
from billing.services.boletos.printing import invoice_boletos
from billing.services.payments.card_hosted import open_card_page
from billing.services.pix.issue import issue_pix
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable
from portal import paying_acts
from portal.pages import guarded, private_page
from portal.paying_acts import NO_ANSWER, NOTHING_YET, PIX_LATER
from portal.public_invoice import public_invoice
from portal.views.public_link import address_of, base_of, note, told, with_link


def parcel_of(link: InvoiceLink, position: int) -> Receivable:
    """The n-th parcel of the link's invoice; 404 when there is none."""
    found: Receivable | None = link.invoice.receivables.filter(position=position).first()
    if found is None:
        raise Http404
    return found


@require_safe
@with_link("baixar")
def boleto(request: HttpRequest, link: InvoiceLink, position: int) -> HttpResponse:
    """The boleto's PDF, to be printed."""
    receivable = parcel_of(link, position)
    try:
        made = invoice_boletos(link.invoice_id, account=link.account, receivable_id=receivable.pk)
    except DomainError as error:
        return told(request, link, error)
    note(request, link, "link_publico.baixado")
    answer = HttpResponse(made.data, content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="{made.filename}"'
    return guarded(answer)


@require_http_methods(["GET", "HEAD", "POST"])
@with_link("pagar")
def second_copy(request: HttpRequest, link: InvoiceLink, position: int) -> HttpResponse:
    """A boleto where there is none, or one of the updated value for a chosen day (SV-1, P08)."""
    receivable = parcel_of(link, position)
    try:
        if request.method == "POST":
            return _made(request, link, receivable)
        found = look(receivable.pk, account=link.account)
    except DomainError as error:
        return told(request, link, error)
    context = {
        "page": public_invoice(link),
        "copy": found,
        "base": base_of(link),
        "position": position,
        "can_download": "baixar" in link.scopes,
        "is_sandbox": link.account.is_sandbox,
    }
    return private_page(request, "portal/segunda_via.html", context)


def _made(request: HttpRequest, link: InvoiceLink, receivable: Receivable) -> HttpResponse:
    """The boleto that was asked for, or the one that is still good."""
    actor = links.visitor(link, ip=address_of(request))
    chosen = request.POST.get("vencimento", "")
    charge = paying_acts.make_boleto(receivable, chosen, account=link.account, actor=actor)
    text, kind = paying_acts.told_boleto(charge)
    messages.success(request, text, extra_tags=kind)
    return HttpResponseRedirect(base_of(link))


@require_POST
@with_link("pagar")
def pix(request: HttpRequest, link: InvoiceLink, position: int) -> HttpResponse:
    """A Pix of what the parcel costs today."""
    receivable = parcel_of(link, position)
    actor = links.visitor(link, ip=address_of(request))
    try:
        charge = issue_pix(receivable.pk, link.account, actor=actor)
    except DomainError as error:
        return told(request, link, error)
    if charge.state != Charge.State.OPEN:
        messages.warning(request, PIX_LATER, extra_tags="atencao")
    return HttpResponseRedirect(f"{base_of(link)}#parcela-{position}")


@require_POST
@with_link("pagar")
def card(request: HttpRequest, link: InvoiceLink, position: int) -> HttpResponse:
    """To the provider's own page, which takes the card and comes back here."""
    receivable = parcel_of(link, position)
    actor = links.visitor(link, ip=address_of(request))
    try:
        begun = open_card_page(
            receivable.pk, account=link.account, actor=actor, return_path=base_of(link)
        )
    except DomainError as error:
        return told(request, link, error)
    if not begun.action_url:
        messages.warning(request, begun.text, extra_tags="atencao")
        return HttpResponseRedirect(base_of(link))
    note(request, link, "link_publico.pago")
    return HttpResponseRedirect(begun.action_url)


@require_POST
@with_link("pagar")
def give_up(request: HttpRequest, link: InvoiceLink, position: int) -> HttpResponse:
    """End an attempt by card that waits for its payer, to pay in another way."""
    receivable = parcel_of(link, position)
    actor = links.visitor(link, ip=address_of(request))
    try:
        paying_acts.give_up(receivable, account=link.account, actor=actor)
    except DomainError as error:
        return told(request, link, error)
    except (GatewayRefused, GatewayUnavailable):
        messages.warning(request, NO_ANSWER, extra_tags="atencao")
    return HttpResponseRedirect(base_of(link))


@require_POST
@with_link("pagar")
def refresh(request: HttpRequest, link: InvoiceLink) -> HttpResponse:
    """Ask the providers about what is under way, for somebody who has just paid."""
    try:
        is_new = paying_acts.refresh(
            link.invoice, actor=links.visitor(link, ip=address_of(request))
        )
    except (GatewayRefused, GatewayUnavailable):
        messages.warning(request, NO_ANSWER, extra_tags="atencao")
        return HttpResponseRedirect(base_of(link))
    if not is_new:
        messages.info(request, NOTHING_YET, extra_tags="info")
    return HttpResponseRedirect(reverse("public-invoice", args=[links.token_of(link)]))
