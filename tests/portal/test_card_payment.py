"""P10: paying with a saved card."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client
from factories import CompanyFactory
from support.invoices import emitted_invoice

from accounts.models import AuditEvent
from billing.models import (
    ChargeTemplate,
    CustomerCredit,
    GatewayAccount,
    Invoice,
    Party,
    Payment,
    SavedMethod,
)

A1 = "/central/faturas/01001/pagar/"
A2 = "/central/faturas/01002/pagar/"
NB = "\xa0"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits half a second before it repeats a call."""
    from stripe._http_client import HTTPClient

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0.02)


def card(last4: str) -> SavedMethod:
    return SavedMethod.objects.get(last4=last4)


def form_of(page: Any, **more: str) -> dict[str, str]:
    """The form of the page, as a browser would send it."""
    [form] = [f for f in page.forms if f.xpath(".//input[@name='cartao']")]
    return dict(form.form_values()) | more


def by(last4: str, page: Any) -> dict[str, str]:
    return form_of(page, cartao=str(card(last4).pk))


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().replace(NB, " ").split())


def test_p10_1_the_default_card_is_chosen(central, page):
    shown = page(central(), A1)

    cards = shown.xpath("//input[@name='cartao']")
    assert [one.get("value") for one in cards if one.get("checked") is not None] == [
        str(card("4242").pk)
    ]
    assert len(cards) == 4
    [chosen] = shown.xpath("//label[.//input[@checked]]")
    assert " ".join(chosen.text_content().split()) == "Visa final 4242 Validade 12/2034 Padrão"
    assert f"Pagar R${NB}1.234,56" in shown.text_content()


def test_p10_2_and_5_one_form_is_one_payment(central, page):
    client = central()
    form = form_of(page(client, A1))

    first = client.post(A1, form)
    again = client.post(A1, form)

    assert first["Location"] == again["Location"]
    done = client.get(first["Location"])
    assert "<h1>Pagamento confirmado</h1>" in text_of(done)
    assert "R$ 1.234,56" in text_of(done)
    payment = Payment.objects.get(invoice__number=1001)
    assert (payment.state, payment.amount) == (Payment.State.SUCCEEDED, Decimal("1234.56"))
    assert f"/recibo/{payment.pk}/" in text_of(done)
    acts = AuditEvent.objects.filter(action__startswith="pagamento.").order_by("id")
    assert [a.action for a in acts][-2:] == ["pagamento.tentativa", "pagamento.confirmado"]
    assert acts.filter(action="pagamento.tentativa").get().actor_label == "titular@aurora.test"
    # Another form of a page that was left open.
    late = client.post(A1, form | {"idempotency_key": uuid.uuid4().hex})
    assert late.status_code == 409
    assert "(agora: Paga). Nada foi feito." in text_of(late)
    assert Payment.objects.filter(invoice__number=1001).count() == 1


def test_p10_3_declines_have_their_texts_and_leave_it_open(central, page):
    client = central()
    said = {
        "0002": "O banco não autorizou este pagamento. Fale com o banco ou use outra forma.",
        "9995": "Saldo ou limite insuficiente. Tente outro cartão.",
    }
    for last4, text in said.items():
        answer = client.post(A1, by(last4, page(client, A1)), follow=True)
        assert text in text_of(answer)
        assert Invoice.objects.get(number=1001).state == Invoice.State.TO_RECEIVE
        assert answer.redirect_chain[-1][0].startswith(A1)
    assert AuditEvent.objects.filter(action="pagamento.recusado").count() == 2

    begun = client.post(A1, by("3155", page(client, A1)))
    assert "/3ds/" in begun["Location"]
    waiting = page(client, A1)
    assert "Confirmar no banco" in waiting.text_content()
    assert not waiting.xpath("//input[@name='cartao']")
    # Refused at the bank; then once more, and confirmed.
    back = requests.post(
        begun["Location"], data={"answer": "no"}, allow_redirects=False, timeout=10
    )
    there = client.get(back.headers["Location"].removeprefix("http://testserver"), follow=True)
    assert "Seu banco pediu confirmação. Tente de novo" in text_of(there)
    begun = client.post(A1, by("3155", page(client, A1)))
    back = requests.post(
        begun["Location"], data={"answer": "ok"}, allow_redirects=False, timeout=10
    )
    there = client.get(back.headers["Location"].removeprefix("http://testserver"), follow=True)
    assert "<h1>Pagamento confirmado</h1>" in text_of(there)
    assert Invoice.objects.get(number=1001).state == Invoice.State.RECEIVED


