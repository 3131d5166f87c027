"""Receipts of before payments were kept: told by the migration, as if they had been."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from support.invoices import emitted_invoice

from accounts.services.audit import SYSTEM
from billing.models import Invoice, Payment, PaymentAllocation, Receivable, Transaction
from billing.selectors.invariants import violations
from billing.services.receivables import receive, undo_receipt

pytestmark = pytest.mark.django_db
DAY = date(2026, 8, 20)


def tell():
    migration = import_module("billing.migrations.0012_payments_of_receipts")
    migration.tell(apps, SimpleNamespace(connection=connection))


def test_what_was_received_gets_a_transfer_and_its_allocation(organization, customer, today):
    today("2026-09-10")
    account = customer.account
    parcels = [
        emitted_invoice(organization, customer, due_dates=[DAY, DAY]).receivables.first()
        for _ in range(5)
    ]
    for parcel, value in zip(parcels, ["50.00", "30.00", "51.23", "0.00"], strict=False):
        receive(parcel.pk, account=account, actor=SYSTEM, value=Decimal(value), on=DAY)
    Transaction.objects.filter(kind="payment").delete()
    PaymentAllocation.objects.all().delete()
    Payment.objects.all().delete()
    assert {one.rule for one in violations(account)} == {"INV-4"}

    tell()
    told = list(Payment.objects.order_by("id"))
    tell()

    assert list(violations(account)) == []
    assert list(Payment.objects.order_by("id")) == told
    assert [(p.method, p.amount, p.state, p.received_on) for p in told] == [
        ("transfer", Decimal(value), "succeeded", DAY) for value in ("50.00", "30.00", "51.23")
    ]
    assert all(p.key.version == 4 for p in told)
    assert len({p.key for p in told}) == 3
    rows = PaymentAllocation.objects.order_by("id")
    assert [(a.principal, a.interest, a.discount) for a in rows] == [
        (50, 0, 0),
        (30, 0, 20),
        (50, Decimal("1.23"), 0),
    ]
    for parcel in parcels[:4]:
        undo_receipt(parcel.pk, account=account, actor=SYSTEM)
    assert list(violations(account)) == []
    assert not Receivable.objects.filter(state="received").exists()
    assert set(Invoice.objects.values_list("paid_total", flat=True)) == {0}
