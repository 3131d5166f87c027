"""/documents: the PDF of an invoice, for whoever holds a signed link that has not expired."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from billing.api.crm import pdf_response
from billing.documents.cache import PdfFailed, invoice_pdf
from billing.selectors.invoice_links import invoice_of_link
from lib.errors import NotFound


@require_safe
def linked_invoice(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The PDF, to be shown; 404 for a link that leads nowhere, 503 when it cannot be made."""
    try:
        invoice = invoice_of_link(signed)
        return pdf_response(request, invoice_pdf(invoice.pk, account=invoice.account))
    except NotFound:
        text = "Fatura não encontrada, ou o link expirou. Peça um novo link."
        return _told(text, status=404)
    except PdfFailed as failure:
        return _told(failure.mensagem, status=503)


def _told(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
