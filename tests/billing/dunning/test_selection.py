"""Selecting by set finds what the engine says, once, and nothing that must rest."""

from __future__ import annotations

import random
import uuid
from datetime import date, timedelta
from decimal import Decimal

import pytest
from factories import AccountFactory, CompanyFactory, OrganizationFactory
from support.dunning import LONG_AGO, at, dunning_world, executed

from accounts.services.audit import SYSTEM
from billing.engine.dunning import due_steps
from billing.models import (
    DunningPause,
    NotificationRuler,
    Payment,
    PaymentMethod,
    Receivable,
    RulerExecution,
    RulerStep,
)
from billing.services.dunning import selection, terms
from billing.services.dunning.selection import select_due
from billing.services.dunning.standing import debt_of
from billing.services.invoices import cancel_invoice
from billing.services.receivables import receive, undo_receipt
from lib import clock
from lib.bulk import reserve_ids

pytestmark = pytest.mark.django_db

MONDAY = "2026-08-10"


def select(world, day, hour=10):
    return select_due(world.account, now=at(day, hour))


def test_the_steps_of_a_parcel_come_one_by_one_each_once(account):
    world = dunning_world(account, [-1, 0, 3])
    world.step(4, action="suspend")
    world.parcel("2026-08-11")

    days = ["2026-08-07", MONDAY, MONDAY, "2026-08-11", "2026-08-12", "2026-08-14", "2026-08-17"]
    found = [select(world, day) for day in days]

    # +3 is Friday the 14th; +4, a Saturday, is moved to Monday the 17th.
    assert found == [0, 1, 0, 1, 0, 1, 1]
    assert executed(world) == [(-1, "pending"), (0, "pending"), (3, "pending"), (4, "pending")]
    cycles = set(RulerExecution.objects.values_list("cycle", flat=True))
    assert cycles == {date(2026, 8, 11)}


def test_what_was_missed_is_the_last_message_and_every_action(account):
    world = dunning_world(account, [-1, 0, 3])
    world.step(4, action="block_emission")
    world.step(5, action="negativar")
    world.parcel("2026-08-03")

    assert select(world, MONDAY) == 3
    assert executed(world) == [(3, "pending"), (4, "pending"), (5, "pending")]
    assert select(world, MONDAY) == 0


def test_a_new_due_date_begins_a_new_cycle(account):
    world = dunning_world(account, [0])
    parcel = world.parcel(MONDAY)
    select(world, MONDAY)

    Receivable.objects.filter(pk=parcel.pk).update(due_date=date(2026, 8, 12))

    assert select(world, "2026-08-11") == 0
    assert select(world, "2026-08-12") == 1


def rest(world):
    """Ways in which a parcel rests, each with a parcel of its own."""
    account, day = world.account, date(2026, 8, 10)

    def pause(parcel, **values):
        DunningPause.objects.create(
            account=account, receivable=parcel, created_at=at("2026-08-01"),
            **({"reason": "manual"} | values),
        )  # fmt: skip

    def pay(parcel):
        receive(parcel.pk, account=account, actor=SYSTEM, on=day)

    def begin(parcel):
        Payment.objects.create(
            account=account, key=uuid.uuid4(), customer=world.customer, receivable=parcel,
            invoice=parcel.invoice, method="card", amount=Decimal(100), created_at=clock.now(),
        )  # fmt: skip

    def cancel(parcel):
        cancel_invoice(parcel.invoice_id, account=account, actor=SYSTEM)

    def renegotiate(parcel):
        Receivable.objects.filter(pk=parcel.pk).update(state="renegotiated")

    return [
        pay, cancel, renegotiate, begin, pause,
        lambda parcel: pause(parcel, reason="dispute"),
        lambda parcel: pause(parcel, reason="promise", until=day),
        lambda parcel: pause(parcel, reason="dispute", lifted_at=at(MONDAY, 8)),
    ]  # fmt: skip


def test_nothing_is_selected_of_what_rests(account):
    world = dunning_world(account, [0])
    for make_rest in rest(world):
        make_rest(world.parcel(MONDAY))

    assert select(world, MONDAY) == 0

    # One of each kind comes back: the promise was broken, the dispute was rejected a day before.
    assert select(world, "2026-08-11") == 2


def test_after_a_rejected_dispute_three_business_days_pass_before_anything_is_done(account):
    world = dunning_world(account, [0])
    world.step(1, action="suspend")
    parcel = world.parcel("2026-08-03")
    DunningPause.objects.create(
        account=account, receivable=parcel, reason="dispute", created_at=at("2026-08-04"),
        lifted_at=at(MONDAY, 18),
    )  # fmt: skip

    days = [MONDAY, "2026-08-11", "2026-08-12", "2026-08-13"]
    assert [select(world, day, 19) for day in days] == [0, 1, 0, 1]
    assert executed(world) == [(0, "pending"), (1, "pending")]


def test_a_receipt_that_is_undone_is_chased_again_where_it_was(account):
    world = dunning_world(account, [0, 1])
    parcel = world.parcel(MONDAY)
    select(world, MONDAY)
    receive(parcel.pk, account=account, actor=SYSTEM, on=date(2026, 8, 10))
    assert select(world, "2026-08-11") == 0

    undo_receipt(parcel.pk, account=account, actor=SYSTEM)

    assert select(world, "2026-08-11") == 1
    assert [offset for offset, _ in executed(world)] == [0, 1]


