"""What dunning touches elsewhere: emission, webhooks, e-mails on their way, the command."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from factories import AccountFactory, ContractFactory, OrganizationFactory
from support.dunning import at, dunning_world
from support.invoices import draft

from accounts.models import WebhookEndpoint
from accounts.services.audit import SYSTEM
from billing.models import EmailMessage, NotificationRuler, RulerExecution, Suspension
from billing.services.dunning import turns
from billing.services.dunning.pauses import pause
from billing.services.dunning.selection import select_due
from billing.services.emails import sending
from billing.services.emission import emittable, obstacles, waiting
from billing.services.invoices import create_invoice
from billing.services.payments.manual import pay_manually
from lib import clock

pytestmark = pytest.mark.django_db

MONDAY = "2026-08-10"


def test_a_barred_contract_gets_no_new_invoices_until_it_is_lifted(account):
    world = dunning_world(account)
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    invoice = create_invoice(
        draft(world.organization, world.customer, contract_id=contract.pk,
              options={"management_type": "automatic"}),
        account=account, actor=SYSTEM,
    )  # fmt: skip
    until = date(2026, 12, 31)
    row = Suspension.objects.create(
        account=account, contract=contract, kind="service", since=clock.now()
    )
    assert list(emittable(account, until=until)) == [invoice]

    Suspension.objects.filter(pk=row.pk).update(kind="emission")

    assert not emittable(account, until=until).exists()
    condition, told = obstacles()["regua"]
    assert list(waiting(account, until=until).filter(condition)) == [invoice]
    assert told == "a régua de cobrança bloqueou novas emissões do contrato"
    Suspension.objects.update(lifted_at=clock.now())
    assert list(emittable(account, until=until)) == [invoice]


def test_steps_are_told_only_to_endpoints_of_version_2(account):
    endpoint = WebhookEndpoint(account=account, url="https://a.test/", secret="s")

    assert not endpoint.wants("dunning_step", None)
    assert endpoint.wants("update", None)
    endpoint.version = WebhookEndpoint.Version.V2
    assert endpoint.wants("dunning_step", None)
    endpoint.events = ["update"]
    assert not endpoint.wants("dunning_step", None)
    endpoint.events = ["dunning_step"]
    assert endpoint.wants("dunning_step", None)


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_queued_message_is_not_sent_once_its_parcels_rest(account, monkeypatch, is_paused):
    world = dunning_world(account, [0])
    parcel, other = world.parcel(MONDAY), world.parcel(MONDAY)
    monkeypatch.setattr(clock, "now", lambda: at(MONDAY))
    monkeypatch.setattr(clock, "today", lambda tz="": date(2026, 8, 10))
    select_due(account, now=clock.now())
    turns.work_off()
    row = EmailMessage.objects.get()

    for one in (parcel, other) if is_paused else (parcel,):
        pause(one.pk, account=account, actor=SYSTEM, reason="dispute")
    sending.work_off()

    row = EmailMessage.objects.get(pk=row.pk)
    if is_paused:
        assert (row.state, row.error) == ("failed", sending.PAID)
    else:
        assert row.error != sending.PAID


def test_the_command_makes_the_usual_ruler_where_there_is_none(account):
    organizations = [OrganizationFactory(account=account) for _ in range(2)]
    OrganizationFactory(account=AccountFactory(slug="outra"))
    for _ in range(2):
        out = StringIO()
        call_command("default_ruler", account.slug, stdout=out)

    rulers = NotificationRuler.objects.order_by("pk")
    assert [ruler.organization for ruler in rulers] == organizations
    assert out.getvalue().splitlines() == [
        f"{ruler.organization}: régua {ruler.pk}, Régua padrão" for ruler in rulers
    ]
    assert not rulers.filter(is_active=True).exists()
    with pytest.raises(CommandError, match="Conta desconhecida: x"):
        call_command("default_ruler", "x")
    with pytest.raises(CommandError, match="não tem esta organização"):
        call_command("default_ruler", "outra", organization=organizations[0].pk)


def test_a_queued_message_asks_for_what_is_still_open_and_no_more(account, monkeypatch):
    """One of its parcels is paid, another one in part, between writing and sending."""
    world = dunning_world(account, [0])
    paid, left, halved = (world.parcel(MONDAY, value) for value in ("100.00", "55.00", "70.00"))
    monkeypatch.setattr(clock, "now", lambda: at(MONDAY))
    monkeypatch.setattr(clock, "today", lambda tz="": date(2026, 8, 10))
    select_due(account, now=clock.now())
    turns.work_off()
    old = EmailMessage.objects.get()
    assert "225,00" in old.body
    monkeypatch.setattr(clock, "now", lambda: at(MONDAY, 11))
    pay(paid, "100.00")
    pay(halved, "30.00")

    sending.work_off()

    old, new = EmailMessage.objects.order_by("pk")
    assert (old.state, old.error) == ("failed", sending.REPLACED)
    assert new.state in ("sent", "delivered")
    assert sorted(new.receivables) == sorted([left.pk, halved.pk])
    assert "95,00" in new.body
    assert paid.invoice.label not in new.body
    done = RulerExecution.objects.order_by("receivable_id").values_list("message", flat=True)
    assert list(done) == [old.pk, new.pk, new.pk]
    sending.work_off()
    assert EmailMessage.objects.count() == 2


def pay(parcel, amount):
    pay_manually(
        parcel.pk, account=parcel.account, actor=SYSTEM, method="cash", amount=Decimal(amount),
        on=clock.today(), reference="balcão",
    )  # fmt: skip
