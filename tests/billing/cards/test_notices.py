"""Notices of the provider: forged, repeated, reversed, of others (ST-5, ST-7)."""

from __future__ import annotations

import json
import time
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from support.cards import Shop, queued

from billing.models import GatewayAccount, InboundEvent, Payment, Receivable
from billing.selectors.invariants import violations
from billing.services import inbound, ledger
from billing.services.payments import chargebacks
from billing.services.payments.refunds import open_refund
from lib import clock

State = InboundEvent.State


def test_what_the_provider_did_not_say(shop: Shop, other_shop: Shop) -> None:
    shop.charge(shop.receivable(), shop.save())
    notice = shop.notices("payment_intent.succeeded")[0]
    good = shop.providers.running.world.provider("stripe").sign(notice)["Stripe-Signature"]
    at, _, v1 = good.partition(",v1=")
    old = {**notice, "secret": "whsec_outro"}
    forged = {
        "no signature": "",
        "nonsense": "t=x,v1=y",
        "another secret": shop.providers.running.world.provider("stripe").sign(old)[
            "Stripe-Signature"
        ],
        "another moment": f"t={int(at[2:]) - 1},v1={v1}",
        "too old": _signed(notice, int(time.time()) - 301),
    }
    for name, signature in forged.items():
        assert shop.post(notice, HTTP_STRIPE_SIGNATURE=signature) == 400, name
    changed = {**notice, "body": notice["body"].replace("succeeded", "canceled")}
    assert shop.post(changed, HTTP_STRIPE_SIGNATURE=good) == 400
    # Signed for another tenant's gateway.
    assert other_shop.post(notice) == 400
    not_events = ["", "[]", "null", "{}", '{"object": "event"}', "\x00", "{" * 5000]
    for body in not_events:
        assert shop.post({**notice, "body": body}) == 400, body[:20]
    assert shop.post({**notice, "body": '{"object": "event", "id": "\\u0000"}'}) == 400
    big = shop.post({**notice, "body": json.dumps({"object": "event", "x": "y" * 1_000_001})})
    assert big == 413
    assert not InboundEvent.objects.exists()
    unknown = Client().post(f"/hooks/{uuid.uuid4()}", b"{}", "application/json")
    assert unknown.status_code == 404
    assert Client().get(f"/hooks/{shop.gateway.hook}").status_code == 405


def _signed(notice: dict[str, Any], at: int) -> str:
    import hashlib
    import hmac

    text = f"{at}.{notice['body']}".encode()
    return f"t={at},v1={hmac.new(notice['secret'].encode(), text, hashlib.sha256).hexdigest()}"


def test_repeated_and_during_a_rotation(shop: Shop) -> None:
    shop.charge(shop.receivable(), shop.save())
    notice = shop.notices("payment_intent.succeeded")[0]
    kept = shop.gateway.secrets
    shop.gateway.secrets = {**kept, "webhook_secrets": ["whsec_novo", *kept["webhook_secrets"]]}
    shop.gateway.save()
    for _ in range(3):
        assert shop.post(notice) == 200
    [event] = InboundEvent.objects.all()
    assert queued("billing.tasks.apply_notice") == [(event.pk,)]
    # Nothing of a card, a name or an address is kept.
    assert set(event.payload) == {"id", "object", "customer"}
    assert inbound.apply_notice(event.pk).startswith("pagamento")
    assert inbound.apply_notice(event.pk) == "already taken"
    event.refresh_from_db()
    assert (event.state, event.attempts) == (State.DONE, 1)
    shop.check()


def test_all_of_a_life_backwards(shop: Shop) -> None:
    """Charged, refunded in part, contested, lost: told from the last to the first, twice."""
    shop.providers.fault("stripe", "cut", path="/v1/payment_intents", times=2)
    payment = shop.charge(shop.receivable(), shop.save()).payment
    assert payment.state == Payment.State.PROCESSING
    [intent] = shop.books()["payment_intents"]
    shop.stripe.refund(intent, key="painel", amount=Decimal("25.00"), labels={})
    [charge] = shop.books()["charges"]
    dispute = shop.control("dispute", id=charge)
    shop.control("close_dispute", id=dispute["id"], ok=True)
    shop.hear(reverse=True)
    shop.hear(reverse=True)
    payment = Payment.objects.get(pk=payment.pk)
    assert payment.state == Payment.State.PARTIALLY_REFUNDED
    assert payment.refunded_total == Decimal("25.00")
    assert payment.chargebacks.get().state == "won"
    assert not InboundEvent.objects.filter(state__in=(State.WAITING, State.FAILED)).exists()
    shop.check()


