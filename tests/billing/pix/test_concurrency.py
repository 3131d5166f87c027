"""Pix under simultaneous use: the same money told twice, and staff who click meanwhile."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from support.invoices import emitted_invoice, in_threads

from accounts.services.audit import SYSTEM
from billing.models import Charge, CustomerCredit, InboundEvent, Payment
from billing.selectors.invariants import violations
from billing.services import inbound
from billing.services.invoices import cancel_invoice
from billing.services.pix.issue import issue_pix
from billing.services.pix.looking import look
from billing.services.pix.reconciling import reconcile_all
from billing.services.pix.refunding import give_back, refund_pix
from billing.services.pix.sweep import sweep_pix
from billing.services.receivables import receive
from lib import clock
from lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)

State = Charge.State
ROUNDS = 2


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def told(bank):
    """The bank's notices are kept, and nobody works them off yet."""
    for notice in bank.providers.notices("pix"):
        assert bank.post(notice) == 200
    return list(InboundEvent.objects.filter(state="waiting").values_list("pk", flat=True))


def test_a_payment_told_by_all_at_once_counts_once(bank, organization, customer):
    for _ in range(ROUNDS):
        receivable = emitted_invoice(organization, customer).receivables.get()
        charge = bank.issue(receivable)
        bank.pay(charge)
        [event] = told(bank)
        Charge.objects.filter(pk=charge.pk).update(next_attempt_at=clock.now())

        in_threads(
            [
                partial(inbound.apply_notice, event),
                partial(inbound.apply_notice, event),
                partial(look, charge.pk),
                reconcile_all,
            ]
        )

        assert receivable.payments.count() == 1
        assert fresh(charge).state == State.PAID
        assert fresh(receivable).state == "received"
    assert not CustomerCredit.objects.exists()
    assert not InboundEvent.objects.exclude(state="done").exists()


def test_a_payment_meets_a_click_of_staff(bank, organization, customer, account):
    """Whoever is first, no money is lost: the second becomes credit, or is refused."""
    for _ in range(ROUNDS):
        receivable = emitted_invoice(organization, customer).receivables.get()
        charge = bank.issue(receivable)
        bank.pay(charge)
        [event] = told(bank)

        in_threads(
            [
                partial(inbound.apply_notice, event),
                partial(receive, receivable.pk, account=account, actor=SYSTEM),
            ]
        )

        paid = sum(one.amount for one in receivable.payments.all())
        credit = sum(
            one.amount for one in CustomerCredit.objects.filter(payment__receivable=receivable)
        )
        assert paid - credit == Decimal("100.00")
        assert receivable.payments.filter(method="pix").count() == 1
        assert fresh(charge).state in (State.PAID, State.PAID_AFTER_CANCEL)


def test_a_payment_meets_the_cancellation_of_its_invoice(bank, organization, customer, account):
    for _ in range(ROUNDS):
        invoice = emitted_invoice(organization, customer)
        receivable = invoice.receivables.get()
        charge = bank.issue(receivable)
        bank.pay(charge)
        [event] = told(bank)

        in_threads(
            [
                partial(inbound.apply_notice, event),
                partial(cancel_invoice, invoice.pk, account=account, actor=SYSTEM),
                sweep_pix,
            ]
        )
        sweep_pix()

        payment = receivable.payments.get()
        assert payment.amount == Decimal("100.00")
        settled = payment.allocations.exists()
        assert settled == (fresh(receivable).state == "received")
        assert fresh(charge).state == (State.PAID if settled else State.PAID_AFTER_CANCEL)
        assert payment.credits.exists() != settled


def test_one_pix_is_made_by_all_who_ask_at_once(bank, organization, customer, account):
    for _ in range(ROUNDS):
        receivable = emitted_invoice(organization, customer).receivables.get()

        made = in_threads([partial(issue_pix, receivable.pk, account)] * 4)
        sweep_pix()

        assert {one.pk for one in made} == set(receivable.charges.values_list("pk", flat=True))
        assert receivable.charges.get().state == State.OPEN
        puts = [call for call in bank.calls("PUT") if receivable.charges.get().txid in call]
        assert len(puts) == 1


def test_late_pix_for_different_days_leave_one_to_be_paid(
    bank, organization, customer, account, move
):
    receivable = emitted_invoice(organization, customer).receivables.get()
    move("2026-08-31")
    days = [date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 2)]

    in_threads([partial(issue_pix, receivable.pk, account, on=day) for day in days])
    Charge.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
    sweep_pix()

    assert receivable.charges.filter(state=State.OPEN).count() == 1
    assert not receivable.charges.filter(state__in=(State.REGISTERING, State.CANCELLING)).exists()
    at_bank = [bank.of_bank(one) for one in receivable.charges.exclude(state=State.REJECTED)
               if one.registered_at]  # fmt: skip
    assert [one["status"] for one in at_bank].count("ATIVA") == 1


def test_a_return_asked_for_by_all_at_once_happens_once(bank, organization, customer, account):
    receivable = emitted_invoice(organization, customer).receivables.get()
    bank.pay(bank.issue(receivable))
    bank.deliver()
    payment = Payment.objects.get()
    bank.providers.fault("pix", "cut", method="PUT", path="/pix/")
    refund = refund_pix(payment.pk, account=account, actor=SYSTEM, reason="Engano")
    type(refund).objects.filter(pk=refund.pk).update(next_check_at=clock.now())
    events = told(bank)

    found = in_threads(
        [
            partial(give_back, refund.pk),
            partial(give_back, refund.pk),
            reconcile_all,
            *(partial(inbound.apply_notice, event) for event in events),
            partial(refund_pix, payment.pk, account=account, actor=SYSTEM, reason="De novo"),
        ]
    )

    assert isinstance(found[-1], DomainError)
    assert fresh(refund).state == "succeeded"
    assert fresh(payment).state == Payment.State.REFUNDED
    assert payment.refunds.count() == 1
