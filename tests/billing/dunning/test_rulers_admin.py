"""Staff make rulers, look at what they would do, switch them on, and work off what they leave."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory, OrganizationFactory
from support.dunning import at, dunning_world

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.engine.dunning import BAD_AMOUNT
from billing.errors import CannotActivate, TaskClosed
from billing.models import (
    CollectionTask,
    DunningPause,
    EmailTemplate,
    Invoice,
    NotificationRuler,
    RulerExecution,
    RulerStep,
    Suspension,
)
from billing.services.dunning import pauses
from billing.services.dunning.collection_tasks import close_task
from billing.services.dunning.rulers import (
    DEFAULT_STEPS,
    NO_STEPS,
    activate,
    create_default,
    deactivate,
)
from lib import clock
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db


def url(model, action, *args):
    return reverse(f"admin:billing_{model._meta.model_name}_{action}", args=args)


def signed_in(account, role="financeiro"):
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def act(client, row, slug, **fields):
    page = url(type(row), "act", row.pk, slug)
    standing = client.get(page).context["form"].initial["situacao"]
    data = {"idempotency_key": uuid.uuid4().hex, "situacao": standing}
    return client.post(page, data | fields)


def actions_of(row):
    found = AuditEvent.objects.filter(object_type=row._meta.model_name, object_id=row.pk)
    return list(found.order_by("id").values_list("action", flat=True))


def steps(*given, initial=0):
    """The inline's fields; each step is a dict of what differs from an e-mail at nine."""
    data = {"steps-TOTAL_FORMS": len(given), "steps-INITIAL_FORMS": initial}
    usual = {"hour": "9", "channel": "email", "action": "remind", "condition": "{}",
             "is_active": "on"}  # fmt: skip
    for n, step in enumerate(given):
        data |= {f"steps-{n}-{name}": value for name, value in (usual | step).items()}
    return data


def test_the_usual_ruler_is_made_once_and_is_off(account):
    organization = OrganizationFactory(account=account)

    ruler = create_default(organization, actor=SYSTEM)

    assert create_default(organization, actor=SYSTEM) == ruler
    assert (ruler.is_default, ruler.is_active, ruler.activated_on) == (True, False, None)
    made = list(ruler.steps.values_list("offset_days", "action", "channel"))
    assert made == [(one.offset, one.action, one.channel) for one in DEFAULT_STEPS]
    assert [offset for offset, _, _ in made] == [-5, -1, 0, 1, 3, 7, 15, 20, 30, 60]
    assert actions_of(ruler) == ["regua.criada"]


def test_a_ruler_is_switched_on_and_off_by_its_services(account, other_account):
    world = dunning_world(account)
    ruler = world.ruler
    deactivate(ruler.pk, account=account, actor=SYSTEM)
    on = {"account": account, "actor": SYSTEM, "on": at("2026-08-10").date()}

    with pytest.raises(CannotActivate, match=NO_STEPS):
        activate(ruler.pk, **on)
    bad = world.step(0, channel="none")
    with pytest.raises(CannotActivate, match="Escolha por onde lembrar"):
        activate(ruler.pk, **on)
    bad.delete()
    world.step(0)
    for call in (activate, deactivate):
        with pytest.raises(NotFound):
            call(ruler.pk, **{k: v for k, v in on.items() if call is activate or k != "on"}
                 | {"account": other_account})  # fmt: skip
    activate(ruler.pk, **on, past="nothing")
    with pytest.raises(CannotActivate, match="já está ativa"):
        activate(ruler.pk, **on)

    ruler = NotificationRuler.objects.get(pk=ruler.pk)
    assert (ruler.is_active, str(ruler.activated_on), ruler.past) == (True, "2026-08-10", "nothing")
    assert actions_of(ruler) == ["regua.desativada", "regua.ativada"]


