"""P11: the customer's cards."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from support.cards import queued

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import GatewayAccount, InvoiceRule, PaymentMethod, SavedMethod
from billing.services.payments import card_saving

CARDS = "/central/formas-de-pagamento/"
DIGITS = re.compile(r"(?<!\d)\d{13,19}(?!\d)")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits half a second before it repeats a call."""
    from stripe._http_client import HTTPClient

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0.02)


def card(last4: str) -> SavedMethod:
    return SavedMethod.objects.get(last4=last4)


def is_luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def give_card(location: str, number: str) -> str:
    """What the customer does on the provider's page; where they come back to."""
    given = {"number": number, "name": "Ana"}
    done = requests.post(location, data=given, allow_redirects=False, timeout=10)
    return done.headers["Location"].removeprefix("http://testserver")


def test_p11_1_another_default_card(central, page):
    client = central()
    answer = client.post(f"{CARDS}{card('0002').pk}/padrao/", follow=True)

    assert "O cartão final 0002 agora é o padrão." in answer.content.decode()
    shown = page(client, CARDS)
    [row] = shown.xpath("//tr[.//*[contains(@class, 'chip')]]")
    assert row.get("data-cartao") == "0002"
    paying = page(client, "/central/faturas/01001/pagar/")
    assert paying.xpath("//input[@name='cartao'][@checked]/@value") == [str(card("0002").pk)]
    kept = AuditEvent.objects.filter(action="cartao.padrao").get()
    assert kept.after == {"bandeira": "visa", "final": "0002"}
    assert kept.actor_label == "titular@aurora.test"


def test_p11_2_no_number_of_a_card_is_in_the_page(central):
    client = central()
    for path in (CARDS, f"{CARDS}adicionar/", f"{CARDS}{card('4242').pk}/remover/"):
        found = DIGITS.findall(client.get(path).content.decode())
        assert [digits for digits in found if is_luhn(digits)] == []


def test_p11_3_leitura_has_nothing_here(central):
    client = central("leitura@aurora.test")
    pk = card("4242").pk
    gets = ("", "adicionar/", "adicionar/volta/?s=cs_x", f"{pk}/remover/")
    posts = (f"{pk}/padrao/", f"{pk}/remover/", "adicionar/iniciar/", "adicionar/pagina/")
    for path in gets:
        assert client.get(f"{CARDS}{path}").status_code == 403
    for path in (*posts, "adicionar/concluir/"):
        assert client.post(f"{CARDS}{path}").status_code == 403
    assert card("4242").is_default


def test_p11_removing_asks_first(central, page):
    client = central()
    path = f"{CARDS}{card('9995').pk}/remover/"

    assert (
        "Remover o cartão final 9995? Faturas automáticas passarão a ser cobradas por boleto."
        in page(client, path).text_content()
    )
    assert card("9995").state == "active"
    answer = client.post(path, follow=True)
    assert "O cartão final 9995 foi removido." in text_of(answer)
    assert not page(client, CARDS).xpath("//tr[@data-cartao='9995']")
    assert queued("billing.tasks.detach_card")
    assert AuditEvent.objects.get(action="cartao.removido").before["final"] == "9995"
    assert client.post(path).status_code == 404
    assert client.get(path).status_code == 404


def test_p11_the_only_card_of_an_automatic_rule_stays(central):
    client = central()
    rule = InvoiceRule.objects.filter(
        contract__party__document="12ABC34501DE35", status="active"
    ).order_by("contract_id")[0]
    InvoiceRule.objects.filter(pk=rule.pk).update(payment_method=PaymentMethod.PAYMENT_GATEWAY)
    only = card("4242")
    SavedMethod.objects.filter(customer=only.customer).exclude(pk=only.pk).update(state="removed")

    answer = client.post(f"{CARDS}{only.pk}/remover/")

    assert answer.status_code == 422
    text = text_of(answer)
    assert re.search(
        r"Este cartão paga o contrato nº \d+ automaticamente\. "
        r"Escolha outro cartão antes de remover\.",
        text,
    )
    assert card("4242").state == "active"


def test_p11_a_card_by_the_providers_page_and_back_to_paying(central, page):
    """Redirects only; here the stand-in has no fields for browsers."""
    client = central()
    asked = page(client, f"{CARDS}adicionar/", fatura="01001", parcela="1")
    assert not asked.xpath("//script[contains(@src, 'stripe')] | //*[@data-novo-cartao]")
    [form] = [f for f in asked.forms if (f.action or "").endswith("pagina/")]

    away = client.post(f"{CARDS}adicionar/pagina/", dict(form.form_values()))
    back = give_card(away["Location"], "5555555555554444")
    there = client.get(back, follow=True)

    assert there.redirect_chain[-1][0] == "/central/faturas/01001/pagar/?parcela=1"
    assert "Cartão final 4444 cadastrado." in text_of(there)
    assert "final 4444" in text_of(there)
    client.get(back)  # the same page once more
    assert SavedMethod.objects.filter(last4="4444").count() == 1
    assert AuditEvent.objects.filter(action="cartao.adicionado", after__final="4444").count() == 1


