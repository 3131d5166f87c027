"""Pix that go back: refunds of ours, those made at the bank, and MED (PX-5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from accounts.services.audit import SYSTEM
from billing.errors import (
    PixRefundTooLate,
    PixRefundUnavailable,
    RefundAmount,
    RefundTwice,
)
from billing.models import Chargeback, CustomerCredit, InboundEvent, Payment, Refund
from billing.selectors.invariants import violations
from billing.services.payments.credits import credit_balance
from billing.services.pix.reconciling import reconcile_all
from billing.services.pix.refunding import refund_pix
from billing.services.pix.sweep import sweep_pix
from billing.services.receivables import receive
from lib import clock
from lib.errors import NotFound

pytestmark = pytest.mark.django_db

State = Refund.State


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def payment(bank, receivable):
    """R$ 100,00 by Pix, which settled the receivable."""
    bank.pay(bank.issue(receivable))
    bank.deliver()
    bank.providers.running.world.deliveries.notices.clear()
    return Payment.objects.get()


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def refund(payment, amount=None, **given):
    value = None if amount is None else Decimal(amount)
    given = {"account": payment.account, "actor": SYSTEM, "reason": "Cobrado a mais", **given}
    return refund_pix(payment.pk, amount=value, **given)


def due(row):
    Refund.objects.filter(pk=row.pk).update(next_check_at=clock.now())


def at_bank(bank, payment):
    clients = bank.providers.books("pix")["clients"]
    return clients[f"conta-{payment.account_id}"]["pix"][payment.external_id]["devolucoes"]


def test_parts_go_back_and_then_all(bank, payment):
    first, second = refund(payment, "30.00"), refund(payment, "20.00")

    assert (first.state, second.state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert fresh(payment).state == Payment.State.PARTIALLY_REFUNDED
    made = at_bank(bank, payment)
    assert [(one["id"], one["valor"], one["natureza"]) for one in made] == [
        (f"REF{first.pk}", "30.00", "ORIGINAL"), (f"REF{second.pk}", "20.00", "ORIGINAL"),
    ]  # fmt: skip
    assert first.external_id == made[0]["rtrId"]
    with pytest.raises(RefundAmount):
        refund(payment, "50.01")
    last = refund(payment)
    assert (last.amount, last.state) == (Decimal("50.00"), State.SUCCEEDED)
    assert fresh(payment).state == Payment.State.REFUNDED
    with pytest.raises(RefundTwice):
        refund(payment)
    assert len(at_bank(bank, payment)) == 3
    assert reconcile_all() == 0
    assert Refund.objects.count() == 3
    assert fresh(payment.receivable).state == "received"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "method": "PUT", "path": "/pix/"},
        {"kind": "garbage", "method": "PUT", "path": "/pix/"},
        {"kind": "down", "method": "PUT", "path": "/pix/"},
        {"kind": "status", "method": "PUT", "path": "/pix/", "status": 500},
    ],
)
def test_a_return_without_answer_is_asked_about_and_happens_once(bank, payment, fault):
    bank.providers.fault("pix", **fault)

    row = refund(payment, "40.00")

    assert row.state == State.PENDING
    assert row.failure
    assert sweep_pix() == 0
    due(row)
    assert sweep_pix() == 1
    assert fresh(row).state == State.SUCCEEDED
    assert len(at_bank(bank, payment)) == 1
    assert fresh(payment).refunded_total == Decimal("40.00")


@pytest.mark.parametrize("teller", ["notice", "sweep", "list"])
@pytest.mark.parametrize("status", ["DEVOLVIDO", "NAO_REALIZADO"])
def test_a_return_in_process_is_settled_by_whoever_tells_first(bank, payment, status, teller):
    bank.providers.control("pix/returns", status="EM_PROCESSAMENTO")
    row = refund(payment, "40.00")
    assert row.state == State.PENDING
    bank.providers.control(
        "pix/settle", endToEndId=payment.external_id, id=f"REF{row.pk}", status=status
    )

    if teller == "notice":
        bank.deliver()
    elif teller == "list":
        reconcile_all()
    due(row)
    sweep_pix()
    bank.deliver()
    reconcile_all()

    was_done = status == "DEVOLVIDO"
    assert fresh(row).state == (State.SUCCEEDED if was_done else State.FAILED)
    assert fresh(payment).refunded_total == Decimal("40.00" if was_done else "0.00")
    assert Refund.objects.count() == 1


def test_the_bank_may_refuse_a_return(bank, payment):
    bank.providers.control("pix/med", endToEndId=payment.external_id, amount="80.00")
    bank.providers.running.world.deliveries.notices.clear()  # nobody has told us

    row = refund(payment, "30.00")

    assert row.state == State.FAILED
    assert "excederiam o valor" in row.failure
    assert fresh(payment).refunded_total == 0


def test_what_cannot_go_back_is_refused_before_the_bank_hears_of_it(
    bank, payment, other_account, customer, account, today
):
    before = len(bank.calls())
    with pytest.raises(NotFound):
        refund(payment, account=other_account)
    Payment.objects.filter(pk=payment.pk).update(method="transfer")
    with pytest.raises(PixRefundUnavailable):
        refund(payment)
    Payment.objects.filter(pk=payment.pk).update(method="pix", received_on=date(2026, 5, 13))
    with pytest.raises(PixRefundTooLate):
        refund(payment)
    Payment.objects.filter(pk=payment.pk).update(received_on=date(2026, 8, 12))
    assert len(bank.calls()) == before
    assert not Refund.objects.exists()


@pytest.mark.parametrize("teller", ["notice", "list"])
def test_a_special_return_opens_the_receivable_again(bank, payment, teller):
    bank.providers.control("pix/med", endToEndId=payment.external_id)

    for _ in range(2):
        if teller == "notice":
            bank.deliver()
        else:
            reconcile_all()

    chargeback = Chargeback.objects.get()
    assert (chargeback.state, chargeback.amount, chargeback.reason) == (
        Chargeback.State.LOST, Decimal("100.00"), "MED: fundada suspeita de fraude",
    )  # fmt: skip
    assert fresh(payment.receivable).state == "to_receive"
    assert fresh(payment.receivable).open_principal == Decimal("100.00")
    assert fresh(payment).state == Payment.State.DISPUTED
    again = bank.issue(fresh(payment.receivable))
    assert again.amount == Decimal("100.00")


def test_a_special_return_of_a_part_opens_that_part(bank, payment):
    bank.providers.control(
        "pix/med", endToEndId=payment.external_id, amount="25.00", natureza="MED_OPERACIONAL"
    )

    bank.deliver()

    assert Chargeback.objects.get().reason == "MED: falha operacional"
    assert fresh(payment.receivable).open_principal == Decimal("25.00")


def test_a_special_return_told_with_the_payment_itself(bank, receivable):
    """The first notice was lost: the second tells of both."""
    charge = bank.issue(receivable)
    end_to_end_id = bank.pay(charge)
    bank.providers.running.world.deliveries.notices.clear()
    bank.providers.control("pix/med", endToEndId=end_to_end_id)

    bank.deliver()

    assert Payment.objects.get().state == Payment.State.DISPUTED
    assert fresh(receivable).state == "to_receive"


def test_a_return_made_in_the_banks_own_pages_is_a_refund(bank, payment):
    bank.providers.control(
        "pix/med", endToEndId=payment.external_id, amount="35.00", natureza="ORIGINAL"
    )

    for _ in range(2):
        bank.deliver()
        reconcile_all()

    row = Refund.objects.get()
    assert (row.state, row.amount, row.reason) == (
        State.SUCCEEDED, Decimal("35.00"), "Devolução feita no banco.",
    )  # fmt: skip
    assert row.external_id == at_bank(bank, payment)[0]["rtrId"]
    assert fresh(payment).state == Payment.State.PARTIALLY_REFUNDED


def test_a_return_made_at_the_bank_of_credit_that_is_used_leaves_a_debt(bank, receivable, account):
    """The Pix was for a received parcel, became credit, and that was used meanwhile."""
    charge = bank.issue(receivable)
    receive(receivable.pk, account=account, actor=SYSTEM)
    bank.pay(charge, force=True)
    bank.deliver()
    payment = Payment.objects.get(method="pix")
    customer = receivable.invoice.customer
    CustomerCredit.objects.create(
        account=account, customer=customer, amount=Decimal("-100.00"), origin="manual",
        created_at=clock.now(),
    )  # fmt: skip
    bank.providers.control(
        "pix/med", endToEndId=payment.external_id, amount="100.00", natureza="ORIGINAL"
    )

    bank.deliver()

    assert Chargeback.objects.get().state == Chargeback.State.LOST
    assert credit_balance(customer.pk, account=account) == Decimal("-100.00")
    assert InboundEvent.objects.filter(state=InboundEvent.State.DONE).count() == 2
