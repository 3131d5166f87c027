"""Giving money back (REF-1..3, INV-6) and money taken back (PX-5): nothing twice, nothing lost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.invoices import emitted_invoice, events, everything

from accounts.services.audit import SYSTEM
from billing.errors import (
    CannotRefund,
    CannotUndoReceipt,
    RefundAmount,
    RefundNotCard,
    RefundTwice,
)
from billing.models import Chargeback, CustomerCredit, Invoice, Payment, Receivable, Refund
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.payments import refunds
from billing.services.payments.arrivals import arrived
from billing.services.payments.chargebacks import (
    chargeback_lost,
    chargeback_opened,
    chargeback_won,
)
from billing.services.payments.credits import use_credit
from billing.services.payments.manual import pay_manually
from billing.services.payments.undoing import undo_payment
from billing.services.receivables import undo_receipt
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db
ON_TIME, LATE = date(2026, 8, 20), date(2026, 8, 25)
D = Decimal


@pytest.fixture(autouse=True)
def _a_day(today):
    today("2026-09-10")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def parcel(organization, customer):
    return emitted_invoice(organization, customer).receivables.get()


def came(parcel, amount="100.00", method="card", eid="pi_1", on=ON_TIME):
    return arrived(
        parcel.account, receivable_id=parcel.pk, method=method, amount=D(amount), received_on=on,
        external_id=eid, actor=SYSTEM,
    ).payment  # fmt: skip


def refund(payment, amount=None, to="provider", reason="Engano"):
    value = None if amount is None else D(amount)
    return refunds.open_refund(
        payment.pk, account=payment.account, actor=SYSTEM, amount=value, reason=reason, to=to
    )


def done(refund, external_id=""):
    return refunds.refund_succeeded(
        refund.pk, account=refund.account, actor=SYSTEM, external_id=external_id
    )


def failed(refund):
    return refunds.refund_failed(
        refund.pk, account=refund.account, actor=SYSTEM, failure="Conta encerrada"
    )


def contested(payment, amount="100.00", eid="dp_1"):
    return chargeback_opened(
        payment.pk, account=payment.account, actor=SYSTEM, amount=D(amount), external_id=eid,
        reason="fraudulent",
    )  # fmt: skip


def lost(chargeback):
    return chargeback_lost(chargeback.pk, account=chargeback.account, actor=SYSTEM)


def won(chargeback):
    return chargeback_won(chargeback.pk, account=chargeback.account, actor=SYSTEM)


def told(payment):
    """State of the payment, status and refunded total of the invoice, balance of the wallet."""
    payment = Payment.objects.get(pk=payment.pk)
    invoice = Invoice.objects.get(pk=payment.invoice_id)
    balance = ledger.credit_balance(payment.customer_id)
    return (payment.state, invoice.payment_status, invoice.refunded_total, balance)


def test_ref_1_all_of_a_card_payment_goes_back_once(parcel):
    payment = came(parcel)

    opened = refund(payment)
    assert told(payment) == ("succeeded", "paid", 0, 0)
    assert (opened.state, opened.amount) == ("pending", 100)
    assert opened.key == f"refund:{payment.key}:1"
    with pytest.raises(RefundTwice) as refused:  # an old tab, while the first is under way
        refund(payment)
    assert (refused.value.http_status, refused.value.codigo) == (409, "refund_twice")
    done(opened, "re_1")
    done(opened, "re_1")

    invoice = Invoice.objects.get(pk=parcel.invoice_id)
    assert told(payment) == ("refunded", "refunded", 100, 0)
    assert (invoice.state, invoice.void, invoice.refund_reference) == ("received", False, "re_1")
    assert events(invoice) == ["emit", "confirm_receival"]
    with pytest.raises(RefundTwice, match="já foi reembolsada"):
        refund(payment)
    assert Refund.objects.count() == 1


def test_ref_2_parts_go_back_up_to_what_was_paid(parcel, other_account):
    payment = came(parcel, method="pix")
    first = refund(payment, "30.00")
    second = refund(payment, "20.00")
    with pytest.raises(RefundAmount) as refused:
        refund(payment, "50.01")
    assert refused.value.mensagem == "O valor excede o saldo reembolsável de R$\xa050,00."

    done(second)
    assert told(payment) == ("partially_refunded", "partially_refunded", 20, 0)
    failed(first)
    third = refund(payment)
    done(third)

    assert (third.amount, third.key[-1]) == (80, "3")
    assert told(payment) == ("refunded", "refunded", 100, 0)
    assert refunds.refundable(payment) == 0
    for call in (
        lambda: refunds.open_refund(payment.pk, account=other_account, actor=SYSTEM, reason="x"),
        lambda: refunds.refund_failed(third.pk, account=other_account, actor=SYSTEM, failure="x"),
        lambda: chargeback_opened(
            payment.pk, account=other_account, actor=SYSTEM, amount=D(1), external_id="x"
        ),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_refund_that_fails_even_days_later_puts_all_back(parcel):
    payment = came(parcel)
    whole = refund(payment)
    done(whole)
    failed(whole)
    failed(whole)
    assert told(payment) == ("succeeded", "paid", 0, 0)

    part = refund(payment, "40.00")
    done(part)
    rest = refund(payment)
    done(rest)
    assert told(payment) == ("refunded", "refunded", 100, 0)
    failed(rest)
    assert told(payment) == ("partially_refunded", "partially_refunded", 40, 0)
    assert Refund.objects.get(pk=rest.pk).failure == "Conta encerrada"


def test_ref_3_what_no_provider_has_is_not_refunded_by_one(parcel, customer):
    cash = pay_manually(
        parcel.pk, account=customer.account, actor=SYSTEM, method="cash", on=ON_TIME
    )
    before = everything(customer.account)
    for wrong, error in (
        ({}, RefundNotCard),
        ({"to": "credit", "amount": "0.00"}, RefundAmount),
        ({"to": "credit", "reason": " "}, InvalidInput),
    ):
        with pytest.raises(error):
            refund(cash, **wrong)
    assert everything(customer.account) == before
    assert not Refund.objects.exists()

    given = refund(cash, "30.00", to="credit")

    assert (given.state, told(cash)) == (
        "succeeded",
        ("partially_refunded", "partially_refunded", 30, 30),
    )
    with pytest.raises(CannotUndoReceipt):
        undo_receipt(parcel.pk, account=customer.account, actor=SYSTEM)


def test_only_what_was_confirmed_is_refunded(parcel):
    held = ledger.hold(parcel.account, invoice_id=parcel.invoice_id)
    trying = ledger.new_payment(held, held.receivable(parcel.pk), method="card", amount=D(100))
    trying.save()
    with pytest.raises(CannotRefund):
        refund(trying)
    trying.fail(code="card_declined")
    trying.save()
    with pytest.raises(CannotRefund):
        refund(trying)
    payment = came(parcel)
    contested(payment)
    with pytest.raises(CannotRefund):
        refund(payment)


def test_a_surplus_goes_back_out_of_the_wallet_and_comes_home_when_that_fails(parcel, customer):
    payment = came(parcel, "130.00")
    assert told(payment) == ("succeeded", "paid", 0, 30)

    surplus = refund(payment, "30.00")
    assert (surplus.from_credit, told(payment)[3]) == (30, 0)
    done(surplus)
    assert told(payment) == ("partially_refunded", "paid", 0, 0)
    failed(surplus)
    assert told(payment) == ("succeeded", "paid", 0, 30)

    whole = refund(payment)
    done(whole)
    assert (whole.amount, whole.from_credit) == (130, 30)
    assert told(payment) == ("refunded", "refunded", 100, 0)


def test_surplus_that_was_used_is_not_given_back_a_second_time(organization, customer, parcel):
    payment = came(parcel, "130.00")
    other = emitted_invoice(organization, customer).receivables.get()
    use_credit(other.pk, account=customer.account, actor=SYSTEM, amount=D("20.00"), on=ON_TIME)

    assert refunds.refundable(payment) == 110
    with pytest.raises(RefundAmount):
        refund(payment, "110.01")
    done(refund(payment))

    assert told(payment) == ("partially_refunded", "refunded", 100, 0)


def test_to_the_wallet_goes_only_what_is_not_there_yet(parcel):
    payment = came(parcel, "130.00")

    with pytest.raises(RefundAmount):
        refund(payment, "100.01", to="credit")
    refund(payment, to="credit")

    assert told(payment) == ("partially_refunded", "refunded", 100, 130)


def test_a_contested_payment_that_is_won_is_as_before(parcel):
    payment = came(parcel)
    done(refund(payment, "10.00"))
    opened = contested(payment, "90.00")
    assert contested(payment, "90.00") == opened
    assert told(payment) == ("disputed", "partially_refunded", 10, 0)
    with pytest.raises(CannotUndoReceipt):
        undo_receipt(parcel.pk, account=parcel.account, actor=SYSTEM)

    won(opened)
    won(opened)
    lost(opened)

    assert told(payment) == ("partially_refunded", "partially_refunded", 10, 0)
    assert Chargeback.objects.get().state == "won"


def test_no_provider_turns_down_what_went_to_the_wallet(customer, parcel):
    given = refund(came(parcel), "30.00", to="credit")

    same = refunds.refund_failed(given.pk, account=customer.account, actor=SYSTEM, failure="não")

    assert same.state == Refund.State.SUCCEEDED
    assert ledger.credit_balance(customer.pk) == D("30.00")


def test_a_lost_one_opens_the_receivable_and_makes_no_credit(parcel):
    payment = came(parcel, "102.17", on=LATE)
    case = lost(contested(payment, "102.17"))
    lost(case)

    row = Receivable.objects.get(pk=parcel.pk)
    assert (row.state, row.open_principal, row.paid_interest) == ("to_receive", 100, 0)
    assert (case.state, case.reopened) == ("lost", D("102.17"))
    assert told(payment) == ("disputed", "unpaid", 0, 0)
    assert events(parcel.invoice) == ["emit", "confirm_receival", "undo_receival"]
    assert not CustomerCredit.objects.exists()
    assert came(parcel, "102.17", eid="pi_2", on=LATE).state == "succeeded"
    assert Invoice.objects.get(pk=parcel.invoice_id).payment_status == "paid"


def test_a_part_lost_leaves_the_rest_paid(parcel):
    payment = came(parcel)

    case = lost(contested(payment, "40.00"))

    row = Receivable.objects.get(pk=parcel.pk)
    assert (case.reopened, row.state, row.paid_principal, row.open_principal) == (
        40, "to_receive", 60, 40,
    )  # fmt: skip
    assert told(payment)[1] == "partially_paid"


def test_what_was_refunded_before_is_not_owed_again(parcel):
    payment = came(parcel)
    done(refund(payment, "30.00"))

    case = lost(contested(payment, "100.00"))

    assert case.reopened == 70
    assert Receivable.objects.get(pk=parcel.pk).open_principal == 70
    assert told(payment) == ("disputed", "unpaid", 30, 0)


def test_lost_credit_leaves_the_wallet_even_if_it_was_used(organization, customer, parcel):
    payment = came(parcel, "130.00")
    other = emitted_invoice(organization, customer).receivables.get()
    used = use_credit(other.pk, account=customer.account, actor=SYSTEM, on=ON_TIME)

    case = lost(contested(payment, "130.00"))

    assert (case.reopened, told(payment)[3]) == (100, -30)
    undo_payment(used.pk, account=customer.account, actor=SYSTEM)
    assert told(payment)[3] == 0
