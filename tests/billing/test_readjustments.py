"""Readjustment by price index (§8.6)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import ContractFactory, RuleFactory
from support.clauses import clause, publish

from accounts.models import AuditEvent
from billing.models import (
    Invoice,
    InvoiceRule,
    Readjustment,
    RuleService,
    RunEntry,
    ScheduledUpdate,
)
from billing.selectors.invariants import violations
from billing.services.readjustments import execute_due
from billing.services.run import RunRequest, run_billing

pytestmark = pytest.mark.django_db


def run(account, until):
    return run_billing(RunRequest(account, until, until))


@pytest.fixture
def rule(account):
    contract = ContractFactory(account=account, overdue_automatic_management=True)
    return RuleFactory(contract=contract, init_date=date(2026, 1, 1), services=[("2", "100.00")])


def amounts(rule):
    return {
        f"{day:%Y-%m}": gross
        for day, gross in Invoice.objects.filter(rule=rule, issue_date__lt=date(2026, 7, 1))
        .order_by("issue_date")
        .values_list("issue_date", "gross_value")
    }


def test_the_rule_and_its_invoices_from_the_date_on_get_the_new_price(rule):
    publish("ipca", {"2026-01": "1.00", "2026-02": "0.50", "2026-03": "-0.25"})
    clause(rule, on=date(2026, 4, 1), months=3)

    result = run(rule.account, date(2026, 4, 1))

    # 1.01 × 1.005 × 0.9975 = 1.012512375 → 101.25 a unit, two units
    assert result.readjusted == 1
    assert amounts(rule) == {
        "2026-01": Decimal("200.00"),
        "2026-02": Decimal("200.00"),
        "2026-03": Decimal("200.00"),
        "2026-04": Decimal("202.50"),
        "2026-05": Decimal("202.50"),
        "2026-06": Decimal("202.50"),
    }
    assert RuleService.objects.get(rule=rule).unit_value == Decimal("101.25")
    assert InvoiceRule.objects.get(pk=rule.pk).gross_value == Decimal("202.50")
    april = Invoice.objects.get(rule=rule, issue_date=date(2026, 4, 1))
    assert april.receivables.get().payment_value == Decimal("202.50")
    assert april.state == "to_receive"
    assert list(violations(rule.account)) == []


def test_the_memory_of_calculation_is_kept(rule):
    publish("ipca", {"2026-01": "1.00", "2026-02": "0.50", "2026-03": "-0.25"})
    clause(rule, on=date(2026, 4, 1), months=3)

    run(rule.account, date(2026, 4, 1))

    memory = Readjustment.objects.get()
    assert memory.months == {
        "2026-01": "1.000000",
        "2026-02": "0.500000",
        "2026-03": "-0.250000",
    }
    assert Decimal(memory.factor) == Decimal("1.012512375")
    (change,) = memory.values
    assert (change["antes"], change["depois"]) == ("100.0000", "101.25")
    assert AuditEvent.objects.get(action="reajuste.aplicado").object_id == rule.pk
    following = ScheduledUpdate.objects.get()
    assert (following.execution_date, following.next_n) == (date(2026, 7, 1), 1)


def test_an_execution_happens_once(rule):
    publish("ipca", {"2026-01": "10", "2026-02": "0", "2026-03": "0"})
    clause(rule, on=date(2026, 4, 1), months=3)
    run(rule.account, date(2026, 4, 1))

    again = run(rule.account, date(2026, 4, 1))

    assert again.readjusted == 0
    assert RuleService.objects.get(rule=rule).unit_value == Decimal("110.00")


def test_an_unpublished_index_waits_and_what_is_issued_meanwhile_keeps_the_old_price(rule):
    publish("ipca", {"2026-01": "10", "2026-02": "0"})
    clause(rule, on=date(2026, 4, 1), months=3)

    first = run(rule.account, date(2026, 4, 1))

    assert first.emitted == 4
    assert ScheduledUpdate.objects.get().state == "waiting_index"
    entry = RunEntry.objects.get(outcome="waiting_index")
    assert entry.detail == "IPCA de 03/2026 ainda não publicado. O reajuste fica aguardando."

    publish("ipca", {"2026-03": "0"})
    run(rule.account, date(2026, 5, 1))

    assert amounts(rule)["2026-04"] == Decimal("200.00")
    assert amounts(rule)["2026-05"] == Decimal("220.00")
    assert ScheduledUpdate.objects.get().state == "scheduled"


def test_a_negative_index_is_skipped_unless_the_rule_accepts_it(account):
    publish("igpm", {"2026-01": "-1", "2026-02": "-1", "2026-03": "-1"})
    rules = []
    for accepts in (False, True):
        rule = RuleFactory(
            contract=ContractFactory(account=account), apply_negative_updates=accepts
        )
        clause(rule, on=date(2026, 4, 1), months=3, index="igpm")
        rules.append(rule)

    run(account, date(2026, 4, 1))

    prices = [RuleService.objects.get(rule=rule).unit_value for rule in rules]
    assert prices == [Decimal("100.00"), Decimal("97.03")]  # 0.99³ = 0.970299
    assert list(Readjustment.objects.order_by("rule_id").values_list("outcome", flat=True)) == [
        "skipped",
        "executed",
    ]
    assert {u.execution_date for u in ScheduledUpdate.objects.all()} == {date(2026, 7, 1)}


def test_a_clause_for_one_service_leaves_the_others_to_the_general_clause(account):
    publish("ipca", {"2026-03": "10"})
    publish("inpc", {"2026-03": "20"})
    rule = RuleFactory(
        contract=ContractFactory(account=account), services=[("1", "100"), ("1", "50")]
    )
    first = rule.services.get(position=1)
    clause(rule, on=date(2026, 4, 1), months=1, item=first.service_item)
    clause(rule, on=date(2026, 4, 1), months=1, index="inpc")

    run(account, date(2026, 4, 1))

    prices = list(rule.services.order_by("position").values_list("unit_value", flat=True))
    assert prices == [Decimal("110.00"), Decimal("60.00")]
    assert amounts(rule)["2026-04"] == Decimal("170.00")


def test_years_of_delay_execute_each_date_in_turn(account):
    publish(
        "ipca",
        {f"{year}-{month:02d}": "1" for year in (2023, 2024, 2025) for month in range(1, 13)},
    )
    rule = RuleFactory(contract=ContractFactory(account=account), init_date=date(2024, 1, 1))
    clause(rule, on=date(2025, 1, 1))

    run(account, date(2026, 1, 1))

    assert list(
        Readjustment.objects.order_by("execution_date").values_list("execution_date", flat=True)
    ) == [date(2025, 1, 1), date(2026, 1, 1)]
    # 100 × 1.01¹² = 112.68; 112.68 × 1.01¹² = 126.97
    assert RuleService.objects.get().unit_value == Decimal("126.97")
    by_year = dict(Invoice.objects.values_list("issue_date", "gross_value"))
    assert by_year[date(2024, 12, 1)] == Decimal("100.00")
    assert by_year[date(2025, 12, 1)] == Decimal("112.68")
    assert by_year[date(2026, 1, 1)] == Decimal("126.97")


def test_a_rule_that_lags_behind_is_not_readjusted_before_its_occurrences_exist(rule):
    publish("ipca", {"2026-03": "10"})
    clause(rule, on=date(2026, 4, 1), months=1)
    InvoiceRule.objects.filter(pk=rule.pk).update(status="paused")

    done = execute_due(rule.account, until=date(2026, 5, 1))

    assert done.executed == 0
    assert RuleService.objects.get(rule=rule).unit_value == Decimal("100.0000")


def test_an_invoice_edited_by_hand_keeps_its_price(rule):
    publish("ipca", {"2026-03": "10"})
    clause(rule, on=date(2026, 4, 1), months=1)
    run(rule.account, date(2026, 1, 1))
    Invoice.objects.filter(issue_date=date(2026, 5, 1)).update(edited_by_hand=True)

    run(rule.account, date(2026, 4, 1))

    assert amounts(rule)["2026-04"] == Decimal("220.00")
    assert amounts(rule)["2026-05"] == Decimal("200.00")


def test_parcels_follow_the_new_total(account):
    publish("ipca", {"2026-03": "10"})
    rule = RuleFactory(
        contract=ContractFactory(account=account), parcel_number=3, services=[("1", "100")]
    )
    clause(rule, on=date(2026, 4, 1), months=1)

    run(account, date(2026, 3, 1))
    run(account, date(2026, 4, 1))

    april = Invoice.objects.get(rule=rule, issue_date=date(2026, 4, 1))
    assert list(april.receivables.order_by("position").values_list("payment_value", flat=True)) == [
        Decimal("36.66"),
        Decimal("36.66"),
        Decimal("36.68"),
    ]
    assert list(violations(account)) == []


def test_another_account_is_not_readjusted(rule, other_account):
    publish("ipca", {"2026-03": "10"})
    clause(rule, on=date(2026, 4, 1), months=1)
    run(rule.account, date(2026, 1, 1))

    assert execute_due(other_account, until=date(2026, 5, 1)).executed == 0


def test_a_readjustment_that_cannot_be_applied_stops_only_its_own_rule(account):
    publish("ipca", {"2026-03": "10"})
    contract = ContractFactory(account=account, overdue_automatic_management=True)
    bad = RuleFactory(contract=contract, services=[("1", "100"), ("1", "-95")])
    discount = bad.services.get(position=2)
    clause(bad, on=date(2026, 4, 1), months=1, item=discount.service_item)  # 100.00 − 104.50
    good = RuleFactory(contract=contract)
    clause(good, on=date(2026, 4, 1), months=1)

    result = run(account, date(2026, 4, 1))

    assert result.readjusted == 1
    assert Invoice.objects.get(rule=good, issue_date=date(2026, 4, 1)).gross_value == 110
    waiting = Invoice.objects.get(rule=bad, issue_date=date(2026, 4, 1))
    assert (waiting.state, waiting.gross_value) == ("to_emit", Decimal("5.00"))
    assert RunEntry.objects.get(run=result, outcome="parked").rule_id == bad.pk
