"""From the outbox to the integrators' servers (billing-engine §11).

A task takes turns among the endpoints in a pool of threads, and looks for what became due meanwhile
as long as one of them is at work: who hangs keeps nobody else waiting. Each attempt is claimed in a
short transaction, sent in none, recorded in another: a worker killed in between leaves a row that
is due again when its lease ends, with the same event id.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from accounts.models.webhook import body_of
from accounts.services import webhook_health as health
from accounts.services import webhook_requests as requests
from accounts.services.webhook_outbox import clear_nudges, fan_out, has_waiting_events, nudge
from accounts.services.webhook_requests import Outcome
from accounts.services.webhook_turns import Turn, Turns
from lib import clock
from lib.crypto import Unreadable
from lib.locks import exclusive

log = logging.getLogger(__name__)

# WH-4: the wait after each failed attempt; the tenth is the last.
BACK_OFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
)
MAX_TRIES = len(BACK_OFF) + 1
JITTER = 0.1  # part of the wait, either way
LEASE = timedelta(seconds=60)  # longer than ping and send together

THREADS = 8
TRIAL_EVENTS = 1  # until it has answered in this task
TURN_EVENTS = 20
TURN_SECONDS = 5.0
# No turn begins later than this, and one lasts 5 s and an attempt: far below the queue's 120 s.
TASK_SECONDS = 20.0

INTERRUPTED = "O processo foi interrompido durante a tentativa."
UNREADABLE = "O segredo não pode ser lido: a SECRET_KEY mudou. Gire o segredo."

_random = SystemRandom()


def deliver(*, seconds: float = TASK_SECONDS, threads: int = THREADS) -> int:
    """Fan out what was announced and send what is due. Answers how many attempts were made.

    One task does this at a time; another that comes leaves the work to it. Queues a successor when
    something is left that may be sent now.
    """
    clear_nudges()
    with ThreadPoolExecutor(threads) as pool:
        with exclusive("webhooks", 0) as free:
            if not free:
                return 0
            turns = _turns(deadline=time.monotonic() + seconds, threads=threads)
            turns.run(pool)
        # The lock is given back: whoever found it taken has left its work to these looks. The
        # first is for when somebody hangs beyond the deadline, whom the pool waits for.
        if turns.running:
            _call_successor(without=turns.down | set(turns.busy))
    turns.collect(turns.running)
    _call_successor(without=turns.down)
    return turns.n_attempts


def _turns(*, deadline: float, threads: int) -> Turns:
    def look() -> list[tuple[int, bool]]:
        fan_out(deadline=deadline)
        rows = due_endpoints().values_list("pk", "failing_since")
        return [(pk, since is not None) for pk, since in rows]

    def take(endpoint_id: int, is_trial: bool) -> tuple[Turn, int]:
        events = TRIAL_EVENTS if is_trial else TURN_EVENTS
        return take_turn(endpoint_id, deadline=deadline, events=events)

    return Turns(look, take, deadline=deadline, threads=threads)


def _call_successor(*, without: set[int]) -> None:
    if has_waiting_events() or due_endpoints().exclude(pk__in=without).exists():
        nudge()


def due_endpoints() -> QuerySet[WebhookEndpoint]:
    """Active endpoints with something to be sent now: healthy ones first, then who waits longest.

    A failing one only ever gets what time is left over.
    """
    found: QuerySet[WebhookEndpoint] = WebhookEndpoint.objects.filter(
        Exists(_sendable(clock.now()).filter(endpoint=OuterRef("pk"))),
        state=WebhookEndpoint.State.ACTIVE,
    )
    return found.order_by(
        F("failing_since").asc(nulls_first=True), F("last_tried_at").asc(nulls_first=True), "pk"
    )


def _sendable(now: datetime) -> QuerySet[WebhookDelivery]:
    """What is due and is the oldest undecided event of its object there (WH-5)."""
    pending: QuerySet[WebhookDelivery] = WebhookDelivery.objects.filter(
        state=WebhookDelivery.State.PENDING
    )
    earlier = pending.filter(
        endpoint=OuterRef("endpoint"),
        object_type=OuterRef("object_type"),
        object_id=OuterRef("object_id"),
        event_id__lt=OuterRef("event_id"),
    )
    return pending.filter(~Exists(earlier), next_attempt_at__lte=now)


def take_turn(endpoint_id: int, *, deadline: float, events: int = TURN_EVENTS) -> tuple[Turn, int]:
    """Some attempts for one endpoint, until it is served, silent, or the turn's time is over.

    There are at most `events`. Answers how it ended and how many attempts were made.
    """
    until = min(deadline, time.monotonic() + TURN_SECONDS)
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(last_tried_at=clock.now())
    for n in range(events):
        if n and time.monotonic() >= until:
            return Turn.MORE, n
        claimed = claim(endpoint_id)
        if claimed is None:
            return Turn.EMPTY, n
        try:
            is_silent = _attempt(claimed)
        except Exception:
            # What nobody foresaw for one event must not keep the others of the task from leaving.
            log.exception("webhook.crashed", extra={"delivery_id": claimed.delivery.pk})
            return Turn.DOWN, n + 1
        if is_silent:
            return Turn.DOWN, n + 1
    return Turn.MORE, events


# --- one attempt -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """A delivery that is ours until its lease ends, this attempt counted as `number`."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint
    number: int


