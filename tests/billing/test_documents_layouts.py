"""The two templates we ship, printed and read back (PDF-9)."""

import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from pypdf import PdfReader

from billing.documents.screening import screen, screen_css
from billing.documents.templates import compile_template
from billing.documents.variables import KNOWN, sample_context
from lib import pdf

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "billing" / "documents"
NAMES = ["simples", "detalhada"]


def source(name):
    return (FOLDER / f"{name}.html").read_text(), (FOLDER / f"{name}.css").read_text()


def printed(name, context, **job):
    html, css = source(name)
    rendered = pdf.render(pdf.RenderJob(html, css, context, **job))
    pages = PdfReader(io.BytesIO(rendered.pdf)).pages
    texts = [re.sub(r"\s+", " ", page.extract_text()) for page in pages]
    assert rendered.warnings == ()
    return texts


@pytest.mark.parametrize("name", NAMES)
def test_the_template_names_no_unknown_variable_and_passes_the_screening(name):
    html, css = source(name)

    assert compile_template(html, css).lint(set(KNOWN)) == []
    assert screen(html) == (html, [])
    assert screen_css(css) == (css, [])


@pytest.mark.parametrize("name", NAMES)
def test_eight_items_fit_on_one_page_with_all_that_matters(name):
    (text,) = printed(name, sample_context())

    for expected in (
        "INV-2025-001234",
        "R$ 5.082,14",
        "15/02/2025",
        "Padaria Aurora Ltda",
        "11.222.333/0001-81",
        "12.ABC.345/01DE-35",
        "Rua das Flores, 123",
        "CEP 13010-000",
        "Subtotal",
        "R$ 4.656,20",
        "Impostos",
        "R$ 425,94",
        "0,3875",
        "00190.50095 40144.816069 06809.350314 3 37370000000100",
        "https://pague.horizonte.com.br/p/f/",
        "Página 1 de 1",
    ):
        assert expected in text


@pytest.mark.parametrize("name", NAMES)
def test_a_long_invoice_repeats_its_header_and_numbers_its_pages(name):
    texts = printed(name, sample_context(n_lines=120))

    total = len(texts)
    assert total >= 5
    for number, text in enumerate(texts, start=1):
        assert f"Página {number} de {total}" in text
    heading = "Unitário"
    assert all(heading in text for text in texts[:-1])
    assert all("INV-2025-001234" in text for text in texts)


def test_no_row_of_the_detailed_invoice_is_cut_or_lost():
    texts = printed("detalhada", sample_context(n_lines=60, long_names=True))

    for n in range(1, 61):
        pages = [text for text in texts if f"Ponto de presença número {n} da" in text]
        assert len(pages) == 1
        joined = re.sub(r"\s", "", pages[0])
        assert f"0000000000000000{n:06d}/SUPERINTENDENCIA-REGIONAL" in joined


@pytest.mark.parametrize("n_lines", range(15, 24))
def test_the_total_is_never_alone_nor_cut(n_lines):
    texts = printed("detalhada", sample_context(n_lines=n_lines))

    (page,) = [text for text in texts if "Total da fatura" in text]
    assert "Total a pagar" in page
    assert "Subtotal" in page
    assert "Unitário" in page  # at least one row of the table is on the same page


def test_the_detailed_invoice_sums_up_each_month():
    text = " ".join(printed("detalhada", sample_context(n_lines=90)))

    assert "Resumo por competência" in text
    assert re.search(r"01/2025 40 R\$ 20\.504,80 R\$ 1\.767,76 R\$ 22\.272,56", text)
    assert "03/2025 10 " in text


