"""Paying on the provider's own page, with a card that is not saved (P17)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from django.test import Client
from support.cards import Shop

from accounts.services.audit import SYSTEM
from billing.errors import PaymentInProgress
from billing.models import Party, Payment, ProviderCustomer, Receivable
from billing.services.payments import card_answers, card_charging, card_checks, card_saving
from billing.services.payments.card_hosted import open_card_page
from lib import clock
from lib.errors import RateLimited

State = Payment.State


def _opened(shop: Shop, receivable: Receivable) -> str:
    return open_card_page(
        receivable.pk, account=shop.account, actor=SYSTEM, return_path="/p/f/abc/"
    ).action_url


def _type(url: str, number: str) -> requests.Response:
    return requests.post(url, data={"number": number}, allow_redirects=False, timeout=10)


def test_refused_then_another_card_with_3d_secure(shop: Shop) -> None:
    receivable = shop.receivable()
    url = _opened(shop, receivable)
    assert "/card/cs_test_" in url
    payment = Payment.objects.get()
    assert (payment.state, payment.action_url) == (State.REQUIRES_ACTION, url)
    with pytest.raises(PaymentInProgress):
        _opened(shop, receivable)
    assert "declined" in _type(url, "4000000000000002").text
    shop.hear()  # a refusal on the page leaves the payment waiting
    assert Payment.objects.get().state == State.REQUIRES_ACTION
    bank = _type(url, "4000002500003155").headers["Location"]
    back = requests.post(bank, data={"answer": "ok"}, allow_redirects=False, timeout=10)
    assert f"/cartao/{payment.key}/" in back.headers["Location"]
    assert Client().get(f"/cartao/{payment.key}/")["Location"] == "/p/f/abc/"
    payment = Payment.objects.get()
    assert payment.state == State.SUCCEEDED
    assert payment.external_id.startswith("pi_")
    shop.hear(reverse=True)
    assert Receivable.objects.get(pk=receivable.pk).state == Receivable.State.RECEIVED
    shop.check()


def test_a_notice_alone_is_enough(shop: Shop) -> None:
    _type(_opened(shop, shop.receivable()), "4242424242424242")
    shop.hear("checkout.session.completed")
    assert Payment.objects.get().state == State.SUCCEEDED
    shop.check()


def test_left_alone_or_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    receivable = shop.receivable()
    url = _opened(shop, receivable)
    given_up = Payment.objects.get()
    page = f"/cartao/{given_up.key}/confirmar/"
    assert "Pagar de outra forma" in Client().get(page).content.decode()
    assert Client().post(page)["Location"] == url
    assert Client().post(page, {"desistir": "1"})["Location"] == "/p/f/abc/"
    assert Payment.objects.get(pk=given_up.pk).state == State.CANCELED
    assert requests.get(url, timeout=10).status_code == 410
    # Left alone until its half hour is over.
    _opened(shop, receivable)
    left = Payment.objects.latest("id")
    assert card_checks.check_payment(left.pk).state == State.REQUIRES_ACTION
    shop.stripe.close_hosted(left.external_id)
    moment = left.created_at + timedelta(minutes=61)
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda: moment)
        assert card_checks.check_due() == 1
    assert Payment.objects.get(pk=left.pk).state == State.CANCELED
    # An address that never arrived: nobody can pay there.
    shop.providers.fault("stripe", "cut", path="/v1/checkout", times=2)
    assert _opened(shop, receivable) == ""
    assert set(Payment.objects.values_list("state", flat=True)) == {State.CANCELED}
    assert not shop.charged()


def test_what_was_paid_and_is_being_worked_on_offers_nothing_more(shop: Shop) -> None:
    _type(_opened(shop, shop.receivable()), "4000000000000952")
    shop.hear()
    payment = Payment.objects.get()
    assert (payment.state, payment.action_url) == (State.PROCESSING, "")
    shop.control("end_processing", id=payment.external_id)
    shop.hear()
    assert Payment.objects.get().state == State.SUCCEEDED
    shop.check()


def test_a_customer_that_changed_here_or_is_gone_there_can_pay(shop: Shop) -> None:
    receivable = shop.receivable()
    shop.providers.fault("stripe", "cut", path="/v1/customers", times=2)
    assert _opened(shop, receivable) == ""
    Party.objects.filter(pk=shop.customer.pk).update(email="novo@exemplo.test")
    url = _opened(shop, receivable)  # a key is bound to what was said with it
    assert url
    card_checks.cancel_attempt(Payment.objects.latest("pk").pk, account=shop.account, actor=SYSTEM)
    [known] = ProviderCustomer.objects.all()
    requests.delete(
        f"{shop.gateway.base_url}/v1/customers/{known.reference}",
        headers={"Authorization": f"Bearer {shop.key}"},
        timeout=10,
    )
    _type(_opened(shop, receivable), "4242424242424242")
    shop.hear()
    assert Receivable.objects.get(pk=receivable.pk).state == Receivable.State.RECEIVED
    assert ProviderCustomer.objects.get().reference != known.reference
    setup = card_saving.start_saving(shop.customer, account=shop.account)
    assert setup.customer == ProviderCustomer.objects.get().reference


def test_who_tries_one_card_after_the_other_has_to_wait(shop: Shop) -> None:
    receivable = shop.receivable()
    for _ in range(card_charging.MOST_AN_HOUR):
        payment = open_card_page(receivable.pk, account=shop.account, actor=SYSTEM).payment
        card_answers.abandon(payment.pk, account=shop.account, actor=SYSTEM)
    with pytest.raises(RateLimited):
        _opened(shop, receivable)
    with pytest.raises(RateLimited):
        shop.charge(receivable, shop.save())
    # Staff and due dates are not the customer.
    assert shop.charge(receivable, on_session=False).payment.state == State.SUCCEEDED
