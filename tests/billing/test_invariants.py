"""check_invariants finds what is wrong, and only that."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from factories import CompanyFactory, ContractFactory, RuleFactory, TransactionFactory

from billing.models import Invoice, InvoiceLine, NumberSeries, Receivable
from billing.selectors.invariants import tenant_links, violations
from billing.services.run import RunRequest, run_billing

pytestmark = pytest.mark.django_db


@pytest.fixture
def billed(account):
    contract = ContractFactory(account=account, overdue_automatic_management=True)
    RuleFactory(contract=contract, services=[("2.5", "5.75"), ("1", "0.10")], parcel_number=3)
    day = date(2026, 2, 1)
    run_billing(RunRequest(account, day, day))
    return account


def rules_broken(account):
    return sorted({violation.rule for violation in violations(account)})


def test_a_healthy_account_has_none(billed):
    out = io.StringIO()

    call_command("check_invariants", "--account", "exemplo", stdout=out)

    assert out.getvalue() == "Nenhuma violação.\n"


BREAKS = [
    ("INV-2", lambda: InvoiceLine.objects.filter(position=1).update(value=Decimal("14.39"))),
    ("INV-3", lambda: Receivable.objects.filter(position=1).update(gross_value=Decimal("0.01"))),
    ("INV-3", lambda: Receivable.objects.filter(invoice__number=1).delete()),
    ("INV-4", lambda: Receivable.objects.filter(position=1).update(open_principal=Decimal("0.01"))),
    ("INV-8", lambda: NumberSeries.objects.update(next_number=9)),
    ("SRCH-1", lambda: Receivable.objects.filter(position=1).update(listed_for=None)),
    ("SRCH-1", lambda: Receivable.objects.filter(position=1).update(invoice_date="2020-01-01")),
    ("SM-1", lambda: Receivable.objects.filter(invoice__number=1).update(state="to_emit")),
]


@pytest.mark.parametrize(("rule", "break_it"), BREAKS)
def test_a_broken_row_is_named(billed, rule, break_it):
    break_it()

    assert rule in rules_broken(billed)


def test_a_transaction_pointing_to_a_void_invoice_is_named(billed):
    invoice = Invoice.objects.filter(state="to_receive").first()
    TransactionFactory(account=billed, customer=CompanyFactory(account=billed), invoice=invoice)

    assert rules_broken(billed) == ["INV-1"]


def test_a_row_that_points_to_another_tenant_is_named(billed, other_account):
    stranger = CompanyFactory(account=other_account)
    Invoice.objects.filter(number=1).update(customer=stranger)

    assert rules_broken(billed) == ["INV-11"]


def test_every_link_between_tenant_models_is_looked_at():
    links = {f"{model.__name__}.{field.name}" for model, field in tenant_links()}

    assert {
        "Contract.party",
        "Contract.organization",
        "InvoiceRule.contract",
        "Invoice.customer",
        "Invoice.contract",
        "Invoice.rule",
        "Receivable.invoice",
        "Transaction.customer",
    } <= links


def test_the_command_ends_with_1_and_shows_the_rows(billed):
    NumberSeries.objects.update(next_number=9)
    out, err = io.StringIO(), io.StringIO()

    with pytest.raises(SystemExit) as stop:
        call_command("check_invariants", stdout=out, stderr=err)

    assert stop.value.code == 1
    assert out.getvalue().startswith("exemplo: INV-8: série ")
    assert err.getvalue() == "1 violação(ões).\n"


def test_an_unknown_account_is_refused(db):
    with pytest.raises(CommandError, match="Conta desconhecida: nada"):
        call_command("check_invariants", "--account", "nada")
