"""What a ruler would have done, told and not done (DUN-8)."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from factories import AccountFactory, CompanyFactory
from support.dunning import at, dunning_world

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    DunningPause,
    EmailMessage,
    Invoice,
    NotificationRuler,
    Receivable,
    RulerExecution,
)
from billing.services.dunning import turns
from billing.services.dunning.selection import select_due
from billing.services.dunning.simulation import simulate
from billing.services.invoices import cancel_invoice
from billing.services.receivables import receive
from lib import clock

pytestmark = pytest.mark.django_db

START, END = date(2026, 8, 3), date(2026, 8, 31)


def happened(world, start=START, end=END):
    found = simulate(world.ruler, account=world.account, start=start, end=end)
    return [
        (one.receivable_id, one.step.offset, one.day.isoformat(), str(one.result)) for one in found
    ]


def emitted_long_ago():
    Invoice.objects.update(emitted_at=at("2026-01-02"))


@pytest.fixture
def world(account):
    """Parcels of three customers, each with a fate of its own."""
    world = dunning_world(account, [-1, 0, 3])
    world.step(5, action="suspend")
    other, third = CompanyFactory(account=account), CompanyFactory(account=account)
    world.plain = world.parcel("2026-08-08")  # a Saturday
    world.beside = world.parcel("2026-08-10", "70.00")
    world.paid = world.parcel("2026-08-12", customer=other)
    world.cancelled = world.parcel("2026-08-12", customer=other)
    world.paused = world.parcel("2026-08-12", customer=third)
    world.renegotiated = world.parcel("2026-08-12", customer=third)
    emitted_long_ago()
    receive(world.paid.pk, account=account, actor=SYSTEM, on=date(2026, 8, 13))
    cancel_invoice(world.cancelled.invoice_id, account=account, actor=SYSTEM)
    Invoice.objects.filter(pk=world.cancelled.invoice_id).update(cancelled_at=at("2026-08-11", 18))
    Receivable.objects.filter(pk=world.renegotiated.pk).update(state="renegotiated")
    DunningPause.objects.create(
        account=account, receivable=world.paused, reason="dispute", created_at=at("2026-08-12", 8),
        lifted_at=at("2026-08-13"),
    )  # fmt: skip
    return world


def test_each_step_is_told_with_its_day_and_what_came_of_it(world):
    plain, beside = world.plain.pk, world.beside.pk

    assert happened(world) == [
        (plain, -1, "2026-08-07", "feito"),
        (plain, 0, "2026-08-10", "feito"),
        (plain, 3, "2026-08-11", "feito"),
        (plain, 5, "2026-08-13", "feito"),
        (beside, -1, "2026-08-10", "aviso mais recente no lugar"),
        (beside, 0, "2026-08-10", "juntado"),  # with the other one of that day
        (beside, 3, "2026-08-13", "feito"),
        (beside, 5, "2026-08-17", "feito"),
        (world.paid.pk, -1, "2026-08-11", "feito"),
        (world.paid.pk, 0, "2026-08-12", "feito"),
        (world.paid.pk, 3, "2026-08-17", "paga antes"),
        (world.paid.pk, 5, "2026-08-17", "paga antes"),
        (world.cancelled.pk, -1, "2026-08-11", "juntado"),
        (world.cancelled.pk, 0, "2026-08-12", "cancelada antes"),
        (world.cancelled.pk, 3, "2026-08-17", "cancelada antes"),
        (world.cancelled.pk, 5, "2026-08-17", "cancelada antes"),
        (world.paused.pk, -1, "2026-08-11", "feito"),
        (world.paused.pk, 0, "2026-08-14", "feito"),  # P-9
        (world.paused.pk, 3, "2026-08-17", "feito"),
        (world.paused.pk, 5, "2026-08-18", "feito"),
    ]


def test_only_what_falls_into_the_time_is_told(world):
    days = {day for _, _, day, _ in happened(world, date(2026, 8, 13), date(2026, 8, 14))}

    assert days == {"2026-08-13"}
    assert happened(world, date(2026, 10, 1), date(2026, 10, 31)) == []


def test_a_simulation_says_what_is_then_done(account, monkeypatch):
    """The same parcels led through the real thing, day by day."""
    world = dunning_world(account, [-1, 0, 3])
    world.step(2, channel="phone", condition={"min": "80.00"})
    world.step(5, action="negativar")
    third = CompanyFactory(account=account)
    parcels = [
        world.parcel("2026-08-08"), world.parcel("2026-08-11", "70.00"),
        world.parcel("2026-08-12", customer=third), world.parcel("2026-08-07", customer=third),
    ]  # fmt: skip
    emitted_long_ago()
    simulated = {
        (one.receivable_id, one.step.id, one.day)
        for one in simulate(world.ruler, account=account, start=START, end=date(2026, 8, 18))
        if one.is_done
    }
    world.ruler.activated_on, world.ruler.past = START, "nothing"
    world.ruler.save()

    for n in range(16):
        day = START + timedelta(days=n)
        monkeypatch.setattr(clock, "now", lambda day=day: at(day.isoformat(), 12))
        monkeypatch.setattr(clock, "today", lambda tz="", day=day: day)
        select_due(account, now=clock.now())
        turns.work_off()

    done = RulerExecution.objects.filter(state="done")
    rows = done.values_list("receivable_id", "step_id", "done_at")
    assert {(pk, step, moment.date()) for pk, step, moment in rows} == simulated
    assert len(simulated) >= 4 * len(parcels)
    assert not RulerExecution.objects.exclude(state="done").exists()


def command(**options):
    out = StringIO()
    call_command("simulate_ruler", stdout=out, **options)
    return out.getvalue().replace("\xa0", " ").splitlines()


def test_the_command_reports_each_step_and_writes_nothing(world):
    before = (AuditEvent.objects.count(), WebhookEvent.objects.count())

    told = command(ruler=world.ruler.pk, start="2026-08-03", end="2026-08-31")

    assert told == [
        f"{world.account.name}: régua {world.ruler.pk}, Padrão",
        "De 03/08/2026 a 31/08/2026, nada foi gravado:",
        "  1 dia antes, 9 h, E-mail: Lembrar: 4 parcela(s) de 3 cliente(s), R$ 400,00; "
        "3 mensagem(ns), 1 juntada(s) a outra; 0 movida(s) de dia",
        "    recebidas até 10 dias depois: 1 (R$ 100,00)",
        "    puladas: 1 aviso mais recente no lugar",
        "  no vencimento, 9 h, E-mail: Lembrar: 4 parcela(s) de 3 cliente(s), R$ 370,00; "
        "3 mensagem(ns), 1 juntada(s) a outra; 2 movida(s) de dia",
        "    recebidas até 10 dias depois: 1 (R$ 100,00)",
        "    puladas: 1 cancelada antes",
        "  3 dias depois, 9 h, E-mail: Lembrar: 3 parcela(s) de 2 cliente(s), R$ 270,00; "
        "3 mensagem(ns), 0 juntada(s) a outra; 1 movida(s) de dia",
        "    recebidas até 10 dias depois: 0 (R$ 0,00)",
        "    puladas: 1 cancelada antes, 1 paga antes",
        "  5 dias depois, 9 h, Nenhum: Suspender o serviço: 3 parcela(s) de 2 cliente(s), "
        "R$ 270,00; 2 movida(s) de dia",
        "    recebidas até 10 dias depois: 0 (R$ 0,00)",
        "    puladas: 1 cancelada antes, 1 paga antes",
    ]
    assert not EmailMessage.objects.exists()
    assert not RulerExecution.objects.exists()
    assert (AuditEvent.objects.count(), WebhookEvent.objects.count()) == before


def test_the_command_writes_each_step_to_a_file(world, tmp_path):
    path = tmp_path / "regua.csv"

    command(ruler=world.ruler.pk, start="2026-08-03", end="2026-08-31", csv=str(path))

    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) == 20
    assert rows[8] == {
        "data": "11/08/2026", "passo": "1 dia antes", "canal": "E-mail", "acao": "Lembrar",
        "cliente": world.paid.invoice.customer.name, "fatura": str(world.paid.invoice_id),
        "parcela": "1", "vencimento": "12/08/2026", "em_aberto": "100,00",
        "previsto_para": "11/08/2026", "resultado": "feito", "recebida_em": "13/08/2026",
    }  # fmt: skip


def test_the_command_refuses_what_it_cannot_do(world, tmp_path):
    ruler = world.ruler.pk
    AccountFactory(slug="outra")
    cases = [
        ({"ruler": 0}, "Régua desconhecida: 0."),
        ({"ruler": ruler, "account": "outra"}, f"Régua desconhecida: {ruler}."),
        ({"ruler": ruler, "account": "nenhuma"}, "Conta desconhecida: nenhuma."),
        ({"ruler": ruler, "start": "3/8"}, "--from 3/8: use aaaa-mm-dd."),
        ({"ruler": ruler, "start": "2026-08-02", "end": "2026-08-01"}, "--from deve ser"),
        ({"ruler": ruler, "start": "2020-01-01", "end": "2026-08-01"}, "Simule no máximo"),
        ({"ruler": ruler, "csv": str(tmp_path / "a" / "b.csv")}, "Não foi possível gravar"),
    ]
    for options, told in cases:
        with pytest.raises(CommandError, match=told.replace(".", r"\.")):
            command(**options)
    NotificationRuler.objects.get().steps.update(condition={"x": 1})
    with pytest.raises(CommandError, match="condição inválida"):
        command(ruler=ruler)


def test_without_dates_the_last_month_is_simulated(world, today):
    today("2026-09-15")

    assert command(ruler=world.ruler.pk)[1] == "De 01/08/2026 a 31/08/2026, nada foi gravado:"
