"""Events of the recipient that are no manifestação, by their `tipo_evento` (fiscal-api §8.1).

The tax reform lets the recipient say more of a note than that it happened (NT 2025.002, section 8).
The reference names the address and not the kinds; these are called as its own kinds are (§2.15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from fiscal import xml
from fiscal.authorities import tables
from fiscal.documents.nfe import event_fields as fields
from fiscal.documents.nfe import event_requests as requests
from fiscal.documents.nfe import events as kinds
from fiscal.errors import (
    AlreadyProcessed,
    GenericNotAuthorized,
    InProcessing,
    InvalidRequest,
    NothingToCancel,
)
from fiscal.models import EventState, Manifestation, ReceivedNfe
from fiscal.services import archive
from fiscal.services.event_adoption import LIVE
from fiscal.services.received import manifest_sending, manifestation
from fiscal.services.signing_step import local_time
from lib import clock

Body = Mapping[str, Any]
_KINDS: Mapping[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "aceite_debito": (kinds.ACEITE_DEBITO, requests.aceite_debito),
    "imobilizacao_item": (kinds.IMOBILIZACAO, requests.imobilizacao),
}
NAMES = {tp_evento: name for name, (tp_evento, _) in _KINDS.items()}


def register(received_id: int, body: Body) -> Manifestation:
    """Register the event that `tipo_evento` names, now; the state tells how it went.

    Raises InvalidRequest, SchemaInvalid, GenericNotAuthorized, AlreadyProcessed, InProcessing,
    CertificateExpired, NoCertificate.
    """
    tp_evento, read = _KINDS[_tipo(body)]
    return _sent(_ordered(received_id, tp_evento, read, body, now=clock.now()))


def cancel(received_id: int, body: Body) -> Manifestation:
    """Cancel the last event of `tipo_evento` that stands. Raises NothingToCancel, as `register`."""
    return _sent(_cancelling(received_id, _tipo(body), now=clock.now()))


def _tipo(body: Body) -> str:
    tipo = body.get("tipo_evento")
    if fields.is_absent(tipo):
        raise InvalidRequest(fields.missing("tipo_evento"))
    if not isinstance(tipo, str) or tipo.strip() not in _KINDS:
        raise InvalidRequest(f'Parâmetro "tipo_evento" inválido: use {" ou ".join(_KINDS)}.')
    return tipo.strip()


def _sent(row: Manifestation) -> Manifestation:
    manifest_sending.send(row.pk)
    found: Manifestation = Manifestation.objects.select_related("received__company").get(pk=row.pk)
    return found


@transaction.atomic
def _ordered(
    received_id: int,
    tp_evento: str,
    read: Callable[..., dict[str, Any]],
    body: Body,
    *,
    now: datetime,
) -> Manifestation:
    received = _locked(received_id)
    values = read(body, now=local_time(received.company, now))
    return _create(received, tp_evento, values, now)


@transaction.atomic
def _cancelling(received_id: int, tipo: str, *, now: datetime) -> Manifestation:
    received = _locked(received_id)
    tp_evento, _ = _KINDS[tipo]
    gone = cancelled_protocols(received)
    rows = received.manifestations.filter(tp_evento=tp_evento, state=EventState.REGISTRADO)
    standing = [row for row in rows.order_by("n_seq") if row.protocolo not in gone]
    if not standing:
        raise NothingToCancel(f"Nota não possui evento {tipo}.")
    values = {"tpEventoAut": tp_evento, "nProtEvento": standing[-1].protocolo}
    return _create(received, kinds.CANCEL_EVENT, values, now)


def cancelled_protocols(received: ReceivedNfe) -> set[str]:
    """Protocols of the events that a registered 110001 took back: its own bytes say which."""
    rows = received.manifestations.filter(
        tp_evento=kinds.CANCEL_EVENT, state=EventState.REGISTRADO, is_adopted=False
    )
    return {target_of(row)[1] for row in rows}


def target_of(row: Manifestation) -> tuple[str, str]:
    """(tpEvento, protocol) that a 110001 takes back."""
    root = xml.parse(archive.unpacked(row.xml))
    detail = ("infEvento", "detEvento")
    told = (xml.child_text(root, *detail, tag) for tag in ("tpEventoAut", "nProtEvento"))
    tp_evento, protocolo = told
    return tp_evento, protocolo


def _locked(received_id: int) -> ReceivedNfe:
    rows = ReceivedNfe.objects.select_for_update(of=("self",)).select_related("company")
    received: ReceivedNfe = rows.get(pk=received_id)
    if received.situacao == ReceivedNfe.Situacao.CANCELADA:
        raise AlreadyProcessed()
    if received.situacao != ReceivedNfe.Situacao.AUTORIZADA:
        raise GenericNotAuthorized()
    return received


def _create(
    received: ReceivedNfe, tp_evento: str, values: dict[str, Any], now: datetime
) -> Manifestation:
    """One at a time; the next nSeqEvento of its kind (EVT-6)."""
    rows = received.manifestations
    if rows.filter(state__in=LIVE).exists():
        raise InProcessing("Há um evento em processamento para a nota.")
    same = rows.filter(tp_evento=tp_evento).exclude(state=EventState.REJEITADO)
    last = same.order_by("-n_seq").values_list("n_seq", flat=True).first() or 0
    most = kinds.KINDS[tp_evento].most
    if last >= most:
        raise InvalidRequest(f"A nota já tem {most} eventos deste tipo, o máximo permitido.")
    uf = str(tables.state(received.company.uf).c_uf)
    author = kinds.authored(uf, is_recipient=True)
    return manifestation.create(received, tp_evento, {**author, **values}, n_seq=last + 1, now=now)
