"""P15 in a browser: masks, the address of a CEP, errors, the review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.browser import PHONE
from support.postal_codes import PostalCodes, running

from billing.models import Party

WHERE = "/central/dados/"
NUVEM = "titular@nuvem.test"


@pytest.fixture
def cep(demo: Any, settings: Any) -> Iterator[PostalCodes]:
    with running() as service:
        settings.CEP_URL = service.url
        yield service


def paste(page: Page, name: str, text: str) -> None:
    field = page.locator(f"[name={name}]")
    field.fill("")
    field.focus()
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+V")


def review(page: Page) -> None:
    page.locator("button[value=revisar]:not(.vh)").click()


def test_p15_1_a_pasted_cnpj_gets_its_mask(open_page: Callable[..., Page]) -> None:
    page = open_page(NUVEM)
    page.goto(WHERE)
    document = page.get_by_label("CNPJ/CPF")
    for wrong, text in (
        ("A1.B2C.3D4/1A2B-63", "CNPJ inválido."),
        ("12.abc.345/01de-35", "Este CNPJ já está cadastrado. Fale com o suporte."),
    ):
        paste(page, "documento", wrong)
        review(page)
        expect(page.get_by_role("alert")).to_contain_text(text)
    paste(page, "documento", "a1b2c3d41a2b62")
    expect(document).to_have_value("A1.B2C.3D4/1A2B-62")
    review(page)
    expect(page.locator("tr[data-campo=document]")).to_contain_text("A1.B2C.3D4/1A2B-62")
    page.get_by_role("button", name="Salvar dados").click()
    expect(page.get_by_role("status").filter(has_text="Dados atualizados.")).to_be_visible()
    assert Party.objects.get(external_code="demo-d").document == "A1B2C3D41A2B62"


def test_p15_2_without_the_service_the_address_is_typed(
    open_page: Callable[..., Page], cep: PostalCodes
) -> None:
    cep.status = 503
    text = "Não foi possível consultar o CEP agora. Preencha o endereço manualmente."
    for options in ({"size": PHONE}, {"js": False}):
        page = open_page(NUVEM, **options)
        page.goto(WHERE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_label("CEP", exact=True).fill("01001000")
        if "js" in options:
            page.get_by_role("button", name="Buscar CEP").click()
        expect(page.get_by_text(text)).to_be_visible()
        page.get_by_label("Logradouro").fill(f"Rua à mão {len(options)}{options.get('js')}")
        review(page)
        page.get_by_role("button", name="Salvar dados").click()
        expect(page.get_by_role("status").filter(has_text="Dados atualizados.")).to_be_visible()
        page.context.close()


def test_p15_3_what_was_typed_by_hand_stays(
    open_page: Callable[..., Page], cep: PostalCodes
) -> None:
    page = open_page(NUVEM)
    page.goto(WHERE)
    page.get_by_label("Logradouro").fill("Minha rua")
    page.get_by_label("Bairro").fill("")

    page.get_by_label("CEP", exact=True).fill("01001-000")

    expect(page.get_by_label("Bairro")).to_have_value("Sé")
    expect(page.get_by_label("Logradouro")).to_have_value("Minha rua")
    page.get_by_label("CEP", exact=True).fill("99999-999")
    expect(page.get_by_text("CEP não encontrado. Preencha o endereço manualmente.")).to_be_visible()
    expect(page.get_by_label("Bairro")).to_have_value("Sé")


def test_p15_4_each_error_leads_to_its_field(open_page: Callable[..., Page]) -> None:
    page = open_page(NUVEM)
    page.goto(WHERE)
    for name, text in (("nome", " "), ("cep", "123"), ("emails", "x@")):
        page.locator(f"[name={name}]").fill(text)
    page.locator("[name=emails]").press("Tab")
    # Enter in a field reviews, although “Buscar CEP” comes first.
    page.locator("[name=nome]").press("Enter")

    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    links = summary.get_by_role("link")
    expect(links).to_have_count(3)
    for at, name in enumerate(("nome", "cep", "emails")):
        links.nth(at).click()
        expect(page.locator(f"[name={name}]")).to_be_focused()
