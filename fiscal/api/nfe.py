"""/v2/nfe: issue, query and cancel (fiscal-api §2.3, §2.4, §2.6)."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.api.events import CancellingView
from fiscal.api.shown import shown
from fiscal.models import PUBLISHED, State
from fiscal.selectors.documents import get_document
from fiscal.services.issue import issue_document

MODELO = 55
PROCESSING = PUBLISHED[State.RECEBIDO]


class NfesView(FiscalView):
    """POST: 202 while it is queued, 201 when a synchronous company has its answer."""

    def post(self, request: Any) -> Response:
        document = issue_document(
            self.company,
            ambiente=self.ambiente,
            modelo=MODELO,
            ref=self.parameter("ref"),
            body=self.body(),
        )
        body = shown(document, completa=self.is_on("completa"))
        return Response(body, status=202 if body["status"] == PROCESSING else 201)


class NfeView(CancellingView):
    """GET: where the document stands. DELETE cancels it."""

    kind = "nfe"

    def get(self, request: Any, ref: str) -> Response:
        document = get_document(self.company, ambiente=self.ambiente, modelo=MODELO, ref=ref)
        return Response(shown(document, completa=self.is_on("completa")))


routes = [
    path("nfe", NfesView.as_view()),
    re_path(r"^nfe/(?P<ref>[^/]+)$", NfeView.as_view()),
]
