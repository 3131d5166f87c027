"""P17 in a browser: whoever has the link pays, and sees nothing else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from billing.models import Invoice, InvoiceLink, Payment, Receivable
from billing.services.links import make_link, token_of


@pytest.fixture
def address(demo) -> str:
    invoice = Invoice.objects.select_related("account").get(number=1001)
    return f"/p/f/{token_of(make_link(invoice, recipient='ana@aurora.test'))}/"


@pytest.mark.parametrize("js", [True, False])
def test_p17_1_ten_looks_and_the_link_still_pays(open_page, address, js):
    page: Page = open_page("", js=js, size=(390, 844))
    before = list(Invoice.objects.values()), list(Receivable.objects.values())
    for _ in range(10):
        answer = page.goto(address)
        assert answer
        assert answer.status == 200
    assert (list(Invoice.objects.values()), list(Receivable.objects.values())) == before

    page.get_by_role("button", name=re.compile("com cartão")).click()
    page.get_by_label("Número do cartão").fill("4242 4242 4242 4242")
    page.get_by_role("button", name="Pagar").click()

    expect(page.get_by_text("Esta fatura está paga. Obrigado.")).to_be_visible()
    assert Payment.objects.get(invoice__number=1001).state == Payment.State.SUCCEEDED


def test_p17_2_another_recipients_link_is_left_alone(open_page, address):
    page: Page = open_page("")
    invoice = Invoice.objects.select_related("account").get(number=1001)

    other = make_link(invoice, recipient="bia@aurora.test")

    for path in (address, f"/p/f/{token_of(other)}/"):
        page.goto(path)
        expect(page.get_by_role("heading", name=re.compile("Fatura 01001"))).to_be_visible()
    assert InvoiceLink.objects.filter(invoice=invoice, revoked_at=None).count() >= 2


def test_p17_3_and_4_nothing_else_is_within_reach(open_page, address):
    page: Page = open_page("")
    page.goto(address)

    links = [one.get_attribute("href") or "" for one in page.get_by_role("link").all()]
    assert [one for one in links if "/central/faturas" in one] == []
    text = page.locator("body").inner_text()
    for hidden in ("12.ABC.345/01DE-35", "@aurora.test", "Rua "):
        assert hidden not in text
    assert "12.ABC.***/****-35" in text
    page.goto("/central/")
    expect(page).to_have_url(re.compile("/central/entrar/"))
