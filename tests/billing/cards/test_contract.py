"""The adapter against two stand-ins that know nothing of each other: ours, and localstripe.

localstripe is a process of its own and never imported. What it lacks is tested against ours alone:
idempotency keys, 3-D Secure, lists of charges and pages (DEPENDENCIES §10).
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from billing.gateways.cards import CardRefused, Order, Status
from billing.gateways.stripe.adapter import Stripe, adapter
from billing.sandbox import server
from lib.errors import GatewayUnavailable

PATIENCE = 20.0  # seconds


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and child.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
                break
            time.sleep(0.05)
        assert child.poll() is None, "localstripe did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    running = server.start(None)
    yield f"{running.base_url}/stripe"
    running.stop()


def _card(stripe: Stripe, number: str) -> str:
    """What the provider's fields in the browser make of a card."""
    answer = requests.post(
        f"{stripe.base_url}/v1/payment_methods",
        data={
            "type": "card", "card[number]": number, "card[exp_month]": "12",
            "card[exp_year]": "2034", "card[cvc]": "123",
        },
        headers={"Authorization": f"Bearer {stripe.api_key}"},
        timeout=10,
    )  # fmt: skip
    answer.raise_for_status()
    return str(answer.json()["id"])


def _order(customer: str, method: str, value: str = "12.34") -> Order:
    key = str(uuid.uuid4())
    return Order(f"pay:{key}", Decimal(value), customer, method, False, "", {"payment": key})


@pytest.mark.parametrize("stand_in", ["ours", "localstripe"])
def test_the_same_life_of_a_card(stand_in: str, request: pytest.FixtureRequest) -> None:
    stripe = adapter(request.getfixturevalue(stand_in), "sk_test_contrato")
    customer = stripe.create_customer(
        key=str(uuid.uuid4()), name="Ana", email="ana@exemplo.test", labels={"customer": "1"}
    )
    setup = stripe.start_setup(customer, labels={})
    assert (setup.customer, setup.is_done, bool(setup.secret)) == (customer, False, True)
    good = _card(stripe, "4242424242424242")
    card = stripe.attach(good, customer=customer)
    assert (card.customer, card.brand, card.last4, card.exp_year) == (
        customer, "visa", "4242", 2034,
    )  # fmt: skip
    assert card.fingerprint == stripe.card(_card(stripe, "4242424242424242")).fingerprint
    assert [one.reference for one in stripe.cards(customer)] == [good]

    order = _order(customer, good)
    attempt = stripe.charge(order)
    assert (attempt.status, attempt.amount) == (Status.SUCCEEDED, Decimal("12.34"))
    assert attempt.labels == order.labels
    assert stripe.attempt(attempt.external_id).status is Status.SUCCEEDED
    returned = stripe.refund(
        attempt.external_id, key="r1", amount=Decimal("5.00"), labels={"refund": "r1"}
    )
    assert (returned.status, returned.amount) == ("succeeded", Decimal("5.00"))
    [known] = stripe.refunds(attempt.external_id)
    assert (known.external_id, known.labels) == (returned.external_id, {"refund": "r1"})

    with pytest.raises(CardRefused):
        stripe.attempt("pi_que_nao_existe")
    stripe.detach(good)
    assert stripe.cards(customer) == []


def test_what_only_ours_knows(ours: str) -> None:
    stripe = adapter(ours, "sk_test_contrato_2")
    customer = stripe.create_customer(key="c", name="Ana", email="", labels={})
    assert stripe.create_customer(key="c", name="Ana", email="", labels={}) == customer
    card = stripe.attach(_card(stripe, "4242424242424242"), customer=customer)
    order = _order(customer, card.reference)
    first, again = stripe.charge(order), stripe.charge(order)
    assert first.external_id == again.external_id
    since = datetime.now(UTC) - timedelta(minutes=1)
    label = {"label": "payment", "value": order.labels["payment"]}
    assert stripe.find(customer=customer, since=since, **label) == stripe.attempt(first.external_id)
    assert stripe.find(customer=customer, since=since, label="payment", value="x") is None
    assert not list(stripe.attempts(since=datetime.now(UTC) + timedelta(minutes=1)))
    other = Order(order.key, Decimal("99.00"), customer, card.reference, False, "", order.labels)
    with pytest.raises(GatewayUnavailable):  # known, and with another body: nobody knows what for
        stripe.charge(other)
    refund = {"key": "r", "amount": Decimal("5.00"), "labels": {}}
    assert stripe.refund(first.external_id, **refund) == stripe.refund(first.external_id, **refund)
    with pytest.raises(CardRefused, match="greater than unrefunded amount"):
        stripe.refund(first.external_id, key="r2", amount=Decimal("7.35"), labels={})
    declined = stripe.attach(_card(stripe, "4000000000000002"), customer=customer)
    refused = stripe.charge(_order(customer, declined.reference))
    assert (refused.status, refused.decline_code) == (Status.FAILED, "generic_decline")
    asks = stripe.attach(_card(stripe, "4000002500003155"), customer=customer)
    waiting = stripe.charge(_order(customer, asks.reference))
    assert (waiting.status, waiting.action_url) == (Status.REQUIRES_ACTION, "")
    assert stripe.cancel(waiting.external_id).status is Status.CANCELED
    assert stripe.cancel(first.external_id).status is Status.SUCCEEDED  # answered as it is
    with pytest.raises(CardRefused):
        adapter(ours, "sk_live_x").cards(customer)
    with pytest.raises(CardRefused):
        adapter(ours, "sk_test_outra").attempt(first.external_id)
    with pytest.raises(GatewayUnavailable):
        adapter("http://127.0.0.1:9", "sk_test_x").cards(customer)
    assert "sk_test" not in repr(stripe)
