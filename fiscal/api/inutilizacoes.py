"""Voided ranges of NF-e and NFC-e (fiscal-api §2.11, §3.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import re_path
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.api.events import MODELS, NO_ANSWER, PROCESSING
from fiscal.api.shown import void_path
from fiscal.documents.nfe.void_requests import document_asked, filters, void_request
from fiscal.errors import InvalidRequest, IssuerForbidden
from fiscal.models import Inutilizacao, VoidState
from fiscal.selectors import voids as selectors
from fiscal.services.inutilizacao import request_void
from fiscal.services.signing_step import local_time
from fiscal.services.void_sending import file_name
from lib import clock

_STATUS = {VoidState.HOMOLOGADA: "autorizado", VoidState.REJEITADA: "erro_autorizacao"}


class VoidView(FiscalView):
    """POST: void a range, synchronously; a refusal of the authority is 200 as well."""

    def post(self, request: Any, kind: str) -> Response:
        asked = void_request(self.body(), modelo=MODELS[kind])
        if asked.cnpj != self.company.cnpj:
            raise IssuerForbidden()
        modelo, serie = MODELS[kind], asked.serie
        series = selectors.series_of(self.company, ambiente=self.ambiente, modelo=modelo)
        if serie not in series:
            raise InvalidRequest("Não existe série com os critérios informados.")
        row = request_void(
            self.company,
            ambiente=self.ambiente,
            modelo=modelo,
            serie=serie,
            first=asked.first,
            last=asked.last,
            justificativa=asked.justificativa,
        )
        told = shown(row, selectors.months_of(self.company, [file_name(row)]))
        return Response(told, status=200 if told["status"] != PROCESSING else 202)


class VoidsView(FiscalView):
    """GET: the voided ranges of the company, oldest first."""

    def get(self, request: Any, kind: str) -> Response:
        query = {name: self.parameter(name) for name in request.query_params}
        if document_asked(query) != self.company.document:
            raise IssuerForbidden()
        wanted = filters(query, now=local_time(self.company, clock.now()))
        rows = selectors.voided(
            self.company, ambiente=self.ambiente, modelo=MODELS[kind], wanted=wanted
        )
        months = selectors.months_of(self.company, [file_name(row) for row in rows])
        return Response([shown(row, months) for row in rows])


def shown(row: Inutilizacao, months: Mapping[str, str]) -> dict[str, str]:
    """A range as the API tells it; `months` says in which month's folder a file lies."""
    name = file_name(row)
    told = {
        "status": _STATUS.get(VoidState(row.state), PROCESSING),
        "status_sefaz": row.c_stat,
        "mensagem_sefaz": row.x_motivo or NO_ANSWER,
        "serie": str(row.serie),
        "numero_inicial": str(row.first),
        "numero_final": str(row.last),
        "modelo": str(row.modelo),
        "cnpj": row.company.cnpj,
        "caminho_xml": void_path(row, name, months[name]) if name in months else "",
        "protocolo_sefaz": row.protocolo,
    }
    return {name: value for name, value in told.items() if value}


routes = [
    re_path(r"^(?P<kind>nfe|nfce)/inutilizacao$", VoidView.as_view()),
    re_path(r"^(?P<kind>nfe|nfce)/inutilizacoes$", VoidsView.as_view()),
]
