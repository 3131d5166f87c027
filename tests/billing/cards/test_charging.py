"""Charging saved cards through the provider's stand-in (ST-2…4, ST-6, ST-8, PAY-1)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.test import Client
from support.cards import Shop, queued
from support.invoices import in_threads

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    AmountChanged,
    CardExpired,
    CardNotReady,
    NoOpenAmount,
    NoPaymentMethod,
    PaymentInProgress,
)
from billing.models import (
    EmailMessage,
    GatewayAccount,
    Invoice,
    Party,
    Payment,
    Receivable,
    SavedMethod,
)
from billing.services.payments import card_answers, card_checks, card_reconciliation
from billing.services.payments.card_charging import outcome
from billing.services.payments.card_mails import tell_action, tell_refund
from billing.services.payments.card_reconciliation import reconcile
from billing.services.payments.card_refunds import refund_payment
from billing.services.payments.receipt_mails import tell_paid
from lib import clock
from lib.errors import NotFound

State = Payment.State


def test_a_card_that_is_good(shop: Shop) -> None:
    method = shop.save()
    receivable = shop.receivable("1234.56")
    made = shop.charge(receivable, method)
    assert (made.text, made.action_url) == ("Pagamento confirmado.", "")
    payment = made.payment
    assert (payment.state, payment.amount) == (State.SUCCEEDED, Decimal("1234.56"))
    assert payment.provider_fee == Decimal("49.64")  # 3,99 % and 39 cents
    receivable = Receivable.objects.get(pk=receivable.pk)
    assert receivable.state == Receivable.State.RECEIVED
    assert receivable.invoice.state == Invoice.State.RECEIVED
    [intent] = shop.books()["payment_intents"].values()
    assert intent["metadata"] == {
        "account": str(shop.account.pk),
        "invoice": str(receivable.invoice_id),
        "receivable": str(receivable.pk),
        "payment": str(payment.key),
    }
    [call] = shop.providers.calls("stripe", "POST", "/v1/payment_intents")
    assert call["key"] == f"pay:{payment.key}"
    # The notices of the same money change nothing, in any order and repeated (ST-6, ST-7).
    n_audits = AuditEvent.objects.count()
    shop.hear(reverse=True)
    shop.hear()
    assert AuditEvent.objects.count() == n_audits
    with pytest.raises(NoOpenAmount):
        shop.charge(receivable, method)
    shop.check()


REFUSALS = {
    "pm_card_chargeDeclined": (
        "generic_decline",
        "O banco não autorizou este pagamento. Fale com o banco ou use outra forma.",
    ),
    "pm_card_visa_chargeDeclinedInsufficientFunds": (
        "insufficient_funds",
        "Saldo ou limite insuficiente. Tente outro cartão.",
    ),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "Cartão vencido. Atualize ou use outro."),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "Código de segurança incorreto."),
    "pm_card_visa_chargeDeclinedLostCard": (
        "lost_card",
        "O banco não autorizou este pagamento. Fale com o banco ou use outra forma.",
    ),
    "pm_card_visa_chargeDeclinedStolenCard": (
        "stolen_card",
        "O banco não autorizou este pagamento. Fale com o banco ou use outra forma.",
    ),
}


def test_cards_that_are_refused(shop: Shop) -> None:
    receivable = shop.receivable()
    for token, (decline, text) in REFUSALS.items():
        made = shop.charge(receivable, shop.save(token))
        assert (made.payment.state, made.text) == (State.FAILED, text), token
        assert made.payment.decline_code == decline
    receivable = Receivable.objects.get(pk=receivable.pk)
    assert receivable.state == Receivable.State.TO_RECEIVE
    told = WebhookEvent.objects.filter(event="receivement_error")
    assert told.count() == len(REFUSALS)
    shop.hear()
    assert told.count() == len(REFUSALS)
    # Another card after all of them (a new attempt is a new payment).
    assert shop.charge(receivable, shop.save()).payment.state == State.SUCCEEDED
    shop.check()


def test_what_is_refused_before_anything_is_asked(shop: Shop, other_shop: Shop) -> None:
    receivable = shop.receivable()
    with pytest.raises(NoPaymentMethod):
        shop.charge(receivable)
    foreign = other_shop.save()
    with pytest.raises(NotFound):
        shop.charge(receivable, foreign)
    with pytest.raises(NotFound):
        other_shop.charge(receivable, foreign)
    method = shop.save()
    SavedMethod.objects.filter(pk=method.pk).update(exp_year=2026, exp_month=7)
    with pytest.raises(CardExpired):
        shop.charge(receivable, method)
    assert not Payment.objects.exists()
    assert not shop.providers.calls("stripe", "POST", "/v1/payment_intents")


def test_late_charges_are_paid_with_the_parcel(shop: Shop, today: Any) -> None:
    method, receivable = shop.save(), shop.receivable("500.00")
    today("2026-09-23")  # 34 days late: ux P08-2
    assert shop.charge(receivable, method).payment.amount == Decimal("515.67")
    [part] = Payment.objects.get().allocations.all()
    assert (part.principal, part.fine, part.interest) == (
        Decimal("500.00"), Decimal("10.00"), Decimal("5.67"),
    )  # fmt: skip
    shop.check()


# --- outcomes that are not known ---------------------------------------------------------------

FAULTS: dict[str, dict[str, Any]] = {
    "cut after charging": {"kind": "cut", "times": 2},
    "provider away": {"kind": "down", "times": 2},
    "error 500": {"kind": "status", "status": 500, "body": "", "times": 2},
    "error page": {"kind": "status", "status": 502, "body": "<html>", "times": 2},
    "garbage after charging": {"kind": "garbage", "times": 2},
    "200 with an error": {"kind": "garbage", "body": '{"error": {"type": "api_error"}}'},
    "200 with nothing": {"kind": "garbage", "body": "{}"},
    "too many requests": {"kind": "status", "status": 429, "body": '{"error": {}}', "times": 2},
}


def test_an_unknown_outcome_is_asked_about(shop: Shop, today: Any) -> None:
    method = shop.save()
    for name, fault in FAULTS.items():
        receivable = shop.receivable()
        shop.providers.fault("stripe", path="/v1/payment_intents", method="POST", **fault)
        made = shop.charge(receivable, method)
        assert made.payment.state == State.PROCESSING, name
        assert made.text.startswith("Estamos confirmando com a operadora. Não pague de novo"), name
        with pytest.raises(PaymentInProgress):
            shop.charge(receivable, method)
        shop.providers.control("faults", "DELETE")
        payment = card_checks.check_payment(made.payment.pk)
        assert payment.state == State.SUCCEEDED, name
    assert len(shop.charged()) == len(FAULTS)
    shop.check()


def test_the_poll_keeps_its_times_and_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    method, receivable = shop.save(), shop.receivable()
    shop.providers.fault("stripe", "down", path="/v1/payment_intents", times=0)
    payment = shop.charge(receivable, method).payment
    begun = payment.created_at
    waits = []
    for _ in range(5):
        due = Payment.objects.get(pk=payment.pk).next_check_at
        assert due is not None
        waits.append(due - begun)
        monkeypatch.setattr(clock, "now", lambda due=due: due)
        assert card_checks.check_due() == 1
        assert card_checks.check_due() == 0
    hours = [round(wait.total_seconds() / 60) for wait in waits]
    assert hours == [1, 5, 60, 24 * 60, 48 * 60]
    # A day later its key is forgotten: what never arrived is given up, not tried again.
    shop.providers.control("faults", "DELETE")
    assert card_checks.check_payment(payment.pk).state == State.CANCELED
    assert not shop.charged()
    assert shop.charge(receivable, method).payment.state == State.SUCCEEDED


def test_a_day_old_charge_is_looked_for_and_not_repeated(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, receivable = shop.save(), shop.receivable()
    shop.providers.fault("stripe", "cut", path="/v1/payment_intents", times=2)
    payment = shop.charge(receivable, method).payment
    shop.control("forget_keys")
    later = payment.created_at + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert card_checks.check_payment(payment.pk).state == State.SUCCEEDED
    shop.check()
    assert len(shop.charged()) == 1


def test_a_late_success_of_what_was_given_up_is_not_lost(shop: Shop) -> None:
    """Somebody confirms at the provider's own pages, or the answer was that late."""
    method, receivable = shop.save("pm_card_processing"), shop.receivable()
    payment = shop.charge(receivable, method).payment
    assert payment.state == State.PROCESSING
    card_answers.abandon(payment.pk, account=shop.account, actor=SYSTEM)
    [intent] = shop.books()["payment_intents"]
    shop.control("end_processing", id=intent)
    shop.hear("payment_intent.succeeded")
    payment = Payment.objects.get(pk=payment.pk)
    assert payment.state == State.SUCCEEDED
    shop.check()


