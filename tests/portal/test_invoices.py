"""The list of invoices (P06): columns, filters, pages, files of notes."""

from __future__ import annotations

import pytest
from django.db.models import F
from support.portal_queries import asked

from accounts.models import AuditEvent
from billing.models import Invoice
from billing.selectors import customer_notes
from fiscal.errors import PrintFailed

B = "titular@boavista.test"
LIST = "/central/faturas/"
COLUMNS = ["Mês", "Fatura", "Valor", "Vencimento", "Situação", "NF", "Ações"]
NOT_NOW = (
    "A nota existe, mas o arquivo não está disponível agora. Tente mais tarde ou peça ao suporte."
)


def text_of(element):
    return " ".join(element.text_content().replace("\xa0", " ").split())


def rows(tree):
    return {row.get("data-fatura"): row for row in tree.cssselect("tr[data-fatura]")}


def cells(row):
    return [text_of(cell) for cell in row.cssselect("td, th")]


def test_p06_1_and_2_who_sees_what_in_which_columns(central, page):
    client = central()
    tree = page(client, LIST)

    assert tree.body.get("data-screen") == "P06"
    assert [text_of(th) for th in tree.cssselect("table.faturas thead th")] == COLUMNS
    found = rows(tree)
    assert sorted(found) == [
        "01001", "01002", "01003", "01004", "01006", "01007", "01008", "01009", "01010",
    ]  # fmt: skip
    first = found["01001"]
    assert cells(first)[:6] == [
        "08/2026",
        "01001",
        "R$ 1.234,56",
        "20/08/2026",
        "Em aberto",
        "501 PDF XML",
    ]
    assert first.cssselect("[data-rotulo=Valor]")[0].get("data-valor") == "1234.56"
    kinds = []
    for link in first.cssselect(".nota-links a"):
        answer = client.get(link.get("href"))
        assert answer.status_code == 200
        kinds.append(answer["Content-Type"])
    assert kinds == ["application/pdf", "application/xml"]
    told = AuditEvent.objects.filter(action="nf.baixada")
    assert [event.after["file"] for event in told.order_by("id")] == ["pdf", "xml"]
    void = rows(page(client, LIST, situacao="anulada"))
    assert list(void) == ["01005"]
    assert cells(void["01005"])[4] == "Anulada – não pague"
    assert [text_of(a) for a in void["01005"].cssselect(".acoes a")] == ["Detalhes"]


def test_p06_3_the_day_after_a_weekend(central, page, today):
    client = central()
    for day, estado in (("2026-08-10", "aberta"), ("2026-08-11", "vencida")):
        today(day)
        assert rows(page(client, LIST))["01010"].get("data-estado") == estado


def test_p06_4_what_is_under_way_is_not_paid_again(central, page):
    found = rows(page(central(), LIST))

    def acts(number):
        return [text_of(a) for a in found[number].cssselect(".acoes a")]

    assert acts("01007") == ["Detalhes"]
    assert acts("01001") == ["Detalhes", "2ª via", "Contestar", "Pagar"]
    assert acts("01008") == ["Detalhes", "2ª via", "Contestação", "Pagar"]
    assert acts("01003") == ["Detalhes", "Recibo", "Contestar"]
    reading = rows(page(central("leitura@aurora.test"), LIST))
    found = reading
    assert acts("01001") == ["Detalhes", "2ª via"]
    assert acts("01008") == ["Detalhes", "2ª via", "Contestação"]


def test_filters_are_in_the_address(central, page):
    client = central()

    def numbers(**query):
        return sorted(rows(page(client, LIST, **query)))

    assert numbers(situacao="vencida") == ["01002", "01010"]
    assert numbers(situacao="processando") == ["01007"]
    assert numbers(situacao="paga") == ["01003", "01004"]
    assert numbers(situacao="reembolsada") == ["01006"]
    assert numbers(numero="1004") == numbers(numero="01004") == ["01004"]
    assert numbers(mes="2026-06") == ["01002", "01003"]
    assert numbers(ano="2026", situacao="aberta") == ["01001", "01008", "01009"]
    assert numbers(ano="2025") == []
    assert numbers(numero="2001") == []
    everything = numbers()
    for nonsense in ("x", "-1", "9" * 30, "<script>", "٢٠٢٦"):
        assert numbers(ano=nonsense, situacao=nonsense, mes=nonsense, pagina=nonsense) == everything
    tree = page(client, LIST, ano="2025")
    assert "Nenhuma fatura encontrada com estes filtros." in text_of(tree)
    assert "Limpar filtros" in text_of(tree)
    chosen = page(client, LIST, ano="2026", situacao="vencida", numero="10")
    selected = [text_of(one) for one in chosen.cssselect("form.filtros option[selected]")]
    assert selected == ["2026", "Vencidas"]
    assert chosen.get_element_by_id("filtro-numero").get("value") == "10"