def test_p11_the_same_card_again_and_an_unfinished_page(central):
    client = central()
    away = client.post(f"{CARDS}adicionar/pagina/")
    session = away["Location"].rpartition("/")[2]
    early = client.get(f"{CARDS}adicionar/volta/", {"s": session})
    assert "O cadastro do cartão ainda não foi concluído." in text_of(early)

    back = give_card(away["Location"], "4242424242424242")
    for _ in range(2):  # the second time the provider has it no more
        again = client.get(back)
        assert again.status_code == 422
        assert "Este cartão já está cadastrado." in text_of(again)
    assert SavedMethod.objects.filter(last4="4242", state="active").count() == 1
    # Somebody else's page, or none at all.
    other = central("titular@boavista.test")
    assert other.get(back).status_code == 404
    assert client.get(f"{CARDS}adicionar/volta/", {"s": "cs_test_x"}).status_code == 404
    assert client.get(f"{CARDS}adicionar/", {"fatura": "02001"}).status_code == 404


def test_p11_fields_of_the_provider_only_where_it_is_the_real_one(central, page):
    """The policy of the page names the provider's origin only there (V-2)."""
    client = central()
    plain = client.get(f"{CARDS}adicionar/")
    assert "stripe" not in plain["Content-Security-Policy"]
    gateway = GatewayAccount.objects.get(provider="stripe", account__slug="demo")
    at, gateway.base_url = gateway.base_url, ""
    gateway.options = {**gateway.options, "publishable_key": "pk_test_123"}
    gateway.save()

    answer = client.get(f"{CARDS}adicionar/")

    assert "https://js.stripe.com" in answer["Content-Security-Policy"]
    text = text_of(answer)
    assert 'data-novo-cartao="pk_test_123"' in text
    assert (
        "Para cadastrar um cartão, ative o JavaScript. Você ainda pode pagar por Pix ou boleto."
        in text
    )
    assert "Ir para a página da operadora" in text
    # What the script does: begin, let the provider take the card, and tell us its id.
    gateway.base_url = at
    gateway.save()
    begun = client.post(f"{CARDS}adicionar/iniciar/").json()
    setup = begun["segredo"].partition("_secret")[0]
    requests.post(
        f"{at}/v1/setup_intents/{setup}/confirm",
        data={"payment_method": "pm_card_mastercard", "client_secret": begun["segredo"]},
        headers={"Authorization": "Bearer sk_test_demonstracao"},
        timeout=10,
    )
    done = client.post(f"{CARDS}adicionar/concluir/", {"setup": setup}, follow=True)
    assert "Cartão final 4444 cadastrado." in text_of(done)
    foreign = central("titular@boavista.test").post(f"{CARDS}adicionar/concluir/", {"setup": setup})
    assert foreign.status_code == 404


def test_p11_a_provider_that_is_away(central, providers):
    client = central()
    providers.fault("stripe", "down", times=0)

    page = client.post(f"{CARDS}adicionar/pagina/")
    script = client.post(f"{CARDS}adicionar/iniciar/")

    assert page.status_code == script.status_code == 503
    assert "A operadora de cartões não respondeu. Nenhum cartão foi cadastrado." in text_of(page)
    assert "Código do erro:" in text_of(page)
    assert script.json()["erro"].startswith("A operadora de cartões não respondeu.")


def test_p11_nothing_saved_and_cards_at_their_end(central, page):
    shown = page(central("titular@nuvem.test"), CARDS)
    assert "Nenhum cartão cadastrado. Com um cartão você paga em um clique." in shown.text_content()
    SavedMethod.objects.filter(last4="0002").update(exp_year=2026, exp_month=8)
    SavedMethod.objects.filter(last4="9995").update(exp_year=2026, exp_month=7)
    shown = page(central(), CARDS)
    chips = {
        row.get("data-cartao"): [c.text_content().strip() for c in row.find_class("chip")]
        for row in shown.xpath("//tbody/tr")
    }
    assert chips == {
        "4242": ["Padrão"],
        "0002": ["Vence este mês"],
        "9995": ["Vencido"],
        "3155": [],
    }


def test_p11_cards_of_others_do_not_exist(central, demo):
    pk = card("4242").pk
    other = central("titular@boavista.test")
    for path in (f"{pk}/remover/", f"{pk}/padrao/"):
        assert other.post(f"{CARDS}{path}").status_code == 404
    assert other.get(f"{CARDS}{pk}/remover/").status_code == 404
    assert card_saving.make_default(
        pk, account=demo, actor=SYSTEM, customer=card("4242").customer
    ).is_default
