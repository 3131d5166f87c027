"""Cancelling a contract and its final invoice (§8.5, PRO-1…3)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import ContractFactory, OrganizationFactory, RuleFactory
from support.clauses import clause, publish

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import Contract, Invoice, InvoiceRule, Receivable, Transaction
from billing.selectors.invariants import violations
from billing.services.contracts import cancel_contract
from billing.services.invoices import void_invoice
from billing.services.run import RunRequest, run_billing
from lib.errors import NotFound

pytestmark = pytest.mark.django_db


def run(account, until):
    return run_billing(RunRequest(account, until, until))


def contract_of(account, *, post_paid=True, **fields):
    charging = Contract.Charging.POST_PAID if post_paid else Contract.Charging.PRE_PAID
    return ContractFactory(
        account=account, charging_method=charging, overdue_automatic_management=True, **fields
    )


def cancel(contract, on):
    return cancel_contract(
        contract.pk, account=contract.account, on=on, reason="mudou de fornecedor", actor=SYSTEM
    )


def test_later_invoices_are_cancelled_and_earlier_ones_stay(account):
    contract = contract_of(account)
    rule = RuleFactory(contract=contract)
    run(account, date(2026, 2, 1))

    cancel(contract, date(2026, 3, 16))

    contract = Contract.objects.get()
    assert (contract.status, contract.state) == ("cancelled", "inactive")
    assert (contract.cancel_date, contract.cancel_reason) == (
        date(2026, 3, 16),
        "mudou de fornecedor",
    )
    assert InvoiceRule.objects.get(pk=rule.pk).status == "ended"
    kept = Invoice.objects.exclude(state="cancelled").order_by("issue_date")
    assert [(i.issue_date.month, i.state) for i in kept] == [
        (1, "to_receive"),
        (2, "to_receive"),
        (3, "to_emit"),
    ]
    cancelled = Invoice.objects.filter(state="cancelled")
    assert cancelled.count() == 22
    assert set(cancelled.values_list("cancelled_automatically", flat=True)) == {True}
    assert Receivable.objects.filter(state="cancelled").count() == 22
    assert WebhookEvent.objects.filter(event="cancel").count() == 22
    assert list(violations(account)) == []


def test_a_post_paid_contract_gets_one_final_invoice_by_days(account):
    contract = contract_of(account)
    RuleFactory(contract=contract, services=[("1", "100.00"), ("1", "99.99")])
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 3, 16))

    result = run(account, date(2026, 3, 31))

    assert result.finals == 1
    final = Invoice.objects.get(is_final=True)
    # March has 31 days, 16 used: 51.6129… and 51.6077…
    assert list(final.lines.order_by("position").values_list("value", flat=True)) == [
        Decimal("51.61"),
        Decimal("51.61"),
    ]
    assert final.gross_value == Decimal("103.22")
    assert final.state == "to_receive"
    assert final.lines.first().description == "Item 1 – 01/03/2026 a 16/03/2026 (16 dias)"
    assert list(violations(account)) == []


def test_a_final_invoice_pays_from_the_last_occurrence_to_the_cancellation(account):
    contract = contract_of(account)
    RuleFactory(contract=contract, init_date=date(2026, 1, 20))
    run(account, date(2026, 2, 28))
    cancel(contract, date(2026, 3, 4))

    run(account, date(2026, 3, 31))

    final = Invoice.objects.get(is_final=True)
    period = (date(2026, 2, 20), date(2026, 3, 4))
    assert (final.start_date, final.end_date) == period
    assert list(final.lines.values_list("period_start", "period_end")) == [period]
    assert final.gross_value == Decimal("46.43")  # 13 of 28 days


def test_the_final_invoice_is_made_once(account):
    contract = contract_of(account)
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 3, 16))

    run(account, date(2026, 3, 31))
    run(account, date(2026, 4, 30))

    assert Invoice.objects.filter(is_final=True).count() == 1


def test_a_pre_paid_contract_gets_none(account):
    contract = contract_of(account, post_paid=False)
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 3, 16))

    run(account, date(2026, 3, 31))

    assert not Invoice.objects.filter(is_final=True).exists()
    assert not Transaction.objects.exists()


def test_unused_pre_paid_days_come_back_when_the_organization_says_so(account):
    organization = OrganizationFactory(account=account, profile__refund_unused_days=True)
    contract = contract_of(account, post_paid=False, organization=organization)
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 3, 16))

    run(account, date(2026, 3, 31))

    credit = Transaction.objects.get()
    # 100.00 − 16/31 of it (51.61)
    assert (credit.kind, credit.retail_cost) == ("credit", Decimal("-48.39"))
    assert "15 de 31 dias" in credit.description
    assert credit.invoice is None


def test_a_date_before_the_last_billed_period_credits_the_excess(account):
    contract = contract_of(account, post_paid=False)
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 2, 10))

    run(account, date(2026, 3, 31))

    credit = Transaction.objects.get()  # March, whole; February was in course and is not refunded
    assert credit.retail_cost == Decimal("-100.00")


def test_breaking_the_minimum_term_adds_its_fine_as_a_line(account):
    contract = contract_of(
        account,
        minimum_term_fine=Decimal("350.00"),
        minimum_term_until=date(2026, 12, 31),
    )
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 3, 31))

    run(account, date(2026, 3, 31))

    final = Invoice.objects.get(is_final=True)
    assert list(final.lines.order_by("position").values_list("title", "value")) == [
        ("Serviço " + final.lines.first().title.split()[-1], Decimal("100.00")),
        ("Multa por fidelidade", Decimal("350.00")),
    ]


def test_a_contract_cancelled_before_its_first_invoice_pays_its_days(account):
    contract = contract_of(account, init_date=date(2026, 1, 10))
    RuleFactory(contract=contract, init_date=date(2026, 2, 1))
    cancel(contract, date(2026, 1, 19))

    run(account, date(2026, 1, 31))

    # 10 to 19 January: 10 of the 31 days of the period that 1 February would have billed.
    assert Invoice.objects.get(is_final=True).gross_value == Decimal("32.26")


def test_a_future_date_is_billed_up_to_it(account):
    contract = contract_of(account)
    RuleFactory(contract=contract)

    cancel(contract, date(2026, 5, 10))
    run(account, date(2026, 5, 31))

    kept = Invoice.objects.exclude(state="cancelled").order_by("issue_date", "id")
    assert [(i.issue_date, i.is_final) for i in kept] == [
        (date(2026, 1, 1), False),
        (date(2026, 2, 1), False),
        (date(2026, 3, 1), False),
        (date(2026, 4, 1), False),
        (date(2026, 5, 1), False),
        (date(2026, 5, 10), True),
    ]


def test_cancelling_twice_changes_nothing(account):
    contract = contract_of(account)
    RuleFactory(contract=contract)
    cancel(contract, date(2026, 3, 16))

    cancel(contract, date(2026, 1, 1))

    assert Contract.objects.get().cancel_date == date(2026, 3, 16)
    assert AuditEvent.objects.filter(action="contrato.cancelado").count() == 1


def test_another_accounts_contract_is_not_found(account, other_account):
    contract = contract_of(account)

    with pytest.raises(NotFound):
        cancel_contract(contract.pk, account=other_account, actor=SYSTEM)

    assert Contract.objects.get().status == "established"


def test_days_already_billed_are_not_billed_by_the_final_invoice(account):
    contract = contract_of(account, init_date=date(2026, 1, 1))
    RuleFactory(contract=contract, init_date=date(2026, 2, 1))
    run(account, date(2026, 3, 1))  # 1 March paid for February
    cancel(contract, date(2026, 2, 10))

    run(account, date(2026, 3, 31))

    # January 100.00, February 100.00 of which 18 of 28 days come back: 64.29.
    assert not Invoice.objects.filter(is_final=True).exists()
    assert Transaction.objects.get().retail_cost == Decimal("-64.29")
    assert list(violations(account)) == []


def test_a_free_period_is_not_billed_a_negative_cent(account):
    contract = contract_of(account)
    rule = RuleFactory(contract=contract, services=[("1", "33.33"), ("1", "66.67"), ("1", "-100")])
    other = RuleFactory(contract=contract_of(account))
    run(account, date(2026, 4, 1))
    cancel(contract, date(2026, 4, 2))

    result = run(account, date(2026, 5, 1))

    # 2.22 + 4.44 − 6.67 = −0.01: the discount gives the cent back, and the others go on.
    assert result.finals == 1
    final = Invoice.objects.get(rule=rule, is_final=True)
    assert (final.gross_value, final.state) == (Decimal("0.00"), "received")
    assert Invoice.objects.get(rule=other, issue_date=date(2026, 5, 1)).state == "to_receive"


def test_a_final_invoice_that_cannot_be_made_does_not_stop_the_run(account):
    contract = contract_of(account)
    RuleFactory(contract=contract, services=[("1", "-50")])
    other = RuleFactory(contract=contract_of(account))
    run(account, date(2026, 1, 1))
    cancel(contract, date(2026, 1, 15))
    InvoiceRule.objects.filter(contract=contract).update(month_quantity=None)
    InvoiceRule.objects.filter(contract=contract).update(charge_type="estranho")

    run(account, date(2026, 2, 1))

    assert Invoice.objects.get(rule=other, issue_date=date(2026, 2, 1)).state == "to_receive"


def test_a_contract_with_notice_is_readjusted_up_to_its_last_day(account):
    publish("ipca", {"2026-03": "10"})
    contract = contract_of(account)
    rule = RuleFactory(contract=contract)
    clause(rule, on=date(2026, 4, 1), months=1)
    run(account, date(2026, 2, 1))
    cancel(contract, date(2026, 5, 15))

    run(account, date(2026, 5, 31))

    emitted = Invoice.objects.filter(rule=rule, state="to_receive").order_by("issue_date", "id")
    assert [(i.issue_date.month, i.is_final, i.gross_value) for i in emitted] == [
        (1, False, Decimal("100.00")),
        (2, False, Decimal("100.00")),
        (3, False, Decimal("100.00")),
        (4, False, Decimal("110.00")),
        (5, False, Decimal("110.00")),
        (5, True, Decimal("53.23")),  # 15 of 31 days of 110.00
    ]


def test_a_notice_on_a_rule_of_many_years_is_billed_up_to_its_end(account):
    account.weekly_block_months = account.weekly_ahead_months = 1
    account.save()
    contract = contract_of(account, post_paid=False)
    rule = RuleFactory(
        contract=contract, period_unit="weekly", month_quantity=None, init_date=date(2023, 1, 5)
    )
    last = date(2026, 1, 8)
    InvoiceRule.objects.filter(pk=rule.pk).update(next_n=158, next_occurrence=date(2026, 1, 15))

    cancel(contract, date(2026, 3, 7))

    days = list(
        Invoice.objects.filter(rule=rule)
        .order_by("issue_date")
        .values_list("issue_date", flat=True)
    )
    assert days == [date.fromordinal(last.toordinal() + 7 * n) for n in range(1, 9)]


def test_voiding_an_invoice_takes_back_the_credit_given_for_it(account):
    contract = contract_of(account, post_paid=False)
    RuleFactory(contract=contract)
    run(account, date(2026, 3, 1))
    cancel(contract, date(2026, 2, 10))
    run(account, date(2026, 3, 31))
    march = Invoice.objects.get(issue_date=date(2026, 3, 1))

    void_invoice(march.pk, account=account, actor=SYSTEM, reason="cobrança indevida")

    assert not Transaction.objects.exists()
