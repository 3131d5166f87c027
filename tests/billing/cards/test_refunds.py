"""Refunds by the provider (REF-1, REF-2, INV-6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.cards import Shop
from support.invoices import in_threads

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import RefundAmount, RefundRefused, RefundTwice
from billing.models import Payment, Receivable, Refund
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.payments import card_refunds
from billing.services.payments.refunds import open_refund
from lib import clock
from lib.errors import NotFound

State = Refund.State


def _refund(shop: Shop, payment: Payment, amount: str = "", **given: Any) -> Refund:
    return card_refunds.refund_payment(
        payment.pk,
        **{
            "account": shop.account,
            "actor": SYSTEM,
            "reason": "Cobrado por engano",
            "amount": Decimal(amount) if amount else None,
            **given,
        },
    )


def test_in_parts_up_to_all_of_it(shop: Shop, other_shop: Shop) -> None:
    receivable = shop.receivable()
    payment = shop.charge(receivable, shop.save()).payment
    first = _refund(shop, payment, "30.00")
    assert (first.state, first.key) == (State.SUCCEEDED, f"refund:{payment.key}:1")
    assert Payment.objects.get().state == Payment.State.PARTIALLY_REFUNDED
    with pytest.raises(RefundAmount, match=r"R\$\s70,00"):
        _refund(shop, payment, "70.01")
    with pytest.raises(NotFound):
        _refund(shop, payment, account=other_shop.account)
    _refund(shop, payment)
    assert Payment.objects.get().state == Payment.State.REFUNDED
    with pytest.raises(RefundTwice):
        _refund(shop, payment)
    assert shop.charged() == [(payment.external_id, Decimal("0.00"))]
    shop.hear(reverse=True)  # told after the fact, nothing moves
    assert Refund.objects.count() == 2
    # The sale stands: its parcel stays received (REF-1).
    assert Receivable.objects.get(pk=receivable.pk).state == Receivable.State.RECEIVED
    shop.check()


def test_an_unknown_outcome_is_looked_for_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = shop.save()
    for kind, body in (("cut", ""), ("down", ""), ("garbage", "{}")):
        payment = shop.charge(shop.receivable(), method).payment
        more = {"body": body} if body else {}
        shop.providers.fault("stripe", kind, path="/v1/refunds", method="POST", times=2, **more)
        refund = _refund(shop, payment, "40.00")
        assert refund.state == State.PENDING, kind
        shop.providers.control("faults", "DELETE")
        moment = clock.now() + timedelta(minutes=2)
        with monkeypatch.context() as later:
            later.setattr(clock, "now", lambda moment=moment: moment)
            assert card_refunds.check_due() == 1
        assert Refund.objects.get(pk=refund.pk).state == State.SUCCEEDED, kind
    assert sum((rest for _, rest in shop.charged()), Decimal(0)) == Decimal("180.00")
    shop.check()


def test_after_a_day_it_is_looked_for_and_not_asked_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    shop.providers.fault("stripe", "down", path="/v1/refunds", times=2)
    refund = _refund(shop, payment)
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert card_refunds.check_refund(refund.pk).state == State.FAILED
    assert not shop.books()["refunds"]
    assert Payment.objects.get().refunded_total == 0


def test_what_provider_and_bank_refuse(shop: Shop) -> None:
    good, slow, bad = (
        shop.charge(shop.receivable(), shop.save(card)).payment
        for card in ("pm_card_visa", "pm_card_pendingRefund", "pm_card_mastercard")
    )
    [first, *_] = [
        c["id"] for c in shop.books()["charges"].values() if c["payment_intent"] == good.external_id
    ]
    shop.control("dispute", id=first)  # we have not been told of it yet
    with pytest.raises(RefundRefused) as refused:
        _refund(shop, good)
    assert refused.value.mensagem == (
        "O Stripe recusou o reembolso: This charge has been charged back. A fatura continua paga."
    )
    assert good.refunds.get().state == State.FAILED
    waiting = _refund(shop, slow)
    assert (waiting.state, bool(waiting.external_id)) == (State.PENDING, True)
    shop.control("settle_refund", id=waiting.external_id)
    # Taken by the provider, and days later turned down by the bank.
    late = _refund(shop, bad)
    assert late.state == State.SUCCEEDED
    shop.control("fail_refund", id=late.external_id)
    shop.hear("refund.")
    assert Refund.objects.get(pk=waiting.pk).state == State.SUCCEEDED
    assert bad.refunds.get().state == State.FAILED
    bad = Payment.objects.get(pk=bad.pk)
    assert (bad.state, bad.refunded_total) == (Payment.State.SUCCEEDED, 0)
    shop.check()


def test_made_at_the_providers_own_pages(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    shop.stripe.refund(payment.external_id, key="painel", amount=Decimal("60.00"), labels={})
    shop.hear()
    shop.hear()
    [refund] = Refund.objects.all()
    assert (refund.state, refund.reason) == (
        State.SUCCEEDED, "Reembolso feito no painel da operadora",
    )  # fmt: skip
    with pytest.raises(RefundAmount):
        _refund(shop, payment, "50.00")
    shop.check()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_give_back_once(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    results = in_threads([lambda: _refund(shop, payment, "60.00")] * 3)
    assert sum(isinstance(each, Refund) for each in results) == 1
    assert all(isinstance(each, Refund | RefundAmount) for each in results)
    shop.check()
    assert shop.charged() == [(payment.external_id, Decimal("40.00"))]


def test_made_there_of_what_was_refunded_to_the_wallet(shop: Shop) -> None:
    """The books have no room for a refund: the money is gone, and so is the wallet's."""
    payment = shop.charge(shop.receivable(), shop.save()).payment
    open_refund(
        payment.pk, account=shop.account, actor=SYSTEM, reason="Acordo", to=Refund.To.CREDIT,
        amount=Decimal("70.00"),
    )  # fmt: skip
    shop.stripe.refund(payment.external_id, key="painel", amount=Decimal("60.00"), labels={})
    for _ in range(2):
        shop.hear()
        assert ledger.credit_balance(shop.customer.pk) == Decimal("40.00")
    _, foreign = Refund.objects.order_by("pk")
    assert (foreign.amount, foreign.state) == (Decimal("30.00"), State.SUCCEEDED)
    [lost] = payment.chargebacks.all()
    assert (lost.amount, lost.state, lost.reopened) == (Decimal("30.00"), "lost", 0)
    assert AuditEvent.objects.filter(action="reembolso.divergente").count() == 1
    assert not list(violations(shop.account))


def test_amounts_that_are_none(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    for amount in ("0", "-1", "0.004", "100.01", "1e12"):
        with pytest.raises(RefundAmount):
            _refund(shop, payment, amount)
    for amount in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="finite"):
            _refund(shop, payment, amount)
    assert not Refund.objects.exists()
    assert not shop.books()["refunds"]
