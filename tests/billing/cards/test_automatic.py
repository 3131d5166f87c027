"""Cards that are charged by themselves, and again after refusals (DUN-6)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.cards import Shop, queued

from accounts.models import AuditEvent
from billing.errors import CardNotRetried, NoOpenAmount
from billing.models import Invoice, Payment, PaymentMethod, Receivable
from billing.services.payments import card_answers, card_checks, card_retries, card_saving
from billing.services.payments.card_hosted import open_card_page

State = Payment.State


def _by_card(shop: Shop, *due: date) -> Invoice:
    invoice = shop.invoice("100.00", due_dates=list(due))
    Invoice.objects.filter(pk=invoice.pk).update(payment_method=PaymentMethod.PAYMENT_GATEWAY)
    return Invoice.objects.get(pk=invoice.pk)


def test_at_emission_and_at_the_due_date(shop: Shop, today: Any) -> None:
    shop.save()
    invoice = _by_card(shop, date(2026, 8, 12), date(2026, 9, 12))
    [made] = card_retries.charge_automatically(invoice.pk)
    assert (made.state, made.is_on_session, made.recorded_by) == (State.SUCCEEDED, False, "sistema")
    assert card_retries.charge_automatically(invoice.pk) == []
    assert card_retries.queue_due_cards() == 0
    today("2026-09-12")
    assert card_retries.queue_due_cards() == 1
    [(receivable_id,)] = queued(card_retries.CHARGE_TASK)
    paid = card_retries.charge_due_card(receivable_id)
    assert paid is not None
    assert paid.state == State.SUCCEEDED
    assert card_retries.charge_due_card(receivable_id) is None  # its task ran twice
    assert Invoice.objects.get(pk=invoice.pk).state == Invoice.State.RECEIVED
    other = shop.invoice()  # by boleto
    assert card_retries.charge_automatically(other.pk) == []
    shop.check()


def test_without_a_card_it_is_told(shop: Shop) -> None:
    invoice = _by_card(shop, date(2026, 8, 12))
    assert card_retries.charge_automatically(invoice.pk) == []
    told = AuditEvent.objects.get(action="pagamento.nao_tentado")
    assert told.after["motivo"].startswith("Nenhum método de pagamento cadastrado.")


def test_retries_after_one_three_five_and_seven_days(shop: Shop, today: Any) -> None:
    shop.save("pm_card_visa_chargeDeclinedInsufficientFunds")
    invoice = _by_card(shop, date(2026, 8, 12))
    [first] = card_retries.charge_automatically(invoice.pk)
    Payment.objects.filter(pk=first.pk).update(created_at="2026-08-12T15:00:00Z")
    receivable = invoice.receivables.get()
    tried = []
    for day in range(12, 31):
        today(f"2026-08-{day}")
        if card_retries.retry_due_card(receivable.pk):
            tried.append(day)
            assert card_retries.retry_due_card(receivable.pk) is None  # queued twice
    assert tried == [13, 15, 17, 19]
    with pytest.raises(CardNotRetried):
        card_retries.retry_card(receivable.pk)
    # A new card is worth one attempt (DUN-6).
    saved = shop.save()
    card_saving.make_default(
        saved.pk, account=shop.account, actor=_system(), customer=shop.customer
    )
    assert [p.state for p in card_retries.charge_with_new_card(saved.pk)] == [State.SUCCEEDED]
    assert card_retries.charge_with_new_card(saved.pk) == []
    with pytest.raises(CardNotRetried):
        card_retries.retry_card(receivable.pk)  # nothing is open
    shop.check()


def _system() -> Any:
    from accounts.services.audit import SYSTEM

    return SYSTEM


def test_hard_refusals_are_never_retried(shop: Shop, today: Any) -> None:
    shop.save("pm_card_visa_chargeDeclinedStolenCard")
    invoice = _by_card(shop, date(2026, 8, 12))
    [first] = card_retries.charge_automatically(invoice.pk)
    assert first.state == State.FAILED
    Payment.objects.filter(pk=first.pk).update(created_at="2026-08-12T15:00:00Z")
    receivable = invoice.receivables.get()
    today("2026-08-14")
    assert card_retries.queue_due_cards() == 1
    assert card_retries.retry_due_card(receivable.pk) is None
    with pytest.raises(CardNotRetried, match="não aceita nova tentativa"):
        card_retries.retry_card(receivable.pk)
    assert receivable.payments.count() == 1
    # Another card of the customer may be asked.
    other = shop.save("pm_card_mastercard")
    card_saving.make_default(
        other.pk, account=shop.account, actor=_system(), customer=shop.customer
    )
    assert card_retries.retry_card(receivable.pk).state == State.SUCCEEDED
    with pytest.raises((CardNotRetried, NoOpenAmount)):
        card_retries.retry_card(receivable.pk)
    assert Receivable.objects.get(pk=receivable.pk).state == Receivable.State.RECEIVED


def test_what_a_customer_gave_up_is_no_automatic_attempt(shop: Shop, today: Any) -> None:
    shop.save()
    receivable = _by_card(shop, date(2026, 8, 20)).receivables.get()
    begun = open_card_page(receivable.pk, account=shop.account, actor=_system()).payment
    today("2026-08-20")
    assert card_retries.queue_due_cards() == 0  # it may yet be paid there
    card_checks.cancel_attempt(begun.pk, account=shop.account, actor=_system())
    assert card_retries.queue_due_cards() == 1
    made = card_retries.charge_due_card(receivable.pk)
    assert made is not None
    assert made.state == State.SUCCEEDED
    shop.check()


def test_no_card_is_charged_by_itself_before_the_due_date(shop: Shop, today: Any) -> None:
    """Not for a refusal on the invoice's page, nor for a card that was saved after it."""
    bad = shop.save("pm_card_visa_chargeDeclinedInsufficientFunds")
    receivable = _by_card(shop, date(2026, 8, 20)).receivables.get()
    refused = shop.charge(receivable, bad).payment
    Payment.objects.filter(pk=refused.pk).update(created_at="2026-08-12T15:00:00Z")
    assert card_retries.charge_with_new_card(shop.save().pk) == []
    today("2026-08-14")
    assert card_retries.queue_due_cards() == 0
    assert card_retries.retry_due_card(receivable.pk) is None
    today("2026-08-20")
    assert card_retries.queue_due_cards() == 1
    assert receivable.payments.count() == 1


def test_what_never_arrived_is_tried_again_on_another_day(shop: Shop, today: Any) -> None:
    shop.save()
    invoice = _by_card(shop, date(2026, 8, 12))
    shop.providers.fault("stripe", "down", path="/v1/payment_intents", times=0)
    [made] = card_retries.charge_automatically(invoice.pk)
    card_answers.abandon(made.pk, account=shop.account, actor=_system())
    shop.providers.control("faults", "DELETE")
    Payment.objects.filter(pk=made.pk).update(created_at="2026-08-12T15:00:00Z")
    today("2026-08-13")
    assert card_retries.queue_due_cards() == 1
    again = card_retries.retry_due_card(invoice.receivables.get().pk)
    assert again is not None
    assert again.state == State.SUCCEEDED
    shop.check()
