"""P08 in a browser: copying, the value that follows the day, and a Pix that is paid meanwhile."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from accounts.services.audit import SYSTEM
from billing.gateways.boleto import registrar_http
from billing.gateways.pix import wire
from billing.models import Charge, Invoice
from portal import paying_acts

A1, A2 = "/central/faturas/01001/", "/central/faturas/01002/"


@pytest.fixture(autouse=True)
def _banks(settings: Any, demo: Any, providers: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    registrar_http._tokens.clear()
    wire.TOKENS.clear()
    providers.control("pix/today", date="2026-08-12")


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_p08_1_copying_the_line(open_page, size):
    page: Page = open_page(size=size)
    page.goto(f"{A1}2via/")

    page.get_by_role("button", name="Copiar linha digitável").click()

    expect(page.locator("#aviso")).to_have_text("Linha digitável copiada.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"\d{47}", copied)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject('no'); }")
    page.get_by_role("button", name="Copiar linha digitável").click()
    expect(page.locator("#aviso")).to_have_text("Pressione Ctrl+C para copiar.")


def test_p08_2_the_value_follows_the_day(browser_page, plain_page):
    browser_page.goto(f"{A2}2via/")
    form = browser_page.locator("form[data-reemitir]")
    expect(form.get_by_role("radio", name="13/08/2026")).to_be_checked()
    for text in ("R$ 10,00", "R$ 5,67", "R$ 515,67", "34 dias"):
        expect(form.get_by_role("table")).to_contain_text(text)
    expect(form.get_by_role("button", name="Recalcular")).to_be_hidden()

    form.get_by_role("radio", name="19/08/2026").check()

    expect(form.get_by_role("button", name="Gerar boleto atualizado de R$ 516,67")).to_be_visible()
    expect(form.locator("td[data-parte=total]")).to_have_attribute("data-valor", "516.67")
    expect(form.get_by_role("table")).to_contain_text("40 dias")

    plain_page.goto(f"{A2}2via/")
    plain_page.get_by_role("radio", name="19/08/2026").check()
    plain_page.get_by_role("button", name="Recalcular").click()
    expect(
        plain_page.get_by_role("button", name="Gerar boleto atualizado de R$ 516,67")
    ).to_be_visible()
    expect(plain_page.get_by_role("radio", name="19/08/2026")).to_be_checked()


@pytest.mark.parametrize("js", [True, False])
def test_p08_3_reissuing(open_page, js):
    page: Page = open_page(js=js)
    page.goto(f"{A2}2via/")

    page.get_by_role("button", name="Gerar boleto atualizado de R$ 515,67").click()

    expect(page.locator("[role=status].alert")).to_contain_text(
        "Boleto de vencimento 13/08/2026 pronto."
    )
    line = page.get_by_label("Linha digitável").input_value()
    page.goto(f"{A2}2via/")
    expect(page.get_by_label("Linha digitável")).to_have_value(line)
    assert Charge.objects.filter(
        receivable__invoice__number=1002, kind="boleto", state="open", amount="515.67"
    ).exists()


def test_p08_a_pix_that_is_paid_changes_the_page(browser_page, plain_page, providers):
    browser_page.clock.install()
    browser_page.goto(f"{A1}pix/")
    browser_page.get_by_role("button", name=re.compile("Gerar Pix")).click()
    expect(browser_page.get_by_text("Aguardando o pagamento…")).to_be_visible()
    browser_page.clock.run_for(5_100)
    charge = Charge.objects.get(kind="pix", state="open", receivable__invoice__number=1001)
    providers.control("pix/pay", txid=charge.txid)
    cache.clear()
    assert paying_acts.refresh(Invoice.objects.get(number=1001), actor=SYSTEM)

    browser_page.clock.run_for(5_100)

    done = browser_page.locator("[data-pix-pago]")
    expect(done).to_contain_text("Pagamento confirmado")
    expect(done).to_be_visible()
    expect(browser_page.get_by_role("button", name="Copiar código Pix")).to_be_hidden()
    plain_page.goto(f"{A1}pix/")
    expect(plain_page.get_by_text("Pagamento confirmado")).to_be_visible()


def test_p08_without_scripts_the_customer_asks(plain_page):
    plain_page.goto(f"{A1}pix/")
    plain_page.get_by_role("button", name=re.compile("Gerar Pix")).click()
    plain_page.get_by_role("button", name="Já paguei – atualizar situação").click()
    expect(plain_page.get_by_text("Ainda não recebemos a confirmação")).to_be_visible()
