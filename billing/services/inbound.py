"""What providers tell us: verified, kept once, and worked off by a task (ST-5).

A provider is a line in `INTAKES`: a module with two functions. `read` verifies and takes apart what
was posted and touches nothing; `apply` asks the provider for the present state of what the notice
is about and brings our rows in step: notices come in any order and any number of times.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Protocol
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.models import GatewayAccount, InboundEvent
from lib import clock
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable, NotFound
from lib.queue import enqueue

log = logging.getLogger(__name__)

# provider → module with `read` and `apply`.
INTAKES = {
    GatewayAccount.Provider.MAILJET: "billing.services.emails.notices",
    GatewayAccount.Provider.STRIPE: "billing.services.payments.card_notices",
    GatewayAccount.Provider.PIX: "billing.services.pix.notices",
}

TASK = "billing.tasks.apply_notice"
LEASE = timedelta(minutes=5)  # longer than the queue lets a task run
BACK_OFF = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
MAX_ATTEMPTS = len(BACK_OFF) + 1
SWEEP_LIMIT = 500


@dataclass(frozen=True)
class Posted:
    """A request to the hook of a gateway. `headers` have lower-case names; `body` is raw.

    `rest` is what stands after the hook in the path (a Pix provider appends "pix").
    """

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""


@dataclass(frozen=True)
class Notice:
    """One thing told. `external_id` is what repeats when it is told again (`digest` if nothing)."""

    external_id: str
    kind: str
    payload: Any  # JSON


class Forged(Exception):
    """It does not come from the provider, or cannot be read; nothing is kept."""


class Ignored(Exception):
    """Understood, and nothing to be done; the text says why."""


class Intake(Protocol):
    """What a module of `INTAKES` has."""

    def read(self, gateway: GatewayAccount, posted: Posted) -> list[Notice]:
        """Raises Forged."""

    def apply(self, event: InboundEvent) -> str:
        """Answers what was done, in words. Raises Ignored; GatewayUnavailable: later again."""


def take_in(hook: UUID, posted: Posted) -> int:
    """Keep what a provider posted; answers how many notices were new.

    Also for a gateway that is not active any more: it still tells of old payments. Raises NotFound
    for a hook of nobody, Forged when the provider did not say this.
    """
    gateway = GatewayAccount.objects.select_related("account").filter(hook=hook).first()
    if gateway is None:
        raise NotFound()
    notices = _intake(gateway.provider).read(gateway, posted)
    return sum(_keep(gateway, notice) for notice in notices)


def apply_notice(event_id: int) -> str:
    """Work one notice off. Safe to run again, also at the same time."""
    event = _claim(event_id, clock.now())
    if event is None:
        return "already taken"
    try:
        result = _intake(event.gateway.provider).apply(event)
    except Ignored as reason:
        return _close(event, InboundEvent.State.IGNORED, str(reason))
    except (GatewayUnavailable, GatewayRefused) as error:
        return _put_off(event, str(error))
    except DomainError as error:
        return _put_off(event, error.mensagem)
    except Exception:
        # It must not be lost, nor keep others waiting.
        log.exception("notice.crashed", extra={"event_id": event_id, "kind": event.kind})
        return _put_off(event, "Erro inesperado; veja o registro do servidor.")
    return _close(event, InboundEvent.State.DONE, result)


def sweep_notices() -> int:
    """Queue what waits and is due: retries, and notices whose task was lost."""
    now = clock.now()
    due = InboundEvent.objects.filter(
        state=InboundEvent.State.WAITING, next_attempt_at__lte=now
    ).order_by("next_attempt_at")
    ids = list(due.values_list("pk", flat=True)[:SWEEP_LIMIT])
    for event_id in ids:
        enqueue(TASK, event_id)
    return len(ids)


def read_json(body: bytes) -> Any:
    """The body as JSON. Raises Forged, also for NUL, which PostgreSQL keeps nowhere."""
    try:
        text = body.decode("utf-8")
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Forged("not JSON") from error
    if "\\u0000" in text or "\x00" in text:
        raise Forged("NUL in a text")
    return found


def digest(body: bytes) -> str:
    """An id for a notice that has none: the same bytes are the same notice."""
    return hashlib.sha256(body).hexdigest()


def _intake(provider: str) -> Intake:
    module: Any = import_module(INTAKES[GatewayAccount.Provider(provider)])
    return module  # type: ignore[no-any-return]


def _keep(gateway: GatewayAccount, notice: Notice) -> bool:
    """Whether it is new; its row and its task come to be together."""
    external_id = notice.external_id
    if not 0 < len(external_id) <= 255:
        external_id = digest(external_id.encode() or json.dumps(notice.payload).encode())
    now = clock.now()
    try:
        with transaction.atomic():
            event = InboundEvent.objects.create(
                account_id=gateway.account_id,
                gateway=gateway,
                external_id=external_id,
                kind=notice.kind[:100],
                payload=notice.payload,
                received_at=now,
                # The task comes sooner; the sweep finds it when the task is lost.
                next_attempt_at=now,
            )
            enqueue(TASK, event.pk)
    except IntegrityError:
        return False
    return True


@transaction.atomic
def _claim(event_id: int, now: datetime) -> InboundEvent | None:
    """The event for this worker, its attempt counted; None when it is done, not due or taken."""
    found = InboundEvent.objects.select_for_update(of=("self",), skip_locked=True).filter(
        pk=event_id, state=InboundEvent.State.WAITING, next_attempt_at__lte=now
    )
    event: InboundEvent | None = found.select_related("gateway", "account").first()
    if event is None:
        return None
    event.attempts += 1
    event.next_attempt_at = now + LEASE
    if event.attempts > MAX_ATTEMPTS:  # each was begun and none was ended
        event.state = InboundEvent.State.FAILED
        event.result = "O processo foi interrompido em todas as tentativas."
    event.save(update_fields=["attempts", "next_attempt_at", "state", "result"])
    return event if event.state == InboundEvent.State.WAITING else None


def _close(event: InboundEvent, state: str, result: str) -> str:
    InboundEvent.objects.filter(pk=event.pk).update(
        state=state, result=result, processed_at=clock.now()
    )
    return result


def _put_off(event: InboundEvent, why: str) -> str:
    """Later again, or for an operator to look at."""
    if event.attempts < MAX_ATTEMPTS:
        again = clock.now() + BACK_OFF[event.attempts - 1]
        InboundEvent.objects.filter(pk=event.pk, attempts=event.attempts).update(
            next_attempt_at=again, result=why
        )
        return why
    log.warning("notice.failed", extra={"event_id": event.pk, "kind": event.kind})
    return _close(event, InboundEvent.State.FAILED, why)
