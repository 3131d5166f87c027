"""What the pages of paying have in common: the invoice, its parcel, and what there is to say."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from billing.models import Invoice
from billing.selectors.customer_invoices import get_invoice
from billing.selectors.payment_offers import offers_of
from billing.selectors.situations import PAYABLE, WORDS, Estado
from billing.services.boletos.banks import beneficiary_data, payer_data, person_of
from lib import clock
from lib.errors import DomainError
from portal.access import Portal, PortalRequest
from portal.paying import Parcel, ToPay, to_pay
from portal.submit import StalePage

SAID = {
    Estado.PAGA: "Esta fatura já está paga.",
    Estado.REEMBOLSADA: "Esta fatura foi reembolsada. Não há nada a pagar.",
    Estado.ANULADA: "Esta fatura foi anulada e não deve ser paga.",
    Estado.CANCELADA: "Esta fatura foi cancelada e não deve ser paga.",
}
BLOCKED = "Esta fatura está bloqueada para pagamento. Fale com o suporte."
IN_FLIGHT = "Pagamento em processamento. Não pague de novo."
STALE = "Esta fatura mudou enquanto você estava aqui (agora: {now}). Nada foi feito."


def bill_of(portal: Portal, number: str) -> ToPay:
    """The customer's invoice of that number and what is to pay of it. Raises NotFound."""
    invoice = get_invoice(portal.account, portal.customer, number)
    return to_pay(invoice, today=clock.today(portal.account.time_zone))


def parcel_of(bill: ToPay, text: str) -> Parcel:
    """The parcel of that position; without one the first that is open, else the first. Or 404."""
    if not text:
        return next(iter(bill.open_parcels or bill.parcels))
    for one in bill.parcels:
        if str(one.receivable.position) == text:
            return one
    raise Http404


def is_payable(bill: ToPay) -> bool:
    """Something of it may be paid now."""
    return bill.estado in PAYABLE and not _is_blocked(bill.invoice)


def notice_of(bill: ToPay) -> str:
    """Why nothing of it can be paid; "" when something can."""
    if bill.estado == Estado.PROCESSANDO:
        return IN_FLIGHT
    if bill.estado in PAYABLE:
        return BLOCKED if _is_blocked(bill.invoice) else ""
    return SAID[bill.estado]


def _is_blocked(invoice: Invoice) -> bool:
    return invoice.approval_status == Invoice.Approval.BLOCKED


def check_fresh(bill: ToPay, parcel: Parcel) -> None:
    """Raises StalePage when the parcel cannot be paid any more (§1.3)."""
    if is_payable(bill) and parcel.is_open and not parcel.is_in_flight:
        return
    word = WORDS[bill.estado]
    if parcel.is_in_flight:
        word = WORDS[Estado.PROCESSANDO]
    elif not parcel.is_open and bill.estado in PAYABLE:
        word = "parcela paga"
    elif _is_blocked(bill.invoice):
        word = "Bloqueada"
    raise StalePage(STALE.format(now=word))


def parties_of(invoice: Invoice) -> dict[str, Any]:
    """Context: who is paid and who pays, as the invoice has them frozen and its boletos say."""
    return {
        "beneficiario": person_of(beneficiary_data(invoice)),
        "pagador": person_of(payer_data(invoice)),
    }


def paying_page(
    request: PortalRequest,
    template: str,
    bill: ToPay,
    number: str,
    *,
    error: DomainError | None = None,
    **more: Any,
) -> HttpResponse:
    """A page about paying this invoice; with an `error`, what was refused and its status."""
    context = {
        "bill": bill,
        "fatura": bill.invoice,
        "number": number,
        "offers": offers_of(bill.invoice),
        "aviso": notice_of(bill),
        **refused(request, error),
        **more,
    }
    status = 200 if error is None else error.http_status
    return render(request, template, context, status=status)


def refused(request: PortalRequest, error: DomainError | None) -> dict[str, Any]:
    """Context of a page that is shown again; an outside failure is told with its code (§1.3)."""
    if error is None:
        return {}
    code = getattr(request, "request_id", "") if error.http_status >= 500 else ""
    return {"erro": error.mensagem, "erro_codigo": code}


def go(
    name: str, number: str, *, parcel: Parcel | None = None, query: dict[str, str] | None = None
) -> HttpResponse:
    """Redirect to a page of the invoice, at one of its parcels."""
    given = {"parcela": str(parcel.receivable.position)} if parcel is not None else {}
    asked = urlencode({**given, **(query or {})})
    return HttpResponseRedirect(reverse(name, args=[number]) + (f"?{asked}" if asked else ""))