def test_processing_ends_by_notice(shop: Shop) -> None:
    good, bad = shop.receivable(), shop.receivable("50.00")
    method = shop.save("pm_card_processing")
    for receivable, ok, state in ((good, True, State.SUCCEEDED), (bad, False, State.FAILED)):
        payment = shop.charge(receivable, method).payment
        assert payment.state == State.PROCESSING
        shop.control("end_processing", id=payment.external_id, ok=ok)
        shop.hear()
        assert Payment.objects.get(pk=payment.pk).state == state
    shop.check()


# --- 3-D Secure --------------------------------------------------------------------------------


def test_the_customer_goes_to_the_bank_and_back(shop: Shop, settings: Any) -> None:
    method, receivable = shop.save("pm_card_authenticationRequired"), shop.receivable()
    made = shop.charge(receivable, method, return_path="/p/f/abc/")
    assert made.payment.state == State.REQUIRES_ACTION
    assert made.action_url == made.payment.action_url
    assert "/stripe/pages/" in made.action_url
    page = requests.get(made.action_url, timeout=10)
    assert "Autorizar" in page.text
    back = requests.post(made.action_url, data={"answer": "ok"}, allow_redirects=False, timeout=10)
    assert back.status_code == 303
    assert back.headers["Location"].startswith(card_answers.return_url(made.payment))
    answer = Client().get(f"/cartao/{made.payment.key}/")
    assert (answer.status_code, answer["Location"]) == (302, "/p/f/abc/")
    payment = Payment.objects.get(pk=made.payment.pk)
    assert (payment.state, payment.action_url) == (State.SUCCEEDED, "")
    shop.hear()
    shop.check()


