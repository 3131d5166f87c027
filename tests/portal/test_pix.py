"""The page of a Pix (P08): made with today's value, asked about, paid; and receipts by e-mail."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from support.cards import queued
from support.pix import work_off

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.gateways.pix import wire
from billing.models import Charge, EmailMessage, Party, Payment, Receivable
from billing.services.emails.suppressions import Reason, suppress
from billing.services.payments.arrivals import Money, arrived, arrived_many
from billing.services.payments.manual import pay_manually
from billing.services.payments.receipt_mails import tell_paid
from lib import clock

A1, A2 = "/central/faturas/01001/pix/", "/central/faturas/01002/pix/"
NB = "\xa0"


@pytest.fixture(autouse=True)
def _bank(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    wire.TOKENS.clear()


@pytest.fixture
def bank_today(demo, providers):
    """The stand-in of the bank has a calendar of its own."""
    providers.control("pix/today", date="2026-08-12")


def pix_of(number: int) -> Charge:
    return Charge.objects.get(receivable__invoice__number=number, kind="pix", state="open")


def parcel(number: int) -> Receivable:
    return Receivable.objects.get(invoice__number=number, state="to_receive")


def test_p08_a_pix_is_made_shown_and_paid(central, page, providers, bank_today):
    client = central()
    assert f"Gerar Pix de R${NB}1.234,56" in page(client, A1).text_content()
    assert not Charge.objects.filter(receivable__invoice__number=1001, kind="pix").exists()

    made = client.post(A1, {"parcela": "1"}, follow=True)
    charge = pix_of(1001)
    text = made.content.decode()
    assert charge.brcode in text.replace("&amp;", "&")
    assert "Válido até" in text
    assert "Já paguei – atualizar situação" in text
    assert AuditEvent.objects.filter(action="pix.gerado").count() == 1
    client.post(A1, {"parcela": "1"})
    assert Charge.objects.filter(receivable__invoice__number=1001, kind="pix").count() == 1
    state = client.get(f"{A1}situacao/", {"parcela": "1"})
    assert state.json() == {"pago": False, "estado": "aberta"}

    told = client.post("/central/faturas/01001/atualizar/", {"parcela": "1"}, follow=True)
    assert "Ainda não recebemos a confirmação do pagamento." in told.content.decode()
    providers.control("pix/pay", txid=charge.txid)
    cache.clear()  # the bank is asked every five seconds at most
    paid = client.post("/central/faturas/01001/atualizar/", {"parcela": "1"}, follow=True)
    assert "<strong>Pagamento confirmado</strong>" in paid.content.decode()
    assert client.get(f"{A1}situacao/", {"parcela": "1"}).json()["pago"] is True
    # The customer is written to, as for a card.
    work_off()
    [(pk,)] = queued("billing.tasks.tell_paid")
    assert tell_paid([pk]) >= 1
    assert tell_paid([pk]) == 0
    [receipt, *_] = EmailMessage.objects.filter(trigger="receipt")
    assert "(Pix)" in receipt.body


def test_p08_the_pix_of_a_late_one_has_the_value_of_the_chosen_day(central, page, bank_today):
    client = central()
    assert f"R${NB}515,50" in page(client, A2).text_content()  # today, 33 days

    given = {"parcela": "1", "vencimento": "14/08/2026", "total": "515.83"}
    assert client.post(A2, given | {"total": "515.67"}).status_code == 409
    client.post(A2, given)

    charge = pix_of(1002)
    assert (charge.amount, charge.due_date) == (Decimal("515.83"), date(2026, 8, 14))
    shown = page(client, A2).text_content()
    assert f"R${NB}515,83" in shown
    assert "Válido até 14/08/2026 23:59" in shown
    assert client.post(A2, given | {"vencimento": "30/12/2026", "total": ""}).status_code == 400


def test_p08_a_look_changes_nothing(central, bank_today):
    client = central()
    client.post(A1, {"parcela": "1"})
    before = list(Charge.objects.values()), list(Payment.objects.values())

    for _ in range(3):
        assert client.get(f"{A1}situacao/").status_code == 200
        assert client.get(A1).status_code == 200

    assert (list(Charge.objects.values()), list(Payment.objects.values())) == before
    assert client.post(f"{A1}situacao/").status_code == 405
    assert client.get("/central/faturas/01007/pix/").content.decode().count("Gerar Pix") == 0


def test_a_bank_that_is_away_makes_no_pix(central, providers, bank_today):
    client = central()
    providers.fault("pix", "down", times=0)

    answer = client.post(A1, {"parcela": "1"}, follow=True)

    assert "O Pix está em registro no banco." in answer.content.decode()
    told = client.post("/central/faturas/01001/atualizar/", {"parcela": "1"}, follow=True)
    assert told.status_code == 200


# --- receipts by e-mail --------------------------------------------------------------------------


def money(number: int, external_id: str, **more: Any) -> Money:
    one = parcel(number)
    given = {"method": Payment.Method.BOLETO, "received_on": clock.today()} | more
    return Money(one.pk, amount=one.open_principal, external_id=external_id, **given)


def test_a_boleto_that_was_paid_is_receipted_once(demo):
    """However often and in which order the bank tells; a file's lines are one task."""
    found = [money(1001, "banco-1"), money(1008, "banco-2")]
    first = arrived_many(demo, found, actor=SYSTEM)
    arrived_many(demo, found, actor=SYSTEM)

    [pks] = queued("billing.tasks.tell_paid")
    assert list(pks) == [one.payment.pk for one in first]
    n_written = tell_paid(pks)
    assert n_written == EmailMessage.objects.filter(trigger="receipt").count() >= 2
    assert tell_paid(pks) == 0
    assert "(Boleto)" in EmailMessage.objects.filter(trigger="receipt")[0].body


def test_what_came_long_ago_or_was_taken_by_hand_is_not_told(demo):
    arrived_many(demo, [money(1001, "velho", received_on=date(2026, 7, 1))], actor=SYSTEM)
    pay_manually(
        parcel(1008).pk, account=demo, actor=SYSTEM, method=Payment.Method.CASH,
        amount=parcel(1008).open_principal, on=clock.today(),
    )  # fmt: skip
    assert queued("billing.tasks.tell_paid") == []


def test_nobody_to_tell_is_no_fault(demo):
    payment = arrived(
        demo, receivable_id=parcel(1001).pk, method=Payment.Method.PIX,
        amount=parcel(1001).open_principal, received_on=clock.today(), external_id="E1",
        actor=SYSTEM,
    ).payment  # fmt: skip
    for address in EmailMessage.objects.values_list("recipient", flat=True).distinct():
        suppress(demo, address, reason=Reason.BOUNCE, detail="")
    Party.objects.filter(pk=payment.customer_id).update(email="", billing_contacts="")
    payment.customer.contacts.all().delete()

    assert tell_paid([payment.pk]) == 0

    assert not EmailMessage.objects.filter(trigger="receipt").exists()
