"""While an invoice is disputed nothing is taken by itself: no card, no credit (P-8)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from support.cards import Shop
from support.disputes import disputed, staff

from accounts.services.audit import SYSTEM
from billing.errors import CardNotRetried
from billing.models import (
    Dispute,
    EmailMessage,
    Invoice,
    OrganizationProfile,
    Payment,
    PaymentMethod,
    Refund,
)
from billing.services.disputes import resolving
from billing.services.payments import card_retries, credits
from billing.services.payments.card_charging import charge_card
from billing.services.payments.manual import pay_manually
from lib.errors import NotFound


def _by_card(shop: Shop, due: date) -> Invoice:
    invoice = shop.invoice("100.00", due_dates=[due])
    Invoice.objects.filter(pk=invoice.pk).update(payment_method=PaymentMethod.PAYMENT_GATEWAY)
    return Invoice.objects.get(pk=invoice.pk)


def test_a_disputed_invoice_is_charged_from_the_next_business_day_on(
    shop: Shop, today: Any
) -> None:
    shop.save()
    invoice = _by_card(shop, date(2026, 8, 12))
    parcel = invoice.receivables.get()
    dispute = disputed(invoice)

    assert card_retries.charge_automatically(invoice.pk) == []
    assert card_retries.charge_due_card(parcel.pk) is None
    with pytest.raises(CardNotRetried, match=card_retries.DISPUTED):
        card_retries.retry_card(parcel.pk)
    assert card_retries.queue_due_cards() == 0
    assert not Payment.objects.exists()

    today("2026-09-02")  # longer than a missed due date is made up for
    assert card_retries.queue_due_cards() == 0
    resolving.keep(dispute.pk, "É devido.", account=shop.account, actor=staff(invoice))
    assert card_retries.queue_due_cards() == 0
    assert card_retries.charge_due_card(parcel.pk) is None
    today("2026-09-03")
    assert card_retries.queue_due_cards() == 1
    paid = card_retries.charge_due_card(parcel.pk)
    assert paid is not None
    assert (paid.state, paid.amount) == ("succeeded", 100)  # without fine and interest
    shop.check()


def test_credit_is_not_used_for_it_by_itself(shop: Shop, today: Any) -> None:
    OrganizationProfile.objects.filter(party=shop.organization).update(credit_use="oldest")
    invoice = shop.invoice("100.00", due_dates=[date(2026, 8, 20)])
    dispute = disputed(invoice)
    credits.grant_credit(
        shop.customer.pk, account=shop.account, actor=SYSTEM, amount=invoice.payment_value,
        reason="Cortesia",
    )  # fmt: skip
    assert credits.use_by_itself(shop.customer.pk) == 0
    resolving.keep(dispute.pk, "É devido.", account=shop.account, actor=staff(invoice))
    today("2026-08-14")
    assert credits.use_by_itself(shop.customer.pk) == 1
    assert Invoice.objects.get(pk=invoice.pk).state == "received"


def test_staff_pay_a_disputed_charge_back_once(shop: Shop, today: Any, monkeypatch: Any) -> None:
    card = shop.save()
    invoice = shop.invoice("100.00")
    paid = charge_card(
        invoice.receivables.get().pk, account=shop.account, actor=SYSTEM, on_session=True,
        saved_method_id=card.pk,
    ).payment  # fmt: skip
    dispute = disputed(invoice)
    agent = staff(invoice)
    # Cut off after the provider was asked: the same decision goes on from there.
    pay_back = partial(
        resolving.pay_back, dispute.pk, "Devolvemos a metade.", account=shop.account, actor=agent,
        payment_id=paid.pk, amount=Decimal("40.00"),
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(resolving, "_accept", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pay_back()
    assert Dispute.objects.get(pk=dispute.pk).is_live

    pay_back()

    assert [amount for _, amount in shop.charged()] == [Decimal("60.00")]
    assert Dispute.objects.get(pk=dispute.pk).state == "partially_accepted"
    [refund] = Refund.objects.all()
    assert refund.reason == f"Contestação {dispute.protocol}"
    assert EmailMessage.objects.filter(key__startswith="contestacao_resolvida:").count() == 1
    again = disputed(invoice, reason="valor")
    cash = paid_in_cash(shop)
    with pytest.raises(NotFound):
        resolving.pay_back(
            again.pk, "Outra fatura.", account=shop.account, actor=agent, payment_id=cash.pk
        )
    shop.check()


def paid_in_cash(shop: Shop) -> Payment:
    """Of another invoice of the same customer."""
    other = shop.invoice("50.00")
    return pay_manually(
        other.receivables.get().pk, account=shop.account, actor=SYSTEM, method="cash"
    )