def test_the_bank_says_no_and_the_customer_gives_up(shop: Shop) -> None:
    method, receivable = shop.save("pm_card_authenticationRequired"), shop.receivable()
    refused = shop.charge(receivable, method).payment
    shop.control("authenticate", id=refused.external_id, ok=False)
    answer = Client().get(f"/cartao/{refused.key}/")
    assert "Tente de novo e confirme no app do banco." in answer.content.decode()
    assert Payment.objects.get(pk=refused.pk).state == State.FAILED
    waiting = shop.charge(receivable, method).payment
    with pytest.raises(PaymentInProgress):
        shop.charge(receivable, shop.save())
    card_checks.cancel_attempt(waiting.pk, account=shop.account, actor=SYSTEM)
    assert Payment.objects.get(pk=waiting.pk).state == State.CANCELED
    with pytest.raises(CardNotReady):
        card_checks.cancel_attempt(waiting.pk, account=shop.account, actor=SYSTEM)
    assert not shop.charged()


def test_a_card_that_wants_the_customer_who_is_not_there(shop: Shop) -> None:
    """ST-4: authentication_required is no refusal; a link completes it."""
    method, receivable = shop.save("pm_card_authenticationRequired"), shop.receivable()
    made = shop.charge(receivable, method, on_session=False)
    payment = made.payment
    assert payment.state == State.REQUIRES_ACTION
    assert made.text == ("O banco exige autenticação. Enviamos um link para concluir o pagamento.")
    assert made.action_url == card_answers.action_url(payment)
    assert queued("billing.tasks.tell_card_action") == [(payment.pk,)]
    assert not WebhookEvent.objects.filter(event="receivement_error").exists()
    card_checks.check_payment(payment.pk)  # told again, nobody is written to again
    assert len(queued("billing.tasks.tell_card_action")) == 1
    page = f"/cartao/{payment.key}/confirmar/"
    shown = Client().get(page).content.decode()
    assert "Continuar no banco" in shown
    assert Payment.objects.get(pk=payment.pk).state == State.REQUIRES_ACTION  # GET does nothing
    answer = Client().post(page)
    assert answer.status_code == 302
    assert "/stripe/pages/" in answer["Location"]
    requests.post(answer["Location"], data={"answer": "ok"}, allow_redirects=False, timeout=10)
    assert "Pagamento confirmado." in Client().get(f"/cartao/{payment.key}/").content.decode()
    shop.hear()
    shop.check()
    assert Client().get("/cartao/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_nobody_completes_it_within_a_day(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    method, receivable = shop.save("pm_card_authenticationRequired"), shop.receivable()
    payment = shop.charge(receivable, method).payment
    moment = payment.created_at + timedelta(hours=23)
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert card_checks.check_payment(payment.pk).state == State.REQUIRES_ACTION
    moment = payment.created_at + timedelta(hours=25)
    assert card_checks.check_payment(payment.pk).state == State.CANCELED
    intent = shop.books()["payment_intents"][payment.external_id]
    assert intent["status"] == "canceled"
    assert outcome(Payment.objects.get(pk=payment.pk)).text == (
        "O pagamento não foi concluído. Nada foi cobrado."
    )


# --- at the same time --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_clicks_are_one_payment(shop: Shop) -> None:
    method, receivable = shop.save(), shop.receivable()
    calls = [lambda: shop.charge(receivable, method)] * 4
    results = in_threads(calls)
    assert sum(not isinstance(each, Exception) for each in results) == 1
    refused = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, PaymentInProgress | NoOpenAmount) for each in refused)
    shop.check()
    assert len(shop.charged()) == 1


