"""Every occurrence exactly once (§8.4, DECISIONS 1)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import ContractFactory, OrganizationFactory, RuleFactory

from billing.models import Contract, Invoice, InvoiceLine, InvoiceRule, Receivable
from billing.services.materialise import extend, materialise

TODAY = date(2026, 1, 15)

pytestmark = pytest.mark.django_db


@pytest.fixture
def contract(account):
    return ContractFactory(account=account)


def dates(rule):
    return list(
        Invoice.objects.filter(rule=rule)
        .order_by("issue_date")
        .values_list("issue_date", flat=True)
    )


def test_a_new_open_monthly_rule_gets_its_first_24_months_and_no_more(contract):
    rule = RuleFactory(contract=contract, init_date=date(2026, 1, 31))

    result = materialise(contract.account, rule_ids=[rule.pk])

    assert result.created == 25  # both ends of the block are inclusive
    assert dates(rule)[:4] == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
    ]
    assert dates(rule)[-1] == date(2028, 1, 31)
    rule = InvoiceRule.objects.get(pk=rule.pk)
    assert (rule.next_n, rule.next_occurrence) == (25, date(2028, 2, 29))


def test_a_rule_with_an_end_gets_everything_up_to_it_and_is_exhausted(contract):
    rule = RuleFactory(contract=contract, init_date=date(2026, 1, 10), end_date=date(2026, 4, 10))

    materialise(contract.account, rule_ids=[rule.pk])

    assert dates(rule) == [date(2026, month, 10) for month in (1, 2, 3, 4)]
    assert InvoiceRule.objects.get(pk=rule.pk).next_occurrence is None


def test_a_weekly_rule_gets_six_months(contract):
    rule = RuleFactory(
        contract=contract, period_unit="weekly", month_quantity=None, init_date=date(2016, 9, 2)
    )

    assert materialise(contract.account, rule_ids=[rule.pk]).created == 26


def test_materialising_again_creates_nothing(contract):
    rule = RuleFactory(contract=contract)
    materialise(contract.account, rule_ids=[rule.pk])

    again = materialise(contract.account, rule_ids=[rule.pk])

    assert again.created == 0
    assert Invoice.objects.count() == 25


def test_an_invoice_is_complete_and_adds_up(contract):
    rule = RuleFactory(
        contract=contract,
        init_date=date(2026, 1, 5),
        end_date=date(2026, 1, 5),
        parcel_number=3,
        services=[("2.5", "5.75"), ("1", "49.90")],
        accrual_month_quantity="previous_month",
    )

    materialise(contract.account, rule_ids=[rule.pk])

    invoice = Invoice.objects.get(rule=rule)
    assert invoice.gross_value == Decimal("64.28")  # 14.38 + 49.90 (M-4)
    assert invoice.accrual_date == date(2025, 12, 1)
    assert (invoice.start_date, invoice.end_date) == (date(2026, 1, 5), date(2026, 2, 4))
    assert invoice.due_date == date(2026, 1, 10)
    assert list(invoice.lines.order_by("position").values_list("value", flat=True)) == [
        Decimal("14.38"),
        Decimal("49.90"),
    ]
    parcels = list(invoice.receivables.order_by("position"))
    assert [p.payment_value for p in parcels] == [
        Decimal("21.42"),
        Decimal("21.42"),
        Decimal("21.44"),
    ]
    assert [p.due_date for p in parcels] == [
        date(2026, 1, 10),
        date(2026, 2, 10),
        date(2026, 3, 10),
    ]
    assert [p.value for p in parcels] == [Decimal("33.3333")] * 3
    assert [p.open_principal for p in parcels] == [p.payment_value for p in parcels]


def test_a_post_paid_invoice_pays_for_the_period_before_it(account):
    contract = ContractFactory(account=account, charging_method=Contract.Charging.POST_PAID)
    rule = RuleFactory(contract=contract, init_date=date(2026, 2, 1), end_date=date(2026, 2, 1))

    materialise(account, rule_ids=[rule.pk])

    invoice = Invoice.objects.get(rule=rule)
    assert (invoice.start_date, invoice.end_date) == (date(2026, 1, 1), date(2026, 1, 31))


def test_the_customers_due_day_wins_unless_the_rule_is_locked(account):
    contract = ContractFactory(account=account, party__preferred_due_day=20)
    free = RuleFactory(contract=contract, end_date=date(2026, 1, 1))
    locked = RuleFactory(contract=contract, end_date=date(2026, 1, 1), due_day_locked=True)

    materialise(account, rule_ids=[free.pk, locked.pk])

    assert Invoice.objects.get(rule=free).due_date == date(2026, 1, 20)
    assert Invoice.objects.get(rule=locked).due_date == date(2026, 1, 10)


def test_an_organizations_own_holiday_moves_business_days(account):
    organization = OrganizationFactory(account=account, profile__extra_holidays=["2026-01-09"])
    contract = ContractFactory(account=account, organization=organization)
    rule = RuleFactory(
        contract=contract,
        init_date=date(2026, 1, 8),
        end_date=date(2026, 1, 8),
        charge_type="day_quantity",
        day_quantity=1,
        only_business_days=True,
    )

    materialise(account, rule_ids=[rule.pk])

    assert Invoice.objects.get(rule=rule).due_date == date(2026, 1, 12)


def test_a_rule_without_services_bills_its_value_on_one_line(contract):
    rule = RuleFactory(contract=contract, end_date=date(2026, 1, 1), gross_value=Decimal("450.00"))
    rule.services.all().delete()

    materialise(contract.account, rule_ids=[rule.pk])

    line = InvoiceLine.objects.get()
    assert (line.service_item_id, line.value) == (None, Decimal("450.00"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"month_quantity": 5}, "month_quantity: valor deve ser 1, 2, 3, 6 ou 12 (em meses)"),
        ({"gross_value": Decimal(0), "services": []}, "a regra não tem serviços nem valor"),
    ],
)
def test_a_bad_rule_is_parked_with_its_reason_and_the_others_go_on(contract, fields, reason):
    good = RuleFactory(contract=contract, end_date=date(2026, 1, 1))
    bad = RuleFactory(contract=contract, **fields)
    if "services" in fields:
        bad.services.all().delete()

    result = extend(contract.account, until=TODAY, today=TODAY)

    assert result.parked == {bad.pk: reason}
    bad = InvoiceRule.objects.get(pk=bad.pk)
    assert bad.parked_reason == reason
    assert bad.parked_at is not None
    assert dates(good) == [date(2026, 1, 1)]
    assert dates(bad) == []


def test_a_parked_rule_is_tried_again_and_freed_once_it_is_mended(contract):
    rule = RuleFactory(contract=contract, month_quantity=5)
    extend(contract.account, until=TODAY, today=TODAY)
    InvoiceRule.objects.filter(pk=rule.pk).update(month_quantity=6)

    extend(contract.account, until=TODAY, today=TODAY)

    rule = InvoiceRule.objects.get(pk=rule.pk)
    assert rule.parked_reason == ""
    assert rule.parked_at is None
    assert len(dates(rule)) == 5  # 24 months, every six


def test_a_rule_that_the_database_refuses_stands_alone(contract):
    good = [RuleFactory(contract=contract, end_date=date(2026, 1, 1)) for _ in range(4)]
    bad = RuleFactory(contract=contract, end_date=date(2026, 1, 1))
    # Each value fits its column; their sum does not fit the invoice's.
    InvoiceRule.objects.filter(pk=bad.pk).update(gross_value=Decimal("9999999999999.99"))
    bad.services.update(value=Decimal("9999999999999.99"))
    bad.services.create(
        position=2,
        service_item=bad.services.get().service_item,
        units=1,
        unit_value=1,
        value=Decimal("9999999999999.99"),
    )

    result = extend(contract.account, until=TODAY, today=TODAY)

    if connection.vendor == "postgresql":  # SQLite has no limit of digits to refuse it by
        assert list(result.parked) == [bad.pk]
        assert dates(bad) == []
    assert [dates(rule) for rule in good] == [[date(2026, 1, 1)]] * 4


def test_more_than_36_missed_occurrences_park_the_rule(contract):
    rule = RuleFactory(contract=contract, init_date=date(2015, 1, 1))

    result = extend(contract.account, until=TODAY, today=TODAY)

    assert list(result.parked) == [rule.pk]
    assert "ocorrências atrasadas" in result.parked[rule.pk]
    assert dates(rule) == []


def test_after_100_days_of_downtime_all_that_was_missed_is_created(contract):
    rule = RuleFactory(
        contract=contract, period_unit="weekly", month_quantity=None, init_date=date(2026, 1, 1)
    )
    account = contract.account
    account.weekly_block_months, account.weekly_ahead_months = 1, 0
    extend(account, until=date(2026, 1, 1), today=date(2026, 1, 1))
    before = dates(rule)

    extend(account, until=date(2026, 4, 11), today=date(2026, 4, 11))

    after = dates(rule)
    assert before == after[: len(before)]
    assert after == [
        date.fromordinal(date(2026, 1, 1).toordinal() + 7 * n) for n in range(len(after))
    ]
    assert after[-1] >= date(2026, 4, 9)
    accruals = Invoice.objects.filter(rule=rule, issue_date=date(2026, 2, 26))
    assert accruals.get().accrual_date == date(2026, 2, 1)


@pytest.mark.parametrize("status", ["paused", "ended"])
def test_a_rule_that_is_not_active_creates_nothing(contract, status):
    rule = RuleFactory(contract=contract)
    InvoiceRule.objects.filter(pk=rule.pk).update(status=status)

    assert extend(contract.account, until=TODAY, today=TODAY).created == 0


def test_rules_of_a_cancelled_contract_create_nothing(contract):
    RuleFactory(contract=contract)
    Contract.objects.update(status="cancelled", cancel_date=TODAY)

    assert extend(contract.account, until=TODAY, today=TODAY).created == 0


def test_a_voided_occurrence_is_not_created_again(contract):
    rule = RuleFactory(contract=contract, end_date=date(2026, 1, 1))
    materialise(contract.account, rule_ids=[rule.pk])
    Invoice.objects.update(state="cancelled", void=True)
    InvoiceRule.objects.filter(pk=rule.pk).update(next_n=0, next_occurrence=date(2026, 1, 1))

    materialise(contract.account, rule_ids=[rule.pk])

    assert Invoice.objects.count() == 1


def test_the_number_of_queries_does_not_grow_with_the_rules(contract):
    account = contract.account
    counts = []
    for size in (2, 40):
        rules = [RuleFactory(contract=contract, end_date=date(2026, 1, 1)) for _ in range(size)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            materialise(account, rule_ids=[rule.pk for rule in rules])
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[1] <= 15


def test_another_accounts_rules_are_left_alone(contract, other_account):
    RuleFactory(contract=contract)

    assert extend(other_account, until=TODAY, today=TODAY).created == 0


def test_receivables_and_lines_exist_for_every_invoice(contract):
    RuleFactory(contract=contract, parcel_number=2, services=[("1", "10"), ("1", "20")])

    extend(contract.account, until=TODAY, today=TODAY)

    assert Invoice.objects.count() == 25
    assert InvoiceLine.objects.count() == 50
    assert Receivable.objects.count() == 50
