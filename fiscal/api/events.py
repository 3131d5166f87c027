"""Events of NF-e and NFC-e (fiscal-api §2.6 to §2.9, §2.14, §2.15, §3.7, §3.8): all synchronous.

A refusal of the authority is 200 with an `erro_…` status (§22). Without any answer of the
authority it is 202: the event goes on by itself, and the query of the document tells how it ended.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import re_path
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.api.shown import correction_path, event_path
from fiscal.documents.nfe import events as kinds
from fiscal.errors import EventNotFound
from fiscal.models import PUBLISHED, EventState, FiscalDocument, FiscalEvent, State
from fiscal.selectors.documents import get_document
from fiscal.selectors.events import event_of_protocol
from fiscal.services import event_orders
from fiscal.services.event_adoption import LIVE, published_name

MODELS = {"nfe": kinds.NFE_MODEL, "nfce": kinds.NFCE_MODEL}
PROCESSING = PUBLISHED[State.RECEBIDO]
NO_ANSWER = "A SEFAZ ainda não respondeu: o evento está em processamento."


class EventView(FiscalView):
    """Base: the document of the address, and the answer to an event."""

    def document(self, ref: str, *, kind: str = "nfe") -> FiscalDocument:
        return get_document(self.company, ambiente=self.ambiente, modelo=MODELS[kind], ref=ref)


class CancellingView(EventView):
    """DELETE on a document (§2.6, §3.7), for the views of the documents themselves."""

    kind: ClassVar[str]

    def delete(self, request: Any, ref: str) -> Response:
        event = event_orders.cancel(self.document(ref, kind=self.kind), self.body())
        return _answered(event, _cancellation(self.document(ref, kind=self.kind), event))


class CorrectionView(EventView):
    """POST: a carta de correção (§2.7)."""

    def post(self, request: Any, ref: str) -> Response:
        return _told(event_orders.carta_correcao(self.document(ref), self.body()))


class ActorView(EventView):
    """POST: who else may fetch the XML (§2.8)."""

    def post(self, request: Any, ref: str) -> Response:
        return _told(event_orders.ator_interessado(self.document(ref), self.body()))


class FailedDeliveryView(EventView):
    """POST tells of a failed delivery, DELETE cancels the last one told (§2.9)."""

    def post(self, request: Any, ref: str) -> Response:
        return _told(event_orders.insucesso_entrega(self.document(ref), self.body()))

    def delete(self, request: Any, ref: str) -> Response:
        return _told(event_orders.cancel_insucesso(self.document(ref)))


class GenericView(EventView):
    """`tipo_evento` says which (§2.15); a refusal tells it back as `evento`."""

    def post(self, request: Any, ref: str) -> Response:
        return self._told(event_orders.generic(self.document(ref), self.body()))

    def delete(self, request: Any, ref: str) -> Response:
        return self._told(event_orders.cancel_generic(self.document(ref), self.body()))

    def _told(self, event: FiscalEvent) -> Response:
        is_refused = event.state == EventState.REJEITADO
        return _told(event, **{"evento": str(self.body()["tipo_evento"])} if is_refused else {})


class ConciliationsView(EventView):
    """POST: ECONF (§2.14)."""

    def post(self, request: Any, kind: str, ref: str) -> Response:
        return _told(event_orders.econf(self.document(ref, kind=kind), self.body()))


class ConciliationView(EventView):
    """One conciliation, by its protocol: GET shows it, DELETE cancels it."""

    def get(self, request: Any, kind: str, ref: str, protocolo: str) -> Response:
        found = event_of_protocol(self.document(ref, kind=kind), kinds.ECONF, protocolo)
        if found is None:
            raise EventNotFound()
        return _told(found)

    def delete(self, request: Any, kind: str, ref: str, protocolo: str) -> Response:
        return _told(event_orders.cancel_econf(self.document(ref, kind=kind), protocolo))


# --- answers -----------------------------------------------------------------------------------


def _told(event: FiscalEvent, **more: str) -> Response:
    return _answered(event, shown(event) | more)


def _answered(event: FiscalEvent, told: dict[str, Any]) -> Response:
    body = {name: value for name, value in told.items() if value not in ("", None)}
    return Response(body, status=202 if event.state in LIVE else 200)


def shown(event: FiscalEvent) -> dict[str, Any]:
    """The answer of every event; files and numbers once it is registered."""
    told: dict[str, Any] = _said(event)
    if event.state != EventState.REGISTRADO:
        return told | {"status": PROCESSING if event.state in LIVE else "erro_autorizacao"}
    document = event.document
    target = event.target.tp_evento if event.target else ""
    name = kinds.answer_name(event.tp_evento, target=target)
    told |= {
        "status": "autorizado",
        f"caminho_xml_{name}": event_path(document, published_name(document, event)),
        f"numero_{name}": event.n_seq,
    }
    if event.tp_evento == kinds.CARTA_CORRECAO:
        told[f"caminho_pdf_{name}"] = correction_path(document, event.n_seq)
    if event.tp_evento == kinds.ECONF:
        told["numero_protocolo"] = event.protocolo
    return told


def _cancellation(document: FiscalDocument, event: FiscalEvent) -> dict[str, Any]:
    """By the document: what was found cancelled by somebody else is cancelled as well."""
    if document.state == State.CANCELADO:
        name = f"{document.chave}-can.xml"
        told = {"status": "cancelado", "caminho_xml_cancelamento": event_path(document, name)}
        if document.modelo == kinds.NFCE_MODEL:
            told["numero_protocolo"] = event.protocolo
        return told | _said(event if event.state == EventState.REGISTRADO else document)
    return {"status": PROCESSING if event.state in LIVE else "erro_cancelamento"} | _said(event)


def _said(row: FiscalEvent | FiscalDocument) -> dict[str, Any]:
    return {"status_sefaz": row.c_stat, "mensagem_sefaz": row.x_motivo or NO_ANSWER}


routes = [
    re_path(r"^nfe/(?P<ref>[^/]+)/carta_correcao$", CorrectionView.as_view()),
    re_path(r"^nfe/(?P<ref>[^/]+)/ator_interessado$", ActorView.as_view()),
    re_path(r"^nfe/(?P<ref>[^/]+)/insucesso_entrega$", FailedDeliveryView.as_view()),
    re_path(r"^nfe/(?P<ref>[^/]+)/evento$", GenericView.as_view()),
    re_path(r"^(?P<kind>nfe|nfce)/(?P<ref>[^/]+)/econf$", ConciliationsView.as_view()),
    re_path(
        r"^(?P<kind>nfe|nfce)/(?P<ref>[^/]+)/econf/(?P<protocolo>[^/]+)$",
        ConciliationView.as_view(),
    ),
]
