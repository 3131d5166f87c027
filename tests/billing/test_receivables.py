"""Receipts told by hand or by the API (billing-api §6.4, DECISIONS 8)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.invoices import TODAY, emitted_invoice, events, everything, line, new_invoice

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import CannotReceive, CannotUndoReceipt
from billing.models import Invoice, Receivable
from billing.selectors.invariants import violations
from billing.services.invoices import cancel_invoice
from billing.services.receivables import receive, undo_receipt
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


DAY = date(2026, 8, 10)


def settle(receivable, value=None, on=DAY):
    amount = None if value is None else Decimal(value)
    return receive(receivable.pk, account=receivable.account, actor=SYSTEM, value=amount, on=on)


def reopen(receivable):
    return undo_receipt(receivable.pk, account=receivable.account, actor=SYSTEM)


def amounts(receivable):
    return (
        receivable.received_value,
        receivable.paid_principal,
        receivable.written_off,
        receivable.paid_interest,
        receivable.open_principal,
    )


@pytest.mark.parametrize(
    ("value", "expected", "paid"),
    [
        (None, ("100.00", "100.00", "0.00", "0.00", "0.00"), "100.00"),
        ("60.00", ("60.00", "60.00", "40.00", "0.00", "0.00"), "60.00"),
        ("103.50", ("103.50", "100.00", "0.00", "3.50", "0.00"), "103.50"),
        ("0.00", ("0.00", "0.00", "100.00", "0.00", "0.00"), "0.00"),
    ],
)
def test_decisions_8_any_amount_settles_the_receivable(
    organization, customer, value, expected, paid
):
    invoice = emitted_invoice(organization, customer)

    receivable = settle(invoice.receivables.get(), value)

    stored = Receivable.objects.get(pk=receivable.pk)
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert amounts(stored) == tuple(map(Decimal, expected))
    assert (stored.state, stored.received_at) == ("received", DAY)
    assert (invoice.state, invoice.payment_status) == ("received", "paid")
    assert invoice.paid_total == Decimal(paid)
    assert invoice.received_at is not None


def test_the_invoice_is_received_with_its_last_receivable(organization, customer):
    invoice = emitted_invoice(organization, customer, due_dates=[TODAY, TODAY])
    first, last = invoice.receivables.order_by("position")

    settle(first)
    halfway = Invoice.objects.get(pk=invoice.pk)
    settle(last)
    done = Invoice.objects.get(pk=invoice.pk)

    assert (halfway.state, halfway.payment_status) == ("to_receive", "partially_paid")
    assert halfway.paid_total == Decimal("50.00")
    assert (done.state, done.payment_status, done.paid_total) == ("received", "paid", 100)
    assert events(invoice) == ["emit", "confirm_receival"]


def test_a_receivable_of_zero_goes_and_comes_with_the_last_one(organization, customer):
    invoice = emitted_invoice(
        organization, customer, due_dates=[TODAY, TODAY], percents=[Decimal(100), Decimal(0)]
    )
    full, empty = invoice.receivables.order_by("position")

    settle(full)
    assert Invoice.objects.get(pk=invoice.pk).state == "received"
    assert Receivable.objects.get(pk=empty.pk).received_value == 0

    reopen(full)
    assert Receivable.objects.get(pk=empty.pk).state == "to_receive"
    assert Invoice.objects.get(pk=invoice.pk).payment_status == "unpaid"
    assert cancel_invoice(invoice.pk, account=customer.account, actor=SYSTEM).state == "cancelled"


def test_the_same_receipt_told_twice_is_one(organization, customer):
    receivable = emitted_invoice(organization, customer).receivables.get()
    settle(receivable, "60.00")
    before = everything(customer.account)

    again = settle(receivable, "60.00")
    whenever = settle(receivable, "60.00", on=None)

    assert again.received_value == whenever.received_value == Decimal("60.00")
    assert everything(customer.account) == before


@pytest.mark.parametrize(("value", "on"), [("61.00", DAY), (None, DAY), ("60.00", TODAY)])
def test_another_receipt_of_a_received_receivable_is_refused(organization, customer, value, on):
    receivable = emitted_invoice(organization, customer).receivables.get()
    settle(receivable, "60.00")
    before = everything(customer.account)

    with pytest.raises(CannotReceive) as refused:
        settle(receivable, value, on)

    assert refused.value.mensagem == "O recebimento não pode ser confirmado."
    assert everything(customer.account) == before


def test_only_what_is_to_be_received_is_received(organization, customer):
    not_emitted = new_invoice(organization, customer)
    cancelled = emitted_invoice(organization, customer)
    cancel_invoice(cancelled.pk, account=customer.account, actor=SYSTEM)
    before = everything(customer.account)

    for invoice in (not_emitted, cancelled):
        with pytest.raises(CannotReceive):
            settle(invoice.receivables.get())
        with pytest.raises(CannotUndoReceipt, match="não pode ser desfeito"):
            reopen(invoice.receivables.get())

    assert everything(customer.account) == before


@pytest.mark.parametrize("value", ["-0.01", "10000000000000"])
def test_an_impossible_amount_is_refused(organization, customer, value):
    receivable = emitted_invoice(organization, customer).receivables.get()
    before = everything(customer.account)

    with pytest.raises(InvalidInput):
        settle(receivable, value)

    assert everything(customer.account) == before


def test_undoing_keeps_the_last_value_readable_and_reopens_the_invoice(organization, customer):
    invoice = emitted_invoice(organization, customer)
    receivable = settle(invoice.receivables.get(), "60.00")

    reopened = reopen(receivable)

    stored = Invoice.objects.get(pk=invoice.pk)
    assert (reopened.state, reopened.received_value, reopened.received_at) == (
        "to_receive",
        Decimal("60.00"),
        DAY,
    )
    assert (reopened.open_principal, reopened.written_off) == (100, 0)
    assert (stored.state, stored.payment_status, stored.paid_total) == ("to_receive", "unpaid", 0)
    assert stored.received_at is None
    assert events(invoice) == ["emit", "confirm_receival", "undo_receival"]
    codes = AuditEvent.objects.filter(object_type="receivable").order_by("id")
    assert list(codes.values_list("action", flat=True)) == [
        "recebimento.confirmado",
        "recebimento.desfeito",
    ]


def test_undoing_one_of_two_receipts_tells_only_what_changed(organization, customer):
    invoice = emitted_invoice(organization, customer, due_dates=[TODAY, TODAY])
    first, _ = invoice.receivables.order_by("position")
    settle(first)

    reopen(first)

    assert events(invoice) == ["emit"]
    assert Invoice.objects.get(pk=invoice.pk).payment_status == "unpaid"


def test_inv_11_another_account_does_not_find_the_receivable(organization, customer, other_account):
    receivable = emitted_invoice(organization, customer).receivables.get()
    before = everything(customer.account)

    with pytest.raises(NotFound):
        receive(receivable.pk, account=other_account, actor=SYSTEM)
    with pytest.raises(NotFound):
        undo_receipt(receivable.pk, account=other_account, actor=SYSTEM)

    assert everything(customer.account) == before


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    total=st.decimals(min_value=0, max_value=1000, places=2),
    value=st.decimals(min_value=0, max_value=2000, places=2),
)
def test_inv_4_holds_whatever_is_received(organization, customer, total, value):
    invoice = emitted_invoice(organization, customer, lines=[line(str(total))])
    receivable = invoice.receivables.get()
    if total:
        receivable = receive(
            receivable.pk, account=customer.account, actor=SYSTEM, value=value, on=DAY
        )

    stored = Receivable.objects.get(pk=receivable.pk)
    settled = stored.paid_principal + stored.open_principal + stored.written_off
    assert settled == stored.payment_value == total
    assert stored.open_principal == 0