def test_p10_a_payer_may_leave_the_bank_and_pay_otherwise(central, page):
    client = central()
    client.post(A1, by("3155", page(client, A1)))

    gone = client.post(f"{A1}desistir/", {"parcela": "1"}, follow=True)

    assert "O pagamento não foi concluído. Nada foi cobrado." in text_of(gone)
    assert Payment.objects.get(invoice__number=1001).state == Payment.State.CANCELED
    assert page(client, A1).xpath("//input[@name='cartao']")


def test_p10_4_without_a_card_there_is_a_way_to_one(central, page):
    nuvem = Party.objects.get(accesses__user__email="titular@nuvem.test")
    organization = Invoice.objects.get(number=1001).organization
    invoice = emitted_invoice(organization, nuvem)
    client = central("titular@nuvem.test")

    shown = page(client, f"/central/faturas/{invoice.label}/pagar/")

    text = " ".join(shown.text_content().split())
    assert (
        "Você ainda não tem cartão cadastrado. Adicione um cartão para pagar esta fatura." in text
    )
    assert shown.xpath("//a[text()='Adicionar cartão']/@href")[0].startswith(
        "/central/formas-de-pagamento/adicionar/?fatura="
    )
    assert not shown.xpath("//button[starts-with(normalize-space(), 'Pagar')]")
    assert "Pagar por boleto" in text


def test_p10_6_an_unknown_outcome_is_in_processing(central, page, providers):
    client = central()
    form = form_of(page(client, A1))
    providers.fault("stripe", "down", times=0)

    answer = client.post(A1, form, follow=True)

    assert (
        "Estamos confirmando com a operadora. Não pague de novo; avisaremos por e-mail."
        in text_of(answer)
    )
    shown = page(client, A1)
    assert not shown.xpath("//input[@name='cartao'] | //a[text()='Pagar com Pix']")
    assert Payment.objects.get(invoice__number=1001).state == Payment.State.PROCESSING
    told = client.post(
        "/central/faturas/01001/atualizar/", {"parcela": "1", "de": "cartao"}, follow=True
    )
    assert "Nada mudou; tente de novo em instantes." in text_of(told)
    for path in ("2via/", "pix/"):
        assert "Não pague de novo" in text_of(client.get(f"/central/faturas/01001/{path}"))
    late = client.post(A1, form | {"idempotency_key": uuid.uuid4().hex})
    assert late.status_code == 409
    assert "agora: Pagamento em processamento" in text_of(late)


def test_p10_forged_forms_charge_nothing(central, page, other_account):
    client = central()
    form = form_of(page(client, A1))
    theirs = GatewayAccount.objects.create(
        account=other_account, provider="stripe", name="x", hook=uuid.uuid4()
    )
    foreign = SavedMethod.objects.create(
        account=other_account,
        gateway=theirs,
        customer=CompanyFactory(account=other_account),
        reference="pm_x",
    )
    for bad in (str(foreign.pk), "999999", "abc", "", "1" * 30):
        assert client.post(A1, form | {"cartao": bad}).status_code == 404
    other = client.post(A1, form | {"valor": "1.00"})
    assert other.status_code == 409
    assert "Confira o novo valor antes de pagar. Nada foi cobrado." in text_of(other)
    assert client.post(A1, form | {"valor": "abc"}).status_code == 409
    assert client.post(A1, form | {"parcela": "9"}).status_code == 404
    assert client.post("/central/faturas/02001/pagar/", form).status_code == 404
    assert client.get(f"{A1}{uuid.uuid4()}/").status_code == 404
    assert not Payment.objects.filter(invoice__number=1001).exists()
    expired = card("0002")
    SavedMethod.objects.filter(pk=expired.pk).update(exp_year=2026, exp_month=7)
    shown = page(client, A1)
    [label] = shown.xpath("//label[.//input[@disabled]]")
    assert "final 0002" in label.text_content()
    assert "Vencido" in label.text_content()
    refused = client.post(A1, by("0002", shown))
    assert refused.status_code == 422
    assert "Cartão vencido. Atualize ou use outro." in text_of(refused)


def test_p10_a_late_one_costs_todays_value(central, page):
    """By the terms that its boleto was registered with, whatever became of the template."""
    client = central()
    ChargeTemplate.objects.update(fine_value=Decimal("9.00"))
    shown = page(client, A2)
    assert f"Pagar R${NB}515,50" in shown.text_content()

    client.post(A2, form_of(shown))

    assert Payment.objects.get(invoice__number=1002).amount == Decimal("515.50")
    assert Invoice.objects.get(number=1002).state == Invoice.State.RECEIVED
    assert not CustomerCredit.objects.exists()


def test_p10_a_stranger_is_sent_to_the_entry():
    answer = Client().post(A1, {})
    assert answer.status_code in (302, 403)
