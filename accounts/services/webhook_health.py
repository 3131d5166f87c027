"""How an endpoint fares: since when it fails, who is told, when it is paused (WH-4, WH-6)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import WebhookDelivery, WebhookEndpoint
from accounts.services.audit import SYSTEM, record
from lib import clock

log = logging.getLogger(__name__)

PAUSE_EVENTS = 50
PAUSE_AFTER = timedelta(hours=24)
NOTICED_TRY = 5
FAILING = "webhook.falhando"
GIVEN_UP = "webhook.esgotado"
PAUSED = "webhook.desativado"
REASON = f"{PAUSE_EVENTS} eventos seguidos falharam por mais de 24 horas."


def note_success(endpoint: WebhookEndpoint) -> None:
    """A streak of failures is over."""
    failing = WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=False)
    failing.update(failing_since=None, noticed={})


def note_failure(endpoint: WebhookEndpoint, *, at: datetime) -> None:
    """A streak of failures begins or goes on; after 24 hours and 50 events it is enough."""
    healthy = WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None)
    if endpoint.failing_since is None:
        healthy.update(failing_since=at)
    elif at - endpoint.failing_since >= PAUSE_AFTER:
        _pause_if_hopeless(endpoint.pk, at=at)


@transaction.atomic
def _pause_if_hopeless(endpoint_id: int, *, at: datetime) -> None:
    endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if endpoint is None or not endpoint.is_active or endpoint.failing_since is None:
        return
    if at - endpoint.failing_since < PAUSE_AFTER or failed_events(endpoint) < PAUSE_EVENTS:
        return
    endpoint.pause(at=at, reason=REASON)
    endpoint.save()
    record(endpoint.account, actor=SYSTEM, action=PAUSED, target=endpoint, after={"motivo": REASON})
    log.warning(PAUSED, extra={"endpoint_id": endpoint.pk, "account_id": endpoint.account_id})


def failed_events(endpoint: WebhookEndpoint) -> int:
    """Events that failed since the last success, counted up to the number that pauses."""
    if endpoint.failing_since is None:
        return 0
    failed = WebhookDelivery.objects.filter(
        endpoint=endpoint, last_attempt_at__gte=endpoint.failing_since
    ).exclude(state=WebhookDelivery.State.DELIVERED)
    return int(failed[:PAUSE_EVENTS].count())


@transaction.atomic
def notice(endpoint: WebhookEndpoint, action: str, *, delivery: WebhookDelivery) -> None:
    """Tell the account once in each streak: in its trail, and the operator in the log."""
    found = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    if found is None or action in found.noticed:
        return
    found.noticed[action] = clock.now().isoformat()
    found.save(update_fields=["noticed"])
    record(
        found.account,
        actor=SYSTEM,
        action=action,
        target=found,
        after={"entrega": delivery.pk, "tentativa": delivery.tries},
    )
    log.warning(action, extra={"endpoint_id": found.pk, "delivery_id": delivery.pk})
