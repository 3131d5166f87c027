"""Contracts in the portal (P12)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from support.pdfs import text_of

from billing.documents.templates import SANDBOX_TEXT
from billing.models import Contract, Party
from billing.selectors.customer_contracts import contract_counts

pytestmark = pytest.mark.django_db

LIST = "/central/contratos/"


def rows_of(tree):
    return tree.xpath("//table[contains(@class, 'contratos')]/tbody/tr")


def texts(nodes):
    return [" ".join(node.text_content().split()) for node in nodes]


def contract(external_code):
    return Contract.objects.get(external_code=f"demo-{external_code}")


def test_p12_1_four_contracts_and_six_with_the_cancelled(central, page, demo):
    client = central()

    tree = page(client, LIST)
    assert tree.xpath("//body/@data-screen") == ["P12"]
    assert texts(tree.xpath("//thead//th")) == [
        "Contrato", "Serviço", "Valor mensal", "Início", "Próximo faturamento",
        "Próximo reajuste (índice)", "Situação", "Ações",
    ]  # fmt: skip
    assert [row.get("data-estado") for row in rows_of(tree)].count("ativo") == 3
    assert [row.get("data-estado") for row in rows_of(tree)].count("iniciado") == 1
    assert len(rows_of(tree)) == 4
    everything = rows_of(page(client, LIST, cancelados="1"))
    assert len(everything) == 6
    assert [row.get("data-estado") for row in everything][4:] == ["cancelado"] * 2
    text = tree.text_content()
    assert "registrado, ainda sem mensalidade paga." in text
    assert "não gera novas mensalidades (pode haver uma mensalidade final)." in text
    customer = Party.objects.get(account=demo, external_code="demo-a")
    assert contract_counts(demo, customer) == (3, 1)


def test_p12_2_cancelled_rows_offer_no_end(central, page, demo):
    rows = rows_of(page(central(), LIST, cancelados="1"))

    offered = [bool(row.xpath(".//a[normalize-space()='Cancelar Contrato']")) for row in rows]
    assert offered == [True] * 4 + [False] * 2
    for email in ("financeiro@aurora.test", "leitura@aurora.test"):
        tree = page(central(email), LIST)
        assert len(rows_of(tree)) == 4
        assert not tree.xpath("//a[contains(@href, '/cancela')]")


def test_a_row_says_what_it_costs_and_what_comes(central, page, demo):
    tree = page(central(), LIST)

    quarterly = contract("suporte")
    (row,) = tree.xpath(f"//tr[@data-contrato='{quarterly.pk}']")
    assert row.xpath("./td[@data-valor]/@data-valor") == ["160.00"]
    assert "R$\xa0480,00 a cada 3 meses" in row.text_content()
    platform = contract("plataforma")
    (row,) = tree.xpath(f"//tr[@data-contrato='{platform.pk}']")
    assert "01/09/2026" in row.text_content()
    assert "01/03/2027 (IPCA)" in " ".join(row.text_content().split())
    assert "Plataforma de pedidos, Armazenamento" in row.text_content()


def test_the_detail_tells_items_readjustments_and_invoices(central, page, demo):
    platform = contract("plataforma")

    tree = page(central(), f"{LIST}{platform.pk}/")

    assert texts(tree.xpath("//h2")) == [
        "Dados", "Itens", "Histórico de reajustes", "Faturas do contrato",
    ]  # fmt: skip
    values = tree.xpath("//section[@aria-labelledby='itens']//td[last()]/@data-valor")
    rule = platform.rules.get()
    assert sum(map(Decimal, values)) == rule.gross_value
    (readjusted,) = tree.xpath("//section[@aria-labelledby='reajustes']//tbody/tr")
    assert texts(readjusted)[0::1][:2] == ["01/03/2026", "IPCA"]
    numbers = {row.get("data-fatura") for row in tree.xpath("//tr[@data-fatura]")}
    assert numbers
    assert "01005" not in numbers  # void
    assert tree.xpath("//a[contains(@href, 'contrato.pdf')]")


def test_the_contract_on_paper(central, demo):
    platform = contract("plataforma")

    answer = central().get(f"{LIST}{platform.pk}/contrato.pdf")

    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    text = text_of(answer.content)
    for shown in ("Padaria Aurora Ltda", "R$ 1.193,82", "Armazenamento", SANDBOX_TEXT):
        assert shown in text.replace("\xa0", " ")
    assert f"Contrato_{platform.pk:05d}.pdf" in answer.headers["Content-Disposition"]


def test_contracts_of_others_are_missing_ones(central, page, demo):
    client = central()
    foreign = contract("entregas").pk
    missing = client.get(f"{LIST}999999/")
    assert missing.status_code == 404

    for path in ("", "contrato.pdf", "cancelar/"):
        answer = client.get(f"{LIST}{foreign}/{path}")
        assert answer.status_code == 404
        assert answer.content == client.get(f"{LIST}999999/{path}").content
    for path in ("cancelar/", "desfazer/"):
        assert (
            client.post(f"{LIST}{foreign}/{path}", {"ultimo_dia": "2026-08-31"}).status_code == 404
        )


def test_without_contracts_it_says_what_to_do(central, page, demo):
    tree = page(central("titular@nuvem.test"), LIST)

    assert "Você não tem contratos ativos." in tree.text_content()
    assert texts(tree.xpath("//a[contains(@href, 'cancelados=1')]"))[0] == "Mostrar cancelados"


def test_pages_cost_at_most_fifteen_queries(central, demo):
    client = central()
    hosting = contract("hospedagem").pk
    paths = (
        LIST, f"{LIST}?cancelados=1", f"{LIST}{hosting}/", f"{LIST}{hosting}/cancelar/",
        "/central/cancelamento/", "/central/dados/", "/central/vencimento/",
    )  # fmt: skip
    costs = {}
    for path in paths:
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        # The test's own transaction makes savepoints of what would be begin and commit.
        asked = [one["sql"] for one in queries.captured_queries]
        costs[path] = sum(not sql.startswith(("SAVEPOINT", "RELEASE")) for sql in asked)

    assert costs[paths[0]] == costs[paths[1]]
    assert {path: n for path, n in costs.items() if n > 15} == {}
