"""Changes to a rule and the invoices that follow it (DECISIONS 1, SCH-5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import ContractFactory, RuleFactory

from billing.models import Invoice, InvoiceRule
from billing.selectors.invariants import violations
from billing.services.rules import reapply_rule
from billing.services.run import RunRequest, run_billing
from lib.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 15)


@pytest.fixture
def rule(account):
    """Monthly from January; January to March are emitted."""
    contract = ContractFactory(account=account, overdue_automatic_management=True)
    rule = RuleFactory(contract=contract)
    run_billing(RunRequest(account, TODAY, TODAY))
    return InvoiceRule.objects.get(pk=rule.pk)


def invoices(rule):
    return Invoice.objects.filter(rule=rule).order_by("issue_date")


def test_a_new_price_reaches_what_was_not_emitted_under_the_same_ids(rule):
    ids = list(invoices(rule).values_list("id", flat=True))
    rule.services.update(unit_value=Decimal("120.00"), value=Decimal("120.00"))

    reapply_rule(rule.pk, account=rule.account, reschedule=False, today=TODAY)

    assert list(invoices(rule).values_list("id", flat=True)) == ids
    assert list(invoices(rule).values_list("gross_value", flat=True)[:5]) == [
        Decimal("100.00"),
        Decimal("100.00"),
        Decimal("100.00"),
        Decimal("120.00"),
        Decimal("120.00"),
    ]
    assert invoices(rule)[3].receivables.get().payment_value == Decimal("120.00")
    assert list(violations(rule.account)) == []


def test_a_new_schedule_replaces_what_was_not_emitted(rule):
    rule.month_quantity = 2
    rule.init_date = date(2026, 1, 20)
    rule.save()

    reapply_rule(rule.pk, account=rule.account, today=TODAY)

    # Emitted ones stay; the first of the new schedule after 1 March is 20 March.
    assert list(invoices(rule).values_list("issue_date", flat=True)[:5]) == [
        date(2026, 1, 1),
        date(2026, 2, 1),
        date(2026, 3, 1),
        date(2026, 3, 20),
        date(2026, 5, 20),
    ]
    assert list(violations(rule.account)) == []


def test_an_end_date_removes_what_comes_after_it(rule):
    rule.end_date = date(2026, 4, 30)
    rule.save()

    reapply_rule(rule.pk, account=rule.account, today=TODAY)

    assert invoices(rule).count() == 4
    assert InvoiceRule.objects.get(pk=rule.pk).next_occurrence is None


def test_invoices_edited_by_hand_are_left_alone(rule):
    april = Invoice.objects.get(rule=rule, issue_date=date(2026, 4, 1))
    Invoice.objects.filter(pk=april.pk).update(edited_by_hand=True)
    rule.services.update(unit_value=Decimal("120.00"), value=Decimal("120.00"))

    reapply_rule(rule.pk, account=rule.account, reschedule=False, today=TODAY)

    assert Invoice.objects.get(pk=april.pk).gross_value == Decimal("100.00")
    assert Invoice.objects.get(issue_date=date(2026, 5, 1)).gross_value == Decimal("120.00")


def test_terms_that_cannot_be_billed_are_refused_and_change_nothing(rule):
    before = list(invoices(rule).values_list("gross_value", flat=True))
    rule.services.update(unit_value=Decimal("-1"), value=Decimal("-1"))

    with pytest.raises(Conflict) as error:
        reapply_rule(rule.pk, account=rule.account, reschedule=False, today=TODAY)

    assert "o total da regra é negativo (-R$ 1,00)" in error.value.mensagem
    assert list(invoices(rule).values_list("gross_value", flat=True)) == before


def test_another_accounts_rule_is_not_found(rule, other_account):
    with pytest.raises(NotFound):
        reapply_rule(rule.pk, account=other_account)


def test_what_fell_between_two_that_stay_is_made_again(rule):
    july = Invoice.objects.get(rule=rule, issue_date=date(2026, 7, 1))
    Invoice.objects.filter(pk=july.pk).update(state="cancelled")
    july.receivables.update(state="cancelled")
    rule.day_number = 15
    rule.save()

    reapply_rule(rule.pk, account=rule.account, today=TODAY)

    assert list(invoices(rule).values_list("issue_date", flat=True)[:8]) == [
        date(2026, month, 1) for month in range(1, 9)
    ]
    assert Invoice.objects.get(pk=july.pk).state == "cancelled"
    assert Invoice.objects.get(rule=rule, issue_date=date(2026, 6, 1)).due_date == date(2026, 6, 15)
    assert Invoice.objects.get(rule=rule, issue_date=date(2026, 3, 1)).number == 3


def test_other_dates_are_made_around_one_that_stays(rule):
    december = Invoice.objects.get(rule=rule, issue_date=date(2026, 12, 1))
    Invoice.objects.filter(pk=december.pk).update(number=99)
    rule.init_date = date(2026, 1, 20)
    rule.save()

    reapply_rule(rule.pk, account=rule.account, today=TODAY)

    days = list(invoices(rule).values_list("issue_date", flat=True))
    # 20/11 to 19/12 would bill again most of what 01/12 to 31/12 bills.
    assert days[:14] == [
        *(date(2026, month, 1) for month in (1, 2, 3)),
        *(date(2026, month, 20) for month in range(3, 11)),
        date(2026, 12, 1),
        date(2026, 12, 20),
        date(2027, 1, 20),
    ]


def test_what_was_blocked_stays_blocked(rule):
    Invoice.objects.filter(rule=rule, issue_date=date(2026, 5, 1)).update(approval_status="blocked")
    rule.day_number = 15
    rule.save()

    reapply_rule(rule.pk, account=rule.account, today=TODAY)

    blocked = Invoice.objects.filter(rule=rule, approval_status="blocked")
    assert list(blocked.values_list("issue_date", flat=True)) == [date(2026, 5, 1)]


def test_an_ended_rule_is_not_scheduled_again(rule):
    InvoiceRule.objects.filter(pk=rule.pk).update(status="ended")
    before = invoices(rule).count()

    with pytest.raises(Conflict):
        reapply_rule(rule.pk, account=rule.account, today=TODAY)

    assert invoices(rule).count() == before
