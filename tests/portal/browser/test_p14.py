"""P14 in a browser: everything at once, under one protocol."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import NARROW

from billing.models import EmailMessage, ScheduledCancellation


def test_p14_everything_ends_under_one_protocol(open_page: Callable[..., Page]) -> None:
    """P14-1, P14-2."""
    page = open_page(size=NARROW)
    page.goto("/central/cancelamento/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    before = EmailMessage.objects.count()
    page.get_by_role("button", name="Cancelar todos os contratos").click()
    expect(page.get_by_role("alert")).to_contain_text("Marque a confirmação para continuar.")
    expect(page.get_by_role("alert")).to_be_focused()
    assert not ScheduledCancellation.objects.exists()

    page.get_by_label("Entendo que os 4 contratos serão cancelados.").check()
    page.get_by_role("button", name="Cancelar todos os contratos").click()

    expect(page.get_by_role("status").filter(has_text="CAN-2026-")).to_be_visible()
    expect(page.locator("[data-agendado]")).to_have_count(4)
    assert EmailMessage.objects.count() == before + 1
    page.goto("/central/faturas/")
    link = page.get_by_role("link", name="XML da nota 501").get_attribute("href")
    downloaded = page.request.get(link or "")
    assert downloaded.headers["content-type"] == "application/xml"


def test_p14_without_scripts(plain_page: Page) -> None:
    page = plain_page
    page.goto("/central/cancelamento/")
    page.get_by_label("Entendo que os 4 contratos serão cancelados.").check()
    page.get_by_role("button", name="Cancelar todos os contratos").click()
    expect(page.locator("[data-agendado]")).to_have_count(4)
