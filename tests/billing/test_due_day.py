"""Customers choose their due day (P-11, P16)."""

from __future__ import annotations

from datetime import date

import pytest
from factories import CompanyFactory, ContractFactory, RuleFactory

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import Invoice, OrganizationProfile, Party, Receivable
from billing.services.due_day import (
    DueDayChanged,
    TooSoon,
    change_due_day,
    choices_of,
    due_day_of,
    offered_days,
)
from billing.services.run import RunRequest, run_billing
from lib.errors import InvalidInput

pytestmark = pytest.mark.django_db

DAY = date(2026, 8, 12)


@pytest.fixture(autouse=True)
def _day(today):
    today(DAY.isoformat())


@pytest.fixture
def profile(organization):
    return organization.profile


def rule_of(account, organization, customer, **fields):
    """A monthly rule issued on the 1st, due on the 10th."""
    contract = ContractFactory(account=account, organization=organization, party=customer)
    return RuleFactory(contract=contract, **{"init_date": date(2026, 7, 1), **fields})


def change(account, customer, profile, day, *, seen=""):
    return change_due_day(
        day, account=account, customer=customer, profile=profile, seen=seen, actor=SYSTEM
    )


def dues(rule, n=4):
    rows = Invoice.objects.filter(rule=rule).order_by("issue_date")
    return [(day.month, day.day) for day in rows.values_list("due_date", flat=True)[:n]]


def test_what_is_not_emitted_follows_and_the_rest_stays(account, organization, customer, profile):
    rule = rule_of(account, organization, customer)
    parcels = rule_of(account, organization, customer, parcel_number=2)
    locked = rule_of(account, organization, customer, due_day_locked=True)
    counted = rule_of(account, organization, customer, charge_type="day_quantity", day_quantity=7)
    later = rule_of(
        account, organization, customer,
        charge_type="fixed_day_and_month_quantity", due_month_quantity=1,
    )  # fmt: skip
    foreign = rule_of(account, organization, CompanyFactory(account=account))
    run_billing(RunRequest(account, date(2026, 7, 31), date(2026, 7, 1)))
    edited = Invoice.objects.get(rule=rule, issue_date=date(2026, 9, 1))
    Invoice.objects.filter(pk=edited.pk).update(edited_by_hand=True)
    WebhookEvent.objects.all().delete()

    assert change(account, customer, profile, 15) is True

    # July was emitted, September edited by hand.
    assert dues(rule) == [(7, 10), (8, 15), (9, 10), (10, 15)]
    assert dues(later) == [(8, 10), (9, 15), (10, 15), (11, 15)]
    assert dues(locked) == dues(foreign) == [(7, 10), (8, 10), (9, 10), (10, 10)]
    assert dues(counted)[0] == (7, 8)
    second = Invoice.objects.get(rule=parcels, issue_date=date(2026, 8, 1))
    rows = second.receivables.order_by("position").values_list("due_date", "original_due_date")
    assert list(rows) == [(date(2026, 8, 15),) * 2, (date(2026, 9, 15),) * 2]
    customer = Party.objects.get(pk=customer.pk)
    assert (customer.preferred_due_day, customer.due_day_changed_on) == (15, DAY)
    event = AuditEvent.objects.get(action="vencimento.alterado")
    n_moved = WebhookEvent.objects.filter(event="update").count()
    assert event.after == {"dia": 15, "faturas": n_moved}
    assert (event.object_id, event.before) == (customer.pk, {"dia": None})
    assert n_moved == 23 + 24 + 24


def test_a_day_too_close_to_issue_goes_a_month_on_for_invoices_made_later_too(
    account, organization, customer, profile
):
    """P-11: less than the 5 days of the organization from issue."""
    rule = rule_of(account, organization, customer)
    run_billing(RunRequest(account, DAY, DAY))

    change(account, customer, profile, 5)

    known = Invoice.objects.filter(rule=rule, state="to_emit").order_by("issue_date")
    assert [i.due_date for i in known][:2] == [date(2026, 10, 5), date(2026, 11, 5)]
    new = rule_of(account, organization, customer, init_date=date(2026, 9, 1))
    run_billing(RunRequest(account, date(2026, 8, 31), DAY))
    first = Receivable.objects.get(invoice__rule=new, invoice__issue_date=date(2026, 9, 1))
    assert first.due_date == date(2026, 10, 5)


def test_the_preview_says_what_the_change_does(account, organization, customer, profile):
    rule = rule_of(account, organization, customer)
    assert due_day_of(account, customer) == 10
    before = choices_of(account, customer, profile, today=DAY)
    run_billing(RunRequest(account, DAY, DAY))

    five, ten, fifteen = choices_of(account, customer, profile, today=DAY)

    assert [(one.due, one.otherwise) for one in fifteen.next] == [
        (date(2026, month, 15), date(2026, month, 10)) for month in (9, 10, 11)
    ]
    assert [one.is_moved for one in ten.next] == [False] * 3
    assert five.next[0].due == date(2026, 10, 5)
    assert [choice.day for choice in before] == [5, 10, 15]
    change(account, customer, profile, 15)
    assert due_day_of(account, Party.objects.get(pk=customer.pk)) == 15
    due = Invoice.objects.get(rule=rule, issue_date=date(2026, 9, 1)).due_date
    assert due == fifteen.next[0].due


def test_p16_2_days_that_are_not_offered_are_refused(account, organization, customer, profile):
    rule = rule_of(account, organization, customer)
    run_billing(RunRequest(account, date(2026, 7, 31), date(2026, 7, 1)))
    before = dues(rule)

    for day in (20, 0, -5, None):
        with pytest.raises(InvalidInput) as refused:
            change(account, customer, profile, day)
        assert refused.value.erros[0].mensagem == "Escolha 5, 10 ou 15."

    assert dues(rule) == before
    assert not AuditEvent.objects.filter(action="vencimento.alterado").exists()
    profile.due_day_options = [20, "x", 0, 32, 25]
    assert offered_days(profile) == (20, 25)
    assert change(account, customer, profile, 20) is True
    assert change(account, customer, profile, 20, seen="20") is False


def test_a_page_that_is_out_of_date_changes_nothing(account, customer, profile):
    change(account, customer, profile, 15)

    with pytest.raises(DueDayChanged) as refused:
        change(account, customer, profile, 5, seen="10")

    assert "agora: 15" in refused.value.mensagem
    assert Party.objects.get(pk=customer.pk).preferred_due_day == 15


def test_the_organization_may_limit_how_often(account, customer, profile, today):
    OrganizationProfile.objects.update(due_day_change_days=30)
    profile.refresh_from_db()
    change(account, customer, profile, 15)

    today("2026-09-10")
    with pytest.raises(TooSoon) as refused:
        change(account, customer, profile, 5, seen="15")
    assert refused.value.mensagem == ("Você pode trocar o dia de vencimento de novo em 11/09/2026.")
    today("2026-09-11")
    assert change(account, customer, profile, 5, seen="15") is True


def test_rules_that_cannot_be_billed_do_not_stop_it(account, organization, customer, profile):
    broken = rule_of(
        account, organization, customer,
        charge_type="fixed_day_and_month_quantity", due_month_quantity=None,
    )  # fmt: skip
    rule_of(account, organization, customer, month_quantity=None)

    assert [one.next for one in choices_of(account, customer, profile, today=DAY)] == [()] * 3
    assert change(account, customer, profile, 15) is True
    assert not Invoice.objects.filter(rule=broken).exists()
