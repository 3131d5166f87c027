"""/documents: an invoice or its note, for whoever holds a signed link that has not expired."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from billing.api.crm import pdf_response
from billing.documents.cache import PdfFailed, invoice_pdf
from billing.selectors.boleto_links import receivable_of_link
from billing.selectors.invoice_links import invoice_of_link
from billing.selectors.note_links import note_of_link
from billing.services.boletos.printing import invoice_boletos
from fiscal.errors import PrintFailed
from fiscal.services.nfse.files import note_xml
from fiscal.services.nfse_printing import note_pdf
from lib.errors import DomainError, NotFound

NO_NOTE = "Nota não encontrada, ou o link expirou. Peça um novo link."
# ux: what a customer is told of a file that cannot be fetched.
NOT_NOW = (
    "A nota existe, mas o arquivo não está disponível agora. Tente mais tarde ou peça ao suporte."
)


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


@require_safe
def linked_boleto(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The boleto to be paid now; 404 for a link that leads nowhere, 409 where there is none."""
    try:
        receivable = receivable_of_link(signed)
        made = invoice_boletos(
            receivable.invoice_id, account=receivable.account, receivable_id=receivable.pk
        )
    except NotFound:
        return _told("Boleto não encontrado, ou o link expirou. Peça um novo link.", status=404)
    except PdfFailed as failure:
        return _told(failure.mensagem, status=503)
    except DomainError as error:
        return _told(error.mensagem, status=409)
    return _file(made.data, made.filename, "application/pdf")


@require_safe
def linked_note_pdf(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The print of the note, to be shown."""
    try:
        note = note_of_link(signed)
        return _file(note_pdf(note), f"nota-{note.number}.pdf", "application/pdf")
    except NotFound:
        return _told(NO_NOTE, status=404)
    except PrintFailed as failure:
        return _told(failure.mensagem, status=503)


@require_safe
def linked_note_xml(request: HttpRequest, signed: str) -> HttpResponseBase:
    """The note as the authority gave it, to be saved."""
    try:
        note = note_of_link(signed)
    except NotFound:
        return _told(NO_NOTE, status=404)
    content = note_xml(note)
    if content is None:
        return _told(NOT_NOW, status=404)
    return _file(content, f"nota-{note.number}.xml", "application/xml", is_saved=True)


def _file(content: bytes, name: str, kind: str, *, is_saved: bool = False) -> HttpResponse:
    disposition = "attachment" if is_saved else "inline"
    headers = {
        "Content-Disposition": f'{disposition}; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(content, content_type=kind, headers=headers)


def _told(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
