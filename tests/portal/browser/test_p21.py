"""P21 and the end of a session in the middle of a form, in a browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from support.browser import NARROW
from support.demo_world import PASSWORD

from billing.models import Invitation

MAIL = "titular@aurora.test"


def test_p21_1_a_missing_page_has_the_menu_and_its_forms_work(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(size=NARROW)
    answer = page.goto("/central/nada/disto/")

    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="Página não encontrada.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Voltar ao início").click()
    expect(page).to_have_url("/central/")
    page.goto("/central/nada/disto/")
    page.get_by_label("Usuário").locator("summary").click()
    page.get_by_role("button", name="Sair").click()
    expect(page.get_by_role("heading", name="Entrar")).to_be_visible()


def test_nothing_typed_is_lost_when_the_session_has_ended(open_page: Callable[..., Page]) -> None:
    page = open_page(js=False)
    page.goto("/central/usuarios/")
    page.get_by_label("Nome").fill("Bia da Silva")
    page.get_by_label("E-mail").fill("bia@aurora.test")
    page.get_by_label("Papel").select_option("cliente_financeiro")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Enviar convite").click()

    page.get_by_label("E-mail").fill(MAIL)
    page.get_by_label("Senha", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_text("Bia da Silva")).to_be_visible()
    assert not Invitation.objects.exists()
    page.get_by_role("button", name="Enviar agora").click()

    expect(page.get_by_text("Convite enviado para bia@aurora.test.")).to_be_visible()
    row = Invitation.objects.get()
    assert (row.name, row.role) == ("Bia da Silva", "cliente_financeiro")
