"""Files of an invoice for its customer: PDF, receipts, fiscal documents (P06, P07)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import Capability
from accounts.services.audit import record
from billing.api.crm import pdf_response
from billing.documents.cache import PdfFailed, ready_pdf
from billing.documents.waiting import pdf_within
from billing.errors import NoReceipt
from billing.models import Invoice, Payment
from billing.selectors.customer_invoices import get_invoice
from billing.selectors.customer_notes import NOT_NOW, PDF, XML, note_file
from billing.selectors.invoice_story import receipts_of
from billing.services.payments.receipts import receipt_pdf
from lib.errors import DomainError, NotFound
from lib.pdf import RenderFailed
from portal.access import PortalRequest, customer_page

WAITS = 2.0  # seconds (P07)
PDF_FAILED = "Não foi possível gerar o PDF agora. Tente de novo em alguns minutos."
RECEIPT_FAILED = "Não foi possível gerar o comprovante agora. Tente de novo em alguns minutos."


def _invoice(request: PortalRequest, number: str) -> Invoice:
    return get_invoice(request.portal.account, request.portal.customer, number)


@require_safe
@customer_page(Capability.INVOICES)
def pdf(request: PortalRequest, number: str) -> HttpResponseBase:
    """The invoice's PDF, or a page that waits for it."""
    portal, invoice = request.portal, _invoice(request, number)
    try:
        made = pdf_within(WAITS, invoice_id=invoice.pk, account=portal.account)
    except PdfFailed:
        return _told(request, number, PDF_FAILED)
    if made is None:
        return render(request, "portal/fatura_pdf.html", {"invoice": invoice, "number": number})
    record(portal.account, actor=portal.actor, action="fatura.pdf_baixado", target=invoice)
    return pdf_response(request, made)


@require_safe
@customer_page(Capability.INVOICES)
def pdf_state(request: PortalRequest, number: str) -> HttpResponse:
    """For the script of the page that waits: is the PDF ready?"""
    invoice = _invoice(request, number)
    is_ready = ready_pdf(invoice.pk, account=request.portal.account) is not None
    return JsonResponse({"pronto": is_ready})


@require_safe
@customer_page(Capability.INVOICES)
def last_receipt(request: PortalRequest, number: str) -> HttpResponse:
    """The receipt of the last payment; the page of the invoice where there are several."""
    found = [one for one in receipts_of(_invoice(request, number)) if one.has_receipt]
    if not found:
        return _told(request, number, NoReceipt.mensagem)
    if len(found) > 1:
        return HttpResponseRedirect(f"{reverse('portal-fatura', args=[number])}#pagamentos")
    return _receipt(request, number, found[0].payment)


@require_safe
@customer_page(Capability.INVOICES)
def receipt(request: PortalRequest, number: str, payment_id: int) -> HttpResponse:
    """The receipt of one payment of this invoice."""
    for one in receipts_of(_invoice(request, number)):
        if one.payment.pk == payment_id and one.has_receipt:
            return _receipt(request, number, one.payment)
    raise Http404


def _receipt(request: PortalRequest, number: str, payment: Payment) -> HttpResponse:
    try:
        content = receipt_pdf(payment)
    except NoReceipt as refusal:
        return _told(request, number, refusal.mensagem)
    except (RenderFailed, OSError):
        return _told(request, number, RECEIPT_FAILED)
    return _file(content, f"comprovante-{payment.pk:06d}.pdf", "application/pdf")


@require_safe
@customer_page(Capability.FISCAL_FILES)
def note(request: PortalRequest, number: str, note_id: int, kind: str) -> HttpResponse:
    """PDF or XML of a fiscal document of the invoice."""
    if kind not in (PDF, XML):
        raise Http404
    portal, invoice = request.portal, _invoice(request, number)
    try:
        found = note_file(portal.account, invoice, note_id, kind)
    except NotFound:
        raise
    except DomainError:
        return _told(request, number, NOT_NOW)
    told = {"note": note_id, "file": kind}
    record(portal.account, actor=portal.actor, action="nf.baixada", target=invoice, after=told)
    if found.url:
        return HttpResponseRedirect(found.url)
    return _file(found.content, found.name, found.content_type)


def _file(content: bytes, name: str, content_type: str) -> HttpResponse:
    shown = "inline" if content_type == "application/pdf" else "attachment"
    headers = {"Content-Disposition": f'{shown}; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


def _told(request: PortalRequest, number: str, text: str) -> HttpResponse:
    """Back to the invoice, with what went wrong in words."""
    messages.error(request, text, extra_tags="erro")
    return HttpResponseRedirect(reverse("portal-fatura", args=[number]))
