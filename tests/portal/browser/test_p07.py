"""P07 in a browser: on paper, copying, sharing, and a PDF that is waited for."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, Request, expect
from support.browser import DESKTOP, PHONE

from portal.views import invoice_files

PAGE = "/central/faturas/1001/"


def test_p07_5_on_paper_there_is_what_counts(browser_page):
    browser_page.goto(PAGE)
    line = browser_page.locator("input[id^=linha-]").first.input_value()
    browser_page.emulate_media(media="print")

    for gone in ("nav.menu >> nth=0", "footer", ".btn >> nth=0", ".acoes >> nth=0"):
        expect(browser_page.locator(gone)).to_be_hidden()
    expect(browser_page.get_by_text("Armazenamento")).to_be_visible()
    expect(browser_page.locator("[data-soma=total]")).to_be_visible()
    expect(browser_page.locator(".so-impresso").first).to_have_text(line)
    expect(browser_page.locator(".so-impresso").first).to_be_visible()
    assert re.fullmatch(r"[\d. ]{54}", line)
    printed = browser_page.pdf()
    assert printed.startswith(b"%PDF")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_copying_the_key_of_a_note(open_page, size):
    page: Page = open_page(size=size)
    page.goto(PAGE)

    page.locator("[data-notas]").get_by_role("button", name="Copiar").click()

    expect(page.locator("#aviso")).to_contain_text("copiad")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"\d{50}", copied)


@pytest.mark.parametrize("js", [True, False])
def test_sending_to_another_address(open_page, js):
    page: Page = open_page(js=js)
    page.goto(PAGE)
    page.get_by_role("link", name="Enviar para outro e-mail").click()
    page.get_by_role("button", name="Enviar fatura").click()
    expect(page.get_by_role("alert")).to_contain_text("Informe o e-mail.")
    expect(page).to_have_title(re.compile("^Erro: "))

    page.get_by_label("E-mail").fill("contador@escritorio.test")
    page.get_by_role("button", name="Enviar fatura").click(no_wait_after=True)

    # The first PDF of a process takes as long as its renderer to start.
    expect(page.locator(".alert[role=status]")).to_have_text(
        "Fatura enviada para contador@escritorio.test.", timeout=90_000
    )


def test_sharing_opens_whatsapp_with_a_link(browser_page):
    browser_page.goto(PAGE)
    expect(browser_page.locator("#nota-whatsapp")).to_have_text(
        "Quem tiver o link poderá ver e pagar esta fatura."
    )

    def is_whatsapp(request: Request) -> bool:
        return request.url.startswith("https://wa.me/?text=")

    with browser_page.context.expect_event("request", is_whatsapp) as asked:
        browser_page.get_by_role("button", name="Compartilhar no WhatsApp").click()

    assert "Fatura 01001" in unquote(asked.value.url)
    assert browser_page.url.endswith(PAGE)


@pytest.fixture
def allowed_abroad(providers: Any) -> tuple[str, ...]:
    """Sharing leaves the product; a PDF is shown by a part of the browser."""
    return (providers.base_url, "https://wa.me/", "chrome-extension://")


@pytest.mark.parametrize("js", [True, False])
def test_a_pdf_that_takes_long(open_page, js, monkeypatch):
    page: Page = open_page(js=js)
    real = invoice_files.pdf_within
    monkeypatch.setattr(invoice_files, "pdf_within", lambda *args, **kwargs: None)
    page.goto(f"{PAGE}pdf/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Gerando o PDF…")

    monkeypatch.setattr(invoice_files, "pdf_within", real)

    if js:
        with page.expect_response(re.compile(r"/pdf/$")) as got:
            real(30, **_key_of(page))
    else:
        real(30, **_key_of(page))
        with page.expect_response(re.compile(r"/pdf/$")) as got:
            page.get_by_role("link", name="Atualizar situação").click(no_wait_after=True)
    assert got.value.headers["content-type"] == "application/pdf"


def _key_of(page: Page) -> dict[str, Any]:
    """What the PDF of 1001 is made of."""
    from billing.models import Invoice

    invoice = Invoice.objects.select_related("account").get(number=1001)
    return {"invoice_id": invoice.pk, "account": invoice.account}
