"""Registering events of a document: cancellation, carta de correção and the others (§2.3, §10).

One path for all kinds: refuse, order under the document's lock, sign, commit, send. What a kind
has of its own is in `fiscal.documents.nfe.events`; what it asks of its request, in the orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from fiscal import xml
from fiscal.authorities import tables
from fiscal.authorities.base import TP_AMB
from fiscal.documents.nfe import events as kinds
from fiscal.documents.nfe.events import BY_SUBSTITUTION, CANCELLATION, CANCELLATIONS
from fiscal.errors import (
    AlreadyCancelled,
    AlreadyProcessed,
    InProcessing,
    InvalidRequest,
    NfceNotAuthorized,
    NotAuthorized,
    SchemaInvalid,
)
from fiscal.models import EventState, FiscalDocument, FiscalEvent, State
from fiscal.services import archive
from fiscal.services.certificates import signer_of
from fiscal.services.event_adoption import LIVE, adopt_cancellation, cancelled_by
from fiscal.services.event_sending import AGAIN, route_of, send
from fiscal.services.signing_step import local_time
from lib import clock
from lib.errors import DomainError

__all__ = [
    "CANCELLATIONS",
    "Order",
    "adopt_cancellation",
    "cancelled_by",
    "register",
    "register_cancellation",
    "send",
]

_UNDELIVERED = (State.CONTINGENCIA, State.EPEC, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO)


@dataclass(frozen=True)
class Order:
    """An event to be registered: its kind, the values of detEvento, and what it cancels."""

    tp_evento: str
    values: Mapping[str, Any] = field(default_factory=dict)
    target: FiscalEvent | None = None
    at: datetime | None = None  # dhEvento, when the client says it


# What is ordered depends on the document as it stands: made under its lock.
Plan = Callable[[FiscalDocument], Order]


def register(
    document_id: int, plan: Plan, *, when_cancelled: type[DomainError] = AlreadyProcessed
) -> FiscalEvent:
    """Register the planned event at its authority, now; the event's state tells how it went.

    A refusal of the authority is an event `rejeitado`, not an error. Raises what `plan` raises,
    `when_cancelled` for a cancelled document, NotAuthorized (NfceNotAuthorized for NFC-e),
    InProcessing while another event of the kind is on its way, SchemaInvalid, CertificateExpired,
    NoCertificate. The same event again, while it is on its way, goes on.
    """
    event = _ordered(document_id, plan, when_cancelled, now=clock.now())
    send(event.pk)
    return FiscalEvent.objects.select_related("target").get(pk=event.pk)


def register_cancellation(
    document_id: int, justificativa: str, *, substitute: FiscalDocument | None = None
) -> FiscalEvent:
    """Cancel the document; raises as `register` does.

    `justificativa` has 15 to 255 characters. With `substitute` the event is 110112, which names
    the document that took the place of this one (CON-3).
    """

    def plan(document: FiscalDocument) -> Order:
        values = {"nProt": document.protocolo, "xJust": xml.text(justificativa)}
        if substitute is None:
            return Order(CANCELLATION, values)
        return Order(BY_SUBSTITUTION, values | {"chNFeRef": substitute.chave or ""})

    return register(document_id, plan, when_cancelled=AlreadyCancelled)


# --- the signed event --------------------------------------------------------------------------


@transaction.atomic
def _ordered(
    document_id: int, plan: Plan, when_cancelled: type[DomainError], *, now: datetime
) -> FiscalEvent:
    document = (
        FiscalDocument.objects.select_for_update(of=("self",))
        .select_related("company")
        .get(pk=document_id)
    )
    if document.state == State.CANCELADO:
        raise when_cancelled()
    _refuse(document)
    order = plan(document)
    if document.modelo not in kinds.KINDS[order.tp_evento].models:
        raise InvalidRequest("Evento não disponível para este modelo de documento.")
    found = _under_way(document, order)
    return found or create(document, order, now=now)


def _refuse(document: FiscalDocument) -> None:
    is_out = document.is_offline or document.is_epec
    if is_out and document.state in _UNDELIVERED:
        raise InProcessing("Nota emitida em contingência: aguarde a transmissão à SEFAZ.")
    if document.state != State.AUTORIZADO:
        raise not_authorized(document)


def not_authorized(document: FiscalDocument) -> DomainError:
    """NFC-e words it in its own way (fiscal-api §1.8)."""
    return NfceNotAuthorized() if document.modelo == kinds.NFCE_MODEL else NotAuthorized()


def _under_way(document: FiscalDocument, order: Order) -> FiscalEvent | None:
    """The event of the kind that has no answer yet: the same one goes on, another one waits."""
    is_cancellation = order.tp_evento in CANCELLATIONS
    same_kind = CANCELLATIONS if is_cancellation else (order.tp_evento,)
    found: FiscalEvent | None = document.events.filter(
        tp_evento__in=same_kind, state__in=LIVE
    ).first()
    if found is None or is_cancellation:
        return found
    is_same = found.details == _json(order.values) and found.target == order.target
    if not is_same:
        raise InProcessing("Há um evento deste tipo em processamento para a nota.")
    return found


def _json(values: Mapping[str, Any]) -> Any:
    """As the column gives it back."""
    return {
        name: value if isinstance(value, str | list) else dict(value)
        for name, value in values.items()
    }


def create(document: FiscalDocument, order: Order, *, now: datetime) -> FiscalEvent:
    """The signed event of a locked document, to be sent; the sweep finds it if nobody does.

    Raises SchemaInvalid, CertificateExpired, NoCertificate, InvalidRequest when there are as many
    of the kind as there may be.
    """
    n_seq = _next_sequence(document, order.tp_evento)
    at = _happened_at(document, order, now)
    content = _signed(document, order, n_seq, at, now)
    return FiscalEvent.objects.create(
        account_id=document.account_id,
        document=document,
        tp_evento=order.tp_evento,
        n_seq=n_seq,
        target=order.target,
        details=_json(order.values),
        authority=route_of(document, order.tp_evento).authority,
        xml=archive.packed(content),
        dh_evento=at,
        next_attempt_at=now + AGAIN,
        created_at=now,
    )


def _next_sequence(document: FiscalDocument, tp_evento: str) -> int:
    """EVT-6: under the document's lock. A refused event leaves its number to the next one."""
    kind = kinds.KINDS[tp_evento]
    rows = document.events.filter(tp_evento=tp_evento).exclude(state=EventState.REJEITADO)
    last = rows.order_by("-n_seq").values_list("n_seq", flat=True).first() or 0
    if last >= kind.most:
        raise InvalidRequest(f"A nota já tem {kind.most} eventos deste tipo, o máximo permitido.")
    return last + 1


def _happened_at(document: FiscalDocument, order: Order, now: datetime) -> datetime:
    """579: not before the authorization, which the authority dates by its own clock."""
    if order.at is not None:
        return order.at
    at = document.authorized_at
    return max(now, at) if at is not None else now


def _signed(
    document: FiscalDocument, order: Order, n_seq: int, at: datetime, now: datetime
) -> bytes:
    """`<evento>` of EVT-1, valid for its schemas. Raises SchemaInvalid."""
    company, chave = document.company, document.chave or ""
    author = kinds.authored(str(tables.state(company.uf).c_uf))
    inner = kinds.inf_evento(
        order.tp_evento,
        {**author, **order.values},
        chave=chave,
        n_seq=n_seq,
        tp_amb=TP_AMB[document.ambiente],
        author=company.document,
        at=local_time(company, at).isoformat(),
    )
    element_id = f"ID{order.tp_evento}{chave}{n_seq:02d}"
    signature, _ = signer_of(company, at=now).signature(inner, element_id=element_id)
    content = kinds.evento(inner, signature)
    if xml.event_faults(content):
        raise SchemaInvalid()
    return content
