"""Write the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from accounts.models import Account, ApiToken, AuditEvent, User
from lib import clock
from lib.bulk import insert_rows


@dataclass(frozen=True)
class Actor:
    """Who acts: kind, id and a label that stays readable after the row is gone."""

    kind: str
    id: int | None = None
    label: str = ""
    ip: str | None = None


SYSTEM = Actor(AuditEvent.Actor.SYSTEM, label="sistema")


def actor_of(source: User | ApiToken | None, *, ip: str | None = None) -> Actor:
    """The actor behind a signed-in user or an API token."""
    if source is None:
        return SYSTEM
    if isinstance(source, ApiToken):
        return Actor(AuditEvent.Actor.TOKEN, source.pk, source.name, ip)
    return Actor(AuditEvent.Actor.USER, source.pk, source.email, ip)


def record(
    account: Account,
    *,
    actor: Actor,
    action: str,
    target: models.Model | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Append one event, in the caller's transaction. `action` is a code of the UX specification."""
    AuditEvent.objects.create(
        account=account,
        at=clock.now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:200],
        action=action,
        object_type=(target._meta.model_name or "") if target is not None else "",
        object_id=target.pk if target is not None else None,
        before=plain(before),
        after=plain(after),
        ip=actor.ip,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )


def record_many(
    account: Account,
    *,
    actor: Actor,
    action: str,
    object_type: str,
    entries: Iterable[tuple[int, dict[str, Any]]],
) -> None:
    """Append one event per (object id, what is known of it after), all in one statement."""
    now = clock.now()
    columns = (
        "account", "at", "actor_kind", "actor_id", "actor_label", "action", "object_type",
        "object_id", "after", "ip",
    )  # fmt: skip
    who = (actor.kind, actor.id, actor.label[:200], action, object_type)
    insert_rows(
        AuditEvent,
        columns,
        ((account.pk, now, *who, object_id, after, actor.ip) for object_id, after in entries),
    )


def plain(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """JSON-ready copy: dates as ISO text, decimals as text."""
    if value is None:
        return None
    copy: dict[str, Any] = json.loads(json.dumps(value, cls=DjangoJSONEncoder))
    return copy
