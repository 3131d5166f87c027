"""Exporting in a browser: the page follows the work by itself, or on request (P19, B19)."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from accounts.models import Job
from accounts.services import jobs


def ask(page: Page) -> Job:
    page.goto("/central/exportar/")
    page.get_by_label("Faturas (CSV)").check()
    page.get_by_role("button", name="Exportar", exact=True).click()
    page.wait_for_url("**/central/tarefas/*/")
    return Job.objects.get()


def test_b19_the_page_follows_the_work_and_offers_the_file(browser_page: Page) -> None:
    page = browser_page
    job = ask(page)
    expect(page.locator(".alert[role=status]")).to_contain_text("Exportação pedida.")
    expect(page.get_by_role("progressbar", name="Andamento da exportação")).to_be_visible()
    page.get_by_role("link", name="Atualizar").focus()

    jobs.run_job(job.pk)

    download = page.get_by_role("link", name="Baixar arquivo")
    expect(download).to_be_visible()
    expect(page.locator("#aviso")).to_have_text("Concluída: 9 de 9 (100%)")
    expect(page.locator("#andamento")).to_be_focused()  # what had the focus is gone
    with page.expect_download() as told:
        download.click()
    assert told.value.suggested_filename == "faturas-2026-01-a-2026-12.csv"
    assert told.value.path().read_bytes().startswith(b"\xef\xbb\xbf")


def test_b19_without_javascript_there_is_a_button(plain_page: Page) -> None:
    job = ask(plain_page)
    jobs.run_job(job.pk)

    plain_page.get_by_role("link", name="Atualizar").click()

    expect(plain_page.get_by_text("9 de 9 (100%)")).to_be_visible()
    expect(plain_page.get_by_role("link", name="Baixar arquivo")).to_be_visible()


def test_dates_are_typed_in_full_or_in_figures(browser_page: Page) -> None:
    browser_page.goto("/central/exportar/")
    start = browser_page.get_by_label("De", exact=True)

    start.fill("01062026")
    start.press("Tab")

    expect(start).to_have_value("01/06/2026")
    expect(browser_page.get_by_role("button", name="Calendário: De")).to_be_visible()


def test_faults_of_the_form_lead_to_their_fields(browser_page: Page) -> None:
    browser_page.goto("/central/exportar/")
    browser_page.get_by_label("De", exact=True).fill("31/02/2026")
    browser_page.get_by_label("Até", exact=True).fill("")

    browser_page.get_by_role("button", name="Exportar", exact=True).click()

    alert = browser_page.get_by_role("alert")
    expect(alert).to_contain_text("Corrija 2 erros para continuar")
    alert.get_by_role("link", name="Informe a data de término.").click()
    expect(browser_page.get_by_label("Até", exact=True)).to_be_focused()
    expect(browser_page).to_have_title("Erro: Exportar dados – Padaria Aurora Ltda")
