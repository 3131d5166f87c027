"""The switches of the acceptance tests, and the formats that they show (ux §1.6)."""

from __future__ import annotations

import importlib
import os

import pytest
from django.test import Client
from django.urls import clear_url_caches

from billing.selectors.addresses import address_of
from lib import clock
from lib.errors import GatewayUnavailable
from portal import urls


def texts(tree, selector: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in tree.xpath(selector)]


def test_b01_2_the_vectors_of_the_formats(demo, page):
    tree = page(Client(), "/__teste__/formatos/")

    shown = [
        (li.get("data-valor"), li.xpath("./span[@aria-hidden]")[0].text)
        for li in tree.xpath("//*[@data-vetores='compactos']/li")
    ]
    assert shown == [
        ("999.99", "R$\xa0999,99"), ("1000.00", "R$\xa01.000,00"), ("1000.01", "R$\xa01,0k"),
        ("1500", "R$\xa01,5k"), ("999949", "R$\xa0999,9k"), ("999950", "R$\xa01,0M"),
        ("2300000", "R$\xa02,3M"), ("1100000000", "R$\xa01,1B"),
    ]  # fmt: skip
    [values] = tree.xpath("//*[@data-vetores='valores']")
    assert [li.text for li in values] == ["R$\xa01.234,56", "-R$\xa010,00", "R$\xa00,00"]
    named = {dd.get("data-vetor"): dd.text_content() for dd in tree.xpath("//*[@data-vetor]")}
    assert named == {
        "data": "12/08/2026", "periodo": "01/07/2026 – 31/07/2026", "competencia": "07/2026",
        "cnpj": "11.222.333/0001-81", "cpf": "529.982.247-25", "cep": "01001-000",
        "telefone": "(11) 91234-5678", "percentual": "2,00%", "sim": "Sim", "nao": "Não",
        "vazio": "—", "chave": "3526 0812 3456 7800 0195 5500 1000 0000 4211 2345 6780",
    }  # fmt: skip


def test_b01_3_the_trends(demo, page):
    tree = page(Client(), "/__teste__/formatos/")

    shown = texts(tree, "//*[@data-vetores='tendencias']/li//span[@aria-hidden]")
    spoken = texts(tree, "//*[@data-vetores='tendencias']/li//span[@class='vh']")
    assert shown == ["↑ 12,5%", "↓ 10,0%", "→ 0,0%", "→ 0,0%", "↑ sem base anterior", "→ 0,0%"]
    assert spoken[:3] == [
        "aumento de 12,5% em relação ao período anterior",
        "diminuição de 10,0% em relação ao período anterior",
        "sem alteração",
    ]


def test_e_mails_can_be_read_and_narrowed(demo, page):
    tree = page(Client(), "/__teste__/emails/", para="titular@aurora.test")

    assert texts(tree, "//article/h2") == ["Recebemos sua contestação CTS-2026-000001"]


def test_a_back_end_fails_until_it_is_told_otherwise(demo):
    client = Client()
    assert address_of("20040002").city == "Rio de Janeiro"

    answer = client.get("/__teste__/falha/cep/on/")

    assert (answer.status_code, answer.content.decode()) == (200, "cep: falhando")
    with pytest.raises(GatewayUnavailable):
        address_of("80020000")
    client.get("/__teste__/falha/cep/off/")
    assert address_of("80020000").city == "Curitiba"
    assert address_of("99999999") is None
    assert client.get("/__teste__/falha/outro/on/").status_code == 404
    assert client.get("/__teste__/falha/cep/talvez/").status_code == 404


def test_a_card_provider_that_fails_leaves_the_others_alone(demo, providers, settings):
    client = Client()
    client.get("/__teste__/falha/banco/on/")
    client.get("/__teste__/falha/stripe/on/")

    client.get("/__teste__/falha/banco/off/")

    faults = providers.running.world.faults
    assert faults.take("stripe", "POST", "/v1/payment_intents").kind == "cut"
    assert faults.take("boletos", "POST", "/v1/") is None
    settings.PROVIDERS_SANDBOX = ""
    assert client.get("/__teste__/falha/stripe/on/").status_code == 409


def test_the_fiscal_authority_fails_in_this_process(demo, settings):
    settings.FISCAL_ENDPOINTS_BASE = "https://autoridade.test"
    client = Client()

    client.get("/__teste__/falha/fiscal/on/")
    client.get("/__teste__/falha/fiscal/on/")
    failing = settings.FISCAL_ENDPOINTS_BASE
    client.get("/__teste__/falha/fiscal/off/")

    assert (failing, settings.FISCAL_ENDPOINTS_BASE) == (
        "https://127.0.0.1:9", "https://autoridade.test",
    )  # fmt: skip


def test_the_clock_is_moved(demo):
    answer = Client().get("/__teste__/hoje/2026-08-10/")

    assert answer.content.decode() == "Hoje é 10/08/2026."
    assert (clock.today().isoformat(), os.environ["UX_TODAY"]) == ("2026-08-10", "2026-08-10")
    assert Client().get("/__teste__/hoje/ontem/").status_code == 404


def test_without_test_routes_there_are_none(settings):
    settings.TEST_ROUTES = False
    try:
        routes = importlib.reload(urls).urlpatterns
        assert not [one for one in routes if "__teste__" in str(one.pattern)]
    finally:
        settings.TEST_ROUTES = True
        importlib.reload(urls)
        clear_url_caches()