@pytest.mark.django_db(transaction=True)
def test_one_form_sent_four_times_is_one_payment_and_one_answer(shop: Shop) -> None:
    """P10-2: the form's key is the payment's."""
    method, receivable, key = shop.save(), shop.receivable(), uuid4()
    shown = Decimal("100.00")
    with pytest.raises(AmountChanged):
        shop.charge(receivable, method, key=key, shown=Decimal("99.99"))

    results = in_threads([lambda: shop.charge(receivable, method, key=key, shown=shown)] * 4)

    assert {each.payment.key for each in results} == {key}
    shop.check()
    assert len(shop.charged()) == 1


def test_each_day_what_differs_is_repaired(shop: Shop, other_shop: Shop) -> None:
    method = shop.save()
    shop.providers.fault("stripe", "cut", path="/v1/payment_intents", times=2)
    lost = shop.charge(shop.receivable(), method).payment
    known = shop.charge(shop.receivable("70.00"), method).payment
    [charge] = [
        c for c in shop.books()["charges"].values() if c["payment_intent"] == known.external_id
    ]
    shop.stripe.refund(known.external_id, key="painel", amount=Decimal("30.00"), labels={})
    found = reconcile(shop.gateway)
    assert (found.n_seen, sorted(found.repaired)) == (2, sorted([lost.pk, known.pk]))
    assert (found.unknown, found.missing) == ([], [])
    assert AuditEvent.objects.filter(action="conciliacao.cartoes").count() == 1
    assert Payment.objects.get(pk=known.pk).refunded_total == Decimal("30.00")
    assert charge["amount"] == 7000
    assert not reconcile(shop.gateway).differs
    assert not reconcile(other_shop.gateway).differs
    shop.check()
    # What is only on one side is told.
    Payment.objects.filter(pk=lost.pk).update(external_id="pi_que_nao_existe")
    assert reconcile(shop.gateway).missing == [lost.pk]


def test_the_customer_is_written_to_once(shop: Shop) -> None:
    payment = shop.charge(shop.receivable(), shop.save()).payment
    refund = refund_payment(
        payment.pk, account=shop.account, actor=SYSTEM, reason="Item devolvido",
        amount=Decimal("10.00"),
    )  # fmt: skip
    shop.hear()
    assert queued("billing.tasks.tell_paid") == [(payment.pk,)]
    waiting = shop.charge(
        shop.receivable(), shop.save("pm_card_authenticationRequired"), on_session=False
    ).payment
    told = ((tell_paid, [payment.pk]), (tell_refund, refund.pk), (tell_action, waiting.pk))
    for tell, pk in told:
        assert tell(pk) == 1
        assert tell(pk) == 0
    triggers = EmailMessage.objects.order_by("id").values_list("trigger", flat=True)
    assert list(triggers) == ["receipt", "refund", "authentication"]
    Party.objects.update(email="")
    later = shop.charge(shop.receivable(), shop.save("pm_card_mastercard")).payment
    assert tell_paid([later.pk]) == 0


def test_one_gateway_that_crashes_does_not_keep_the_others_waiting(
    shop: Shop, other_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = other_shop.save()
    shop.providers.fault("stripe", "cut", path="/v1/payment_intents", method="POST", times=2)
    lost = other_shop.charge(other_shop.receivable(), method).payment

    def crash(gateway: GatewayAccount) -> Any:
        """What nobody foresaw cannot be staged."""
        if gateway.pk == shop.gateway.pk:
            raise RuntimeError("imprevisto")
        return reconcile(gateway)

    monkeypatch.setattr(card_reconciliation, "reconcile", crash)
    assert card_reconciliation.reconcile_all() == 1
    assert Payment.objects.get(pk=lost.pk).state == State.SUCCEEDED


def test_somebody_who_cannot_wait_asks_every_five_seconds(shop: Shop) -> None:
    receivable, method = shop.receivable(), shop.save("pm_card_processing")
    payment = shop.charge(receivable, method).payment
    asked = len(shop.providers.calls("stripe", "GET", "/v1/payment_intents"))
    for _ in range(5):
        card_checks.look_now(payment.pk, actor=SYSTEM)
    assert len(shop.providers.calls("stripe", "GET", "/v1/payment_intents")) == asked + 1
