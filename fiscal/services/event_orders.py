"""What the API may order of a document, one function per address (fiscal-api §2.6 to §2.15).

Each reads the request first, so that its faults are told before anything is locked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fiscal import access_key
from fiscal.documents.nfe import event_fields as fields
from fiscal.documents.nfe import event_requests as requests
from fiscal.documents.nfe import events as kinds
from fiscal.documents.nfe.events import KINDS
from fiscal.errors import (
    AlreadyProcessed,
    EventNotFound,
    GenericNotAuthorized,
    InvalidRequest,
    NothingToCancel,
)
from fiscal.models import FiscalDocument, FiscalEvent, State
from fiscal.selectors import events as selectors
from fiscal.services.events import Order, register, register_cancellation
from fiscal.services.signing_step import local_time
from lib import clock

Body = Mapping[str, Any]
Builder = Callable[[FiscalDocument, Body, datetime], Order]

_NO_FAILURE = "Nota não possui evento de insucesso de entrega."


def cancel(document: FiscalDocument, body: Body) -> FiscalEvent:
    """110111, by the issuer."""
    text = requests.justificativa(body, modelo=document.modelo)
    return register_cancellation(document.pk, text)


def carta_correcao(document: FiscalDocument, body: Body) -> FiscalEvent:
    text = requests.correction(body)
    alone = requests.stands_alone(body)
    at = requests.event_moment(body, now=_now(document))

    def plan(locked: FiscalDocument) -> Order:
        before = selectors.corrected_text(locked)
        values = requests.carta_correcao(text, before=before, alone=alone)
        return Order(kinds.CARTA_CORRECAO, values, at=at)

    return register(document.pk, plan)


def ator_interessado(document: FiscalDocument, body: Body) -> FiscalEvent:
    values = requests.ator_interessado(body, now=_now(document))
    return register(document.pk, lambda locked: Order(kinds.ATOR_INTERESSADO, values))


def insucesso_entrega(document: FiscalDocument, body: Body) -> FiscalEvent:
    values = requests.insucesso_entrega(body, now=_now(document))
    return register(document.pk, lambda locked: Order(kinds.INSUCESSO_ENTREGA, values))


def cancel_insucesso(document: FiscalDocument) -> FiscalEvent:
    """The last one that was not cancelled. Raises NothingToCancel."""
    return _cancel_last(document, (kinds.INSUCESSO_ENTREGA,), _NO_FAILURE)


def econf(document: FiscalDocument, body: Body) -> FiscalEvent:
    values = requests.econf(body, now=_now(document))
    return register(document.pk, lambda locked: Order(kinds.ECONF, values))


def cancel_econf(document: FiscalDocument, protocolo: str) -> FiscalEvent:
    """Raises EventNotFound for a protocol that is none of the document's, AlreadyProcessed."""

    def plan(locked: FiscalDocument) -> Order:
        found = selectors.event_of_protocol(locked, kinds.ECONF, protocolo)
        if found is None:
            raise EventNotFound()
        if selectors.is_cancelled(found):
            raise AlreadyProcessed("Conciliação financeira já cancelada.")
        return _cancelling(locked, found)

    return register(document.pk, plan)


# --- generic events ----------------------------------------------------------------------------


def _prorrogacao(document: FiscalDocument, body: Body, now: datetime) -> Order:
    """The second term for items that all had their first one asked for, else the first."""
    items = requests.prorrogacao_items(body, items=selectors.item_quantities(document), now=now)
    asked = {item["@numItem"] for item in items}
    is_second = asked <= selectors.items_asked(document, kinds.PRORROGACAO_1)
    tp_evento = kinds.PRORROGACAO_2 if is_second else kinds.PRORROGACAO_1
    return Order(tp_evento, {"nProt": document.protocolo, "itemPedido": items})


def _previsao_entrega(document: FiscalDocument, body: Body, now: datetime) -> Order:
    return Order(kinds.PREVISAO_ENTREGA, requests.previsao_entrega(body, now=now))


_GENERIC: Mapping[str, tuple[tuple[str, ...], Builder]] = {
    "prorrogacao_suspensao_icms": (
        (kinds.PRORROGACAO_1, kinds.PRORROGACAO_2), _prorrogacao,
    ),
    "atualizacao_previsao_entrega": ((kinds.PREVISAO_ENTREGA,), _previsao_entrega),
}  # fmt: skip


def generic(document: FiscalDocument, body: Body) -> FiscalEvent:
    """The event that `tipo_evento` names."""
    _, build = _GENERIC[_tipo(body)]
    now = _now(document)

    _refuse_unauthorized(document)
    return register(document.pk, lambda locked: build(locked, body, now))


def cancel_generic(document: FiscalDocument, body: Body) -> FiscalEvent:
    """The last event of `tipo_evento` that was not cancelled. Raises NothingToCancel."""
    tipo = _tipo(body)
    _refuse_unauthorized(document)
    return _cancel_last(document, _GENERIC[tipo][0], f"Nota não possui evento {tipo}.")


def _tipo(body: Body) -> str:
    """Raises InvalidRequest."""
    tipo = body.get("tipo_evento")
    if fields.is_absent(tipo):
        raise InvalidRequest(fields.missing("tipo_evento"))
    if not isinstance(tipo, str) or tipo.strip() not in _GENERIC:
        raise InvalidRequest(f'Parâmetro "tipo_evento" inválido: use {" ou ".join(_GENERIC)}.')
    return tipo.strip()


def _refuse_unauthorized(document: FiscalDocument) -> None:
    if document.state not in (State.AUTORIZADO, State.CANCELADO):
        raise GenericNotAuthorized()


# --- cancelling an event -----------------------------------------------------------------------


def _cancel_last(document: FiscalDocument, tp_eventos: tuple[str, ...], absent: str) -> FiscalEvent:
    def plan(locked: FiscalDocument) -> Order:
        found = selectors.last_standing(locked, tp_eventos)
        if found is None:
            raise NothingToCancel(absent)
        return _cancelling(locked, found)

    return register(document.pk, plan)


def _cancelling(document: FiscalDocument, found: FiscalEvent) -> Order:
    """Tags that the kind has no use for are left out where it is written."""
    values = {
        "tpEventoAut": found.tp_evento,
        "nProtEvento": found.protocolo,
        "idPedidoCancelado": access_key.event_id(
            found.tp_evento, document.chave or "", found.n_seq
        ),
        "nProt": found.protocolo,
    }
    return Order(KINDS[found.tp_evento].cancelled_by, values, target=found)


def _now(document: FiscalDocument) -> datetime:
    return local_time(document.company, clock.now())