def test_a_lost_chargeback_opens_the_parcel_again(shop: Shop) -> None:
    receivable = shop.receivable()
    payment = shop.charge(receivable, shop.save("pm_card_createDispute")).payment
    shop.hear()
    payment = Payment.objects.get(pk=payment.pk)
    assert payment.state == Payment.State.DISPUTED
    [dispute] = shop.books()["disputes"]
    shop.control("close_dispute", id=dispute, ok=False)
    shop.hear("charge.dispute.closed")
    assert Receivable.objects.get(pk=receivable.pk).state == Receivable.State.TO_RECEIVE
    assert payment.chargebacks.get().state == "lost"
    row = payment.chargebacks.get()
    chargebacks.chargeback_lost(row.pk, account=shop.account, actor=_system())
    assert shop.charge(receivable, shop.save()).payment.state == Payment.State.SUCCEEDED


def _system() -> Any:
    from accounts.services.audit import SYSTEM

    return SYSTEM


def test_what_is_not_ours_changes_nothing(shop: Shop, other_shop: Shop) -> None:
    mine = shop.charge(shop.receivable(), shop.save()).payment
    # A second tenant that uses the same account with the provider hears of everything.
    secret = shop.gateway.secrets
    other_shop.gateway.secrets = secret
    other_shop.gateway.save()
    shop.control("dispute", id=next(iter(shop.books()["charges"])))
    shop.stripe.create_customer(key="x", name="Sem dono", email="", labels={})
    for notice in shop.notices():
        assert other_shop.post(notice) == 200
    for pk in InboundEvent.objects.values_list("pk", flat=True):
        inbound.apply_notice(pk)
    states = InboundEvent.objects.filter(gateway=other_shop.gateway).values_list("state", flat=True)
    assert set(states) == {State.IGNORED}
    assert Payment.objects.get(pk=mine.pk).state == Payment.State.SUCCEEDED
    assert not Payment.objects.filter(account=other_shop.account).exists()
    assert not InboundEvent.objects.filter(gateway=shop.gateway).exists()


def test_a_provider_that_is_away_is_asked_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.providers.fault("stripe", "cut", path="/v1/payment_intents", times=2)
    payment = shop.charge(shop.receivable(), shop.save()).payment
    for notice in shop.notices("payment_intent.succeeded"):
        shop.post(notice)
    event = InboundEvent.objects.get()
    shop.providers.fault("stripe", "down", times=0)
    for n, wait in enumerate(inbound.BACK_OFF):
        inbound.apply_notice(event.pk)
        event = InboundEvent.objects.get()
        assert (event.state, event.attempts) == (State.WAITING, n + 1)
        assert abs((event.next_attempt_at - clock.now()) - wait).total_seconds() < 5
        assert inbound.sweep_notices() == 0
        due = event.next_attempt_at
        monkeypatch.setattr(clock, "now", lambda due=due: due)
    assert inbound.sweep_notices() == 1
    shop.providers.control("faults", "DELETE")
    inbound.apply_notice(event.pk)
    assert InboundEvent.objects.get().state == State.DONE
    assert Payment.objects.get(pk=payment.pk).state == Payment.State.SUCCEEDED
    shop.check()


def test_an_old_gateway_still_tells_of_old_payments(shop: Shop) -> None:
    shop.charge(shop.receivable(), shop.save())
    GatewayAccount.objects.update(is_active=False)
    [charge] = shop.books()["charges"]
    shop.control("dispute", id=charge)
    shop.hear("charge.dispute.created")
    assert Payment.objects.get().state == Payment.State.DISPUTED


def test_a_chargeback_of_what_was_refunded_to_the_wallet_takes_it_back(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    open_refund(
        payment.pk, account=shop.account, actor=_system(), reason="Acordo", to="credit",
        amount=Decimal("30.00"),
    )  # fmt: skip
    dispute = shop.control("dispute", id=next(iter(shop.books()["charges"])))
    shop.control("close_dispute", id=dispute["id"], ok=False)
    shop.hear()
    assert ledger.credit_balance(shop.customer.pk) == 0
    assert payment.chargebacks.get().reopened == Decimal("70.00")
    assert Receivable.objects.get().open_principal == Decimal("70.00")
    assert not list(violations(shop.account))


@pytest.mark.parametrize("length", ["abc", "-1", "1e9", "9" * 30])
def test_a_length_that_is_none(shop: Shop, length: str) -> None:
    url = f"/hooks/{shop.gateway.hook}"
    answer = Client().post(url, b"{}", "application/json", CONTENT_LENGTH=length)
    assert answer.status_code in (400, 413)
