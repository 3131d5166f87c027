"""The home page (P05) and its panels."""

from __future__ import annotations

import pytest
from support.portal_queries import asked

from billing.models import Contract, HelpArticle
from portal import home_areas

B = "titular@boavista.test"
LEITURA = "leitura@aurora.test"
EMPTY = "titular@nuvem.test"
FIRST = "Nenhuma fatura emitida ainda. A primeira aparece aqui depois do seu primeiro faturamento."


def text_of(element):
    return " ".join(element.text_content().split())


def areas(tree):
    return {one.get("data-area"): one for one in tree.cssselect("section[data-area]")}


def test_p05_1_five_areas_in_their_order(central, page):
    tree = page(central(), "/central/")

    found = areas(tree)
    assert list(found) == ["1", "2", "3", "4", "5"]
    assert tree.body.get("data-screen") == "P05"
    assert len(tree.cssselect("h1")) == 1
    alert = text_of(tree.cssselect("[data-vencidas]")[0])
    assert "Você tem 2 faturas vencidas, total atualizado até hoje de R$ 597,21." in alert
    (go,) = tree.cssselect("[data-vencidas] a")
    assert go.get("href") == "/central/faturas/?situacao=vencida"
    assert "Total de contratos 3 ativos 1 iniciado Visualizar Contratos" in text_of(found["1"])
    last = text_of(found["2"])
    for part in ("Última fatura", "R$ 980,00", "01008", "08/2026", "28/08/2026", "Pagar"):
        assert part in last
    settings = text_of(found["3"])
    for part in ("Dia de vencimento", "Alterar", "12.ABC.345/01DE-35", "Rua das Flores", "Editar"):
        assert part in settings
    assert "financeiro@aurora.test" in settings
    links = text_of(found["5"])
    for part in ("Como ler sua fatura", "Falar com o suporte", "Solicitar Cancelamento"):
        assert part in links


def test_p05_2_panels_work_by_plain_links(central, page):
    client = central()
    expected = {
        "contratos": ("Informações: Contratos", "/central/contratos/"),
        "vencimento": ("Informações: Dia de vencimento", "/central/vencimento/"),
        "dados": ("Informações: Dados de faturamento", "/central/dados/"),
        "cancelamento": ("Informações: Cancelamento", "/central/cancelamento/"),
        "faturas": ("Informações: Faturas", "/central/faturas/"),
        "../x": ("Informações: Faturas", "/central/faturas/"),
    }
    for name, (title, whole) in expected.items():
        panel = areas(page(client, "/central/", painel=name))["4"]
        assert text_of(panel.cssselect("h2")[0]) == title
        open_whole = panel.cssselect(".painel-topo a")[0]
        assert (text_of(open_whole), open_whole.get("href")) == ("Abrir em página inteira", whole)
    contracts = areas(page(client, "/central/", painel="contratos"))["4"]
    assert len(contracts.cssselect("tr[data-contrato]")) == 4


def test_p05_4_the_chart_and_the_list_have_the_same_numbers(central, page):
    client = central()
    tree = page(client, "/central/")
    for row in tree.cssselect("[data-grafico] tbody tr"):
        listed = page(client, "/central/faturas/", mes=row.get("data-mes"))
        sums = {"paga": 0, "aberta": 0, "vencida": 0}
        for line in listed.cssselect("tr[data-fatura]"):
            estado = {"processando": "aberta"}.get(line.get("data-estado"), line.get("data-estado"))
            if estado in sums:
                sums[estado] += float(line.cssselect("[data-valor]")[0].get("data-valor"))
        told = {
            cell.get("data-serie"): float(cell.get("data-valor"))
            for cell in row.cssselect("[data-serie]")
        }
        assert told == pytest.approx(sums), row.get("data-mes")
    drawing = tree.cssselect("svg[role=img]")[0]
    named = drawing.get("aria-labelledby").split()
    assert all(tree.get_element_by_id(one).text_content() for one in named)


def test_p05_5_who_only_reads_gets_no_control(central, page):
    client = central(LEITURA)
    tree = page(client, "/central/", painel="cancelamento")

    text = text_of(tree.body)
    for control in ("Alterar", "Editar", "Solicitar Cancelamento", "Pagar", "Contestar"):
        assert control not in text, control
    assert areas(tree)["4"].get("data-painel-atual") == "faturas"
    for path in ("/central/vencimento/", "/central/dados/"):
        assert client.post(path, {"dia": "15"}).status_code == 403
    for method in (client.get, client.post):
        assert method("/central/cancelamento/").status_code == 403
    assert "Alterar" not in text_of(page(client, "/central/", painel="vencimento").body)


def test_a_company_without_invoices_is_told_so(central, page):
    tree = page(central(EMPTY), "/central/")

    assert text_of(areas(tree)["2"]).endswith(FIRST)
    assert FIRST in text_of(areas(tree)["4"])
    assert not tree.cssselect("svg[role=img]")
    assert not tree.cssselect("[data-vencidas]")


def test_what_fails_in_one_area_is_told_there(central, page, monkeypatch):
    client = central()

    def broken(*args, **kwargs):
        raise RuntimeError("contracts are gone")

    monkeypatch.setattr(home_areas, "contract_counts", broken)
    found = areas(page(client, "/central/"))

    assert "Não foi possível carregar esta parte." in text_of(found["1"])
    assert [text_of(a) for a in found["1"].cssselect("a")] == ["Tentar de novo"]
    assert "01008" in text_of(found["2"])
    monkeypatch.setattr(home_areas, "customer_standings", broken)
    found = areas(page(client, "/central/"))
    for number in ("2", "4"):
        assert "Não foi possível carregar esta parte." in text_of(found[number])
    assert "Dia de vencimento" in text_of(found["3"])


def test_the_page_is_small_and_asks_little(central):
    for email in ("titular@aurora.test", B, EMPTY, LEITURA):
        client = central(email)
        for panel in ("faturas", "contratos", "vencimento", "dados", "cancelamento"):
            answer, n = asked(client, f"/central/?painel={panel}")
            assert answer.status_code == 200
            assert n <= 15, (email, panel, n)
            assert len(answer.content) < 60_000


def test_articles_of_staff_are_among_the_links(central, page, demo):
    HelpArticle.objects.create(
        account=demo, slug="como-ler-sua-fatura", title="Entenda a fatura", body="x", position=1
    )
    HelpArticle.objects.create(
        account=demo, slug="como-pagar", title="Rascunho", body="x", is_published=False
    )

    links = text_of(areas(page(central(), "/central/"))["5"])

    assert "Entenda a fatura" in links
    for text in ("Como ler sua fatura", "Como pagar", "Rascunho"):
        assert text not in links


def test_another_customers_contracts_are_not_counted(central, page):
    assert Contract.objects.count() > 4
    assert areas(page(central(B), "/central/"))["1"].cssselect("[data-contratos]")[0].get(
        "data-contratos"
    ) in ("0", "1")
