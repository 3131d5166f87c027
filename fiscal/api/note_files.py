"""Prints of service notes: by token at their published path, by a signed link for all (§4.4)."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.http import require_safe

from fiscal.api.base import FiscalView
from fiscal.api.danfe import ROOTS, pdf_response
from fiscal.errors import PrintFailed
from fiscal.models import ServiceNote
from fiscal.services import nfse_printing
from fiscal.services.nfse import files
from fiscal.services.nfse_links import note_of_link, note_of_stem
from lib.errors import NotFound


class NotePdfView(FiscalView):
    """GET: the DANFSe of a national note, or our print of a municipal one, as PDF."""

    def get(self, request: Any, root: str, owner: str, month: str, stem: str) -> HttpResponse:
        own = f"{self.company.document}_{self.company.pk}"
        if owner != own or ROOTS[root] != self.ambiente:
            raise Http404
        note = note_of_stem(self.company, ambiente=self.ambiente, stem=stem)
        if note is None or files.month_of(note, at=note.created_at) != month:
            raise Http404
        return _printed(note)


@require_safe
def linked_pdf(request: HttpRequest, signed: str) -> HttpResponse:
    """The same for whoever holds the link; 503 when it cannot be made."""
    try:
        return _printed(note_of_link(signed))
    except NotFound as error:
        return _told(error.mensagem, status=404)
    except PrintFailed as error:
        return _told(error.mensagem, status=503)


def _printed(note: ServiceNote) -> HttpResponse:
    response = pdf_response(nfse_printing.note_pdf(note), nfse_printing.pdf_name(note))
    response["X-Robots-Tag"] = "noindex"
    return response


def _told(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


file_routes = [
    re_path(
        r"^(?P<root>arquivos|arquivos_development)/(?P<owner>[0-9A-Z]+_[0-9]+)"
        r"/(?P<month>[0-9]{6})/DANFSEs/(?P<stem>[0-9A-Za-z-]{1,120})\.pdf$",
        NotePdfView.as_view(),
    ),
    re_path(r"^notas_servico/(?P<signed>[0-9A-Za-z_:-]{1,200})\.pdf$", linked_pdf),
]
