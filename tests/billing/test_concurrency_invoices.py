"""Invoices under simultaneous use, with threads and with processes of their own connections."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest
from django.db import connections
from factories import CompanyFactory, TransactionFactory
from support.invoices import TODAY, check_sums, events, in_threads, july, new_invoice

from accounts.services.audit import SYSTEM
from billing.errors import (
    AlreadyBilled,
    CannotEmit,
    CannotReceive,
    CannotVoidPaid,
    KeyReused,
    PreviewChanged,
)
from billing.models import Invoice, NumberSeries, PartySnapshot, Transaction
from billing.selectors.invariants import violations
from billing.services.invoices import emit_invoice, void_invoice
from billing.services.proforma import generate
from billing.services.receivables import receive
from billing.services.transactions import TransactionData, edit_transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


DAY = datetime(2026, 7, 10, 15, tzinfo=UTC)


def charges(customer, n):
    return [
        TransactionFactory(customer=customer, created_at=DAY, retail_cost=Decimal("10.00"))
        for _ in range(n)
    ]


def generating(request, account):
    return partial(generate, request, account=account, actor=SYSTEM, today=TODAY)


def emitting(invoice):
    return partial(emit_invoice, invoice.pk, account=invoice.account, actor=SYSTEM, today=TODAY)


def test_scenario_10_overlapping_selections_have_one_winner(organization, customer):
    ids = [row.pk for row in charges(customer, 12)]
    one = july(customer, included_ids=ids[:8], idempotency_key="a", confirm_duplicate=True)
    two = july(customer, included_ids=ids[4:], idempotency_key="b", confirm_duplicate=True)

    answers = in_threads([generating(r, customer.account) for r in (one, two)])

    [invoice] = Invoice.objects.all()
    [refusal] = [a for a in answers if isinstance(a, PreviewChanged)]
    assert len(refusal.erros) == 4
    assert Transaction.objects.filter(invoice=invoice).count() == 8
    assert Transaction.objects.filter(invoice=None).count() == 4
    check_sums(invoice)


def test_disjoint_selections_both_win(organization, customer):
    ids = [row.pk for row in charges(customer, 12)]
    one = july(customer, included_ids=ids[:6], idempotency_key="a", confirm_duplicate=True)
    two = july(customer, included_ids=ids[6:], idempotency_key="b", confirm_duplicate=True)

    in_threads([generating(r, customer.account) for r in (one, two)])

    assert sorted(Invoice.objects.values_list("number", flat=True)) == [1, 2]
    assert Transaction.objects.filter(invoice=None).count() == 0


@pytest.mark.parametrize("_", range(5))
def test_an_edit_during_the_generation_never_leaves_a_line_that_differs(organization, customer, _):
    rows = charges(customer, 3)
    data = TransactionData(title="Uso", retail_cost=Decimal("99.00"), created_at=DAY)
    edits = [
        partial(edit_transaction, row.pk, data, account=customer.account, actor=SYSTEM)
        for row in rows
    ]

    *edited, invoice = in_threads([*edits, generating(july(customer), customer.account)])

    if isinstance(invoice, PreviewChanged):
        assert Transaction.objects.filter(invoice=None).count() == 3
        return
    assert all(isinstance(answer, AlreadyBilled) for answer in edited)
    assert invoice.gross_value == Decimal("30.00")
    assert set(Transaction.objects.values_list("retail_cost", flat=True)) == {Decimal("10.00")}


@pytest.mark.parametrize("key", ["formulario-1", ""])
def test_pf_11_a_double_submission_in_eight_threads_makes_one_invoice(organization, customer, key):
    charges(customer, 5)
    request = july(customer, idempotency_key=key)

    answers = in_threads([generating(request, customer.account)] * 8)

    [invoice] = Invoice.objects.all()
    assert [answer.pk for answer in answers] == [invoice.pk] * 8
    assert NumberSeries.objects.get(organization=organization).next_number == 2
    assert events(invoice) == ["emit"]


def test_one_key_for_two_customers_at_once_makes_one_invoice(organization, account, customer):
    other = CompanyFactory(account=account)
    charges(customer, 3)
    charges(other, 3)
    requests = [july(c, idempotency_key="k") for c in (customer, other)] * 3

    answers = in_threads([generating(r, account) for r in requests])

    [invoice] = Invoice.objects.all()
    assert sum(isinstance(a, KeyReused) for a in answers) == 3
    assert [a.pk for a in answers if isinstance(a, Invoice)] == [invoice.pk] * 3
    assert Transaction.objects.filter(invoice=None).count() == 3


def test_eight_threads_emitting_one_invoice_give_it_one_number(organization, customer):
    invoice = new_invoice(organization, customer)

    answers = in_threads([emitting(invoice)] * 8)

    assert sum(isinstance(a, CannotEmit) for a in answers) == 7
    assert Invoice.objects.get(pk=invoice.pk).number == 1
    assert NumberSeries.objects.get(organization=organization).next_number == 2
    assert events(invoice) == ["emit"]


def test_inv_8_fifty_invoices_emitted_by_four_threads_are_numbered_without_gaps(
    organization, account
):
    customers = CompanyFactory.create_batch(5, account=account)
    invoices = [new_invoice(organization, customers[k % 5]) for k in range(50)]

    def some(start):
        for invoice in invoices[start::4]:
            emitting(invoice)()

    in_threads([partial(some, start) for start in range(4)])

    numbers = Invoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 51))
    assert PartySnapshot.objects.count() == 6


def test_the_first_emissions_of_an_organization_create_one_series(organization, customer):
    NumberSeries.objects.all().delete()
    invoices = [new_invoice(organization, customer) for _ in range(4)]

    in_threads([emitting(invoice) for invoice in invoices])

    assert NumberSeries.objects.get().next_number == 5


def test_a_receipt_and_a_void_at_once_never_both_happen(organization, customer):
    invoice = emitting(new_invoice(organization, customer))()
    pay = partial(receive, invoice.receivables.get().pk, account=customer.account, actor=SYSTEM)
    void = partial(void_invoice, invoice.pk, account=customer.account, actor=SYSTEM, reason="Erro")

    paid, voided = in_threads([pay, void])

    stored = Invoice.objects.get(pk=invoice.pk)
    assert isinstance(paid, CannotReceive) != isinstance(voided, CannotVoidPaid)
    assert (stored.state, stored.void) in {("received", False), ("cancelled", True)}


def _emit_in_process(account_pk, ids):
    """Body of a child process: its own connections, its share of the invoices."""
    from accounts.models import Account

    account = Account.objects.get(pk=account_pk)
    for pk in ids:
        try:
            emit_invoice(pk, account=account, actor=SYSTEM, today=TODAY)
        except CannotEmit:
            continue
    connections.close_all()
    os._exit(0)


def test_inv_8_processes_that_emit_the_same_invoices_number_each_once(organization, account):
    customer = CompanyFactory(account=account)
    ids = [new_invoice(organization, customer).pk for _ in range(20)]
    # A child must not inherit a connection, only the settings that lead to the test database.
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=_emit_in_process, args=(account.pk, ids[k:] + ids[:k]))
        for k in (0, 5, 10, 15)
    ]

    for child in children:
        child.start()
    for child in children:
        child.join(60)

    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    numbers = Invoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 21))
