"""Cancelling a service note, while a client waits for the answer (fiscal-api §4.5, §5.3)."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction

from fiscal.authorities.base import NotOffered
from fiscal.errors import AlreadyCancelled, GenericNotAuthorized, InvalidRequest
from fiscal.models import NOTE_LIVE, NoteState, OrderState, ServiceNote, ServiceOrder
from fiscal.selectors import service_notes
from fiscal.services.certificates import opened
from fiscal.services.nfse import choice, orders
from fiscal.services.signing_step import local_time
from lib import clock

SHORTEST, LONGEST = 15, 255
ALREADY = "Nota fiscal já cancelada"
NOT_ISSUED = "Nota fiscal não autorizada não pode ser cancelada"
NOT_OFFERED = "A prefeitura não oferece cancelamento por webservice: cancele a nota no portal dela."
NO_ANALYSIS = "O sistema desta nota não recebe pedido de análise fiscal: fale com a prefeitura."
_Kind = ServiceOrder.Kind
_CODE = re.compile(r"[0-9A-Za-z]{0,4}")
OPEN = (
    OrderState.ASSINADO,
    OrderState.TRANSMITINDO,
    OrderState.EM_ANALISE,
    OrderState.INDEFINIDO,
)


def cancel_note(note: ServiceNote, *, justificativa: str, codigo: str = "") -> ServiceOrder:
    """Ask for the cancellation and wait for the answer, which the order's state tells.

    `registrado`: the note is cancelled. `rejeitado`: `errors` say why. `em_analise`: somebody at
    the city decides. Otherwise there was no answer: the order goes on by itself. A second request
    meanwhile finds the first. `codigo` is one of the provider's own reasons, "" for its usual one.
    Raises InvalidRequest for the reason, AlreadyCancelled, GenericNotAuthorized, NoCertificate,
    CertificateExpired. Not inside a transaction.
    """
    return _ordered(note, _Kind.CANCELAMENTO, justificativa, codigo)


def request_analysis(note: ServiceNote, *, justificativa: str, codigo: str = "") -> ServiceOrder:
    """Past the deadline of a cancellation: ask the city to decide about one (NAC-11, 101103).

    As `cancel_note`; `em_analise` is what it usually ends in. Raises InvalidRequest where the
    system of the note has no such thing.
    """
    return _ordered(note, _Kind.ANALISE, justificativa, codigo)


def _ordered(note: ServiceNote, kind: str, justificativa: str, codigo: str) -> ServiceOrder:
    reason = read_reason(justificativa)
    if not _CODE.fullmatch(codigo):
        raise InvalidRequest('Parâmetro "codigo_cancelamento" inválido.')
    order = _placed(note.pk, kind, reason, codigo, now=clock.now())
    if order.state == OrderState.ASSINADO:
        orders.advance(order.pk)
        order = orders.current(order.pk)
        if order.state == OrderState.INDEFINIDO:  # lost: asked at once, while the client waits
            orders.resume(order.pk)
    return orders.current(order.pk)


def read_reason(text: object) -> str:
    """§4.5: 15 to 255 characters. Raises InvalidRequest."""
    if text in (None, ""):
        raise InvalidRequest('Parâmetro "justificativa" não informado.')
    cleaned = " ".join(text.split()) if isinstance(text, str) else ""
    if not SHORTEST <= len(cleaned) <= LONGEST:
        raise InvalidRequest(
            f'Parâmetro "justificativa" deve ter entre {SHORTEST} e {LONGEST} caracteres.'
        )
    return cleaned


@transaction.atomic
def _placed(note_id: int, kind: str, reason: str, code: str, *, now: datetime) -> ServiceOrder:
    """The open order of the note, or a new one, signed and kept."""
    note = service_notes.locked_note(note_id)
    if note.state in (NoteState.CANCELADO, NoteState.SUBSTITUIDO):
        raise AlreadyCancelled(ALREADY)
    if note.state not in NOTE_LIVE:
        raise GenericNotAuthorized(NOT_ISSUED)
    found: ServiceOrder | None = note.orders.filter(state__in=OPEN).first()
    return found or _new(note, kind, reason, code, now)


def _new(note: ServiceNote, kind: str, reason: str, code: str, now: datetime) -> ServiceOrder:
    certificate = opened(note.company, at=now)
    try:
        provider = choice.provider_of(note)
    except NotOffered as error:
        raise InvalidRequest(str(error)) from error
    order = ServiceOrder(
        account_id=note.account_id,
        note=note,
        kind=kind,
        code=code,
        reason=reason,
        created_at=now,
    )
    if kind == _Kind.ANALISE and not provider.features.analyses:
        raise InvalidRequest(NO_ANALYSIS)
    if not provider.features.cancels:
        order.reject(errors=[{"codigo": "local", "mensagem": NOT_OFFERED, "correcao": None}])
        order.save()
        return order
    order.next_attempt_at = now + orders.LEASE
    own_time = local_time(note.company, now)
    orders.sign(order, provider, certificate, at=now, own_time=own_time)
    return order
