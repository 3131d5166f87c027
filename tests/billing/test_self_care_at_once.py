"""Customers, the clock and the run doing the same at the same moment (P13, P14, P16)."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest
from factories import ContractFactory, RuleFactory, UserFactory
from support.invoices import in_threads

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import CancellationRequest, Contract, Invoice, Party, ScheduledCancellation
from billing.services.cancellations import (
    Asked,
    ContractChanged,
    TooLate,
    offer_of,
    offers_of_all,
    request_cancellation,
    request_everything,
    undo_cancellation,
    version_of_all,
)
from billing.services.carrying_out import carry_out
from billing.services.due_day import DueDayChanged, change_due_day
from billing.services.run import RunRequest, run_billing

pytestmark = pytest.mark.django_db(transaction=True)

DAY, AFTER = date(2026, 9, 20), date(2026, 10, 1)


@pytest.fixture(autouse=True)
def _day(today):
    today(DAY.isoformat())


@pytest.fixture
def contract(account, organization, customer):
    made = ContractFactory(account=account, organization=organization, party=customer)
    RuleFactory(contract=made, init_date=date(2026, 9, 1))
    return made


def test_one_contract_ends_once_however_it_is_asked_for(account, customer, contract):
    asked = Asked(UserFactory(), SYSTEM)
    offer = offer_of(contract, today=DAY)
    values = {"account": account, "customer": customer, "asked": asked}
    alone = partial(
        request_cancellation, contract.pk, on=offer.usual.on, seen=offer.version, **values
    )
    offers = offers_of_all(account, customer, today=DAY)
    together = partial(request_everything, is_sure=True, seen=version_of_all(offers), **values)

    answers = in_threads([alone, together, alone, together])

    assert sum(isinstance(one, CancellationRequest) for one in answers) == 1
    assert sum(isinstance(one, ContractChanged) for one in answers) == 3
    assert ScheduledCancellation.objects.count() == 1
    assert CancellationRequest.objects.get().protocol == "CAN-2026-000001"


def test_the_day_after_it_is_cancelled_once_or_not_at_all(account, customer, contract, today):
    asked = Asked(UserFactory(), SYSTEM)
    offer = offer_of(contract, today=DAY)
    request_cancellation(
        contract.pk,
        account=account,
        customer=customer,
        on=offer.usual.on,
        seen=offer.version,
        asked=asked,
    )
    today(AFTER.isoformat())
    out = partial(carry_out, account, today=AFTER)
    undo = partial(undo_cancellation, contract.pk, account=account, customer=customer, actor=SYSTEM)
    run = partial(run_billing, RunRequest(account, AFTER, AFTER))

    answers = in_threads([out, undo, out, run])

    assert sum(isinstance(one, TooLate) for one in answers) == 1
    assert Contract.objects.get().status == Contract.Status.CANCELLED
    assert AuditEvent.objects.filter(action="contrato.cancelado").count() == 1
    assert not Invoice.objects.filter(state="to_receive", issue_date__gt=offer.usual.on).exists()


def test_two_due_days_have_one_winner_and_its_dates(account, organization, customer, contract):
    run_billing(RunRequest(account, DAY, DAY))
    profile = organization.profile
    change = partial(
        change_due_day,
        account=account,
        customer=customer,
        profile=profile,
        seen="",
        actor=SYSTEM,
    )

    answers = in_threads([partial(change, 15), partial(change, 10)])

    assert {type(one) for one in answers} == {bool, DueDayChanged}
    day = Party.objects.get(pk=customer.pk).preferred_due_day
    due = Invoice.objects.filter(state="to_emit").values_list("due_date", flat=True)
    assert {one.day for one in due} == {day}
