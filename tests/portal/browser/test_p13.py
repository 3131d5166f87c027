"""P13 in a browser: the end of one contract, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import PHONE

from billing.models import Contract, ScheduledCancellation

LIST = "/central/contratos/"
PROTOCOL = re.compile(r"CAN-2026-\d{6}")


def test_p13_one_contract_ends_and_goes_on(open_page: Callable[..., Page]) -> None:
    """P13-1, P13-2, P13-4: one POST from the list to the protocol, without a reason."""
    pk = Contract.objects.get(external_code="demo-hospedagem").pk
    for options in ({"size": PHONE}, {"js": False}):
        page = open_page(**options)
        posts: list[str] = []
        page.on("request", lambda r, p=posts: p.append(r.url) if r.method == "POST" else None)
        page.goto(LIST)
        page.get_by_role("link", name=f"Cancelar Contrato nº {pk}").click()
        expect(page.get_by_text("Mensalidade final estimada").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_label("12/08/2026").check()
        page.get_by_role("button", name="Confirmar cancelamento").click()

        expect(page.get_by_role("status").filter(has_text="Protocolo")).to_contain_text(PROTOCOL)
        assert len(posts) == 1
        expect(page.locator("[data-agendado]")).to_have_text(
            "Cancelamento agendado para 12/08/2026"
        )
        page.get_by_role("button", name="Desfazer").click()
        expect(page.locator("[data-agendado]")).to_have_count(0)
        page.goto(LIST)
        row = page.locator(f"tr[data-contrato='{pk}']")
        expect(row).to_have_attribute("data-estado", "ativo")
        page.context.close()
    assert ScheduledCancellation.objects.filter(undone_at=None).count() == 0


def test_a_double_click_asks_once(browser_page: Page) -> None:
    pk = Contract.objects.get(external_code="demo-hospedagem").pk
    browser_page.goto(f"{LIST}{pk}/cancelar/")

    browser_page.get_by_role("button", name="Confirmar cancelamento").dblclick()

    expect(browser_page.locator("[data-agendado]")).to_be_visible()
    assert ScheduledCancellation.objects.count() == 1


def test_keeping_the_contract_changes_nothing(browser_page: Page) -> None:
    pk = Contract.objects.get(external_code="demo-hospedagem").pk
    browser_page.goto(f"{LIST}{pk}/cancelar/")

    browser_page.get_by_role("link", name="Manter contrato").click()

    expect(browser_page).to_have_url(re.compile(rf"/central/contratos/{pk}/$"))
    assert not ScheduledCancellation.objects.exists()
