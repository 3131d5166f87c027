"""Prints of municipal notes: what a city's XML says, whichever its form (PDF-7)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal

import pypdf
import pypdfium2
import pytest
import zxingcpp

from fiscal.documents.nfse import paper
from fiscal.documents.nfse.paper.view import percent_of
from fiscal.xml import BadXml
from lib import pdf as renderer
from tests.fiscal.nfse.paper.samples import LETTERED, abrasf100, abrasf204, sao_paulo

URL = "https://nfse.cidade.example/consulta?n=55&c=AB12CD34"


@pytest.fixture(scope="module", autouse=True)
def _renderer() -> Iterator[None]:
    yield
    renderer.stop()


def flat(html: str) -> str:
    return " ".join(html.replace("\xa0", " ").split())


def test_abrasf_2_is_read_with_the_declaration_inside():
    page = flat(paper.note_html(abrasf204()))

    for part in (
        "Município de Bagé – RS", "202600000000055", "AB12CD34", "20/11/2026 14:05:06",
        "01/11/2026", "nº 12, série A, de 20/11/2026", "Prestadora São João Ltda",
        "12.ABC.345/01DE-35", "11.444.777/0001-61", "Tomador &amp; Filhos", "Praça da Sé, 1, Sé",
        "São Paulo – SP", "01001-000", "(11) 3210-1234", "nf@tomador.test", "Contrato 77",
        "01.01", "6201501", "Exigível", "R$ 1.000,00", "R$ 100,00", "R$ 900,00", "5,00 %",
        "R$ 45,00", "Sim, pelo tomador", "R$ 6,50", "R$ 30,00", "R$ 110,00", "R$ 15,00",
        "R$ 10,00", "VALOR LÍQUIDO: R$ 783,50", "optante pelo Simples Nacional",
    ):  # fmt: skip
        assert part in page, part
    assert "INTERMEDIÁRIO" not in page
    assert "DANFSe" not in page
    assert 'class="qr"' not in page


def test_abrasf_1_and_sao_paulo_write_rates_as_fractions():
    page = flat(paper.note_html(abrasf100()))
    for part in ("Município de Belo Horizonte – MG", ">55<", "5,00 %", "NFS-e nº 54",
                 "Linha um Linha dois", "TOMADOR NÃO IDENTIFICADO", "R$ 828,50", "777",
                 "Tributação no município"):  # fmt: skip
        assert part in page, part

    page = flat(paper.note_html(sao_paulo(withheld="true")))
    for part in ("Município de São Paulo – SP", ">321<", "ABCD-1234", "nº 4105, série OL03",
                 "02658", "Tributado em São Paulo", "5,00 %", "R$ 933,50", "R$ 4,50",
                 "Linha um Linha dois", "529.982.247-25", "01310-100", "(fonte: IBPT)",
                 "Av Paulista, 1000, Bela Vista"):  # fmt: skip
        assert part in page, part


def test_amounts_streets_and_empty_lines_are_as_people_write_them():
    told = b"<ValTotTributos>166049.38</ValTotTributos></Valores>"
    page = flat(paper.note_html(abrasf204().replace(b"</Valores>", told)))
    assert "(Lei 12.741/2012): R$ 166.049,38" in page

    # The kind that stands for none is the beginning of the street (§4.2).
    street = b"<TipoLogradouro>Ave</TipoLogradouro><Logradouro>Avenida Paulista"
    own = b"<TipoLogradouro>Av</TipoLogradouro><Logradouro>Paulista"
    page = flat(paper.note_html(sao_paulo().replace(own, street)))
    assert "Avenida Paulista, 1000" in page
    assert "Ave Avenida" not in page

    # What nobody told of a party has no line.
    assert abrasf204().count(b"<Contato>") == 1
    assert flat(paper.note_html(abrasf204())).count("Telefone") == 1


@pytest.mark.parametrize(
    ("rate", "base", "iss", "wanted"),
    [
        ("5.00", "900", "45", "5.00"),
        ("0.05", "900", "45", "5.00"),
        ("0.0201", None, None, "2.01"),
        ("2.5", None, None, "2.5"),
        ("0.5", "1000", "5.00", "0.5"),  # half a per cent, told by the tax
        (None, "1", "1", None),
    ],
)
def test_a_rate_is_told_in_per_cent(rate, base, iss, wanted):
    base, iss = (Decimal(one) if one else None for one in (base, iss))
    found = percent_of(Decimal(rate) if rate else None, base=base, iss=iss)
    assert found == (Decimal(wanted) if wanted else None)


def test_marks_come_from_the_xml_or_from_the_row():
    cancelled = "<NfseCancelamento><Confirmacao><DataHora>2026-11-21T10:00:00</DataHora>" + (
        "</Confirmacao></NfseCancelamento>"
    )
    replaced = "<NfseSubstituicao><SubstituicaoNfse><NfseSubstituidora>56</NfseSubstituidora>" + (
        "</SubstituicaoNfse></NfseSubstituicao>"
    )

    assert "CANCELADA" not in paper.note_html(abrasf204())
    assert "CANCELADA" in paper.note_html(abrasf204(more=cancelled))
    assert "SUBSTITUÍDA" in paper.note_html(abrasf204(more=cancelled + replaced))
    assert "CANCELADA" in paper.note_html(sao_paulo(status="C"))
    assert "SUBSTITUÍDA" in paper.note_html(abrasf204(), facts=paper.Facts(mark=paper.REPLACED))
    assert "SEM VALOR FISCAL" in paper.note_html(abrasf204(), facts=paper.Facts(is_test=True))
    with pytest.raises(BadXml):
        paper.note_html(b"<Outra/>")
    hostile = abrasf204(description="<script>alert(1)</script>")
    assert "<script>" not in paper.note_html(hostile)


def test_the_sheet_has_a_code_that_opens_the_note_and_flows_over_pages():
    lines = "\n".join(f"Item {n} do serviço prestado" for n in range(60))

    content = paper.note_pdf(
        abrasf204(cnpj=LETTERED, description=lines), facts=paper.Facts(url=URL)
    )

    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    assert len(pages) == 2
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    for part in ("Item 0 do serviço", "Item 59 do serviço", "12.ABC.345/01DE-35", "Folha 2/2",
                 "VALOR LÍQUIDO", URL):  # fmt: skip
        assert part in text, part
    codes = [
        one.text
        for page in pypdfium2.PdfDocument(content)
        for one in zxingcpp.read_barcodes(page.render(scale=200 / 72).to_pil().convert("L"))
    ]
    assert codes == [URL]
