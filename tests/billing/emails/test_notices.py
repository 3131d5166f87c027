"""What Mailjet tells of messages: verified, in any order, for its own tenant only."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from factories import CompanyFactory
from support.emails import (
    HOOK_PASSWORD,
    HOOK_USER,
    contact,
    mailjet_account,
    send_all,
    template,
)
from support.invoices import emitted_invoice
from support.payment_sandbox import Providers

from accounts.services.audit import SYSTEM
from billing.models import (
    Contact,
    EmailMessage,
    EmailSuppression,
    GatewayAccount,
    InboundEvent,
    Invoice,
)
from billing.services import inbound
from billing.services.emails import manual, sending

State = EmailMessage.State
Reason = EmailSuppression.Reason
EARLY, LATE = 1786530000, 1786533600  # 12/08/2026, 10:20 and 11:20 UTC


@pytest.fixture
def sent(organization: Any, customer: Any, providers: Providers, today: Any) -> Any:
    """One message, sent at the end of 12/08/2026; its gateway is `sent.gateway`."""
    today("2026-08-13")
    contact(customer, "Ana@exemplo.test")
    template(organization)
    mailjet_account(organization, providers)
    manual.send_invoice(emitted_invoice(organization, customer), actor=SYSTEM)
    [row] = send_all()
    return row


def tell(gateway: GatewayAccount, *events: dict[str, Any], password: str = HOOK_PASSWORD) -> int:
    """Post events as Mailjet does and work them off; the status."""
    pair = base64.b64encode(f"{HOOK_USER}:{password}".encode()).decode()
    body = json.dumps(events[0] if len(events) == 1 else events)
    answer = Client().post(
        f"/hooks/{gateway.hook}",
        body,
        content_type="application/json",
        headers={"authorization": f"Basic {pair}"},
    )
    for event in InboundEvent.objects.filter(state="waiting").order_by("pk"):
        inbound.apply_notice(event.pk)
    return answer.status_code


def about(row: EmailMessage, event: str, time: int = LATE, **more: Any) -> dict[str, Any]:
    reference = sending.reference_of(row)
    return {"event": event, "time": time, "CustomID": reference, "MessageID": 5, **more}


def fresh(row: EmailMessage) -> EmailMessage:
    return EmailMessage.objects.get(pk=row.pk)


def test_messages_only_move_forward_whatever_the_order(sent: Any) -> None:
    early, late = (datetime.fromtimestamp(moment, UTC) for moment in (EARLY, LATE))
    gateway = sent.gateway

    assert tell(gateway, about(sent, "open")) == 200
    row = fresh(sent)
    assert (row.state, row.opened_at, row.delivered_at) == (State.DELIVERED, late, late)
    assert row.external_id == sent.external_id
    tell(gateway, about(sent, "sent", EARLY), about(sent, "click", EARLY), about(sent, "sent"))
    row = fresh(sent)
    assert (row.state, row.opened_at, row.delivered_at) == (State.DELIVERED, early, early)
    # The same body again is no event; what is of no use is kept and ignored.
    n_events = InboundEvent.objects.count()
    tell(gateway, about(sent, "open"))
    assert InboundEvent.objects.count() == n_events
    tell(gateway, {"event": "nova"}, about(sent, "sent", CustomID="x" * 32), {"event": "open"})
    ignored = InboundEvent.objects.filter(state="ignored").values_list("result", flat=True)
    assert sorted(ignored) == [
        "evento sem efeito",
        "mensagem desconhecida",
        "mensagem desconhecida",
    ]
    tell(gateway, about(sent, "bounce", error="mailbox full", hard_bounce=False))
    row = fresh(sent)
    assert row.state == State.BOUNCED
    assert "devolvida pelo servidor do destinatário (mailbox full)" in row.error
    assert not EmailSuppression.objects.exists()
    tell(gateway, about(sent, "open", LATE + 1))
    assert fresh(sent).state == State.BOUNCED


def test_an_event_settles_what_was_not_known(sent: Any) -> None:
    """Also of a message that we had given up on."""
    for state in (State.SENDING, State.FAILED):
        EmailMessage.objects.filter(pk=sent.pk).update(
            state=state,
            external_id="",
            error="x",
            sent_at=None,
            next_attempt_at="2026-08-13T12:00Z",
        )
        Invoice.objects.update(sent_at=None)

        tell(sent.gateway, about(sent, "sent", time=LATE + len(state)))

        row = fresh(sent)
        assert (row.state, row.external_id, row.error) == (State.DELIVERED, "5", "")
        assert row.next_attempt_at is None
        assert Invoice.objects.get().sent_at == row.sent_at is not None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event": "bounce", "hard_bounce": True, "error": "user unknown"}, Reason.BOUNCE),
        ({"event": "spam", "source": "JMRPP"}, Reason.SPAM),
        ({"event": "unsub"}, Reason.UNSUBSCRIBED),
        ({"event": "blocked", "error": "preblocked"}, Reason.BLOCKED),
        ({"event": "blocked", "error": "content blocked"}, None),
        ({"event": "bounce", "hard_bounce": False, "error": "quota exceeded"}, None),
    ],
)
def test_what_an_event_says_about_the_address(
    sent: Any, event: dict[str, Any], reason: str | None
) -> None:
    tell(sent.gateway, {**about(sent, ""), **event})

    found = EmailSuppression.objects.values_list("address", "reason")
    assert list(found) == ([("ana@exemplo.test", reason)] if reason else [])
    assert (Contact.objects.get().bounced_at is not None) == (reason == Reason.BOUNCE)


def test_nobody_else_is_believed(sent: Any, other_account: Any, providers: Providers) -> None:
    before = EmailMessage.objects.values().get()
    gateway = sent.gateway
    stranger = mailjet_account(CompanyFactory(account=other_account), providers)
    mute = mailjet_account(
        sent.customer, providers, organization=sent.invoice.organization, hook_password=""
    )
    events = [about(sent, "bounce", hard_bounce=True), about(sent, "spam", CustomID="")]
    events[1]["MessageID"] = int(sent.external_id)

    for event in events:
        assert tell(stranger, event) == 200  # its own gateway, and no message of its own
    assert tell(gateway, events[0], password="errada") == 400
    assert tell(mute, events[0], password="") == 400
    for body in (b"", b"null", b"[1]", b'{"a": "\\u0000"}', b"\xff", b"[" * 50_000):
        assert post(gateway, body) == 400
    assert Client().post(f"/hooks/{sent.batch}", b"{}", "application/json").status_code == 404
    assert Client().post(f"/hooks/{gateway.hook}", b"{}", "application/json").status_code == 400

    assert EmailMessage.objects.values().get() == before
    assert not EmailSuppression.objects.exists()
    # By Mailjet's own id alone it is found too.
    tell(gateway, events[1])
    assert EmailSuppression.objects.get().reason == Reason.SPAM


def post(gateway: GatewayAccount, body: bytes) -> int:
    pair = base64.b64encode(f"{HOOK_USER}:{HOOK_PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {pair}"}
    answer = Client().post(
        f"/hooks/{gateway.hook}", body, content_type="application/json", headers=headers
    )
    return answer.status_code


def test_the_stand_in_tells_grouped_and_repeated(
    sent: Any, providers: Providers, live_server: Any
) -> None:
    """Over HTTP, with its own user and password."""
    url = f"{live_server.url}/hooks/{sent.gateway.hook}"
    providers.control("mailjet/hook", url=url, user=HOOK_USER, password=HOOK_PASSWORD)
    events = [{"event": "open"}, {"event": "sent"}]
    providers.control(
        "mailjet/events", custom_id=sending.reference_of(sent), events=events, grouped=True
    )
    [notice] = providers.notices("mailjet")

    assert providers.control("deliver", order=[notice["id"], notice["id"]]) == [200, 200]

    assert InboundEvent.objects.count() == 2
    for event in InboundEvent.objects.all():
        inbound.apply_notice(event.pk)
    assert fresh(sent).opened_at is not None