def test_staff_write_a_ruler_and_steps_that_mean_nothing_are_refused(account, other_account):
    client = signed_in(account)
    organization = OrganizationFactory(account=account)
    foreign = EmailTemplate.objects.create(
        account=account, organization=OrganizationFactory(account=account), name="X", subject="X",
        body="X",
    )  # fmt: skip
    usual = {"organization": organization.pk, "name": "Nossa", "is_default": "on"}

    added = client.post(
        url(NotificationRuler, "add"),
        usual | steps({"offset_days": "3"}, {"offset_days": "20", "action": "suspend",
                                             "channel": "none"}),
    )  # fmt: skip

    assert added.status_code == 302
    ruler = NotificationRuler.objects.get()
    assert (ruler.account, ruler.is_active) == (account, False)
    assert list(ruler.steps.values_list("offset_days", "action")) == [
        (3, "remind"),
        (20, "suspend"),
    ]

    page = url(NotificationRuler, "change", ruler.pk)
    kept = [{"id": step.pk, "offset_days": step.offset_days, "action": step.action,
             "channel": step.channel} for step in ruler.steps.all()]  # fmt: skip
    for fields, told in (
        ({"channel": "email", "action": "suspend"}, "Uma ação não avisa o cliente"),
        ({"channel": "none"}, "Escolha por onde lembrar"),
        ({"condition": '{"min": 5}'}, BAD_AMOUNT.replace('"', "&quot;")),
        ({"template": foreign.pk}, "da mesma organização"),
        ({"offset_days": "400"}, "Informe um valor de -60 a 365."),
    ):
        data = usual | steps(*kept, {"offset_days": "5"} | fields, initial=2)
        answer = client.post(page, data)
        assert answer.status_code == 200, fields
        assert told in answer.content.decode(), fields
    assert ruler.steps.count() == 2
    assert signed_in(other_account).get(page).status_code == 404
    assert signed_in(account, "suporte").get(page).status_code == 403


def test_a_step_that_was_executed_is_switched_off_and_not_deleted(account):
    world = dunning_world(account, [0])
    client = signed_in(account)
    page = url(NotificationRuler, "change", world.ruler.pk)
    step = world.ruler.steps.get()
    assert "steps-0-DELETE" in client.get(page).content.decode()
    parcel = world.parcel("2026-08-10")
    execution = RulerExecution.objects.create(
        account=account, receivable=parcel, step=step, cycle=parcel.due_date,
        created_at=clock.now(), state="done",
    )  # fmt: skip

    assert "steps-0-DELETE" not in client.get(page).content.decode()
    row = {"id": step.pk, "offset_days": "0", "steps-0-DELETE": "on"}
    kept = {"name": "Padrão", "is_default": "on"}
    data = kept | steps(row, initial=1) | {"steps-0-DELETE": "on"}
    assert client.post(page, data).status_code == 302
    assert RulerStep.objects.filter(pk=step.pk).exists()
    data.pop("steps-0-is_active")
    assert client.post(page, data).status_code == 302
    assert not RulerStep.objects.get(pk=step.pk).is_active
    listed = client.get(url(RulerExecution, "changelist")).content.decode()
    assert "Feito" in listed
    assert client.get(url(RulerExecution, "change", execution.pk)).status_code == 200
    assert (
        client.post(url(RulerExecution, "change", execution.pk), {"note": "x"}).status_code == 403
    )


def test_activation_shows_what_the_ruler_would_have_done(account, today):
    today("2026-08-20")
    world = dunning_world(account, [0])
    NotificationRuler.objects.update(is_active=False)
    world.parcel("2026-08-10")
    Invoice.objects.update(emitted_at=at("2026-08-01"))
    client = signed_in(account)
    ruler = NotificationRuler.objects.get()

    page = client.get(url(NotificationRuler, "act", ruler.pk, "ativar")).content.decode()
    assert "De 21/07/2026 a 19/08/2026, nada foi gravado:" in page
    assert "1 parcela(s) de 1 cliente(s)" in page
    assert act(client, ruler, "ativar", passado="all").status_code == 302
    ruler = NotificationRuler.objects.get()
    assert (ruler.is_active, str(ruler.activated_on), ruler.past) == (True, "2026-08-20", "all")
    assert act(client, ruler, "desativar").status_code == 302
    assert not NotificationRuler.objects.get().is_active


