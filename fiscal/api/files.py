"""Published files outside of /v2, by token (fiscal-api §1.10). Other tenants find nothing."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import re_path

from fiscal.api import backups, danfe, nfes_recebidas, note_files
from fiscal.api.base import FiscalView, UnknownView
from fiscal.models import Archive
from fiscal.selectors.documents import file_of
from fiscal.services import archive

_ROOTS = {"arquivos": "producao", "arquivos_development": "homologacao"}


class XmlFileView(FiscalView):
    """GET: an XML as it was kept, byte for byte."""

    def get(self, request: Any, root: str, owner: str, month: str, name: str) -> HttpResponse:
        own = f"{self.company.document}_{self.company.pk}"
        if owner != own or _ROOTS[root] != self.ambiente:
            raise Http404
        found = file_of(self.company, ambiente=self.ambiente, month=month, name=name)
        if found is None:
            raise Http404
        return xml_response(found)


def xml_response(found: Archive) -> HttpResponse:
    """A kept file as an attachment, with the XML declaration that files have (XML-1)."""
    response = HttpResponse(archive.read_file(found), content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.name}"'
    response["Cache-Control"] = "private, no-store"
    return response


routes = [
    re_path(
        r"^(?P<root>arquivos|arquivos_development)/(?P<owner>[0-9A-Z]+_[0-9]+)"
        r"/(?P<month>[0-9]{6})/XMLs/(?P<name>[0-9A-Za-z-]+\.xml)$",
        XmlFileView.as_view(),
    ),
    *danfe.file_routes,
    *note_files.file_routes,
    *backups.file_routes,
    *nfes_recebidas.file_routes,
    # Last: whatever else is asked for there is told in the published form, not as a page.
    re_path(
        r"^(arquivos|arquivos_development|notas_fiscais|notas_fiscais_consumidor)(/|$)",
        UnknownView.as_view(),
    ),
    re_path(r"^v2$", UnknownView.as_view()),
]