class Sent(NamedTuple):
    """The request that decided the attempt: the ping when it failed, else the event's own."""

    stage: WebhookAttempt.Stage
    outcome: Outcome


@transaction.atomic
def claim(endpoint_id: int) -> Claimed | None:
    """The next delivery of the endpoint that may be sent now; None when there is none.

    Two workers never get the same one.
    """
    now = clock.now()
    delivery = (
        _sendable(now)
        .filter(endpoint_id=endpoint_id)
        .order_by("next_attempt_at", "event_id")
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("event", "endpoint")
        .first()
    )
    if delivery is None or not delivery.endpoint.is_active:
        return None
    delivery.tries += 1
    delivery.n_attempts += 1
    delivery.retry(at=now + LEASE)
    delivery.save(update_fields=["tries", "n_attempts", "next_attempt_at"])
    return Claimed(delivery, delivery.endpoint, delivery.n_attempts)


def _attempt(claimed: Claimed) -> bool:
    """Send and record; whether the endpoint was silent."""
    if claimed.delivery.tries > MAX_TRIES:  # the last one was begun and never ended
        sent = Sent(WebhookAttempt.Stage.SEND, Outcome(clock.now(), 0, error=INTERRUPTED))
    else:
        sent = transmit(claimed)
    record_attempt(claimed, sent)
    return sent.outcome.is_silent


def transmit(claimed: Claimed) -> Sent:
    """The ping, unless the endpoint wants none, and the event. No transaction is open here."""
    event, endpoint = claimed.delivery.event, claimed.endpoint
    try:
        receiver = requests.receiver_of(endpoint, at=clock.now())
    except Unreadable:
        log.warning("webhook.unreadable", extra={"endpoint_id": endpoint.pk})
        return Sent(
            WebhookAttempt.Stage.SEND,
            Outcome(clock.now(), 0, error=UNREADABLE, is_silent=True),
        )
    if endpoint.ping_first:
        outcome = requests.ping(receiver)
        if outcome.error:
            return Sent(WebhookAttempt.Stage.PING, outcome)
    body = body_of(event, endpoint.version)
    outcome = requests.send(receiver, body, event=event.event, event_id=f"evt_{event.pk}")
    return Sent(WebhookAttempt.Stage.SEND, outcome)


def record_attempt(claimed: Claimed, sent: Sent) -> None:
    """Log the attempt and decide what follows from it: delivered, again later, or given up."""
    state = _decide(claimed, sent)
    if state is None:
        return
    if not sent.outcome.error:
        health.note_success(claimed.endpoint)
        return
    health.note_failure(claimed.endpoint, at=sent.outcome.at)
    if state == WebhookDelivery.State.DEAD:
        health.notice(claimed.endpoint, health.GIVEN_UP, delivery=claimed.delivery)
    elif claimed.delivery.tries == health.NOTICED_TRY:
        health.notice(claimed.endpoint, health.FAILING, delivery=claimed.delivery)


@transaction.atomic
def _decide(claimed: Claimed, sent: Sent) -> str | None:
    """The delivery's state after the attempt; None when it is gone with its endpoint."""
    found = WebhookDelivery.objects.select_for_update().filter(pk=claimed.delivery.pk).first()
    if found is None:
        return None
    outcome = sent.outcome
    WebhookAttempt.objects.create(
        delivery=found,
        number=claimed.number,
        stage=sent.stage,
        at=outcome.at,
        status=outcome.status,
        duration_ms=outcome.duration_ms,
        error=outcome.error,
        url=claimed.endpoint.url,
        request_headers=outcome.headers,
        request_body=outcome.body,
        answer=outcome.answer,
    )
    found.last_attempt_at, found.last_ms = outcome.at, outcome.duration_ms
    found.last_status, found.last_error = outcome.status, outcome.error
    _move(found, claimed, is_success=not outcome.error)
    found.save()
    return str(found.state)


def _move(delivery: WebhookDelivery, claimed: Claimed, *, is_success: bool) -> None:
    if is_success:
        delivery.deliver()
        return
    # After the lease another worker may have taken it: then its attempt decides, not ours.
    if delivery.state != delivery.State.PENDING or delivery.n_attempts != claimed.number:
        return
    if delivery.tries >= MAX_TRIES:
        delivery.bury()
    else:
        delivery.retry(at=next_attempt(delivery.tries, now=clock.now()))


def next_attempt(tries: int, *, now: datetime) -> datetime:
    """When to try again after `tries` failed attempts of a round."""
    wait = BACK_OFF[max(tries, 1) - 1]
    return now + wait * _random.uniform(1 - JITTER, 1 + JITTER)
