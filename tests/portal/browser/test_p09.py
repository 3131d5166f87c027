"""P09 in a browser: the form with its draft and counter, the thread, the answer of staff."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.services.audit import actor_of
from billing.models import Dispute, EmailMessage
from billing.services.disputes import thread

OPEN = "/central/faturas/01001/contestar/"
WHY = "O valor não é o do nosso contrato."


def _fill(page: Page, text: str) -> None:
    page.get_by_label("Valor diferente do contrato").check()
    page.get_by_label("Explique por que não concorda").fill(text)


def _send(page: Page) -> None:
    page.get_by_role("button", name="Enviar contestação").click()


def _no_overflow(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_p09_1_with_script_the_draft_is_kept_and_counted(browser_page: Page) -> None:
    page = browser_page
    page.goto(OPEN)
    _fill(page, "a" * 19)
    expect(page.locator("[data-contador]")).to_have_text("19 de 2.000 caracteres")
    page.goto("/central/contestacoes/")
    page.goto(OPEN)
    expect(page.get_by_label("Explique por que não concorda")).to_have_value("a" * 19)
    expect(page.get_by_label("Valor diferente do contrato")).to_be_checked()
    expect(page.get_by_text("Recuperamos o que você tinha escrito.")).to_be_visible()

    _send(page)
    expect(page.locator("#erros")).to_be_focused()
    expect(page.locator("#erros a")).to_have_text("Explique em pelo menos 20 caracteres.")
    expect(page).to_have_title(re.compile("^Erro: "))
    expect(page.get_by_label("Explique por que não concorda")).to_have_value("a" * 19)
    page.get_by_label("Explique por que não concorda").fill("a" * 20)
    _send(page)

    expect(page.get_by_role("status").filter(has_text="Protocolo")).to_contain_text(
        re.compile(r"CTS-\d{4}-\d{6}")
    )
    protocol = Dispute.objects.get(invoice__number=1001).protocol
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Contestação {protocol}")
    kept = page.evaluate("Object.keys(localStorage)")
    assert [name for name in kept if name.startswith("contestacao:")] == []
    sent = EmailMessage.objects.filter(key__startswith="contestacao_recebida:")
    assert "titular@aurora.test" in sent.values_list("recipient", flat=True)
    # P09-2
    page.goto(OPEN)
    page.get_by_role("link", name=protocol).first.click()
    expect(page.locator(".fala-texto")).to_have_text("a" * 20)


def test_p09_without_script_on_a_phone(open_page: Callable[..., Page]) -> None:
    """P09-1, P09-2 and the end of it, by links and forms alone."""
    from support.browser import PHONE

    page = open_page(js=False, size=PHONE)
    page.goto(OPEN)
    _no_overflow(page)
    _fill(page, "a" * 19)
    _send(page)
    expect(page.locator("#erros a")).to_have_text("Explique em pelo menos 20 caracteres.")
    page.get_by_label("Explique por que não concorda").fill(WHY)
    page.get_by_label("Anexos").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"}
    )
    _send(page)
    expect(page.locator("#erros a")).to_have_text("Tipo de arquivo não aceito.")
    _send(page)
    expect(page.locator(".fala-texto")).to_have_text(WHY)
    _no_overflow(page)
    protocol = Dispute.objects.get(invoice__number=1001).protocol
    page.goto("/central/contestacoes/")
    _no_overflow(page)
    page.get_by_role("link", name=protocol).click()
    page.get_by_role("link", name="Encerrar contestação").click()
    page.get_by_role("button", name="Encerrar contestação").click()
    expect(page.locator("main .chip")).to_have_text("Encerrada por você")


def test_p09_3_the_answer_of_staff_is_read_and_readers_have_no_box(
    open_page: Callable[..., Page], demo: Any
) -> None:
    page, reader = open_page(), open_page("leitura@aurora.test")
    page.goto(OPEN)
    _fill(page, WHY)
    _send(page)
    expect(page.locator(".fala-texto")).to_have_text(WHY)
    dispute = Dispute.objects.get(invoice__number=1001)
    agent = actor_of(User.objects.get(email="suporte@demo.test"))
    thread.reply(dispute.pk, "Vamos conferir o contrato.", account=demo, actor=agent)

    for one in (page, reader):
        one.goto(f"/central/contestacoes/{dispute.protocol}/")
        expect(one.locator(".fala-texto")).to_have_text([WHY, "Vamos conferir o contrato."])
    expect(page.get_by_label("Sua mensagem")).to_be_visible()
    assert reader.locator("main form").count() == 0
    letter = EmailMessage.objects.get(key__startswith="contestacao_resposta:")
    assert letter.recipient == "titular@aurora.test"