def test_staff_pause_a_parcel_and_take_the_pause_back(account, other_account, today):
    today("2026-08-10")
    world = dunning_world(account, [0])
    parcel = world.parcel("2026-08-10")
    theirs = dunning_world(other_account).parcel("2026-08-10")
    client = signed_in(account)
    add = url(DunningPause, "add")

    for fields, field in (
        ({"receivable": parcel.pk, "reason": "promise"}, "until"),
        ({"receivable": parcel.pk, "reason": "manual", "until": "2026-08-09"}, "until"),
        ({"receivable": theirs.pk, "reason": "manual"}, "receivable"),
    ):
        errors = client.post(add, fields).context["adminform"].form.errors
        assert list(errors) == [field], fields
    assert not DunningPause.objects.exists()

    fields = {"receivable": parcel.pk, "reason": "promise", "until": "2026-08-14", "note": "Ligou"}
    assert client.post(add, fields).status_code == 302
    row = DunningPause.objects.get()
    assert (row.account, str(row.until), row.note) == (account, "2026-08-14", "Ligou")
    assert "@" in row.recorded_by
    assert signed_in(other_account).get(url(DunningPause, "change", row.pk)).status_code == 404
    assert act(client, row, "retirar").status_code == 302
    assert DunningPause.objects.get().lifted_at is not None
    assert actions_of(parcel) == ["cobranca.pausada", "cobranca.retomada"]


def test_pauses_of_another_account_are_not_found(account, other_account):
    parcel = dunning_world(account).parcel("2026-08-10")
    row = pauses.pause(parcel.pk, account=account, actor=SYSTEM, reason="manual")

    with pytest.raises(NotFound):
        pauses.pause(parcel.pk, account=other_account, actor=SYSTEM, reason="manual")
    with pytest.raises(NotFound):
        pauses.lift(row.pk, account=other_account, actor=SYSTEM)
    with pytest.raises(InvalidInput):
        pauses.pause(parcel.pk, account=account, actor=SYSTEM, reason="promise")
    assert DunningPause.objects.count() == 1


def test_tasks_and_suspensions_are_worked_off_by_people(account, other_account):
    world = dunning_world(account, [0])
    parcel = world.parcel("2026-08-10")
    tasks = []
    for offset in (1, 2):
        execution = RulerExecution.objects.create(
            account=account, receivable=parcel, step=world.step(offset, channel="phone"),
            cycle=parcel.due_date, created_at=clock.now(),
        )  # fmt: skip
        tasks.append(CollectionTask.objects.create(
            account=account, execution=execution, customer=world.customer, receivable=parcel,
            kind="phone", created_at=clock.now(),
        ))  # fmt: skip
    done, dropped = tasks
    client = signed_in(account)

    assert act(client, done, "feita", observacao="Paga na sexta").status_code == 302
    assert act(client, dropped, "dispensar").status_code == 302

    rows = CollectionTask.objects.order_by("pk").values_list("state", "note")
    assert list(rows) == [("done", "Paga na sexta"), ("dropped", "")]
    assert actions_of(done) == ["tarefa_cobranca.encerrada"]
    with pytest.raises(TaskClosed):
        close_task(done.pk, account=account, actor=SYSTEM, state="done")
    with pytest.raises(NotFound):
        close_task(done.pk, account=other_account, actor=SYSTEM, state="done")


def test_a_suspension_is_lifted_by_hand(account, other_account, settings):
    from factories import ContractFactory

    world = dunning_world(account)
    contract = ContractFactory(
        account=account, organization=world.organization, party=world.customer
    )
    row = Suspension.objects.create(account=account, contract=contract, since=clock.now())

    page = url(Suspension, "act", row.pk, "retirar")
    assert signed_in(other_account).get(page).status_code == 404
    assert signed_in(account, "suporte").get(page).status_code == 403
    assert act(signed_in(account), row, "retirar").status_code == 302
    assert Suspension.objects.get().lifted_at is not None
    assert "contrato.retomado" in actions_of(contract)
