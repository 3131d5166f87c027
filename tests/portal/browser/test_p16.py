"""P16 in a browser: another due day."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import NARROW

WHERE = "/central/vencimento/"


def test_p16_1_another_day_is_saved_and_the_emitted_invoice_stays(
    open_page: Callable[..., Page],
) -> None:
    for day, options in (("15", {"size": NARROW}), ("5", {"js": False})):
        page = open_page(**options)
        page.goto(WHERE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_label(day, exact=True).check()
        page.get_by_role("button", name="Salvar").click()
        expect(page.get_by_role("status").filter(has_text="Dia de vencimento")).to_have_text(
            f"Dia de vencimento alterado para {day}."
        )
        page.goto("/central/")
        expect(page.locator("[data-area='3']")).to_contain_text(day)
        page.goto("/central/faturas/01001/")
        expect(page.locator("main")).to_contain_text("20/08/2026")
        page.context.close()


def test_p16_2_a_forged_day_is_refused(browser_page: Page) -> None:
    browser_page.goto(WHERE)
    browser_page.evaluate("document.querySelector('[name=dia][value=\"15\"]').value = '20'")
    browser_page.locator("[name=dia]").nth(2).check()

    browser_page.get_by_role("button", name="Salvar").click()

    expect(browser_page.get_by_role("alert")).to_have_text("Escolha 5, 10 ou 15.")
