"""Doing what was selected: looked at again, merged, once, and with its proof (DUN-3…5, DUN-7)."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django_q.models import OrmQ
from factories import CompanyFactory, ContractFactory, OrganizationFactory
from support.dunning import LONG_AGO, at, dunning_world, executed

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.errors import EmailNoContact
from billing.models import (
    CollectionTask,
    Contact,
    DunningPause,
    EmailMessage,
    EmailTemplate,
    Invoice,
    NotificationRuler,
    Payment,
    Receivable,
    RulerExecution,
    RulerStep,
    Suspension,
)
from billing.services.dunning import acts, mailing, outcomes, turns
from billing.services.dunning.pauses import lift, pause
from billing.services.dunning.selection import select_due
from billing.services.dunning.standing import IN_FLIGHT, OTHER_RULER, RULER_OFF, Judge
from billing.services.receivables import receive
from lib import clock

pytestmark = pytest.mark.django_db

MONDAY = "2026-08-10"


@pytest.fixture
def when(monkeypatch):
    """Move the moment at which everything happens."""

    def move(day, hour=10):
        monkeypatch.setattr(clock, "now", lambda: at(day, hour))
        monkeypatch.setattr(clock, "today", lambda tz="": date.fromisoformat(day))

    move(MONDAY)
    return move


def step_by_step(world, when, days, hour=10):
    """Select and do on each of the days; answers how many steps were done on each."""
    done = []
    for day in days:
        when(day, hour)
        select_due(world.account, now=clock.now())
        done.append(turns.work_off())
    return done


def pay(parcel):
    receive(parcel.pk, account=parcel.account, actor=SYSTEM, on=clock.today())


def mails(**lookup):
    return EmailMessage.objects.filter(trigger="dunning", **lookup).order_by("pk")


def one(**lookup):
    return RulerExecution.objects.get(**lookup)


def test_a_parcel_passes_all_steps_once(account, when):
    """Acceptance scenario 14."""
    world = dunning_world(account, [-1, 0, 3])
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    world.step(4, action="suspend")
    world.step(7, channel="phone")
    world.step(10, action="negativar")
    parcel = world.parcel("2026-08-11", contract_id=contract.pk)

    days = [MONDAY, "2026-08-11", "2026-08-14", "2026-08-17", "2026-08-18", "2026-08-21"]
    assert step_by_step(world, when, days) == [1, 1, 1, 1, 1, 1]

    assert step_by_step(world, when, [*days[3:], "2026-09-01"]) == [0, 0, 0, 0]
    assert [state for _, state in executed(world)] == ["done"] * 6
    sent = [str(row.created_at.date()) for row in mails()]
    assert sent == days[:3]
    assert list(mails().values_list("recipient", flat=True)) == ["ana@cliente.test"] * 3
    assert Suspension.objects.get().contract_id == contract.pk
    tasks = CollectionTask.objects.order_by("pk").values_list("kind", "receivable_id", "state")
    assert list(tasks) == [("phone", parcel.pk, "open"), ("negativar", parcel.pk, "open")]
    # DUN-7: each message step names its message, which keeps text and recipient.
    proofs = [row.message for row in RulerExecution.objects.exclude(message=None).order_by("pk")]
    assert proofs == list(mails())
    assert all(proof.body and proof.subject for proof in proofs)


def test_what_is_paid_between_selection_and_sending_is_not_sent(account, when):
    """Acceptance scenario 14."""
    world = dunning_world(account, [0])
    world.step(0, channel="phone")
    parcel = world.parcel(MONDAY)
    assert select_due(account, now=clock.now()) == 2

    pay(parcel)

    assert turns.work_off() == 0
    assert executed(world) == [(0, "skipped"), (0, "skipped")]
    notes = set(RulerExecution.objects.values_list("note", flat=True))
    assert notes == {"A parcela não está em aberto: recebida."}
    assert not mails().exists()
    assert not CollectionTask.objects.exists()


def test_whatever_changed_since_selection_is_seen(account, when):
    world = dunning_world(account, [0])
    off = NotificationRuler.objects.create(
        account=account, organization=world.organization, name="B", is_active=True,
        activated_on=LONG_AGO,
    )  # fmt: skip
    RulerStep.objects.create(ruler=off, offset_days=0)

    def make(**fields):
        customer = CompanyFactory(account=account)
        Contact.objects.create(
            account=account, party=customer, name="A", email="a@a.test", is_billing=True
        )
        return world.parcel(MONDAY, customer=customer, **fields)

    moved, renamed, switched = make(), make(), make(options={"notification_ruler_ref": off.pk})
    disputed, flying = make(), make()
    assert select_due(account, now=clock.now()) == 5

    Receivable.objects.filter(pk=moved.pk).update(due_date=date(2026, 9, 1))
    Invoice.objects.filter(pk=renamed.invoice_id).update(notification_ruler_ref=off.pk)
    NotificationRuler.objects.filter(pk=off.pk).update(is_active=False)
    pause(disputed.pk, account=account, actor=SYSTEM, reason="dispute")
    Payment.objects.create(
        account=account, key=uuid.uuid4(), customer=flying.invoice.customer, receivable=flying,
        method="card", amount=Decimal(1), created_at=clock.now(),
    )  # fmt: skip

    assert turns.work_off() == 0

    found = {row.receivable_id: (row.state, row.note) for row in RulerExecution.objects.all()}
    assert found == {
        moved.pk: ("skipped", "O vencimento mudou para 01/09/2026."),
        renamed.pk: ("skipped", OTHER_RULER),
        switched.pk: ("skipped", RULER_OFF),
        disputed.pk: ("pending", "Cobrança em pausa: contestação."),
        flying.pk: ("pending", IN_FLIGHT),
    }
    assert one(receivable=disputed).next_attempt_at == at("2026-08-11", 8)
    assert one(receivable=flying).next_attempt_at == at(MONDAY, 11)
    assert not mails().exists()


def test_a_pause_only_delays(account, when):
    world = dunning_world(account, [0])
    parcel = world.parcel(MONDAY)
    select_due(account, now=clock.now())
    row = pause(parcel.pk, account=account, actor=SYSTEM, reason="dispute")
    assert turns.work_off() == 0

    when("2026-08-11")
    assert turns.work_off() == 0
    lift(row.pk, account=account, actor=SYSTEM)
    when("2026-08-11", 15)
    assert turns.work_off() == 0  # P-9: from the next business day on
    when("2026-08-12")
    assert turns.work_off() == 1
    assert mails().count() == 1


def test_overdue_parcels_of_a_customer_are_one_message_a_day(account, when):
    world = dunning_world(account, [0, 3])
    template = EmailTemplate.objects.create(
        account=account, organization=world.organization, name="Grave", subject="Grave",
        body="Total {{ total_amount }}",
    )  # fmt: skip
    RulerStep.objects.filter(offset_days=3).update(template=template)
    late, today = world.parcel("2026-08-07", "50.00"), world.parcel(MONDAY, "70.00")
    other = OrganizationFactory(account=account)
    other_ruler = NotificationRuler.objects.create(
        account=account, organization=other, name="B", is_default=True, is_active=True,
        activated_on=LONG_AGO,
    )  # fmt: skip
    RulerStep.objects.create(ruler=other_ruler, offset_days=0)
    world.organization = other
    foreign = world.parcel(MONDAY)

    select_due(account, now=clock.now())
    assert turns.work_off() == 2

    message = mails().get()
    assert sorted(message.receivables) == sorted([late.pk, today.pk])
    assert message.subject == "Grave"
    assert message.body.startswith("Total R$ 120,00")
    assert one(receivable=late).message == one(receivable=today).message == message
    waiting = one(receivable=foreign)
    assert (waiting.state, waiting.note) == ("pending", mailing.ONE_A_DAY)
    assert waiting.next_attempt_at == at("2026-08-11", 8)

    # What is selected later in the day waits, too.
    world.organization = late.invoice.organization
    world.parcel(MONDAY)
    select_due(account, now=clock.now())
    assert turns.work_off() == 0
    assert step_by_step(world, when, ["2026-08-11"]) == [1]  # one of the two organizations
    assert mails().count() == 2


def test_a_message_that_waited_gives_way_to_a_later_one(account, when):
    world = dunning_world(account, [0, 1])
    parcel = world.parcel(MONDAY)
    select_due(account, now=clock.now())
    RulerExecution.objects.update(next_attempt_at=at("2026-08-11"))

    assert step_by_step(world, when, ["2026-08-11"]) == [1]

    assert executed(world) == [(0, "skipped"), (1, "done")]
    assert one(step__offset_days=0).note == mailing.OVERTAKEN
    assert mails().get().receivables == [parcel.pk]


def test_a_reminder_whose_time_is_over_gives_way_to_one_that_is_yet_to_be_selected(account, when):
    """It would say "vence em 5 dias" of what is overdue: the pause is over, nothing selected."""
    world = dunning_world(account, [-5, 3])
    parcel = world.parcel("2026-08-17")
    when("2026-08-12")
    select_due(account, now=clock.now())
    held = pause(parcel.pk, account=account, actor=SYSTEM, reason="manual")
    assert turns.work_off() == 0
    when("2026-08-20")
    lift(held.pk, account=account, actor=SYSTEM)

    assert turns.work_off() == 0

    assert one(step__offset_days=-5).note == mailing.OVERTAKEN
    assert step_by_step(world, when, ["2026-08-20"]) == [1]
    assert mails().count() == 1


def test_two_workers_with_the_same_step_in_hand_do_it_once(account, when):
    """As when the lock between them was lost with a connection."""
    world = dunning_world(account)
    world.step(0, channel="webhook")
    world.parcel(MONDAY)
    select_due(account, now=clock.now())
    first, second = (
        RulerExecution.objects.select_related("account", "step__ruler").get() for _ in range(2)
    )
    judge = Judge(account, world.organization.pk, clock.now())

    assert [acts.do(first, judge=judge), acts.do(second, judge=judge)] == [True, False]

    assert WebhookEvent.objects.filter(event="dunning_step").count() == 1
    assert second.state == "done"


def test_nothing_is_sent_at_night_or_on_a_weekend(account, when):
    world = dunning_world(account, [0])
    world.parcel("2026-08-07")
    when("2026-08-07", 19)
    select_due(account, now=clock.now())

    when("2026-08-07", 20)
    assert turns.work_off() == 0
    assert one().next_attempt_at == at(MONDAY, 8)
    when(MONDAY, 8)
    assert turns.work_off() == 1


def test_actions_are_done_in_order_and_wait_for_one_another(account, when):
    world = dunning_world(account)
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    world.step(3, action="suspend")
    world.step(4, action="negativar")
    parcel = world.parcel("2026-08-03", contract_id=contract.pk)
    disputed = world.parcel("2026-09-30", contract_id=contract.pk)
    row = pause(disputed.pk, account=account, actor=SYSTEM, reason="dispute")

    # P-8: no suspension while a parcel of the contract is disputed, and nothing after it.
    assert step_by_step(world, when, [MONDAY]) == [0]
    assert not Suspension.objects.exists()
    lift(row.pk, account=account, actor=SYSTEM)
    days = ["2026-08-11", "2026-08-12", "2026-08-13"]
    assert step_by_step(world, when, days) == [0, 0, 2]
    assert Suspension.objects.get().receivable_id == parcel.pk
    assert CollectionTask.objects.get().kind == "negativar"


def test_a_suspended_contract_tells_others_and_comes_back_when_paid(account, when, settings):
    settings.SUSPENSION_SUBSCRIBERS = ("billing.tasks.merge_tallies",)
    settings.RESUMPTION_SUBSCRIBERS = ("billing.tasks.send_emails",)
    world = dunning_world(account)
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    world.step(3, action="suspend")
    world.step(4, action="block_emission")
    world.step(5, action="protestar")
    first = world.parcel("2026-07-20", contract_id=contract.pk)
    second = world.parcel("2026-07-21", contract_id=contract.pk)
    world.parcel("2026-08-30", contract_id=contract.pk)
    select_due(account, now=clock.now())
    OrmQ.objects.all().delete()

    assert turns.work_off() == 6

    live = Suspension.objects.filter(lifted_at=None).order_by("kind")
    assert list(live.values_list("kind", flat=True)) == ["emission", "service"]
    assert queued() == [("billing.tasks.merge_tallies", (contract.pk,))]
    pay(first)
    assert live.count() == 2
    pay(second)
    assert live.count() == 0
    assert ("billing.tasks.send_emails", (contract.pk,)) in queued()
    assert set(CollectionTask.objects.values_list("state", flat=True)) == {"dropped"}
    told = AuditEvent.objects.filter(object_type="contract", action__startswith="contrato.")
    assert set(told.values_list("action", flat=True)) >= {
        "contrato.suspenso", "contrato.retomado", "contrato.emissao_bloqueada",
        "contrato.emissao_liberada",
    }  # fmt: skip


def queued():
    return [(row.func(), row.args()) for row in OrmQ.objects.order_by("pk")]


def test_a_cancelled_debt_is_found_by_the_sweep(account, when):
    world = dunning_world(account)
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    world.step(3, action="suspend")
    world.step(4, action="negativar")
    parcel = world.parcel("2026-07-20", contract_id=contract.pk)
    step_by_step(world, when, [MONDAY])
    Receivable.objects.filter(pk=parcel.pk).update(state="renegotiated")

    turns.run()

    assert Suspension.objects.get().lifted_at == clock.now()
    assert CollectionTask.objects.get().state == "dropped"


def test_a_webhook_step_is_written_to_the_outbox(account, when):
    world = dunning_world(account)
    step = world.step(0, channel="webhook")
    parcel = world.parcel(MONDAY)

    assert step_by_step(world, when, [MONDAY]) == [1]

    event = WebhookEvent.objects.get(event="dunning_step")
    assert (event.object_type, event.object_id) == ("Invoice", parcel.invoice_id)
    assert event.payload == {
        "event": "dunning_step", "object_type": "Invoice", "object_id": parcel.invoice_id,
        "contract_token": None, "contract_id": None, "receivable_id": parcel.pk,
        "due_date": MONDAY, "open_value": "100.00", "step_id": step.pk, "offset_days": 0,
        "action": "remind",
    }  # fmt: skip


def test_a_customer_without_address_fails_with_what_to_do(account, when):
    world = dunning_world(account, [0])
    world.parcel(MONDAY)
    Contact.objects.all().delete()
    world.customer.email = ""
    world.customer.save()

    assert step_by_step(world, when, [MONDAY]) == [0]

    row = one()
    assert (row.state, row.note) == ("failed", EmailNoContact.mensagem)


class Killed(BaseException):
    """What a process that is killed does: nothing more."""


@pytest.mark.parametrize("where", ["before_queueing", "after_queueing", "before_acting"])
def test_a_killed_process_loses_nothing_and_repeats_nothing(account, when, monkeypatch, where):
    world = dunning_world(account, [0])
    world.step(0, channel="phone")
    world.parcel(MONDAY)
    select_due(account, now=clock.now())
    real_send, real_link, real_do = mailing.send_for_dunning, mailing._link, acts.do

    def killed(*_, **__):
        raise Killed

    target, name, real = {
        "before_queueing": (mailing, "send_for_dunning", real_send),
        "after_queueing": (mailing, "_link", real_link),
        "before_acting": (acts, "do", real_do),
    }[where]
    monkeypatch.setattr(target, name, killed)
    with pytest.raises(Killed):
        turns.work_off()
    monkeypatch.setattr(target, name, real)

    assert turns.work_off() == 0  # still held for the one that was killed
    when(MONDAY, 11)
    turns.work_off()
    turns.work_off()

    assert executed(world) == [(0, "done"), (0, "done")]
    assert mails().count() == CollectionTask.objects.count() == 1
    assert one(step__channel="email").message == mails().get()


def test_work_that_kills_each_time_comes_to_an_end(account, when, monkeypatch):
    world = dunning_world(account, [0])
    world.parcel(MONDAY)
    select_due(account, now=clock.now())

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr(mailing, "send_for_dunning", killed)
    for hour in range(11, 16):
        with pytest.raises(Killed):
            turns.work_off()
        when(MONDAY, hour)

    assert turns.work_off() == 0
    assert (one().state, one().note) == ("failed", outcomes.INTERRUPTED)


def test_an_unforeseen_error_is_put_off_and_others_go_on(account, when, monkeypatch, caplog):
    world = dunning_world(account)
    world.step(0, channel="phone")
    bad = world.parcel(MONDAY)
    good = world.parcel(MONDAY, customer=CompanyFactory(account=account))
    select_due(account, now=clock.now())
    real = acts._hand_over

    def broken(kind, execution, receivable, now):
        if receivable.pk == bad.pk:
            raise RuntimeError("broken")
        return real(kind, execution, receivable, now)

    monkeypatch.setattr(acts, "_hand_over", broken)

    assert turns.work_off() == 1
    assert one(receivable=good).state == "done"
    row = one(receivable=bad)
    assert (row.state, row.note, row.attempts) == ("pending", turns.UNEXPECTED, 1)
    assert row.next_attempt_at > clock.now()
    assert "dunning.crashed" in caplog.text


def test_a_card_is_charged_again_by_the_step_and_not_twice(account, when, monkeypatch):
    from billing.services.payments import card_retries

    world = dunning_world(account)
    world.step(1, action="retry_card")
    parcel = world.parcel("2026-08-06")
    asked = []

    def retry(receivable_id):
        asked.append(receivable_id)
        return Payment.objects.create(
            account=account, key=uuid.uuid4(), customer=world.customer, receivable=parcel,
            method="card", amount=Decimal(100), created_at=clock.now(), state="failed",
        )  # fmt: skip

    monkeypatch.setattr(card_retries, "retry_card", retry)
    assert step_by_step(world, when, [MONDAY]) == [1]
    assert one().note == "Cartão: recusado."

    # A process killed after the provider answered finds the attempt.
    RulerExecution.objects.update(state="pending", next_attempt_at=clock.now())
    assert turns.work_off() == 1
    assert asked == [parcel.pk]
    assert one().note == acts.ALREADY_CHARGED


def test_a_card_that_may_not_be_charged_again_is_skipped_with_its_reason(account, when):
    world = dunning_world(account)
    world.step(1, action="retry_card")
    world.parcel("2026-08-06")

    assert step_by_step(world, when, [MONDAY]) == [0]

    row = one()
    assert row.state == "skipped"
    assert row.note
    assert not DunningPause.objects.exists()
