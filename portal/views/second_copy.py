"""P08: the boleto of an invoice, and its updated value when it is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Capability
from billing.errors import AmountChanged
from billing.services.boletos.copies import second_copy
from billing.services.boletos.printing import BoletoPdf, invoice_boletos
from billing.services.boletos.quotes import Quote
from lib.br import parse_date
from lib.errors import DomainError
from lib.money import brl
from portal import paying_acts, paying_pages
from portal.access import PortalRequest, customer_page
from portal.paying import Parcel, ToPay
from portal.paying_pages import bill_of, check_fresh, go, is_payable, parcel_of

TEMPLATE = "portal/segunda_via_cliente.html"
PAID = "Esta fatura já está paga. Não é preciso emitir 2ª via."
OTHER_VALUE = "O valor para este vencimento é {total}. Confira e gere de novo. Nada foi feito."


@dataclass(frozen=True)
class Shown:
    """A parcel on the page; `chosen` is the day of the form, None where there is no form."""

    parcel: Parcel
    chosen: Quote | None


@customer_page(Capability.SECOND_COPY)
@require_safe
def show(request: PortalRequest, number: str) -> HttpResponse:
    """What can be paid now, and the days of an updated boleto for what is late."""
    return _page(request, bill_of(request.portal, number), number, request.GET)


@customer_page(Capability.SECOND_COPY)
@require_http_methods(["GET", "HEAD", "POST"])
def reissue(request: PortalRequest, number: str) -> HttpResponse:
    """Make a boleto: the first one, or one of the updated value for the chosen day (SV-1)."""
    if request.method != "POST":
        return go("portal-2via", number)
    bill = bill_of(request.portal, number)
    parcel = parcel_of(bill, request.POST.get("parcela", ""))
    day = request.POST.get("vencimento", "")
    if "recalcular" in request.POST:
        return go("portal-2via", number, parcel=parcel, query={"vencimento": day})
    portal = request.portal
    try:
        check_fresh(bill, parcel)
        check_shown(parcel, day, request.POST.get("total", ""))
        charge = paying_acts.make_boleto(
            parcel.receivable, day, account=portal.account, actor=portal.actor
        )
    except DomainError as error:
        fresh = bill_of(portal, number)
        return _page(request, fresh, number, request.POST, error=error)
    text, kind = paying_acts.told_boleto(charge)
    messages.success(request, text, extra_tags=kind)
    return go("portal-2via", number)


@customer_page(Capability.SECOND_COPY)
@require_safe
def boleto(request: PortalRequest, number: str) -> HttpResponse:
    """The boleto as PDF; of every open parcel when none is named."""
    portal = request.portal
    bill = bill_of(portal, number)
    asked = request.GET.get("parcela", "")
    wanted = [parcel_of(bill, asked)] if asked else list(bill.open_parcels)
    try:
        made = invoice_boletos(
            bill.invoice.pk,
            account=portal.account,
            receivable_id=wanted[0].receivable.pk if asked else None,
        )
        for one in wanted:
            if one.boleto is not None:
                second_copy(one.receivable.pk, account=portal.account, actor=portal.actor)
    except DomainError as error:
        messages.error(request, error.mensagem, extra_tags="erro")
        return go("portal-2via", number)
    return _file(made)


def check_shown(parcel: Parcel, day: str, total: str) -> None:
    """Raises AmountChanged when the page told another value of that day than it has.

    Without scripts the button keeps the value of the day that was chosen before.
    """
    quote = quote_of(parcel, day)
    if quote is not None and total and total != str(quote.total):
        raise AmountChanged(OTHER_VALUE.format(total=brl(quote.total)))


def quote_of(parcel: Parcel, day: str) -> Quote | None:
    """The choice for that day, the first one for anything else; None without choices."""
    if not parcel.choices:
        return None
    wanted = _date(day)
    return next((one for one in parcel.choices if one.due == wanted), parcel.choices[0])


def _date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _page(
    request: PortalRequest,
    bill: ToPay,
    number: str,
    asked: dict[str, str],
    *,
    error: DomainError | None = None,
) -> HttpResponse:
    named, day = asked.get("parcela", ""), asked.get("vencimento", "")
    if named:
        parcel_of(bill, named)  # 404
    shown = []
    for parcel in bill.open_parcels if is_payable(bill) else ():
        is_named = not named or str(parcel.receivable.position) == named
        shown.append(Shown(parcel, _form(parcel, day if is_named else "")))
    more = {"aviso": PAID} if bill.estado == "paga" else {}
    return paying_pages.paying_page(
        request,
        TEMPLATE,
        bill,
        number,
        error=error,
        shown=shown,
        pode=request.portal.can(Capability.SECOND_COPY),
        **paying_pages.parties_of(bill.invoice),
        **more,
    )


def _form(parcel: Parcel, day: str) -> Quote | None:
    """Chosen day of the form for a late parcel; none while a reissued boleto is good or coming."""
    if parcel.is_current or parcel.boleto_in_registration or parcel.is_in_flight:
        return None
    return quote_of(parcel, day)


def _file(made: BoletoPdf) -> HttpResponse:
    answer = HttpResponse(made.data, content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="{made.filename}"'
    return answer
