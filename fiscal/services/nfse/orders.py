"""Orders about issued notes on their way to who has the note, and what came back (§8.5, §12)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django.db import transaction

from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotOffered, NotSent
from fiscal.authorities.provider import Analysing, Kind, Outcome, Provider
from fiscal.documents.service import NoteRef, Prepared
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import NoteState, OrderState, ServiceAttempt, ServiceNote, ServiceOrder
from fiscal.selectors import service_notes
from fiscal.services import archive, authority_status, company_queue
from fiscal.services.certificates import Open, credentials_of
from fiscal.services.nfse import (
    choice,
    files,
    notices,
    order_outcome,
    recovery,
    transmit,
    verdicts,
)
from fiscal.services.recovery import from_table
from lib import clock

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
_PAUSES = ((5, 5), (20, 15), (50, 30), (110, 60), (230, 120), (530, 300), (1130, 600))
_LAST_PAUSE = 900
Result = ServiceAttempt.Outcome
_UNKNOWN = (Result.OPEN, Result.LOST)


@dataclass(frozen=True)
class Ordering:
    """An open attempt of an order."""

    attempt_id: int
    order_id: int
    ref: NoteRef
    prepared: Prepared
    provider: Provider
    credentials: Credentials


def current(order_id: int) -> ServiceOrder:
    """The order as it stands now."""
    found: ServiceOrder = ServiceOrder.objects.select_related("note").get(pk=order_id)
    return found


def sign(
    order: ServiceOrder, provider: Provider, certificate: Open, *, at: datetime, own_time: datetime
) -> None:
    """Save a new order with its signed bytes, in the caller's transaction.

    `own_time` is the issuer's wall clock. Raises SchemaInvalid.
    """
    build = provider.build_cancellation
    if order.kind == ServiceOrder.Kind.ANALISE:
        build = cast(Analysing, provider).build_analysis
    prepared = build(
        recovery.ref_of(order.note),
        code=order.code,
        reason=order.reason,
        now=own_time,
        signer=certificate.signer,
    )
    order.sent_id = prepared.id[:80]
    order.save()
    files.keep(
        order.note, files.Kind.DECLARED, files.order_name(order), prepared.xml, at=at, is_first=True
    )


def advance(order_id: int) -> None:
    """Send the order once, if it is to be sent and may be now. Safe to run again."""
    try:
        ordering = _begin(order_id, now=clock.now())
    except (CertificateExpired, NoCertificate, NotOffered):
        _look_again(order_id, transmit.STOPPED)
        return
    if ordering is None:
        return
    try:
        outcome = ordering.provider.send_cancellation(
            ordering.prepared, ordering.ref, credentials=ordering.credentials
        )
    except (NotSent, Misconfigured) as error:
        _record_not_sent(ordering, error, now=clock.now())
    except Lost as error:
        _record_lost(ordering, error, now=clock.now())
    else:
        _record_outcome(ordering, outcome, now=clock.now())


def resume(order_id: int) -> None:
    """Go on with an order whose time has come: ask where its fate is not known, send otherwise."""
    order = current(order_id)
    if order.state in (OrderState.TRANSMITINDO, OrderState.INDEFINIDO, OrderState.EM_ANALISE):
        _recover(order_id)
        order = current(order_id)
    if order.state == OrderState.ASSINADO:
        advance(order_id)


# --- transaction A -----------------------------------------------------------------------------


def _locked(order_id: int) -> ServiceOrder:
    """The note first, as everybody locks it; then its order."""
    order = ServiceOrder.objects.get(pk=order_id)
    note = service_notes.locked_note(order.note_id)
    order = ServiceOrder.objects.select_for_update().get(pk=order_id)
    order.note = note
    return order


@transaction.atomic
def _begin(order_id: int, *, now: datetime) -> Ordering | None:
    order = _locked(order_id)
    if order.state != OrderState.ASSINADO:
        return None
    note = order.note
    if note.state in (NoteState.CANCELADO, NoteState.SUBSTITUIDO):  # somebody else did it
        order.begin(again_at=now)
        order.register(at=note.cancelled_at)
        order.save()
        return None
    provider = choice.provider_of(note)
    credentials = credentials_of(note.company, at=now)
    until = _blocked_until(note, provider, now)
    if until is not None:
        order.next_attempt_at = until
        order.save()
        return None
    order.begin(again_at=now + transmit.DEADLINE)
    order.save()
    prepared = Prepared(order.sent_id, files.order_xml(order))
    attempt = transmit.new_attempt(note, provider, prepared.xml, now)
    attempt.order = order
    attempt.save()
    return Ordering(attempt.pk, order.pk, recovery.ref_of(note), prepared, provider, credentials)


def _blocked_until(note: ServiceNote, provider: Provider, now: datetime) -> datetime | None:
    stopped = company_queue.stopped_until(note.company, ambiente=note.ambiente, now=now)
    if stopped is not None:
        return stopped
    route = transmit.route_of(provider)
    is_open = authority_status.may_call(route, now=now)
    return None if is_open else now + authority_status.EVERY


# --- transaction B -----------------------------------------------------------------------------


@transaction.atomic
def _record_outcome(ordering: Ordering, outcome: Outcome, *, now: datetime) -> None:
    order = _locked(ordering.order_id)
    attempt = ServiceAttempt(pk=ordering.attempt_id)
    authority_status.record_success(transmit.route_of(ordering.provider), now=now)
    transmit.fill(attempt, outcome)
    if order.state == OrderState.TRANSMITINDO:
        order_outcome.apply(order, outcome, now=now, is_awaited=True)
    transmit.close(attempt, now)


@transaction.atomic
def _record_not_sent(ordering: Ordering, error: NotSent | Misconfigured, *, now: datetime) -> None:
    order = _locked(ordering.order_id)
    route = transmit.route_of(ordering.provider)
    if isinstance(error, Misconfigured):
        until = now + transmit.STOPPED
        company = order.note.company
        company_queue.stop(company, ambiente=order.note.ambiente, until=until, now=now)
        result = Result.NOT_PROCESSED
    else:
        authority_status.record_failure(route, now=now)
        until, result = now + transmit.pause_of(error, order.n_attempts), Result.NOT_SENT
    if order.state == OrderState.TRANSMITINDO:
        order.not_sent(again_at=until)
        order.save()
    _close_attempt(ordering, result, error, now)


@transaction.atomic
def _record_lost(ordering: Ordering, error: Lost, *, now: datetime) -> None:
    order = _locked(ordering.order_id)
    authority_status.record_failure(transmit.route_of(ordering.provider), now=now)
    if order.state == OrderState.TRANSMITINDO:
        order.lose(again_at=now + verdicts.FIRST_QUERY)
        order.save()
    _close_attempt(ordering, Result.LOST, error, now)


def _close_attempt(
    ordering: Ordering, result: str, error: NotSent | Lost | Misconfigured, now: datetime
) -> None:
    attempt = ServiceAttempt(pk=ordering.attempt_id, outcome=result, error=str(error)[:300])
    raw = getattr(error, "raw", b"")
    attempt.reply = archive.packed(raw) if raw else None
    attempt.elapsed_ms = error.elapsed_ms
    transmit.close(attempt, now)


@transaction.atomic
def _look_again(order_id: int, pause: timedelta) -> None:
    order = _locked(order_id)
    order.next_attempt_at = clock.now() + pause
    order.save()


# --- asking ------------------------------------------------------------------------------------


def _recover(order_id: int) -> None:
    """Is the note cancelled? Believe what the answer says; ask later where there is none."""
    order = _claim(order_id, now=clock.now())
    if order is None:
        return
    note = order.note
    try:
        provider = choice.provider_of(note)
        credentials = credentials_of(note.company)
        outcome = provider.find_cancellation(recovery.ref_of(note), credentials=credentials)
    except (CertificateExpired, NoCertificate, NotOffered):
        notices.alarm(note, "certificado")
    except (NotSent, Lost):
        authority_status.record_failure(transmit.route_of(provider), now=clock.now())
    except Misconfigured:
        notices.alarm(note, "empresa_parada")
    else:
        _settle(order_id, outcome, now=clock.now())


@transaction.atomic
def _claim(order_id: int, *, now: datetime) -> ServiceOrder | None:
    order = _locked(order_id)
    if order.state == OrderState.TRANSMITINDO:
        last = order.attempts.filter(outcome=Result.OPEN).first()
        if last is not None and last.started_at + transmit.DEADLINE > now:
            return None
        order.attempts.filter(outcome=Result.OPEN).update(
            outcome=Result.LOST, ended_at=now, error="Processo interrompido."
        )
        order.lose(again_at=now)
    if order.state not in (OrderState.INDEFINIDO, OrderState.EM_ANALISE):
        return None
    order.next_attempt_at = now + _pause(order, now)
    order.save()
    return order


def _pause(order: ServiceOrder, now: datetime) -> timedelta:
    if order.state == OrderState.EM_ANALISE:
        return order_outcome.ANALYSIS
    last = order.attempts.order_by("-id").first()
    since = (now - last.started_at).total_seconds() if last else 0.0
    return from_table(_PAUSES, _LAST_PAUSE, since)


@transaction.atomic
def _settle(order_id: int, outcome: Outcome, *, now: datetime) -> None:
    order = _locked(order_id)
    if order.state not in (OrderState.INDEFINIDO, OrderState.EM_ANALISE):
        return
    if outcome.kind is Kind.AUTHORIZED and order.state == OrderState.INDEFINIDO:
        # Still live: the order did not arrive, and the same bytes go again.
        order.attempts.filter(outcome__in=_UNKNOWN).update(
            outcome=Result.NOT_PROCESSED, ended_at=now
        )
        order.absent(again_at=now)
        order.save()
    elif outcome.kind is Kind.AUTHORIZED:
        order_outcome.still_in_analysis(order, outcome)
    elif outcome.kind in (Kind.CANCELLED, Kind.REPLACED, Kind.CANCEL_PENDING):
        order.attempts.filter(outcome__in=_UNKNOWN).update(outcome=Result.ANSWERED, ended_at=now)
        order_outcome.apply(order, outcome, now=now, is_awaited=False)
