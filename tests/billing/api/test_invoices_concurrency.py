"""Changes of one invoice at the same time: each counts, and the sums agree."""

from __future__ import annotations

from functools import partial

import pytest
from support.invoices import check_sums, in_threads
from support.wire import api_of
from support.wire_invoices import contract_of, created, item_of, service

from accounts.services.audit import SYSTEM
from billing.errors import CannotChange
from billing.models import Invoice
from billing.selectors.invariants import violations
from billing.services.invoice_edits import CannotDelete, delete_invoice, update_from_values
from billing.services.invoices import emit_invoice
from lib.errors import NotFound

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def invoice(account):
    item = item_of(account)
    shown = created(api_of(account), contract_of(account), services=[service(item)])
    return Invoice.objects.get(pk=shown["id"])


def changing(invoice, **values):
    return partial(
        update_from_values,
        invoice.pk,
        values,
        contract_id=invoice.contract_id,
        account=invoice.account,
        actor=SYSTEM,
    )


def test_services_added_at_once_all_count(account, invoice):
    item = invoice.lines.get().service_item
    element = {"service_item_id": item.pk, "units": 1, "unit_value": 100}

    in_threads([changing(invoice, services=[element]) for _ in range(4)])

    invoice = Invoice.objects.get()
    assert invoice.gross_value == invoice.payment_value == 500
    check_sums(invoice)
    assert list(violations(account)) == []


def test_a_change_and_an_emission_at_once_leave_an_invoice_that_adds_up(account, invoice):
    line = invoice.lines.get()
    change = changing(invoice, services=[{"id": line.pk, "units": 3}])
    emit = partial(emit_invoice, invoice.pk, account=account, actor=SYSTEM)

    found = in_threads([change, emit])

    invoice = Invoice.objects.get()
    assert invoice.state == "to_receive"
    assert invoice.gross_value == (100 if isinstance(found[0], CannotChange) else 300)
    check_sums(invoice)
    assert list(violations(account)) == []


def test_a_deletion_and_an_emission_at_once_have_one_winner(account, invoice):
    delete = partial(
        delete_invoice, invoice.pk, contract_id=invoice.contract_id, account=account, actor=SYSTEM
    )
    emit = partial(emit_invoice, invoice.pk, account=account, actor=SYSTEM)

    deleted, emitted = in_threads([delete, emit])

    if Invoice.objects.exists():
        assert isinstance(deleted, CannotDelete)
    else:
        assert isinstance(emitted, NotFound)
    assert list(violations(account)) == []
