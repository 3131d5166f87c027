"""P05 in a browser: panels that change in place, and those that load."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import DESKTOP, NARROW, PHONE


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_p05_1_the_home_page(open_page, size):
    page: Page = open_page(size=size)
    page.goto("/central/")

    numbers = page.locator("section[data-area]").evaluate_all(
        "found => found.map(one => one.dataset.area)"
    )
    assert numbers == ["1", "2", "3", "4", "5"]
    expect(page.get_by_role("link", name="Regularizar agora")).to_be_visible()
    page.get_by_text("Ver dados em tabela").click()
    expect(page.locator("table[data-grafico]")).to_be_visible()


def test_p05_2_without_script_the_link_loads_the_panel(plain_page):
    plain_page.goto("/central/")

    plain_page.get_by_role("link", name="Visualizar Contratos").click()

    expect(plain_page).to_have_url(re.compile(r"\?painel=contratos#informacoes$"))
    area = plain_page.locator("[data-area='4']")
    expect(area.get_by_role("heading", level=2)).to_have_text("Informações: Contratos")
    expect(area.locator("tr[data-contrato]")).to_have_count(4)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_p05_3_with_script_the_page_stays(open_page, size):
    page: Page = open_page(size=size)
    page.goto("/central/")
    page.evaluate("window.mesmaPagina = true")

    page.get_by_role("link", name="Visualizar Contratos").click()

    heading = page.locator("#informacoes h2")
    expect(heading).to_have_text("Informações: Contratos")
    expect(heading).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?painel=contratos#informacoes$"))
    page.get_by_role("link", name="Solicitar Cancelamento").click()
    expect(heading).to_have_text("Informações: Cancelamento")
    page.go_back()
    expect(heading).to_have_text("Informações: Contratos")
    page.go_back()
    expect(heading).to_have_text("Informações: Faturas")
    expect(page.locator("#informacoes tr[data-fatura]")).to_have_count(6)
    page.go_forward()
    expect(heading).to_have_text("Informações: Contratos")
    assert page.evaluate("window.mesmaPagina")


def test_what_cannot_be_had_in_place_is_loaded(browser_page):
    browser_page.goto("/central/")
    browser_page.route(
        re.compile(r"painel=dados"),
        lambda route: (
            route.abort() if route.request.resource_type == "fetch" else route.continue_()
        ),
    )

    browser_page.locator("[data-area='3']").get_by_role("link", name="Editar").click()

    expect(browser_page.locator("#informacoes h2")).to_have_text(
        "Informações: Dados de faturamento"
    )


@pytest.mark.parametrize("js", [True, False])
def test_p05_6_nothing_is_wider_than_a_narrow_screen(open_page, js):
    page: Page = open_page(size=NARROW, js=js)
    for path in ("", "?painel=contratos", "faturas/", "faturas/1001/", "faturas/1002/", "ajuda/"):
        page.goto(f"/central/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
