"""P18 in a browser: the grid with its locked boxes, and the last address."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import PHONE

from billing.models import NotificationPreference

WHERE = "/central/preferencias/"


def test_p18_1_locked_boxes_are_disabled_and_stay_on(open_page: Callable[..., Page]) -> None:
    page = open_page(size=PHONE)
    page.goto(WHERE)
    for name in ("Fatura emitida", "Reajuste de contrato", "Contestação"):
        box = page.get_by_label(f"{name}: E-mail", exact=True)
        expect(box).to_be_disabled()
        expect(box).to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Vencida: E-mail").or_(page.get_by_label("Fatura vencida: E-mail")).uncheck()
    # Forged: the locked boxes are sent, too, as if they were off.
    page.evaluate("document.querySelectorAll('[name=aviso]:disabled').forEach(b => b.remove())")
    page.get_by_role("button", name="Salvar preferências").click()

    expect(page.get_by_role("status").filter(has_text="Preferências")).to_have_text(
        "Preferências salvas."
    )
    expect(page.get_by_label("Fatura vencida: E-mail")).not_to_be_checked()
    expect(page.get_by_label("Fatura emitida: E-mail")).to_be_checked()
    [row] = NotificationPreference.objects.all()
    assert (row.event, row.is_on) == ("vencida", False)


def test_p18_2_the_last_address_stays(plain_page: Page) -> None:
    page = plain_page
    page.goto(WHERE)
    rows = page.locator("[data-email]")
    while rows.count() > 1:
        rows.first.get_by_role("button").click()
    rows.first.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("Mantenha pelo menos um e-mail de cobrança.")
    expect(rows).to_have_count(1)
