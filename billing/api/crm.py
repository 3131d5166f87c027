"""/crm: documents of invoices for the CRM that shows them."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import ApiToken
from billing.documents.cache import CachedPdf, invoice_pdf
from lib.errors import NotFound

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


class InvoicePdfView(APIView):
    """GET or HEAD: the invoice's PDF. 404 without a body for what is not the account's (PDF-7)."""

    http_method_names = ("get", "head", "options")

    def get(self, request: Request, invoice_id: str) -> HttpResponseBase:
        token: ApiToken = request.auth  # type: ignore[assignment]
        if not _ID.fullmatch(invoice_id):
            raise NotFound()
        cached = invoice_pdf(int(invoice_id), account=token.account)
        return pdf_response(request._request, cached)

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        """Whatever the client accepts, it gets the PDF, or the error as JSON."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type


def pdf_response(request: HttpRequest, cached: CachedPdf) -> HttpResponseBase:
    """The PDF to show in the browser, or 304 when the client already has these very bytes.

    For any view that has checked who asks: the API, the back-office, the portal.
    """
    etag = f'"{cached.content_hash}"'
    response = HttpResponse(
        b"" if request.method == "HEAD" else cached.data,
        content_type="application/pdf",
        headers={
            "Content-Length": str(len(cached.data)),
            "Content-Disposition": f'inline; filename="{cached.filename}"',
            "ETag": etag,
            "Cache-Control": "private, max-age=0, must-revalidate",
        },
    )
    answer = get_conditional_response(request, etag=etag, response=response)
    return answer or response
