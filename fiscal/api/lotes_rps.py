"""/v2/lotes_rps: RPS as a file, for cities without web service (fiscal-api §6)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.documents.rps_file.records import ENCODING
from fiscal.documents.rps_file.sao_paulo import MAX_BYTES
from fiscal.models import RpsBatch, ServiceNote
from fiscal.services.rps_answers import answer_batch
from fiscal.services.rps_batches import batch_file, batch_of, create_batch, file_name
from fiscal.services.signing_step import local_time
from lib.api_errors import PayloadTooLarge


class FileParser(BaseParser):
    """The body as it came: the city's file, whatever type it is said to have."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise PayloadTooLarge()
        return raw


class BatchesView(FiscalView):
    """POST: the file of a batch, as the body; the same ref gives the same file.

    `Location` names the batch, which matters where the client did not.
    """

    def post(self, request: Any) -> HttpResponse:
        batch = create_batch(
            self.company, ambiente=self.ambiente, ref=self.parameter("ref"), body=self.body()
        )
        response = _file(batch, status=201)
        response["Location"] = f"/v2/lotes_rps/{batch.ref}"
        return response


class BatchView(FiscalView):
    """GET: the file once more."""

    def get(self, request: Any, ref: str) -> HttpResponse:
        return _file(batch_of(self.company, ambiente=self.ambiente, ref=ref), status=200)


class AnswerView(FiscalView):
    """POST: the city's answer file; the result of every note."""

    parser_classes: Any = (FileParser,)
    max_body = MAX_BYTES

    def post(self, request: Any, ref: str) -> Response:
        batch = batch_of(self.company, ambiente=self.ambiente, ref=ref)
        content = request.data if isinstance(request.data, bytes) else b""
        return Response([_shown(note) for note in answer_batch(batch, content)], status=201)


def _file(batch: RpsBatch, *, status: int) -> HttpResponse:
    kind = f"text/plain; charset={ENCODING}"
    response = HttpResponse(batch_file(batch), status=status, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{file_name(batch)}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _shown(note: ServiceNote) -> dict[str, Any]:
    issued_at = local_time(note.company, note.issued_at) if note.issued_at else None
    told = {
        "numero_rps": str(note.rps_number),
        "serie_rps": note.series,
        "tipo_rps": str(note.rps_kind),
        "status": note.status,
        "numero": note.number,
        "codigo_verificacao": note.verification_code,
        "data_emissao": issued_at.isoformat(timespec="seconds") if issued_at else "",
        "uri": note.url,
    }
    return {name: value for name, value in told.items() if value}


routes = [
    path("lotes_rps", BatchesView.as_view()),
    path("lotes_rps/<str:ref>", BatchView.as_view()),
    path("lotes_rps/<str:ref>/resposta", AnswerView.as_view()),
]