def test_one_month_has_no_summary():
    assert "Resumo" not in printed("detalhada", sample_context())[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_parcel_is_listed_with_its_line(name):
    text = " ".join(printed(name, sample_context(n_lines=2, n_receivables=12)))

    for number in range(1, 13):
        assert f"{number}/12 " in text
    assert "R$ 187,88" in text
    assert "R$ 187,99" in text
    assert text.count("00190.50095 40144.816069") == 12
    assert "a parcela 1" in text


@pytest.mark.parametrize("name", NAMES)
def test_without_a_boleto_there_is_no_column_for_its_line(name):
    context = sample_context(n_lines=2, n_receivables=3)
    for part in context["receivables"]:
        part.update(linha_digitavel="", barcode_svg="")

    text = " ".join(printed(name, context))

    assert "Nº Vencimento Valor 1/3 15/02/2025 R$ 751,55 2/3 17/03/2025 R$ 751,55 3/3" in text
    assert "Linha digitável" not in text


@pytest.mark.parametrize("name", NAMES)
def test_one_boleto_among_the_parcels_keeps_the_column(name):
    context = sample_context(n_lines=2, n_receivables=3)
    for part in context["receivables"][:2]:
        part.update(linha_digitavel="", barcode_svg="")

    text = " ".join(printed(name, context))

    assert "Nº Vencimento Valor Linha digitável 1/3 15/02/2025 R$ 751,55 " in text
    assert text.count("00190.50095 40144.816069") == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("code", "labels"),
    [
        ("to_emit", ["Total a pagar"]),
        ("open", ["Total a pagar"]),
        ("partially_paid", []),
        ("paid", ["Total pago"]),
        ("partially_refunded", []),
        ("refunded", []),
        ("cancelled", []),
        ("void", []),
    ],
)
def test_the_label_of_the_total_says_whether_it_is_still_to_be_paid(name, code, labels):
    context = sample_context(n_lines=1)
    context["status"] = {"code": code, "label": ""}

    (text,) = printed(name, context)

    assert re.findall("Total a pagar|Total pago", text) == labels
    assert re.search(r"(Total|Total pago|Total a pagar) R\$ 1\.979,78", text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("code", ["paid", "partially_refunded", "refunded", "cancelled", "void"])
def test_an_invoice_that_is_not_to_be_paid_does_not_tell_how(name, code):
    context = sample_context(n_lines=2, n_receivables=3)
    context["status"] = {"code": code, "label": ""}

    text = " ".join(printed(name, context))

    assert "3/3 16/04/2025" in text
    for absent in ("Como pagar", "Linha digitável", "00190.50095", "https://pague"):
        assert absent not in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("code", ["to_emit", "open", "partially_paid"])
def test_an_invoice_that_is_to_be_paid_tells_how(name, code):
    context = sample_context(n_lines=1)
    context["status"] = {"code": code, "label": ""}

    (text,) = printed(name, context)

    assert "Como pagar" in text
    assert "https://pague.horizonte.com.br/p/f/" in text


@pytest.mark.parametrize(
    ("name", "shown", "alone"),
    [
        ("simples", "Mensalidade & taxas · Emitida em 10/01/2025", "INV-2025-001234 Emitida em"),
        ("detalhada", "Título Mensalidade & taxas Emissão 10/01/2025", "CEP 13010-000 Emissão"),
    ],
)
def test_the_title_of_the_invoice_is_printed_when_there_is_one(name, shown, alone):
    context = sample_context(n_lines=1)

    (titled,) = printed(name, {**context, "title": "Mensalidade & taxas"})
    (untitled,) = printed(name, {**context, "title": ""})

    assert shown in titled
    assert alone in untitled


@pytest.mark.parametrize("name", NAMES)
def test_without_tax_discounts_and_charges_those_parts_are_absent(name):
    context = sample_context(n_lines=2, n_receivables=0)
    context.update(total_tax=Decimal("0.00"), payment_url="", notes="", due_date="")
    for line in context["lines"]:
        line.update(tax_amount=Decimal("0.00"), tax_percentage=Decimal("0"))
    context["client"]["address"] = dict.fromkeys(context["client"]["address"], "")
    context["client"]["document"] = ""

    (text,) = printed(name, context)

    assert "R$ 2.049,70" in text
    for absent in ("Como pagar", "Parcelas", "Observações", "None", "CEP 13", "Vencimento"):
        assert absent not in text


@pytest.mark.parametrize("name", NAMES)
def test_credits_discounts_and_withholdings_are_subtracted(name):
    context = sample_context(n_lines=1, n_receivables=0)
    credit = {**context["lines"][0], "position": 2, "title": "Crédito", "units": Decimal("-1")}
    credit.update(value=Decimal("-99.80"), unit_value=Decimal("99.80"), tax_amount=Decimal("0"))
    context["lines"].append(credit)
    context["total_amount"] -= Decimal("99.80")
    context["discounts"] = [
        {"description": "Fidelidade", "value": Decimal("50.00"), "until": ""},
        {"description": "Pontualidade", "value": Decimal("30.00"), "until": "2025-02-10"},
    ]
    context["withholdings"] = [
        {"name": "IR retido", "percentage": Decimal("1.5"), "value": Decimal("25.50")}
    ]

    text = " ".join(printed(name, context))

    assert re.search(r"-(R\$ )?99,80", text)
    assert "Fidelidade -R$ 50,00" in text
    assert "IR retido (1,5%) -R$ 25,50" in text
    assert "Pontualidade: R$ 30,00 a menos até 10/02/2025." in text
    assert "R$ 1.804,48" in text  # 1.799,80 - 99,80 + 179,98 - 50,00 - 25,50


@pytest.mark.parametrize("name", NAMES)
def test_an_invoice_without_lines_prints_its_transactions(name):
    context = sample_context(n_lines=3)
    context["lines"] = []

    text = " ".join(printed(name, context))

    assert "Tronco SIP com 10 canais" in text
    assert "1.799,80" in text


@pytest.mark.parametrize("name", NAMES)
def test_sandbox_and_watermark_are_on_every_page(name):
    context = sample_context(n_lines=40)
    context["sandbox"] = True

    texts = printed(name, context, watermark="ANULADA")

    assert len(texts) >= 2
    for text in texts:
        assert "HOMOLOGAÇÃO – documentos sem validade fiscal" in text
        assert "ANULADA" in text


@pytest.mark.parametrize("name", NAMES)
def test_text_of_a_customer_is_never_markup(name):
    context = sample_context(n_lines=1)
    context["client"]["name"] = "<script>alert(1)</script> & <b>Cia</b>"
    context["lines"][0]["title"] = "{{ 7 * 7 }}"
    context["notes"] = "<img src=https://x/y.png>"

    text = " ".join(printed(name, context))

    assert "<script>alert(1)</script> & <b>Cia</b>" in text
    assert "{{ 7 * 7 }}" in text
    assert "<img src=https://x/y.png>" in text
