"""P12 in a browser: contracts as rows and as cards."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import NARROW

WHERE = "/central/contratos/"


def test_p12_contracts_at_a_desk_and_on_a_phone(open_page: Callable[..., Page]) -> None:
    """P12-1, P12-2."""
    for options in ({}, {"size": NARROW, "js": False}):
        page = open_page(**options)
        page.goto(WHERE)
        rows = page.locator("tr[data-contrato]")
        expect(rows).to_have_count(4)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="Mostrar cancelados").click()
        expect(rows).to_have_count(6)
        assert page.get_by_role("link", name="Cancelar Contrato").count() == 4
        cancelled = page.locator("tr[data-estado=cancelado]")
        expect(cancelled).to_have_count(2)
        assert cancelled.get_by_role("link", name="Cancelar Contrato").count() == 0
        rows.first.get_by_role("link", name="Detalhes").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Plataforma de pedidos")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
