"""Requests to integrators: their headers, their signatures, and how they were answered."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import WebhookEndpoint
from lib import clock, outbound
from lib.crypto import decrypt

SECRET = "webhook"  # noqa: S105  the purpose of the key, not a secret
PING_SECONDS = 5  # WH-2
SEND_SECONDS = 10  # WH-4
PING = {"test": True}


@dataclass(frozen=True)
class Receiver:
    """Where to, and the secrets in force: the present one first."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How a request went. `error` is "" for 2xx; `is_silent` when there was no answer at all.

    `headers` are those sent, without the signatures; `answer` is the first 4 KB of the body.
    """

    at: datetime
    duration_ms: int
    error: str = ""
    status: int | None = None
    answer: str = ""
    is_silent: bool = False
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def policy() -> outbound.Policy:
    """Where webhooks of this installation may go (WH-8)."""
    return outbound.Policy(
        allow_http=settings.WEBHOOK_ALLOW_HTTP, allow_private=settings.WEBHOOK_ALLOW_PRIVATE
    )


def receiver_of(endpoint: WebhookEndpoint, *, at: datetime) -> Receiver:
    """The endpoint with its secrets opened. Raises lib.crypto.Unreadable."""
    secrets = [decrypt(endpoint.secret, purpose=SECRET)]
    if endpoint.old_secret and endpoint.old_secret_until and at < endpoint.old_secret_until:
        secrets.append(decrypt(endpoint.old_secret, purpose=SECRET))
    return Receiver(endpoint.url, tuple(secrets))


def ping(receiver: Receiver) -> Outcome:
    """The test request: `{"test": true}`, answered with 2xx in 5 seconds (WH-2)."""
    return request(
        receiver, PING, event="test", event_id=f"ping_{uuid.uuid4().hex}", timeout=PING_SECONDS
    )


def send(receiver: Receiver, body: dict[str, Any], *, event: str, event_id: str) -> Outcome:
    """An event, answered with 2xx in 10 seconds (WH-4)."""
    return request(receiver, body, event=event, event_id=event_id, timeout=SEND_SECONDS)


def request(
    receiver: Receiver, body: dict[str, Any], *, event: str, event_id: str, timeout: float
) -> Outcome:
    """One POST, whatever comes of it. Needs no transaction and must not be inside one."""
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    at = clock.now()
    headers = {
        "Content-Type": "application/json",
        "X-Event": event,
        "X-Event-Id": event_id,
        f"{settings.WEBHOOK_HEADER_PREFIX}-RequestId": uuid.uuid4().hex,
    }
    secret = signatures(receiver.secrets, headers, raw, at=int(at.timestamp()))
    return exchange(receiver.url, raw, at=at, headers=headers, secret=secret, timeout=timeout)


def exchange(
    url: str,
    raw: bytes,
    *,
    at: datetime,
    headers: dict[str, str],
    secret: dict[str, str],
    timeout: float,
) -> Outcome:
    """POST a body of JSON and tell how it went; the `secret` headers are in no record of it."""
    try:
        answer = outbound.post(url, raw, headers=headers | secret, timeout=timeout, policy=policy())
    except (outbound.Blocked, outbound.NoAnswer) as error:
        spent = clock.now() - at
        return Outcome(
            at=at,
            duration_ms=max(int(spent.total_seconds() * 1000), 0),
            error=str(error)[:300],
            is_silent=True,
            body=raw.decode(),
            headers=headers,
        )
    return Outcome(
        at=at,
        duration_ms=answer.duration_ms,
        error="" if answer.is_success else _refusal(answer.status),
        status=answer.status,
        answer=answer.body.decode(errors="replace").replace("\x00", "�"),
        body=raw.decode(),
        headers=headers,
    )


def signatures(
    secrets: Sequence[str], headers: dict[str, str], raw: bytes, *, at: int
) -> dict[str, str]:
    """SIG-1, one v1 for each secret in force, and the older contract's HMAC-SHA1 (§4)."""
    prefix = settings.WEBHOOK_HEADER_PREFIX
    older = headers[f"{prefix}-RequestId"].encode() + raw
    message = f"{at}.".encode() + raw
    marks = [_hmac(secret, message, hashlib.sha256) for secret in secrets]
    return {
        f"{prefix}-Signature": _hmac(secrets[0], older, hashlib.sha1),
        "X-Signature": ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)]),
    }


def _hmac(secret: str, message: bytes, algorithm: Any) -> str:
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: redirecionamentos não são seguidos"
    return f"HTTP {status}"