def test_an_invoice_has_the_ruler_it_names_or_else_the_default_one(account):
    world = dunning_world(account, [0])
    named, off = (
        NotificationRuler.objects.create(
            account=account, organization=world.organization, name=name, is_active=is_active,
            activated_on=LONG_AGO,
        )
        for name, is_active in (("Outra", True), ("Desligada", False))
    )  # fmt: skip
    foreign = dunning_world(AccountFactory(slug="outra"), [0]).ruler
    for ruler in (named, off):
        RulerStep.objects.create(ruler=ruler, offset_days=0)
    parcels = {
        ref: world.parcel(MONDAY, options={"notification_ruler_ref": ref})
        for ref in (None, named.pk, off.pk, foreign.pk, 999_999_999)
    }

    assert select(world, MONDAY) == 4

    rows = RulerExecution.objects.values_list("receivable_id", "step__ruler_id")
    assert dict(rows) == {
        parcels[None].pk: world.ruler.pk,
        parcels[named.pk].pk: named.pk,
        # A ruler of somebody else, or of an outside service, is none of ours.
        parcels[foreign.pk].pk: world.ruler.pk,
        parcels[999_999_999].pk: world.ruler.pk,
    }


def test_another_account_and_another_organization_are_left_alone(account, other_account):
    world, other = dunning_world(account, [0]), dunning_world(other_account, [0])
    other.parcel(MONDAY)
    second = OrganizationFactory(account=account)
    parcel = world.parcel(MONDAY)
    world.organization = second
    world.parcel(MONDAY)

    assert select(world, MONDAY) == 1
    assert RulerExecution.objects.get().receivable_id == parcel.pk


def test_a_ruler_that_is_off_selects_nothing(account):
    world = dunning_world(account, [0])
    world.parcel(MONDAY)
    NotificationRuler.objects.update(is_active=False)

    assert select(world, MONDAY) == 0


def test_a_condition_that_means_nothing_stops_only_its_own_ruler(account, caplog):
    world = dunning_world(account, [0])
    RulerStep.objects.update(condition={"tags": ["vip"]})
    named = NotificationRuler.objects.create(
        account=account, organization=world.organization, name="Outra", is_active=True,
        activated_on=LONG_AGO,
    )  # fmt: skip
    RulerStep.objects.create(ruler=named, offset_days=0)
    world.parcel(MONDAY)
    world.parcel(MONDAY, options={"notification_ruler_ref": named.pk})

    assert select(world, MONDAY) == 1
    assert "dunning.bad_condition" in caplog.text


def some_steps(world, rng):
    conditions = [
        {}, {}, {}, {"consumer": True}, {"min": "80.00"}, {"max": "120.00"},
        {"methods": ["pix", "payment_gateway"]},
    ]  # fmt: skip
    for _ in range(12):
        action = rng.choice(["remind", "remind", "remind", "suspend", "negativar"])
        channel = rng.choice(["email", "phone", "webhook"]) if action == "remind" else "none"
        world.step(
            rng.randrange(-8, 25), action=action, channel=channel, hour=rng.randrange(8, 20),
            condition=rng.choice(conditions),
        )  # fmt: skip


def some_parcels(world, rng, n):
    """Copies of one parcel, varied in what selection looks at."""
    customers = [
        CompanyFactory(account=world.account, is_consumer=consumer) for consumer in (True, False)
    ]
    samples = [
        world.parcel(MONDAY, customer=customer, options={"payment_method": method})
        for customer in customers
        for method in (PaymentMethod.BILLET, PaymentMethod.PIX)
    ]
    rows = []
    for position, pk in enumerate(reserve_ids(Receivable, n), start=2):
        row = Receivable.objects.get(pk=rng.choice(samples).pk)
        row.pk, row.position = pk, position
        row.due_date = date(2026, 8, 10) + timedelta(days=rng.randrange(-40, 15))
        row.open_principal = rng.choice([Decimal("50.00"), Decimal("100.00"), Decimal("150.00")])
        row.payment_value = row.open_principal
        row._state.adding = True
        rows.append(row)
    Receivable.objects.bulk_create(rows)


TIMES = [("2026-08-07", 12), ("2026-08-08", 12), (MONDAY, 8), (MONDAY, 16), (MONDAY, 21)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_selecting_by_set_says_what_the_engine_says_of_each(account, seed):
    rng = random.Random(seed)
    world = dunning_world(account)
    some_steps(world, rng)
    some_parcels(world, rng, 150)
    NotificationRuler.objects.update(
        past=rng.choice(["nothing", "message", "all"]), activated_on=date(2026, 8, 3)
    )
    ruler = NotificationRuler.objects.get()
    calendar = terms.calendar_of(world.organization.pk)
    done: dict[int, set[int]] = {}
    parcels = Receivable.objects.select_related("invoice__customer")
    debts = {parcel.pk: debt_of(parcel) for parcel in parcels}
    rules = terms.terms_of(ruler, ruler.steps.all(), since=ruler.activated_on)

    for day, hour in TIMES:
        moment = terms.moment_at(account, at(day, hour))
        expected = set()
        for pk, debt in debts.items():
            before = done.setdefault(pk, set())
            found = due_steps(rules, debt, moment, calendar, done=before)
            expected |= {(pk, step.id) for step in found}
            before |= {step.id for step in found}
        known = set(RulerExecution.objects.values_list("receivable_id", "step_id"))

        n = select(world, day, hour)

        now_known = set(RulerExecution.objects.values_list("receivable_id", "step_id"))
        assert now_known - known == expected
        assert n == len(expected)


def test_a_selection_is_a_statement_for_each_step(account, django_assert_num_queries):
    world = dunning_world(account, [-1, 0, 3])
    for _ in range(3):
        world.parcel("2026-08-03")

    # The steps, the calendar, the other rulers' ids, and the statements.
    with django_assert_num_queries(6):
        assert selection.select_of(world.ruler, account=account, now=at(MONDAY)) == 3
