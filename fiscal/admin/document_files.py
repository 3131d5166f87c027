"""The prints and the XML of a document, to be downloaded by staff."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse

from accounts.admin_base import TenantAdmin
from fiscal.api.danfe import pdf_response
from fiscal.api.files import xml_response
from fiscal.models import FiscalDocument
from fiscal.selectors.documents import shown_xml
from fiscal.services import printing
from lib.errors import DomainError


class FilesPage(TenantAdmin):
    """Part of the screen of documents."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/danfe.pdf", view(self.print_view),
                 name="fiscal_fiscaldocument_print"),
            path("<path:object_id>/nota.xml", view(self.xml_view),
                 name="fiscal_fiscaldocument_xml"),
            path("<path:object_id>/cce-<int:n_seq>.pdf", view(self.correction_view),
                 name="fiscal_fiscaldocument_correction"),
            *super().get_urls(),
        ]  # fmt: skip

    def _readable(self, request: HttpRequest, object_id: str) -> FiscalDocument:
        document: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, document):
            raise PermissionDenied
        return document  # type: ignore[no-any-return]

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The DANFE as its buyer gets it; a failure is told on the document's page."""
        document = self._readable(request, object_id)
        try:
            return pdf_response(printing.danfe(document), f"{document.chave}.pdf")
        except DomainError as error:
            messages.error(request, error.mensagem)
            return redirect(_page(document))

    def correction_view(self, request: HttpRequest, object_id: str, n_seq: int) -> HttpResponseBase:
        document = self._readable(request, object_id)
        try:
            content = printing.carta_correcao(document, n_seq)
        except DomainError as error:
            messages.error(request, error.mensagem)
            return redirect(_page(document))
        return pdf_response(content, f"{document.chave}-cce-{n_seq}.pdf")

    def xml_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        found = shown_xml(self._readable(request, object_id))
        if found is None:
            raise Http404
        return xml_response(found)


def _page(document: FiscalDocument) -> str:
    return reverse("admin:fiscal_fiscaldocument_change", args=(document.pk,))
