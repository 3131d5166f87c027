"""Going on with a document whose time has come, by where it stands (fiscal-engine §2.1, §8.5)."""

from __future__ import annotations

from fiscal.authorities.cstat import Class
from fiscal.models import EventState, FiscalDocument, State, VoidState
from fiscal.selectors.hot_rows import document_with_company
from fiscal.services import (
    contingency,
    event_epec,
    events,
    inutilizacao,
    notices,
    receipts,
    recovery,
    replacing,
    verdicts,
)
from fiscal.services.delivery import advance, look_again, mode_of
from fiscal.services.signing_step import NORMAL
from lib import clock

REFUSALS = 3  # a cancellation that is refused this often is for an operator (§8.6)
VOID_REASON = "Numero nao utilizado por falha de comunicacao com a SEFAZ"


def resume(document_id: int) -> None:
    """Whatever a waiting document is waiting for; called when its time has come."""
    document = document_with_company(document_id)
    step = _STEPS.get(State(document.state))
    if step is not None:
        step(document)
    elif document.next_attempt_at is not None:
        look_again(document.pk, None)  # decided by somebody else, just before a time was set


def _resume_unsent(document: FiscalDocument) -> None:
    advance(document.pk)


def _resume_announced(document: FiscalDocument) -> None:
    event_epec.warn_if_late(document, now=clock.now())
    advance(document.pk)


def _resume_unknown(document: FiscalDocument) -> None:
    found = recovery.recover(document.pk)
    document = document_with_company(document.pk)
    if document.state in (State.ASSINADO, State.CONTINGENCIA) and not document.superseded_by_id:
        advance(document.pk)
    elif document.state == State.INDEFINIDO and document.superseded_by_id:
        if found is Class.NOT_FOUND and _is_abandoned(document):
            _void(document)
    elif document.state == State.INDEFINIDO and found is None:
        _replace_in_svc(document)


def _replace_in_svc(document: FiscalDocument) -> None:
    """§2.5: nobody answers and the UF is in contingency, so the sale goes on without the first."""
    mode = mode_of(document)
    if mode == NORMAL or document.tp_emis != 1:
        return
    second = replacing.replace(document.pk, mode=mode, now=clock.now())
    if second is not None:
        advance(second.pk)


def _is_abandoned(document: FiscalDocument) -> bool:
    last = document.attempts.order_by("-id").first()
    began = last.started_at if last else document.created_at
    return began + verdicts.ABANDONED <= clock.now()


def _resume_batch(document: FiscalDocument) -> None:
    receipts.poll(document.pk)
    if document_with_company(document.pk).state == State.INDEFINIDO:
        recovery.recover(document.pk)


def _resume_authorized(document: FiscalDocument) -> None:
    """The first of two documents of a sale was authorized after all: cancel it (CON-3)."""
    last = document.superseded_by
    while last is not None and last.superseded_by is not None:
        last = last.superseded_by
    if last is None:
        look_again(document.pk, None)
        return
    look_again(document.pk, verdicts.LONGEST_PAUSE)
    if last.state in (State.AUTORIZADO, State.CANCELADO):  # the sale must keep one document
        _cancel(document, last)


def _cancel(document: FiscalDocument, last: FiscalDocument) -> None:
    is_named = document.modelo == contingency.NFCE and last.state == State.AUTORIZADO
    event = events.register_cancellation(
        document.pk, replacing.JUSTIFICATION, substitute=last if is_named else None
    )
    refused = document.events.filter(state=EventState.REJEITADO).count()
    if event.state == EventState.REJEITADO:
        notices.cancellation_refused(document)
    if refused >= REFUSALS:
        look_again(document.pk, None)


def _resume_rejected(document: FiscalDocument) -> None:
    """What nobody corrects gives its number to voiding (NUM-3)."""
    # A number that was announced cannot be voided: only the corrected document frees it.
    if document.numero is None or event_epec.is_bound(document):
        look_again(document.pk, None)
    else:
        _void(document)


def _void(document: FiscalDocument) -> None:
    if document.serie is None or document.numero is None:
        return
    look_again(document.pk, verdicts.ABANDONED)
    row = inutilizacao.request_void(
        document.company,
        ambiente=document.ambiente,
        modelo=document.modelo,
        serie=document.serie,
        first=document.numero,
        last=document.numero,
        justificativa=VOID_REASON,
        automatic=True,
    )
    if row.state == VoidState.REJEITADA:
        notices.alarm(document, "inutilizacao_recusada")


_STEPS = {
    State.RECEBIDO: _resume_unsent,
    State.ASSINADO: _resume_unsent,
    State.CONTINGENCIA: _resume_unsent,
    State.EPEC: _resume_announced,
    State.TRANSMITINDO: _resume_unknown,
    State.INDEFINIDO: _resume_unknown,
    State.EM_LOTE: _resume_batch,
    State.AUTORIZADO: _resume_authorized,
    State.REJEITADO: _resume_rejected,
}
