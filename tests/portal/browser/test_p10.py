"""P10 in a browser: double clicks, the bank's page, and everything without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from billing.models import Invoice, Payment, SavedMethod

A1 = "/central/faturas/01001/pagar/"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from stripe._http_client import HTTPClient

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0.02)


def choose(page: Page, last4: str) -> None:
    page.goto(A1)
    pk = SavedMethod.objects.get(last4=last4).pk
    page.locator(f"input[name=cartao][value='{pk}']").check()


@pytest.mark.parametrize("js", [True, False])
def test_p10_1_2_and_5_two_clicks_are_one_payment(open_page, js):
    page: Page = open_page(js=js)
    page.goto(A1)
    expect(page.get_by_role("radio", name="final 4242")).to_be_checked()

    page.get_by_role("button", name="Pagar R$ 1.234,56").dblclick()

    expect(page.get_by_role("heading", name="Pagamento confirmado")).to_be_visible()
    payment = Payment.objects.get(invoice__number=1001)
    assert payment.state == Payment.State.SUCCEEDED
    expect(page.get_by_role("link", name="Baixar recibo")).to_be_visible()


@pytest.mark.parametrize("js", [True, False])
def test_p10_3_declines_and_the_banks_page(open_page, js):
    page: Page = open_page(js=js, size=(390, 844))
    said = {
        "0002": "O banco não autorizou este pagamento. Fale com o banco ou use outra forma.",
        "9995": "Saldo ou limite insuficiente. Tente outro cartão.",
    }
    for last4, text in said.items():
        choose(page, last4)
        page.get_by_role("button", name="Pagar R$ 1.234,56").click()
        expect(page.get_by_role("alert")).to_have_text(text)
        assert Invoice.objects.get(number=1001).state == Invoice.State.TO_RECEIVE

    choose(page, "3155")
    page.get_by_role("button", name="Pagar R$ 1.234,56").click()
    expect(page.get_by_role("heading", name="Seu banco pede confirmação")).to_be_visible()
    page.get_by_role("button", name="Autorizar").click()

    expect(page.get_by_role("heading", name="Pagamento confirmado")).to_be_visible()


def test_p10_6_an_outcome_that_is_not_known(browser_page, providers):
    browser_page.goto(A1)
    providers.fault("stripe", "down", times=0)

    browser_page.get_by_role("button", name="Pagar R$ 1.234,56").click()

    expect(browser_page.get_by_text("Estamos confirmando com a operadora.")).to_be_visible()
    expect(browser_page.locator("input[name=cartao]")).to_have_count(0)
    expect(browser_page.get_by_role("button", name="Atualizar situação")).to_be_visible()
    browser_page.goto("/central/faturas/01001/2via/")
    expect(browser_page.get_by_text("Não pague de novo")).to_be_visible()
