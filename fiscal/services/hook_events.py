"""Which decisions are told to gatilhos, under which event (fiscal-api §13.3)."""

from __future__ import annotations

from datetime import datetime

from fiscal.models import FiscalDocument, FiscalHook, Inutilizacao
from fiscal.services import hooks

NFE = "nfe"
NFCE_OFFLINE = "nfce_contingencia"
NFCE_TIMEOUT = "nfce_correcao_timeout"
VOIDED = "inutilizacao"
CANCELLATION_REFUSED = "erro_cancelamento"
_ANSWERED = ("autorizado", "denegado", "erro_autorizacao")
# CON-5: its DANFE may be printed, for which clients wait as for an authorization.
_ANNOUNCED = "epec"
_UNDONE = ("cancelado", CANCELLATION_REFUSED)


def tell_of_document(document: FiscalDocument, decision: str, *, at: datetime) -> None:
    """Write what a decision says to the addresses; most decisions on NFC-e say nothing.

    What became of an attempt that another document replaced is told as news of that document.
    """
    live = live_of(document)
    event = _event_of(document, live, decision)
    if event:
        _announce(live, event, at=at)


def tell_of_void(void: Inutilizacao, *, at: datetime) -> None:
    """A range of numbers was voided."""
    hooks.announce(void.company, ambiente=void.ambiente, event=VOIDED, inutilizacao=void, at=at)


def tell_again(document: FiscalDocument, *, at: datetime) -> list[FiscalHook]:
    """Repeat the notice of a document, whatever it was; answers the addresses."""
    event = _repeated(document)
    return _announce(document, event, at=at) if event else []


def _announce(document: FiscalDocument, event: str, *, at: datetime) -> list[FiscalHook]:
    return hooks.announce(
        document.company, ambiente=document.ambiente, event=event, document=document, at=at
    )


def _event_of(document: FiscalDocument, live: FiscalDocument, decision: str) -> str:
    if document.modelo == 55:
        # §2.5: also what became of an attempt made in another environment.
        is_attempt = live is not document
        is_news = decision in (*_ANSWERED, _ANNOUNCED)
        return NFE if is_news or (is_attempt and decision in _UNDONE) else ""
    if live is not document:
        if decision not in _UNDONE:
            return ""
        # §3.6: a timeout; the contingency has a name of its own.
        return NFCE_OFFLINE if live.is_offline else NFCE_TIMEOUT
    return NFCE_OFFLINE if document.is_offline and decision in _ANSWERED else ""


def _repeated(document: FiscalDocument) -> str:
    if document.modelo == 55:
        return NFE
    if document.is_offline:
        return NFCE_OFFLINE
    replaces = FiscalDocument.objects.filter(superseded_by=document).exclude(pk=document.pk)
    return NFCE_TIMEOUT if replaces.exists() else ""


def live_of(document: FiscalDocument) -> FiscalDocument:
    """The document that answers to the ref now."""
    live = document
    while live.superseded_by_id and live.superseded_by_id != live.pk:
        live = FiscalDocument.objects.select_related("company").get(pk=live.superseded_by_id)
    return live
