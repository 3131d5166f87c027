"""Endpoints, events and moved clocks for the tests of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import time_machine
from support.receiver import Receiver

from accounts.models import Account, WebhookDelivery, WebhookEndpoint, WebhookEvent
from accounts.services import webhook_delivery
from accounts.services.audit import SYSTEM
from accounts.services.webhook_outbox import causing_token_id
from accounts.services.webhooks import Proof, create_endpoint
from lib import clock

SECRET = "um segredo de teste"


def endpoint_to(target: Receiver | str, account: Account, **values: Any) -> WebhookEndpoint:
    """An endpoint as if its address had been tried; without ping before each send."""
    url = target if isinstance(target, str) else target.url
    token = values.pop("token", None)
    return create_endpoint(
        {"url": url, "ping": False} | values,
        account=account,
        actor=SYSTEM,
        token=token,
        proof=Proof(url, SECRET, None),
    )


def announced(account: Account, event: str = "update", object_id: int = 1) -> WebhookEvent:
    """An event in the outbox, as billing writes it."""
    return WebhookEvent.objects.create(
        account=account,
        event=event,
        object_type="Invoice",
        object_id=object_id,
        payload={
            "event": event,
            "object_type": "Invoice",
            "object_id": object_id,
            "contract_token": None,
            "contract_id": None,
        },
        created_at=clock.now(),
        caused_by_token_id=causing_token_id(),
    )


def deliver() -> int:
    """One delivery task, in this thread, so that it sees the test's transaction."""
    return webhook_delivery.deliver(threads=1)


def told(server: Receiver) -> list[tuple[str, int]]:
    """(event, object id) of what was received, in order, pings left out."""
    return [(got.json["event"], got.json["object_id"]) for got in server.events]


def states(endpoint: WebhookEndpoint | None = None) -> list[str]:
    """States of the deliveries in order of their events."""
    found = WebhookDelivery.objects.order_by("event_id", "endpoint_id")
    found = found.filter(endpoint=endpoint) if endpoint else found
    return list(found.values_list("state", flat=True))


@contextmanager
def later(wait: timedelta, *, since: datetime | None = None) -> Iterator[datetime]:
    """The same, `wait` later."""
    moment = (since or clock.now()) + wait
    with time_machine.travel(moment, tick=False):
        yield moment
