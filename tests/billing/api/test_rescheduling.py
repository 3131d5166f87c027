"""Schedules made again around invoices that stay: none lost, none billed twice (§6.3, §6.9)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import ContractFactory
from support.rule_bodies import issue_dates, monthly, rule_body
from support.subscriptions import change, established, plan_of
from support.wire import api_of

from accounts.services.audit import SYSTEM
from billing.engine.schedule import add_months
from billing.models import Invoice, InvoiceRule
from billing.selectors.invariants import violations
from billing.services.invoices import emit_invoice
from billing.services.run import RunRequest, run_billing

START = date(2026, 12, 10)
MOVED = date(2026, 12, 15)
JULY = date(2027, 7, 10)
WAYS = ["cancelled", "emitted", "edited"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(today):
    today("2026-11-20")


@pytest.fixture
def api(account):
    return api_of(account)


def made(api, account, **schedule):
    """A rule, monthly from 10/12/2026 and open unless `schedule` says otherwise."""
    contract = ContractFactory(account=account)
    node = monthly(init_date="10/12/2026", **schedule)
    answer = api.post(
        f"contracts/{contract.pk}/invoice_rules", rule_body(additional_information=node)
    )
    assert answer.status_code == 201, answer.content
    return answer.json()["invoice_rule"]


def settle(api, invoice, way):
    """Make `invoice` one that stays, the way a client does."""
    if way == "emitted":
        emit_invoice(invoice.pk, account=invoice.account, actor=SYSTEM)
        return
    path = f"contracts/{invoice.contract_id}/invoices/{invoice.pk}"
    if way == "cancelled":
        answer = api.patch(f"{path}/cancel", {})
    else:
        answer = api.patch(path, {"invoice": {"comments": "Ligar antes"}})
    assert answer.status_code == 200, answer.content


def move(api, rule, **schedule):
    path = f"contracts/{rule['contract_id']}/invoice_rules/{rule['id']}"
    node = {"id": rule["id"], **schedule}
    answer = api.patch(path, {"invoice_rule": {"additional_information": node}})
    assert answer.status_code == 200, answer.content


def at(rule, day):
    return Invoice.objects.get(rule=rule["id"], issue_date=day)


def months(start, *numbers):
    return [add_months(start, n).isoformat() for n in numbers]


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_one_that_stays_ahead_does_not_take_those_before_it_away(api, account, way):
    rule = made(api, account)
    assert len(issue_dates(rule["id"])) == 25
    settle(api, at(rule, JULY), way)

    move(api, rule, init_date="15/12/2026")

    # What stays bills 10/07 to 09/08 unless it is cancelled: 15/07 would bill that again.
    again = [n for n in range(25) if n != 7 or way == "cancelled"]
    assert issue_dates(rule["id"]) == sorted([JULY.isoformat(), *months(MOVED, *again)])
    assert list(violations(account)) == []


@pytest.mark.parametrize("way", WAYS)
def test_the_last_of_a_year_that_stays_leaves_the_other_eleven(api, account, way):
    rule = made(api, account, end_date="30/11/2027")
    last = add_months(START, 11)
    settle(api, at(rule, last), way)

    move(api, rule, init_date="15/12/2026")

    again = range(12) if way == "cancelled" else range(11)
    assert issue_dates(rule["id"]) == sorted([last.isoformat(), *months(MOVED, *again)])


@pytest.mark.parametrize("way", WAYS)
def test_weeks_take_the_place_of_the_months_before_one_that_stays(api, account, way):
    rule = made(api, account)
    settle(api, at(rule, add_months(START, 24)), way)

    move(api, rule, period_unit="weekly")

    days = issue_dates(rule["id"])
    assert days[:3] == ["2026-12-10", "2026-12-17", "2026-12-24"]
    assert days[26] == "2027-06-10"
    assert way != "cancelled" or len(days) == 28


def test_weeks_leave_out_the_month_that_was_emitted(api, account):
    rule = made(api, account)
    settle(api, at(rule, date(2027, 3, 10)), "emitted")

    move(api, rule, period_unit="weekly")

    # 10/03 to 09/04 is billed: the weeks of 11/03, 18/03, 25/03 and 01/04 lie in it.
    assert issue_dates(rule["id"])[12:16] == [
        "2027-03-04",
        "2027-03-10",
        "2027-04-08",
        "2027-04-15",
    ]


def test_nights_do_not_bill_again_what_lies_beyond_the_new_horizon(api, account, today):
    rule = made(api, account)
    settle(api, at(rule, date(2027, 10, 10)), "emitted")
    move(api, rule, period_unit="weekly")
    today("2027-11-20")

    run_billing(RunRequest(account, date(2027, 11, 20), date(2027, 11, 20)))

    days = issue_dates(rule["id"])
    assert [day for day in days if "2027-10-01" <= day <= "2027-11-15"] == [
        "2027-10-07",
        "2027-10-10",
        "2027-11-11",
    ]
    assert days[-1] > "2027-12-20"


def test_a_year_does_not_go_for_the_month_that_was_emitted(api, account):
    rule = made(api, account)
    settle(api, at(rule, JULY), "emitted")

    move(api, rule, init_date="15/12/2026", month_quantity=12)

    assert issue_dates(rule["id"]) == ["2026-12-15", "2027-07-10", "2027-12-15", "2028-12-15"]


def test_a_schedule_moved_by_days_does_not_bill_the_last_emitted_month_twice(api, account):
    rule = made(api, account)
    settle(api, at(rule, START), "emitted")

    move(api, rule, init_date="15/12/2026")

    assert issue_dates(rule["id"])[:2] == ["2026-12-10", "2027-01-15"]
    assert len(issue_dates(rule["id"])) == 25


@pytest.mark.parametrize("day", [8, 16, 25, 28])
@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_each_emitted_month_takes_the_place_of_one(api, account, day, ahead):
    """Whatever the day and the length of the month."""
    rule = made(api, account, end_date="10/12/2028")
    settle(api, at(rule, add_months(START, ahead)), "emitted")
    before = date(2026, 12, day)

    move(api, rule, init_date=f"{before:%d/%m/%Y}", end_date="31/12/2028")

    assert len(issue_dates(rule["id"])) == 25


def test_a_wrong_year_put_right_brings_everything_back(api, account):
    rule = made(api, account)
    settle(api, at(rule, JULY), "emitted")
    move(api, rule, init_date="15/12/2028")
    assert issue_dates(rule["id"])[:2] == ["2027-07-10", "2028-12-15"]

    move(api, rule, init_date="10/12/2026")

    assert issue_dates(rule["id"]) == months(START, *range(25))


def test_the_rule_goes_on_after_the_last_that_was_made(api, account):
    rule = made(api, account)
    settle(api, at(rule, JULY), "emitted")

    move(api, rule, init_date="15/12/2026")

    rule_row = InvoiceRule.objects.get()
    assert (rule_row.last_occurrence, rule_row.next_n) == (date(2028, 12, 15), 25)
    assert Invoice.objects.filter(rule=rule_row, state="to_emit").count() == 24


# --- plans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_another_plan_bills_every_cycle_before_one_that_stays(api, organization, way):
    contract = established(api, plan_of(organization), today=date(2026, 11, 20))
    first = date(2026, 11, 20)
    kept = Invoice.objects.get(issue_date=add_months(first, 12))
    settle(api, kept, way)

    change(api, contract.token, plan_of(organization, name="Outro", price=Decimal("90.00")))

    found = Invoice.objects.order_by("issue_date").values_list("issue_date", "gross_value")
    assert list(found)[:14] == [
        (add_months(first, n), Decimal("150.00" if n in (0, 12) else "90.00")) for n in range(14)
    ]
    assert list(violations(contract.account)) == []


def test_another_plan_starts_where_what_was_emitted_in_a_row_ends(api, organization):
    first = date(2026, 11, 20)
    contract = established(api, plan_of(organization), today=first)
    for n in (0, 1, 2, 8):
        settle(api, Invoice.objects.get(issue_date=add_months(first, n)), "emitted")

    change(api, contract.token, plan_of(organization, name="Trimestral", billing_period=3))

    days = Invoice.objects.order_by("issue_date").values_list("issue_date", flat=True)
    assert list(days)[:7] == [add_months(first, n) for n in (0, 1, 2, 3, 6, 8, 9)]


def test_a_free_plan_in_between_bills_nothing_twice(api, organization, today):
    first = date(2026, 11, 20)
    contract = established(api, plan_of(organization), today=first)
    settle(api, Invoice.objects.get(issue_date=add_months(first, 4)), "emitted")
    change(api, contract.token, plan_of(organization, name="Livre", price=0))
    today("2026-12-22")

    change(api, contract.token, plan_of(organization, name="Outro", price=Decimal("90.00")))

    days = Invoice.objects.order_by("issue_date").values_list("issue_date", flat=True)
    assert [day.isoformat() for day in days][:6] == [
        "2026-11-20",
        "2026-12-22",
        "2027-01-22",
        "2027-02-22",
        "2027-03-20",
        "2027-04-22",
    ]