def test_totals_are_of_all_that_the_filters_let_through(central, page):
    client = central()

    def totals(**query):
        tree = page(client, LIST, **query)
        return [one.get("data-valor") for one in tree.cssselect("[data-total]")]

    assert totals() == ["4034.56", "580.00"]
    assert totals(situacao="vencida") == ["580.00", "580.00"]
    assert totals(situacao="paga") == ["0.00", "0.00"]
    assert totals(numero="1009") == ["600.00", "0.00"]


def test_p06_5_twenty_five_a_page_under_the_headings_of_years(central, page):
    client = central(B)
    seen, path = [], f"{LIST}?situacao=vencida"
    years = []
    while path:
        tree = page(client, path)
        found = list(rows(tree))
        assert len(found) <= 25
        seen += found
        years += [text_of(h2) for h2 in tree.cssselect("section > h2")]
        following = tree.cssselect("a[rel=next]")
        path = LIST + following[0].get("href") if following else ""
        assert not path or "situacao=vencida" in path
    assert len(seen) == len(set(seen)) > 50
    assert years == sorted(years, reverse=True)
    assert all(len(year) == 4 for year in years)
    last = page(client, f"{LIST}?pagina=99999")
    assert "página 11 de 11" in text_of(last)


def test_nothing_was_ever_billed(central, page):
    tree = page(central("titular@nuvem.test"), LIST)

    assert "Nenhuma fatura emitida ainda." in text_of(tree)
    assert not tree.cssselect("form.filtros, svg[role=img], tr[data-fatura]")


def test_a_file_that_cannot_be_had_is_told(central, page, monkeypatch):
    client = central()
    [link] = set(
        page(client, LIST).xpath("//a[contains(@href, '/notas/')]/@href[contains(., 'pdf')]")
    )

    def broken(note):
        raise PrintFailed()

    monkeypatch.setattr(customer_notes, "note_pdf", broken)
    answer = client.get(link, follow=True)

    assert answer.redirect_chain == [("/central/faturas/01001/", 302)]
    assert NOT_NOW in answer.content.decode()
    monkeypatch.setattr(customer_notes, "note_xml", lambda note: None)
    assert NOT_NOW in client.get(link.replace("pdf", "xml"), follow=True).content.decode()
    assert not AuditEvent.objects.filter(action="nf.baixada").exists()


@pytest.mark.parametrize(
    "path",
    [
        "2001/", "999999/", "2001/pdf/", "2001/pdf/situacao/", "2001/recibo/", "2001/recibo/1/",
        "2001/notas/1.pdf", "1002/notas/1.pdf", "1001/notas/99.xml", "1001/notas/1.exe",
        "1001/recibo/1/", "2001/enviar/", "x/pdf/", "%00/", "~00/", "~/", "1001@1/recibo/9/",
    ],
)  # fmt: skip
def test_what_is_not_of_this_customer_is_not_there(central, path):
    client = central()
    missing = client.get(f"{LIST}999999/")

    answer = client.get(LIST + path)

    assert answer.status_code == missing.status_code == 404
    assert answer.content == missing.content


def test_the_list_is_small_and_asks_little(central):
    for email in ("titular@aurora.test", B, "leitura@aurora.test"):
        client = central(email)
        for query in ("", "?pagina=2", "?situacao=anulada", "?situacao=vencida"):
            answer, n = asked(client, LIST + query)
            assert n <= 15, (email, query, n)
            assert len(answer.content) < 90_000


def test_a_typed_number_leads_to_its_page(central, page):
    Invoice.objects.filter(number=1001).update(client_number="A/2026 1º~%")
    client = central()

    row = rows(page(client, LIST))["A/2026 1º~%"]
    for link in row.cssselect("a"):
        if "/notas/" in link.get("href") or link.get("href").count("/") == 4:
            assert client.get(link.get("href")).status_code == 200
    assert Invoice.objects.filter(number=1001).annotate(n=F("client_number")).exists()
