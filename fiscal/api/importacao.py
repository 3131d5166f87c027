"""/v2/nfe/importacao: an NF-e that was authorized elsewhere (fiscal-api §2.12)."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.api.shown import shown
from fiscal.services.import_reading import LIMIT, XML
from fiscal.services.import_xml import import_nfe
from lib import clock
from lib.errors import FieldError, InvalidInput


class XmlTooLarge(InvalidInput):
    """413, naming the file as its field."""

    codigo = "requisicao_invalida"
    mensagem = "O corpo da requisição é grande demais."
    http_status = 413

    def __init__(self) -> None:
        super().__init__(erros=[FieldError(XML, f"O XML deve ter até {LIMIT // 1024} KB.")])


class XmlParser(BaseParser):
    """The body as bytes, whatever type it came with; at most the view's `max_body` of them."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit: int = parser_context["view"].max_body
        raw: bytes = stream.read(limit + 1)
        if len(raw) > limit:
            raise XmlTooLarge()
        return raw


class ImportView(FiscalView):
    """POST: 201 for a new document, 200 for one that is here already."""

    parser_classes: Any = (XmlParser,)
    max_body = LIMIT

    def post(self, request: Any) -> Response:
        raw = self.request.data  # {} without a body
        result = import_nfe(
            self.company,
            ambiente=self.ambiente,
            raw=raw if isinstance(raw, bytes) else b"",
            ref=self.parameter("ref"),
            actor=self.actor,
            now=clock.now(),
        )
        body = shown(result.document, completa=self.is_on("completa"))
        return Response(body, status=201 if result.is_new else 200)


routes = [path("nfe/importacao", ImportView.as_view())]
