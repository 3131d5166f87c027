"""The page of a Pix (P08): code, until when, and whether it was paid."""

from __future__ import annotations

from datetime import date

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Capability
from billing.models import Charge, Receivable
from billing.services.pix.issue import issue_pix
from lib.br import parse_date
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable
from portal import paying_acts, paying_pages
from portal.access import PortalRequest, customer_page
from portal.paying import Parcel, ToPay
from portal.paying_acts import NO_ANSWER, NOTHING_YET, PIX_LATER
from portal.paying_pages import bill_of, check_fresh, go, parcel_of
from portal.views.second_copy import check_shown

TEMPLATE = "portal/pix.html"
CONFIRMED = "Pagamento confirmado"


@customer_page(Capability.SECOND_COPY)
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: PortalRequest, number: str) -> HttpResponse:
    """The Pix of a parcel; a POST makes one of what it costs on the chosen day."""
    if request.method == "POST":
        return _make(request, number)
    bill = bill_of(request.portal, number)
    return _page(request, bill, parcel_of(bill, request.GET.get("parcela", "")), number)


def _make(request: PortalRequest, number: str) -> HttpResponse:
    portal = request.portal
    bill = bill_of(portal, number)
    parcel = parcel_of(bill, request.POST.get("parcela", ""))
    day = request.POST.get("vencimento", "")
    try:
        check_fresh(bill, parcel)
        check_shown(parcel, day, request.POST.get("total", "") if day else "")
        charge = issue_pix(
            parcel.receivable.pk, portal.account, actor=portal.actor, on=_day(parcel, day)
        )
    except DomainError as error:
        bill = bill_of(portal, number)
        parcel = parcel_of(bill, str(parcel.receivable.position))
        return _page(request, bill, parcel, number, error=error)
    if charge.state != Charge.State.OPEN:
        messages.warning(request, PIX_LATER, extra_tags="atencao")
    return go("portal-pix", number, parcel=parcel)


def _day(parcel: Parcel, text: str) -> date | None:
    """The day that a late parcel's Pix is made for; None: as the service has it."""
    try:
        return parse_date(text) if text and parcel.is_late else None
    except ValueError:
        return None


@customer_page(Capability.SECOND_COPY)
@require_safe
def status(request: PortalRequest, number: str) -> JsonResponse:
    """{"pago": …}: what the script asks every five seconds. Changes nothing and asks no bank."""
    bill = bill_of(request.portal, number)
    parcel = parcel_of(bill, request.GET.get("parcela", ""))
    return JsonResponse({"pago": _is_paid(parcel), "estado": bill.estado})


@customer_page(Capability.SECOND_COPY)
@require_POST
def refresh(request: PortalRequest, number: str) -> HttpResponse:
    """Ask bank and card provider now, for somebody who has just paid."""
    portal = request.portal
    bill = bill_of(portal, number)
    parcel = parcel_of(bill, request.POST.get("parcela", ""))
    try:
        if not paying_acts.refresh(bill.invoice, actor=portal.actor):
            messages.info(request, NOTHING_YET, extra_tags="info")
    except (GatewayRefused, GatewayUnavailable):
        messages.warning(request, NO_ANSWER, extra_tags="atencao")
    back = "portal-pagar" if request.POST.get("de") == "cartao" else "portal-pix"
    return go(back, number, parcel=parcel)


def _page(
    request: PortalRequest,
    bill: ToPay,
    parcel: Parcel,
    number: str,
    *,
    error: DomainError | None = None,
) -> HttpResponse:
    asked = f"?parcela={parcel.receivable.position}"
    return paying_pages.paying_page(
        request,
        TEMPLATE,
        bill,
        number,
        error=error,
        parcel=parcel,
        pago=_is_paid(parcel),
        pode=request.portal.can(Capability.SECOND_COPY),
        situacao=reverse("portal-situacao", args=[number]) + asked,
        **paying_pages.parties_of(bill.invoice),
    )


def _is_paid(parcel: Parcel) -> bool:
    return parcel.receivable.state == Receivable.State.RECEIVED
