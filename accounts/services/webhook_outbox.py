"""The near end of webhooks: from announced events to deliveries, and the call for a task.

What announces must not pay for it: deliveries are made by the task, and the call for one is a
look at the account's endpoints after the commit, at most once for each transaction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from lib import clock
from lib.bulk import insert_missing
from lib.queue import enqueue

TASK = "accounts.tasks.deliver_webhooks"
FAN_OUT = 2_000  # events of one transaction
# A call whose task was lost is forgotten after this; the sweep of each minute works anyway.
NUDGE_LASTS = timedelta(minutes=2)

_COLUMNS = (
    "account", "event", "endpoint", "object_type", "object_id", "state", "next_attempt_at",
    "created_at",
)  # fmt: skip


@dataclass(frozen=True)
class _Call:
    """What runs after the commit; equal ones of a transaction are one."""

    account_id: int

    def __post_init__(self) -> None:
        # Django tells of one that fails by its name, which an object has not.
        object.__setattr__(self, "__qualname__", nudge_after_commit.__qualname__)

    def __call__(self) -> None:
        active = WebhookEndpoint.objects.filter(state=WebhookEndpoint.State.ACTIVE)
        if active.filter(account_id=self.account_id).exists():
            nudge()


def causing_token_id() -> int | None:
    """The API token whose request is being served, if one is (WH-9)."""
    caller = structlog.contextvars.get_contextvars().get("caller_id")
    return caller if isinstance(caller, int) else None


def nudge_after_commit(account_id: int) -> None:
    """Have the account's new events sent soon after the transaction; no event is lost without it.

    Costs the transaction nothing, and an account without endpoints one look afterwards.
    """
    call = _Call(account_id)
    if all(waiting[1] != call for waiting in connection.run_on_commit):
        transaction.on_commit(call, robust=True)


def nudge() -> None:
    """Queue a delivery task, unless one is on its way already."""
    now = clock.now()
    if WebhookEndpoint.objects.filter(nudged_at__gt=now - NUDGE_LASTS).exists():
        return
    if WebhookEndpoint.objects.filter(state=WebhookEndpoint.State.ACTIVE).update(nudged_at=now):
        enqueue(TASK)


def clear_nudges() -> None:
    """A task begins: what is announced from now on may call for another."""
    WebhookEndpoint.objects.filter(nudged_at__isnull=False).update(nudged_at=None)


def _with_waiting_events() -> QuerySet[WebhookEndpoint]:
    waiting = WebhookEvent.objects.filter(
        account=OuterRef("account"), fanned_out_at=None, id__gt=OuterRef("after_event_id")
    )
    return WebhookEndpoint.objects.filter(Exists(waiting))


def has_waiting_events() -> bool:
    return _with_waiting_events().exists()


def fan_out(*, deadline: float) -> int:
    """Make the deliveries of announced events, account by account. Answers how many events."""
    n = 0
    ids = _with_waiting_events().order_by("account_id").values_list("account_id", flat=True)
    for account_id in ids.distinct():
        while time.monotonic() < deadline and (taken := _fan_out_some(account_id)):
            n += taken
    return n


@transaction.atomic
def _fan_out_some(account_id: int) -> int:
    """One batch of an account, oldest first."""
    # The lock keeps two tasks from overtaking each other: later events of an object would get
    # their deliveries before earlier ones.
    endpoints = list(
        WebhookEndpoint.objects.select_for_update().filter(account_id=account_id).order_by("pk")
    )
    if not endpoints:
        return 0
    events = list(
        WebhookEvent.objects.filter(
            account_id=account_id,
            fanned_out_at=None,
            id__gt=min(endpoint.after_event_id for endpoint in endpoints),
        )
        .defer("payload")
        .order_by("id")[:FAN_OUT]
    )
    now = clock.now()
    insert_missing(
        WebhookDelivery,
        _COLUMNS,
        [_row(event, endpoint, now) for event in events for endpoint in endpoints
         if _is_told(endpoint, event)],
    )  # fmt: skip
    WebhookEvent.objects.filter(id__among=[event.pk for event in events]).update(fanned_out_at=now)
    return len(events)


def _is_told(endpoint: WebhookEndpoint, event: WebhookEvent) -> bool:
    is_newer = event.pk > endpoint.after_event_id
    return is_newer and endpoint.wants(event.event, event.caused_by_token_id)


def _row(event: WebhookEvent, endpoint: WebhookEndpoint, now: datetime) -> tuple[object, ...]:
    pending = WebhookDelivery.State.PENDING.value
    key = (event.account_id, event.pk, endpoint.pk)
    return (*key, event.object_type, event.object_id, pending, now, now)
