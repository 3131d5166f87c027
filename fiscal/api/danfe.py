"""Prints: the preview of a DANFE, and the published paths outside of /v2 (§1.10, §2.13)."""

from __future__ import annotations

import io
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import path, re_path

from accounts.api import JsonParser
from fiscal.api.base import FiscalView
from fiscal.errors import DocumentNotFound, InvalidRequest
from fiscal.models import FiscalDocument
from fiscal.selectors.documents import published_document
from fiscal.services import printing
from fiscal.services.preview import preview_of_body, preview_of_xml
from lib.api_errors import PayloadTooLarge

ROOTS = {"arquivos": "producao", "arquivos_development": "homologacao"}
# The page is data of the buyer: it runs nothing and asks for nothing.
_PAGE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_BLANK = b" \t\r\n\xef\xbb\xbf"


class JsonOrXmlParser(JsonParser):
    """XML as bytes when it begins with `<`, a JSON object otherwise; the type is not looked at."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = parser_context["view"].max_body
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge()
        if raw.lstrip(_BLANK).startswith(b"<"):
            return raw
        return super().parse(io.BytesIO(raw), media_type, parser_context)


class PreviewView(FiscalView):
    """POST: the PDF of what was sent, without fiscal value; nothing is kept."""

    parser_classes = (JsonOrXmlParser,)

    def post(self, request: Any) -> HttpResponse:
        sent = request.data
        if isinstance(sent, bytes):
            content = preview_of_xml(self.company, sent)
        else:
            content = preview_of_body(self.company, sent, ambiente=self.ambiente)
        return pdf_response(content, "danfe.pdf")


class DanfeView(FiscalView):
    """GET: the DANFE of an NF-e as PDF; with `?formato=etiqueta` its label (NT 2020.004)."""

    def get(self, request: Any, root: str, owner: str, month: str, chave: str) -> HttpResponse:
        own = f"{self.company.document}_{self.company.pk}"
        if owner != own or ROOTS[root] != self.ambiente or month != f"20{chave[2:6]}":
            raise Http404
        draw = {"": printing.danfe, "etiqueta": printing.etiqueta}.get(self.parameter("formato"))
        if draw is None:
            raise InvalidRequest('Parâmetro "formato" inválido: use etiqueta.')
        return pdf_response(draw(_document(self, 55, chave)), f"{chave}.pdf")


class CorrectionView(FiscalView):
    """GET: a carta de correção as PDF."""

    def get(self, request: Any, chave: str, n_seq: str) -> HttpResponse:
        document = _document(self, 55, chave)
        content = printing.carta_correcao(document, int(n_seq))
        return pdf_response(content, f"{chave}-cce-{int(n_seq)}.pdf")


class ConsumerView(FiscalView):
    """GET: the DANFE of an NFC-e as a page."""

    def get(self, request: Any, chave: str) -> HttpResponse:
        response = HttpResponse(printing.consumer_page(_document(self, 65, chave)))
        response["Content-Security-Policy"] = _PAGE_POLICY
        response["Cache-Control"] = "private, no-store"
        return response


def _document(view: FiscalView, modelo: int, chave: str) -> FiscalDocument:
    found = published_document(view.company, ambiente=view.ambiente, modelo=modelo, chave=chave)
    if found is None:
        raise DocumentNotFound()
    return found


def pdf_response(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


routes = [path("nfe/danfe", PreviewView.as_view())]
_KEY = r"(?P<chave>[0-9A-Z]{44})"
file_routes = [
    re_path(
        r"^(?P<root>arquivos|arquivos_development)/(?P<owner>[0-9A-Z]+_[0-9]+)"
        rf"/(?P<month>[0-9]{{6}})/DANFEs/{_KEY}\.pdf$",
        DanfeView.as_view(),
    ),
    re_path(
        rf"^notas_fiscais/NFe{_KEY}/cartas_correcao/(?P<n_seq>[0-9]{{1,2}})\.pdf$",
        CorrectionView.as_view(),
    ),
    re_path(rf"^notas_fiscais_consumidor/NFe{_KEY}\.html$", ConsumerView.as_view()),
]
