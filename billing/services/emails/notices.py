"""What Mailjet tells of messages: taken, read, bounced, complained about (billing-engine EM-5).

Its notices are not signed: they come with the user and password that were written into the address
given to Mailjet. They come in any order and any number of times, so a row only ever moves forward.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from billing.models import EmailMessage, GatewayAccount, InboundEvent, Invoice
from billing.services.emails.suppressions import Reason, bounced
from billing.services.emails.suppressions import suppress as bar
from billing.services.inbound import Forged, Ignored, Notice, Posted, digest, read_json
from lib import clock
from lib.crypto import Unreadable

State = EmailMessage.State
MOST = 10_000  # events of one body
_RANK = {
    State.QUEUED: 0,
    State.SENDING: 1,
    State.FAILED: 2,  # given up on, when we did not know
    State.SENT: 3,
    State.DELIVERED: 4,
    State.BOUNCED: 5,
}
_BECOMES = {
    "sent": State.DELIVERED,
    "open": State.DELIVERED,
    "click": State.DELIVERED,
    "spam": State.DELIVERED,
    "unsub": State.DELIVERED,
    "bounce": State.BOUNCED,
    "blocked": State.BOUNCED,
}
_READ = ("open", "click")
# Errors of a block that are about the address, and not about what was sent to it.
_OF_ADDRESS = frozenset(
    {"user unknown", "mailbox inactive", "invalid domain", "no mail host", "preblocked"}
    | {"blacklisted", "spam reporter"}
)
_REFERENCE = re.compile(r"([0-9a-f]{32})\.([0-9]{1,18})", re.ASCII)


def read(gateway: GatewayAccount, posted: Posted) -> list[Notice]:
    """One notice for each event of a body, which holds one or an array. Raises Forged."""
    _check_sender(gateway, posted.headers)
    found = read_json(posted.body)
    events = found if isinstance(found, list) else [found]
    if len(events) > MOST or not all(isinstance(event, dict) for event in events):
        raise Forged("not events")
    return [_notice(event) for event in events]


def _check_sender(gateway: GatewayAccount, headers: Mapping[str, str]) -> None:
    """Without a user and a password of ours nobody is believed."""
    try:
        secrets = gateway.secrets
    except Unreadable as error:
        raise Forged("unreadable secrets") from error
    user, password = str(secrets.get("hook_user", "")), str(secrets.get("hook_password", ""))
    wanted = base64.b64encode(f"{user}:{password}".encode())
    scheme, _, told = headers.get("authorization", "").partition(" ")
    is_same = hmac.compare_digest(told.strip().encode(), wanted)
    if not (user and password and scheme.lower() == "basic" and is_same):
        raise Forged("not its user and password")


def _notice(event: dict[str, Any]) -> Notice:
    """They have no id of their own: the same words are the same event."""
    words = json.dumps(event, sort_keys=True, ensure_ascii=False)
    return Notice(digest(words.encode()), str(event.get("event", ""))[:100], event)


def apply(event: InboundEvent) -> str:
    """Bring the message in step. Raises Ignored for what says nothing about one of ours."""
    told: dict[str, Any] = event.payload
    becomes = _BECOMES.get(str(told.get("event", "")))
    if becomes is None:
        raise Ignored("evento sem efeito")
    row = _message(event, told)
    if row is None:
        raise Ignored("mensagem desconhecida")
    at = _moment(told.get("time"))
    with transaction.atomic():
        if row.invoice_id is not None:  # invoices are locked before what hangs on them
            Invoice.objects.filter(pk=row.invoice_id, sent_at=None).update(sent_at=at)
        row = EmailMessage.objects.select_for_update().get(pk=row.pk)
        _move(row, becomes, told, at)
        _draw_conclusions(row, told)
    return f"{row.pk}: {row.get_state_display()}"


def _message(event: InboundEvent, told: dict[str, Any]) -> EmailMessage | None:
    """The message by our own id, else by Mailjet's; only of the tenant who owns the gateway."""
    rows = EmailMessage.objects.of(event.account)
    ours = _REFERENCE.fullmatch(str(told.get("CustomID", "")))
    theirs = str(told.get("MessageID", ""))
    if ours is not None:
        rows = rows.filter(batch=ours[1], pk=int(ours[2]))
    elif theirs:
        rows = rows.filter(external_id=theirs[:100])
    else:
        return None
    found: EmailMessage | None = rows.first()
    is_its_own = found is not None and found.gateway_id in (None, event.gateway_id)
    return found if is_its_own else None


def _moment(seconds: Any) -> datetime:
    """When it happened; now, where that makes no sense."""
    now = clock.now()
    with suppress(ValueError, OverflowError, OSError, TypeError):
        return min(datetime.fromtimestamp(int(seconds), UTC), now)
    return now


def _move(row: EmailMessage, becomes: str, told: dict[str, Any], at: datetime) -> None:
    """Forward only; earlier moments win over later ones of the same kind."""
    if _RANK[State(becomes)] > _RANK[State(row.state)]:
        row.state, row.next_attempt_at = becomes, None
        row.error = _cause(told) if becomes == State.BOUNCED else ""
    row.external_id = row.external_id or str(told.get("MessageID", ""))[:100]
    row.sent_at = row.sent_at or at
    if becomes == State.DELIVERED:
        row.delivered_at = min(filter(None, (row.delivered_at, at)))
    if told["event"] in _READ:
        row.opened_at = min(filter(None, (row.opened_at, at)))
    row.save()


def _cause(told: dict[str, Any]) -> str:
    """In pt-BR, with their words after ours."""
    theirs = " ".join(
        str(told.get(name, "")) for name in ("error_related_to", "error", "comment")
    ).strip()
    if told["event"] == "blocked":
        ours = "O provedor bloqueou a mensagem"
    elif told.get("hard_bounce"):
        ours = "O endereço não existe"
    else:
        ours = "A mensagem foi devolvida pelo servidor do destinatário"
    return f"{ours} ({theirs[:300]})." if theirs else f"{ours}."


def _draw_conclusions(row: EmailMessage, told: dict[str, Any]) -> None:
    """What an event says about the address itself (EM-5)."""
    kind, cause = told["event"], str(told.get("error", ""))
    if kind == "bounce" and told.get("hard_bounce"):
        bounced(row, detail=cause)
    elif kind == "blocked" and cause.lower() in _OF_ADDRESS:
        bar(row.account, row.recipient, reason=Reason.BLOCKED, detail=cause)
    elif kind == "spam":
        bar(row.account, row.recipient, reason=Reason.SPAM, detail=str(told.get("source", "")))
    elif kind == "unsub":
        bar(row.account, row.recipient, reason=Reason.UNSUBSCRIBED)
