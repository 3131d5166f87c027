"""P11 in a browser: default card, the provider's page, and the provider's fields."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from billing.models import GatewayAccount, SavedMethod

CARDS = "/central/formas-de-pagamento/"
STRIPE = "https://js.stripe.com"
# What our script asks of the provider's: the card goes to it, and comes back as an id.
FAKE = """
window.Stripe = function (key) {
  return {
    elements: () => ({
      create: () => ({
        mount: (place) => { document.querySelector(place).textContent = 'campos de ' + key; },
        on: () => {},
      }),
    }),
    confirmCardSetup: async (secret, given) => window.answer(secret, given.payment_method),
  };
};
"""


@pytest.fixture
def allowed_abroad(allowed_abroad: tuple[str, ...]) -> tuple[str, ...]:
    return (*allowed_abroad, STRIPE)


@pytest.mark.parametrize("js", [True, False])
def test_p11_1_another_default_card(open_page, js):
    page: Page = open_page(js=js, size=(390, 844))
    page.goto(CARDS)
    expect(page.locator("tr[data-cartao='4242'] .chip")).to_contain_text("Padrão")

    page.get_by_role("button", name="Tornar padrão o cartão final 0002").click()

    expect(page.locator("tr[data-cartao='0002'] .chip")).to_contain_text("Padrão")
    expect(page.locator("tr .chip")).to_have_count(1)
    page.goto("/central/faturas/01001/pagar/")
    expect(page.get_by_role("radio", name="final 0002")).to_be_checked()


@pytest.mark.parametrize("js", [True, False])
def test_p11_a_new_card_by_the_providers_page(open_page, js):
    page: Page = open_page(js=js)
    page.goto("/central/faturas/01001/pagar/")
    page.get_by_role("link", name="Adicionar cartão").click()
    page.get_by_role("button", name="Ir para a página da operadora").click()
    page.get_by_label("Número do cartão").fill("5555 5555 5555 4444")
    page.get_by_label("Nome").fill("Ana Souza")

    page.get_by_role("button", name="Salvar cartão").click()

    expect(page.locator("[role=status].alert")).to_have_text("Cartão final 4444 cadastrado.")
    expect(page.get_by_role("radio", name="final 4444")).to_be_visible()


def test_p11_a_new_card_by_the_providers_fields(open_page, demo, providers):
    gateway = GatewayAccount.objects.get(account=demo, provider="stripe")
    at, gateway.base_url = gateway.base_url, ""
    gateway.options = {**gateway.options, "publishable_key": "pk_test_x"}
    gateway.save()
    page: Page = open_page()

    def fake(route: Route) -> None:
        route.fulfill(content_type="text/javascript", body=FAKE)

    def confirm(secret: str, method: dict) -> dict:
        """The provider takes the card that is in its fields."""
        setup = secret.partition("_secret")[0]
        requests.post(
            f"{at}/v1/setup_intents/{setup}/confirm",
            data={"payment_method": "pm_card_mastercard", "client_secret": secret},
            headers={"Authorization": "Bearer sk_test_demonstracao"},
            timeout=10,
        )
        assert method["billing_details"] == {"name": "Ana"}
        return {"setupIntent": {"id": setup}}

    page.route(f"{STRIPE}/**", fake)
    page.expose_function("answer", confirm)
    page.goto(f"{CARDS}adicionar/")
    expect(page.locator("#cartao")).to_have_text("campos de pk_test_x")
    # From here on the stand-in is asked again.
    GatewayAccount.objects.filter(pk=gateway.pk).update(base_url=at)
    providers.fault("stripe", "down", times=3)
    page.get_by_label("Nome impresso no cartão").fill("Ana")
    page.get_by_role("button", name="Salvar cartão").click()
    expect(page.locator("[data-erro]")).to_contain_text("A operadora de cartões não respondeu.")
    providers.control("faults", "DELETE", provider="stripe")

    page.get_by_role("button", name="Salvar cartão").click()

    expect(page.locator("[role=status].alert")).to_have_text("Cartão final 4444 cadastrado.")
    assert SavedMethod.objects.filter(last4="4444", state="active").count() == 1
