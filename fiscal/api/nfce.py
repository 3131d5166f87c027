"""/v2/nfce: issue, query and cancel (fiscal-api §3.3 to §3.7)."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.api.events import CancellingView
from fiscal.api.shown import shown
from fiscal.errors import BadFormaEmissao
from fiscal.models import PUBLISHED, State
from fiscal.selectors.documents import get_document
from fiscal.services.issue import issue_document

MODELO = 65
PROCESSING = PUBLISHED[State.RECEBIDO]


class NfcesView(FiscalView):
    """POST: 201 with the final answer; 202 in the rare case that there is none yet."""

    def post(self, request: Any) -> Response:
        document = issue_document(
            self.company,
            ambiente=self.ambiente,
            modelo=MODELO,
            ref=self.parameter("ref"),
            body=self.body(),
            offline=self._is_offline(),
        )
        body = shown(document, completa=self.is_on("completa"))
        return Response(body, status=202 if body["status"] == PROCESSING else 201)

    def _is_offline(self) -> bool:
        """`forma_emissao=offline` is the only form that there is to ask for (§3.5)."""
        if "forma_emissao" not in self.request.query_params:
            return False
        if self.parameter("forma_emissao") != "offline":
            raise BadFormaEmissao()
        return True


class NfceView(CancellingView):
    """GET: where the document stands. DELETE cancels it."""

    kind = "nfce"

    def get(self, request: Any, ref: str) -> Response:
        document = get_document(self.company, ambiente=self.ambiente, modelo=MODELO, ref=ref)
        return Response(shown(document, completa=self.is_on("completa")))


routes = [
    path("nfce", NfcesView.as_view()),
    re_path(r"^nfce/(?P<ref>[^/]+)$", NfceView.as_view()),
]
