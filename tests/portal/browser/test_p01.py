"""P01–P04, P20 and ux §1.5 in a browser: focus, keyboard, pasting, and what a script adds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from support.browser import NARROW, PHONE
from support.demo_world import PASSWORD
from support.letters import last_link

from accounts.services.audit import SYSTEM
from billing.models import CustomerAccess
from billing.services import invitations
from lib import clock, totp

MAIL = "titular@aurora.test"
NEW = "uma senha bem comprida 7"


def sign_in(page: Page, email: str = MAIL, password: str = PASSWORD) -> None:
    page.goto("/central/entrar/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha", exact=True).fill(password)
    page.get_by_role("button", name="Entrar").click()


def focused(page: Page) -> str:
    """Name, id or text of what has the focus."""
    return str(
        page.evaluate(
            "(e => e.getAttribute('name') || e.id || e.textContent.trim())(document.activeElement)"
        )
    )


@pytest.mark.parametrize("js", [True, False])
def test_p01_1_the_alert_has_the_focus_and_the_password_is_gone(
    open_page: Callable[..., Page], js: bool
) -> None:
    page = open_page("", js=js)
    sign_in(page, password="errada errada")

    alert = page.get_by_role("alert")
    expect(alert).to_have_text("E-mail ou senha incorretos.")
    expect(alert).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_value(MAIL)
    expect(page.get_by_label("Senha", exact=True)).to_have_value("")
    assert page.title().startswith("Erro: ")


def test_p01_4_the_keyboard_goes_through_in_order_and_enter_sends(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("")
    page.goto("/central/entrar/")
    page.get_by_label("E-mail").focus()
    page.keyboard.type(MAIL)
    order = []
    for _ in range(4):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order == ["password", "Mostrar senha", "remember", "Entrar"]

    password = page.get_by_label("Senha", exact=True)
    password.focus()
    page.keyboard.type(PASSWORD)
    show = page.get_by_role("button", name="Mostrar senha")
    show.press("Space")
    expect(password).to_have_attribute("type", "text")
    page.get_by_role("button", name="Ocultar senha").press("Space")
    expect(password).to_have_attribute("type", "password")
    password.press("Enter")
    expect(page).to_have_url("/central/")


def test_p02_1_an_invitation_still_works_after_machines_have_looked(
    open_page: Callable[..., Page],
) -> None:
    company = CustomerAccess.objects.filter(user__email=MAIL).earliest("pk").customer
    invitations.invite(company, email="n@aurora.test", name="", role="titular", actor=SYSTEM)
    link = last_link("n@aurora.test")
    for _ in range(3):
        assert Client().get(link).status_code == 200
    page = open_page("", size=NARROW, js=False)
    page.goto(link)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Senha", exact=True).fill(NEW)
    page.get_by_label("Repita a senha").fill(NEW)
    page.get_by_label("Li o aviso de privacidade").check()
    page.get_by_role("button", name="Criar acesso").click()

    expect(page.get_by_role("heading", name="Segurança")).to_be_visible()
    assert page.goto(link).status == 410  # type: ignore[union-attr]


def test_p03_2_another_browser_is_sent_to_the_door_after_the_change(
    open_page: Callable[..., Page],
) -> None:
    other, page = open_page(), open_page("", size=PHONE)
    other.goto("/central/seguranca/")
    page.goto("/central/entrar/")
    page.get_by_role("link", name="Esqueci minha senha").click()
    page.get_by_label("E-mail").fill(MAIL)
    page.get_by_role("button", name="Enviar instruções").click()
    expect(page.get_by_text("Se houver uma conta com este e-mail")).to_be_visible()
    page.goto(last_link(MAIL))
    page.get_by_label("Nova senha", exact=True).fill(NEW)
    page.get_by_label("Repita a nova senha").fill(NEW)
    page.get_by_role("button", name="Salvar nova senha").click()
    expect(page.get_by_role("heading", name="Entrar")).to_be_visible()

    other.reload()
    expect(other.get_by_role("heading", name="Entrar")).to_be_visible()


def test_p04_1_and_3_switched_on_the_challenge_comes_and_takes_a_pasted_code(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(size=PHONE)
    page.goto("/central/seguranca/")
    page.get_by_role("button", name="Ativar verificação em duas etapas").click()
    secret = page.get_by_label("Ou digite este segredo no aplicativo").input_value()
    step = totp.step_at(clock.real_seconds())
    page.get_by_label("Código de 6 dígitos").fill(totp.code_of(secret, step))
    page.get_by_role("button", name="Ativar", exact=True).click()
    expect(page.locator(".codigos li")).to_have_count(10)
    with page.expect_download() as download:
        page.get_by_role("link", name="Baixar .txt").click()
    assert len(download.value.path().read_text().split()) == 10
    page.get_by_role("link", name="Guardei os códigos").click()

    other = open_page("")
    sign_in(other)
    field = other.get_by_label("Código de 6 dígitos")
    expect(field).to_be_visible()
    other.goto("/central/")
    expect(field).to_be_visible()
    # The one of now was used up a moment ago; a telephone may be half a minute fast.
    code = totp.code_of(secret, max(step + 1, totp.step_at(clock.real_seconds())))
    field.focus()
    other.evaluate("text => document.execCommand('insertText', false, text)", code)
    other.get_by_role("button", name="Continuar").click()
    expect(other).to_have_url("/central/")


def test_p20_1_a_removed_person_is_refused_on_the_next_click(
    open_page: Callable[..., Page],
) -> None:
    boss, reader = open_page(size=PHONE), open_page("leitura@aurora.test")
    reader.goto("/central/faturas/")
    boss.goto("/central/usuarios/")
    boss.get_by_role("link", name="Remover leitura@aurora.test").click()
    boss.get_by_role("button", name="Remover acesso").click()
    expect(boss.get_by_role("status").filter(has_text="foi removido")).to_be_visible()

    reader.get_by_role("link", name="Contratos").first.click()
    expect(reader.get_by_role("heading", name="Entrar")).to_be_visible()


def test_the_end_of_a_session_is_told_before_and_put_off(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.clock.install()
    page.goto("/central/seguranca/")
    box = page.get_by_role("alert").filter(has_text="Sua sessão vai expirar")
    page.clock.run_for(57 * 60 * 1000)
    expect(box).to_be_hidden()
    page.clock.run_for(60 * 1000)
    expect(box).to_be_visible()
    with page.expect_response("**/central/sessao/") as answer:
        page.get_by_role("button", name="Continuar conectado").click()
    assert answer.value.ok
    expect(box).to_be_hidden()
    page.clock.run_for(60 * 60 * 1000)
    expect(page.get_by_role("alert").filter(has_text="Sua sessão expirou")).to_be_visible()
