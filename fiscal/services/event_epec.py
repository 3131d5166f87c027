"""EPEC: an NF-e announced to the AN while neither home nor SVC takes it (CON-5, event 110140).

The document is signed with tpEmis 4 and kept; its EPEC is an event of that document, sent by the
ways of every event. Registered, the document is `epec`: its DANFE is valid, and it is delivered to
its home authority, the same bytes, as soon as that is back.

From the moment the EPEC is on its way the key is bound: it can be neither withdrawn nor voided, so
the document is never signed under another key again (691, 692).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.documents.nfe import event_epec
from fiscal.documents.nfe.events import EPEC
from fiscal.errors import InvalidRequest
from fiscal.models import EventState, FiscalDocument, FiscalEvent, State
from fiscal.selectors.events import epec_of
from fiscal.selectors.hot_rows import locked_document
from fiscal.services import archive, event_sending, events, notices
from fiscal.services.event_adoption import BLOCKED, REFUSED
from fiscal.services.signing_step import Mode
from lib import clock
from lib.errors import DomainError

log = logging.getLogger(__name__)

DELIVERY = timedelta(hours=168)
WARN_AFTER = timedelta(hours=120)
REFUSALS = 3  # what is refused this often is for a person; the authority may be back before


def announce(document_id: int) -> bool:
    """Have a document that is signed with tpEmis 4 announced; safe to run again.

    Answers whether its EPEC had been registered before, so that it is to be delivered at once.
    """
    event = _ordered(document_id, now=clock.now())
    if event is None:
        return FiscalDocument.objects.filter(pk=document_id, state=State.EPEC).exists()
    event_sending.send(event.pk)
    return False


@transaction.atomic
def _ordered(document_id: int, *, now: datetime) -> FiscalEvent | None:
    """The event to be sent; None when there is none, or it stands already."""
    document = locked_document(document_id)
    if not document.awaits_epec or document.superseded_by_id:
        return None
    found = epec_of(document)
    if found is None:
        return None if _is_given_up(document, now) else _created(document, now)
    if found.state == EventState.REGISTRADO:
        document.register_epec(again_at=now)
        document.save()
        return None
    return found


def _created(document: FiscalDocument, now: datetime) -> FiscalEvent | None:
    order = events.Order(EPEC, event_epec.details(archive.signed_xml(document)))
    try:
        return events.create(document, order, now=now)
    except DomainError as error:  # not what the event's schema takes: only its authority will do
        log.warning("epec.unfit", extra={"nota_id": document.pk, "codigo": error.codigo})
        _postpone(document, now)
        notices.alarm(document, "epec_recusado")
        return None


def _is_given_up(document: FiscalDocument, now: datetime) -> bool:
    refused = document.events.filter(tp_evento=EPEC, state=EventState.REJEITADO)
    is_given_up = refused.exclude(c_stat=BLOCKED).count() >= REFUSALS
    if is_given_up:
        _postpone(document, now)
    return is_given_up


def _postpone(document: FiscalDocument, now: datetime) -> None:
    document.next_attempt_at = now + REFUSED
    document.save()


def is_bound(document: FiscalDocument) -> bool:
    """Is its EPEC on its way or registered, so that nothing of its key may change?"""
    return document.is_epec and epec_of(document) is not None


def bound_mode(document: FiscalDocument) -> Mode | None:
    """How a corrected document must be signed again: as it was announced, if it was."""
    if not is_bound(document):
        return None
    return Mode(document.tp_emis, document.dh_cont, document.x_just)


def refuse_other_key(document: FiscalDocument, announced: str | None) -> None:
    """The corrected document has to keep the key that was announced. Raises InvalidRequest."""
    if document.chave != announced:
        raise InvalidRequest(
            'Parâmetro "data_emissao" inválido: a nota tem EPEC registrado e o mês de emissão '
            "não pode mudar."
        )


def warn_if_late(document: FiscalDocument, *, now: datetime) -> None:
    """Two days before the authority blocks the issuer (142), somebody has to know."""
    found = epec_of(document)
    if found and found.registered_at and found.registered_at + WARN_AFTER <= now:
        notices.alarm(document, "epec_prazo")
