"""What an answer about an order does to it and to its note (ABR-7, NAC-11). No network here."""

from __future__ import annotations

from datetime import datetime, timedelta

from fiscal.authorities.provider import Kind, Outcome
from fiscal.models import NoteState, OrderState, ServiceOrder
from fiscal.selectors import service_notes
from fiscal.services.nfse import files, notices, verdicts

# Somebody at the city reads it: hours or days (ABR-7, 101103).
ANALYSIS = timedelta(hours=1)
DENIED, DENIED_TEXT = "105105", "Cancelamento indeferido por análise fiscal."


def apply(order: ServiceOrder, outcome: Outcome, *, now: datetime, is_awaited: bool) -> None:
    """Move a locked order, and its note with it, as the answer says; both are saved."""
    if outcome.kind in (Kind.CANCELLED, Kind.REPLACED):
        _done(order, outcome, now, is_awaited)
    elif outcome.kind is Kind.CANCEL_PENDING:
        _pending(order, now)
    elif outcome.kind is Kind.REJECTED:
        _refused(order, verdicts.errors_of(outcome), is_awaited)
    elif order.state == OrderState.TRANSMITINDO:
        order.lose(again_at=now)
    order.save()


def _done(order: ServiceOrder, outcome: Outcome, now: datetime, is_awaited: bool) -> None:
    note, at = order.note, outcome.registered_at or now
    order.register(at=at)
    if outcome.event_xml:
        name = files.cancellation_name(note)
        files.keep(note, files.Kind.EVENT, name, outcome.event_xml, at=now)
    if note.state in (NoteState.CANCELADO, NoteState.SUBSTITUIDO):
        return
    if outcome.kind is Kind.REPLACED:
        note.replace(at=at)
        decision = notices.REPLACED
    else:
        note.cancel(at=at)
        decision = notices.CANCELLED
    service_notes.keep_progress(note)
    notices.announce(note, decision, is_awaited=is_awaited)


def _pending(order: ServiceOrder, now: datetime) -> None:
    again_at = now + ANALYSIS
    if order.state == OrderState.EM_ANALISE:
        order.next_attempt_at = again_at
    else:
        order.await_analysis(again_at=again_at)
    if order.note.state == NoteState.AUTORIZADO:
        order.note.ask_cancellation(again_at=again_at)
        order.note.next_attempt_at = None  # it is the order that is asked about
        service_notes.keep_progress(order.note)


def _refused(order: ServiceOrder, errors: list[dict[str, str | None]], is_awaited: bool) -> None:
    order.reject(errors=errors)
    if order.note.state == NoteState.CANCELAMENTO_EM_ANALISE:
        order.note.deny_cancellation()
        service_notes.keep_progress(order.note)
    if not is_awaited:
        notices.announce(order.note, notices.CANCELLATION_REFUSED, is_awaited=False)


def still_in_analysis(order: ServiceOrder, outcome: Outcome) -> None:
    """Live, with a reason or an event: the city said no. Without a word it has not decided."""
    errors = verdicts.errors_of(outcome)
    if outcome.event_xml and not errors:
        errors = [{"codigo": DENIED, "mensagem": DENIED_TEXT, "correcao": None}]
    if errors:
        _refused(order, errors, is_awaited=False)
        order.save()
