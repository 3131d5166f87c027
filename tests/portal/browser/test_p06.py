"""P06 in a browser: filters stay in the address, and a bar leads to its month."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import DESKTOP, PHONE

B = "titular@boavista.test"


@pytest.mark.parametrize(("size", "js"), [(DESKTOP, True), (PHONE, True), (DESKTOP, False)])
def test_p06_5_filters_and_page_survive_going_back(open_page, size, js):
    page: Page = open_page(B, size=size, js=js)
    page.goto("/central/faturas/")
    page.get_by_label("Situação").select_option("Vencidas")
    page.get_by_role("button", name="Aplicar filtros").click()
    expect(page).to_have_url(re.compile("situacao=vencida"))

    page.get_by_role("link", name="Próxima").click()
    expect(page).to_have_url(re.compile(r"situacao=vencida&pagina=2"))
    first = page.locator("tr[data-fatura]").first.get_attribute("data-fatura")
    page.locator("tr[data-fatura] th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Fatura {first}")
    page.go_back()

    expect(page).to_have_url(re.compile(r"situacao=vencida&pagina=2"))
    expect(page.get_by_label("Situação")).to_have_value("vencida")
    expect(page.locator("tr[data-fatura]").first).to_have_attribute("data-fatura", first or "")
    page.get_by_role("link", name="Limpar filtros").click()
    expect(page).to_have_url(re.compile(r"/central/faturas/$"))


def test_a_bar_leads_to_its_month(browser_page):
    browser_page.goto("/central/faturas/")

    browser_page.get_by_role("link", name="06/2026: 2 faturas").click()

    expect(browser_page).to_have_url(re.compile(r"\?mes=2026-06$"))
    expect(browser_page.locator("tr[data-fatura]")).to_have_count(2)


def test_cards_of_a_phone_keep_their_roles(phone_page):
    phone_page.goto("/central/faturas/")

    table = phone_page.get_by_role("table").first
    row = table.get_by_role("row").filter(has_text="01001")
    expect(row.get_by_role("rowheader")).to_have_text("01001")
    expect(row.get_by_role("cell")).to_have_count(6)
    assert row.evaluate("one => getComputedStyle(one).display") == "block"
