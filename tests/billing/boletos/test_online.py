"""Boletos registered by a bank's API: said once, asked about when the answer was lost."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django_q.models import OrmQ
from factories import CompanyFactory
from support.boletos import online_agreement
from support.invoices import TODAY, emitted_invoice, line

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.gateways.boleto.registrar import Settlement
from billing.gateways.boleto.registrar_http import HttpRegistrar
from billing.models import BankAgreement, Charge, InboundEvent, Payment, Receivable
from billing.services.boletos import registration
from billing.services.boletos.banks import key_of
from billing.services.boletos.changes import change_boleto
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.registration import work_off
from billing.services.boletos.settlements import fetch_settlements, take_settlement
from billing.services.invoices import cancel_invoice
from billing.services.receivables import receive
from billing.tasks import expire_boletos, sweep_boletos
from lib import clock

D = Decimal
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _day(today):
    today(TODAY.isoformat())


@pytest.fixture
def bank(organization, providers):
    return online_agreement(organization, providers.url("boletos"))


@pytest.fixture
def new(organization, bank):
    """A boleto that the bank has not been told of."""

    def make(**fields):
        customer = CompanyFactory(account=organization.account)
        receivable = emitted_invoice(organization, customer, **fields).receivables.get()
        return issue_boleto(receivable.pk, account=organization.account, today=TODAY)

    return make


def again(charge):
    return Charge.objects.get(pk=charge.pk)


def due_now(charge):
    Charge.objects.filter(pk=charge.pk).update(next_attempt_at=clock.now())


def titles(providers):
    return providers.books("boletos")["boletos"]


def test_what_is_registered_is_what_is_printed_and_said_once(new, providers, organization):
    charge = new(lines=[line("1234.56")])
    assert (charge.state, charge.instruction) == ("draft", "entry")

    assert sweep_boletos() == 1
    assert sweep_boletos() == 0

    stored = again(charge)
    assert (stored.state, stored.instruction, stored.next_attempt_at) == ("open", "", None)
    title = titles(providers)[key_of(charge)]
    assert stored.external_id == title["id"]
    told = title["pedido"]
    assert told["valor"] == "1234.56"
    assert told["codigo_barras"] == charge.barcode
    assert told["multa"] == {"tipo": "percentual", "valor": "2.00"}
    assert told["juros"] == {"tipo": "percentual_mes", "valor": "1.00"}
    assert told["limite_pagamento"] == "2026-10-18"
    assert told["pagador"]["documento"] == charge.receivable.invoice.customer.document
    assert told["beneficiario"]["nome"] == organization.company_name
    calls = [call["method"] for call in providers.calls("boletos", path="/boletos")]
    assert calls == ["PUT"]
    assert AuditEvent.objects.filter(action="boleto.registrado", object_id=charge.pk).count() == 1


def test_an_answer_that_was_lost_is_asked_for_and_the_title_is_one(new, providers):
    charge = new()
    providers.fault("boletos", "cut", method="PUT")

    assert work_off() == 1
    lost = again(charge)
    assert (lost.state, lost.attempts) == ("registering", 1)
    assert lost.reason == "falha na conexão"
    assert work_off() == 0  # not before its time
    due_now(charge)
    assert work_off() == 1

    stored = again(charge)
    assert (stored.state, stored.reason, stored.attempts) == ("open", "", 0)
    assert len(titles(providers)) == 1
    calls = [call["method"] for call in providers.calls("boletos", path="/boletos")]
    assert calls == ["PUT", "GET"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "down"}, "falha na conexão"),
        ({"kind": "status", "status": 503}, "o banco respondeu 503"),
        ({"kind": "status", "status": 429}, "o banco respondeu 429"),
        ({"kind": "garbage"}, "a resposta do banco não segue o contrato"),
        ({"kind": "garbage", "body": "[1]"}, "a resposta do banco não segue o contrato"),
        ({"kind": "garbage", "body": '{"situacao": "?"}'}, "a resposta do banco não segue"),
    ],
)
def test_whatever_the_bank_answers_the_boleto_waits_longer_each_time(
    new,
    providers,
    fault,
    reason,
):
    charge = new()
    providers.fault("boletos", **fault, path="/boletos", times=0)

    for minutes in (1, 5, 15, 60, 240, 240):
        due_now(charge)
        before = clock.now()
        assert work_off() == 1
        waiting = again(charge)
        assert waiting.state == "registering"
        assert waiting.reason.startswith(reason)
        wait = waiting.next_attempt_at - before
        assert timedelta(minutes=minutes) <= wait < timedelta(minutes=minutes, seconds=30)

    providers.control("faults", "DELETE")
    due_now(charge)
    work_off()
    assert again(charge).state == "open"
    assert len(titles(providers)) == 1


def test_a_refusal_is_kept_in_the_banks_words_and_another_boleto_may_follow(new, providers):
    charge = new()
    providers.control("boletos/reject", motivo="CEP do pagador inválido")
    work_off()

    refused = again(charge)
    assert (refused.state, refused.reason) == ("rejected", "CEP do pagador inválido")
    assert refused.next_attempt_at is None
    providers.control("boletos/reject", motivo="")
    second = issue_boleto(charge.receivable_id, account=charge.account, today=TODAY)
    work_off()
    assert again(second).state == "open"
    assert second.nosso_numero == "00000002"


def test_a_bank_that_answers_later_is_asked(new, providers):
    providers.control("boletos/later", on=True)
    charge = new()
    work_off()
    assert again(charge).state == "registering"
    providers.control("boletos/confirm")
    due_now(charge)
    work_off()
    assert again(charge).state == "open"


def test_a_token_that_ended_is_renewed_and_a_wrong_secret_is_told(new, providers, bank):
    new()
    work_off()
    providers.control("boletos/expire-tokens")
    second = new()
    work_off()
    assert again(second).state == "open"
    assert len(providers.calls("boletos", path="/oauth/token")) == 2

    bank.gateway.secrets = {"client_id": "banco-demo", "client_secret": "outro"}
    bank.gateway.save()
    third = new()
    work_off()
    assert again(third).state == "registering"
    assert again(third).reason == "o banco recusou as credenciais da conta em provedor"

    bank.gateway.secrets = {"token": "token-demo"}
    bank.gateway.save()
    due_now(third)
    work_off()
    assert again(third).state == "open"
    assert len(providers.calls("boletos", path="/oauth/token")) == 3  # a fixed one needs none


@pytest.mark.parametrize(
    "told",
    [
        {"codigo_barras": "34195153400000500001751234567840810536789000"},
        {"valor": "1.00"},
        {"vencimento": "2026-08-21"},
    ],
    ids=str,
)
def test_another_boleto_than_ours_is_refused_and_written_off(new, providers, told):
    charge = new()
    body = json.dumps({"situacao": "registrado", **told})
    providers.fault("boletos", "garbage", method="PUT", body=body)

    work_off()
    assert again(charge).state == "rejected"
    work_off()

    assert titles(providers)[key_of(charge)]["situacao"] == "baixado"
    assert again(charge).next_attempt_at is None


def test_what_is_received_or_cancelled_is_written_off_at_the_bank(new, providers):
    paid, cancelled, unheard = new(), new(), new()
    providers.fault("boletos", "down", method="PUT", path=f"/boletos/{unheard.pk}-")
    work_off()
    receive(paid.receivable_id, account=paid.account, actor=SYSTEM)
    for one in (cancelled, unheard):
        cancel_invoice(one.receivable.invoice_id, account=one.account, actor=SYSTEM)
    assert {again(one).state for one in (paid, cancelled, unheard)} == {"cancelling"}

    work_off()

    assert [again(one).state for one in (paid, cancelled, unheard)] == [
        "cancelled", "cancelled", "cancelling",  # a lost registration may be on its way
    ]  # fmt: skip
    due_now(unheard)
    work_off()
    assert again(unheard).state == "cancelled"
    assert {one["situacao"] for one in titles(providers).values()} == {"baixado"}


def test_a_registration_that_ends_after_the_payment_is_written_off(new, providers):
    charge = new()
    providers.control("boletos/later", on=True)
    work_off()
    receive(charge.receivable_id, account=charge.account, actor=SYSTEM)
    providers.control("boletos/confirm")

    work_off()

    assert again(charge).state == "cancelled"
    assert titles(providers)[key_of(charge)]["situacao"] == "baixado"


def test_bo_7_another_due_date_shows_once_the_bank_has_it(new, providers):
    charge = new()
    work_off()
    changed = change_boleto(
        charge.receivable_id, account=charge.account, actor=SYSTEM, due=date(2026, 8, 31)
    )
    assert (changed.due_date, changed.barcode) == (date(2026, 8, 20), charge.barcode)

    work_off()

    stored = again(charge)
    assert (stored.due_date, stored.limit_date) == (date(2026, 8, 31), date(2026, 10, 29))
    assert stored.barcode != charge.barcode
    assert stored.barcode[19:] == charge.barcode[19:]
    assert (stored.change, stored.instruction) == ({}, "")
    receivable = Receivable.objects.get(pk=charge.receivable_id)
    assert receivable.due_date == receivable.invoice.due_date == date(2026, 8, 31)
    assert receivable.original_due_date == date(2026, 8, 20)

    providers.fault(
        "boletos", "status", method="PATCH", status=422, body='{"mensagem": "não pode"}'
    )
    change_boleto(charge.receivable_id, account=charge.account, actor=SYSTEM, due=date(2026, 9, 30))
    work_off()
    assert (again(charge).due_date, again(charge).reason) == (date(2026, 8, 31), "não pode")
    assert again(charge).next_attempt_at is None


def test_what_was_paid_at_the_bank_settles_once_with_its_fee(new, providers, bank, monkeypatch):
    monkeypatch.setattr("billing.sandbox.boletos._PAGE", 1)
    charge, written_off = new(), new()
    work_off()
    cancel_invoice(written_off.receivable.invoice_id, account=charge.account, actor=SYSTEM)
    providers.control(
        "boletos/pay", nosso_numero=charge.nosso_numero, pago_em="2026-08-19", tarifa="1.90"
    )
    providers.control("boletos/pay", nosso_numero=written_off.nosso_numero, pago_em="2026-08-12")

    assert fetch_settlements() == 2
    assert fetch_settlements() == 0
    assert len(providers.calls("boletos", path="/liquidacoes")) == 4

    payment = Payment.objects.get(charge=charge)
    assert (payment.amount, payment.provider_fee) == (D(100), D("1.90"))
    assert payment.received_on == date(2026, 8, 19)
    assert again(charge).state == "paid"
    assert Receivable.objects.get(pk=charge.receivable_id).state == "received"
    assert again(written_off).state == "paid_after_cancel"
    assert Payment.objects.get(charge=written_off).credits.get().amount == D(100)
    events = InboundEvent.objects.filter(gateway=bank.gateway)
    assert set(events.values_list("state", flat=True)) == {"done"}


def test_money_for_a_boleto_that_is_not_ours_is_kept_for_a_person(new, providers, bank):
    charge = new()
    work_off()
    providers.control("boletos/pay", nosso_numero=charge.nosso_numero, pago_em="2026-08-12")
    Charge.objects.filter(pk=charge.pk).update(nosso_numero="1", gateway=None)

    assert fetch_settlements() == 1

    event = InboundEvent.objects.get(gateway=bank.gateway)
    assert (event.state, event.payload["valor_pago"]) == ("failed", "100.00")
    assert not Payment.objects.exists()


def test_a_settlement_that_nobody_can_read_keeps_no_other_from_the_books(
    new, providers, organization, account, bank
):
    """Garbage of one bank stops neither its other payments nor other banks."""
    charges = [new() for _ in range(2)]
    work_off()
    for one in charges:
        providers.control("boletos/pay", nosso_numero=one.nosso_numero, pago_em="2026-08-12")
    good, last = providers.books("boletos")["liquidacoes"]
    wrong = [
        {**good, "id": "x1", "valor_pago": amount}
        for amount in ("NaN", "-5.00", "0.00", "1e30", "99999999999999.99", 12.5, None, [])
    ]
    wrong += [
        {**good, "id": ""}, {**good, "id": "i" * 300}, {**good, "pago_em": "2026-13-01"},
        {**good, "tarifa": "-1.00"}, "nada", None,
    ]  # fmt: skip
    body = json.dumps({"liquidacoes": [good, *wrong, last], "proximo": None})
    providers.fault("boletos", "garbage", path="/liquidacoes", body=body)

    assert fetch_settlements() == 2

    assert {again(one).state for one in charges} == {"paid"}
    assert Payment.objects.count() == 2


def test_a_number_that_two_agreements_have_is_nobody_s(new, providers, bank, account):
    charge, twin = new(), new()
    work_off()
    other = BankAgreement.objects.get(pk=bank.pk)
    other.pk, other.carteira = None, "175"
    other.save()
    Charge.objects.filter(pk=twin.pk).update(agreement=other, nosso_numero=charge.nosso_numero)
    told = Settlement(
        id="liq_9", key="?", nosso_numero=charge.nosso_numero, amount=D("100.00"),
        paid_on=date(2026, 8, 12),
    )  # fmt: skip

    assert take_settlement(bank.gateway, told)

    assert InboundEvent.objects.get(external_id="liq_9").state == "failed"
    assert not Payment.objects.exists()


def test_another_day_wanted_while_the_bank_is_told_of_one_is_told_next(new, providers, monkeypatch):
    """BO-7: the answer is about what was asked for, and not about what is wanted since."""
    charge = new()
    work_off()
    given = {"account": charge.account, "actor": SYSTEM, "today": TODAY}
    change_boleto(charge.receivable_id, due=date(2026, 8, 28), **given)
    real = HttpRegistrar.change

    def meanwhile(self, key, **wanted):
        monkeypatch.setattr(HttpRegistrar, "change", real)
        change_boleto(charge.receivable_id, due=date(2026, 9, 4), **given)
        return real(self, key, **wanted)

    monkeypatch.setattr(HttpRegistrar, "change", meanwhile)

    _one_attempt(charge)
    assert (again(charge).due_date, again(charge).instruction) == (date(2026, 8, 28), "change")
    work_off()

    [title] = titles(providers).values()
    assert title["vencimento"] == "2026-09-04"
    assert (again(charge).due_date, again(charge).change) == (date(2026, 9, 4), {})


def _one_attempt(charge):
    registration._do(registration._take(charge.pk))


def test_past_its_limit_a_boleto_is_over_and_a_payment_that_is_told_later_finds_it(
    new,
    providers,
    today,
):
    charge, other = new(), new(due_dates=[date(2026, 12, 20)])
    work_off()
    today("2026-10-19")

    assert expire_boletos() == 1
    assert expire_boletos() == 0

    assert (again(charge).state, again(other).state) == ("expired", "open")
    providers.control(
        "boletos/pay", nosso_numero=charge.nosso_numero, pago_em="2026-10-16", valor_pago="103.90"
    )
    fetch_settlements()
    assert again(charge).state == "paid"
    assert Receivable.objects.get(pk=charge.receivable_id).state == "received"


def test_a_new_boleto_wakes_the_task_once(new):
    new()
    new()
    assert OrmQ.objects.count() <= 1


def test_a_killed_worker_only_delays(new, providers):
    from billing.services.boletos import registration

    charge = new()
    registration._take()  # and then the worker is gone
    assert work_off() == 0
    due_now(charge)
    assert work_off() == 1
    assert again(charge).state == "open"
