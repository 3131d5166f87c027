"""Printed forms read back: text by pypdf, codes decoded from the image of the page (§15)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pypdf
import pypdfium2
import pytest
import zxingcpp
from barcode import Code128

from fiscal.documents.nfe.danfe import (
    DanfeOptions,
    cce_pdf,
    danfce_html,
    danfce_pdf,
    danfe_html,
    danfe_pdf,
    fitting,
)
from fiscal.documents.nfe.danfe.barcode import code128_values, modules_of
from fiscal.documents.nfe.danfe.dates import layout_of
from fiscal.documents.nfe.danfe.reading import read_sheet
from fiscal.documents.nfe.danfe.tags import amount, number, price, rate
from fiscal.xml import BadXml
from lib import pdf as renderer
from tests.fiscal.danfe_samples import (
    ICMS_ST,
    IPI,
    ISSQN_TOTAL,
    LETTERED,
    REFORM,
    REFORM_TOTAL,
    SIMPLES,
    Sample,
    consumer_note,
    event,
    group,
    tags,
)

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63"
    "6460f85f0f0002870180eb47ba920000000049454e44ae426082"
)


@pytest.fixture(scope="module", autouse=True)
def _renderer() -> Iterator[None]:
    yield
    renderer.stop()


def pages_of(document: bytes) -> list[str]:
    reader = pypdf.PdfReader(io.BytesIO(document))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def text_of(document: bytes) -> str:
    return " ".join(pages_of(document))


def codes_on(document: bytes, page: int = 0) -> dict[str, str]:
    """Format → text of every code on the page, read from its picture at 220 dpi."""
    image = pypdfium2.PdfDocument(document)[page].render(scale=220 / 72).to_pil()
    found = zxingcpp.read_barcodes(image)
    return {str(code.format).replace(" ", ""): code.text for code in found}


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


class TestBarcode:
    def test_numeric_key_is_set_c_alone(self) -> None:
        key = Sample().chave
        values = code128_values(key)
        assert values[0] == 105
        assert len(values) == 24
        assert len(modules_of(key)) == 277  # PDF-4

    def test_letters_change_the_set_as_seldom_as_possible(self) -> None:
        values = code128_values("35261212ABC34501DE35550010000123451876543215")
        assert values[0] == 105
        assert values.count(100) <= 2
        assert len(values) <= 34

    def test_agrees_with_another_encoder_on_letters_and_digits(self) -> None:
        for text in ("ABC123456", "12ABC34501DE35", "A1", "1234567", "987654"):
            ours = "".join(modules_of(text))
            theirs = Code128(text).build()[0]
            assert len(ours) <= len(theirs)
            image = _picture(ours)
            (read,) = zxingcpp.read_barcodes(image)
            assert read.text == text

    @pytest.mark.parametrize("text", ["", "abc", "12é4", "12 34"])
    def test_other_characters_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="key"):
            code128_values(text)

    @pytest.mark.parametrize("cnpj", ["07504505000132", LETTERED, "ABCDEFGHIJKL35"])
    @pytest.mark.parametrize("orientacao", ["portrait", "landscape"])
    def test_read_back_from_the_page(self, cnpj: str, orientacao: str) -> None:
        sample = Sample(cnpj=cnpj)
        options = DanfeOptions(orientacao=orientacao)  # type: ignore[arg-type]
        assert codes_on(danfe_pdf(sample.xml(), options=options))["Code128"] == sample.chave


def _picture(modules: str):  # type: ignore[no-untyped-def]
    from PIL import Image

    image = Image.new("L", (len(modules) * 3 + 120, 80), 255)
    for at, module in enumerate(modules):
        if module == "1":
            image.paste(0, (60 + at * 3, 10, 63 + at * 3, 70))
    return image


class TestFormats:
    def test_numbers(self) -> None:
        assert number("2.5000") == "2,5000"
        assert number("1234567.5", 2) == "1.234.567,50"
        assert number("abc") == "abc"
        assert amount("") == ""
        assert price("40.0000000000") == "40,00"
        assert price("0.0412300000") == "0,04123"
        assert rate("18.0000") == "18,00"
        assert rate("0.1000") == "0,10"
        assert rate("1.6543") == "1,6543"

    @pytest.mark.parametrize("width", [20.0, 60.0, 130.0])
    def test_splitting_loses_no_word(self, width: float) -> None:
        text = " ".join(f"palavra{n}" for n in range(200)) + "\nNova linha " + "x" * 400
        first, rest = fitting.split_at(text, most=7, width=width, size=6.5)
        assert squeezed(first + rest) == squeezed(text)
        assert len(first.split("\n")) == 7


class TestMoc:
    def test_mandatory_blocks(self) -> None:
        sample = Sample(
            cobr="<fat><nFat>F-77</nFat><vOrig>1234.56</vOrig><vLiq>1234.56</vLiq></fat>"
            "<dup><nDup>001</nDup><dVenc>2026-12-20</dVenc><vDup>1234.56</vDup></dup>",
            transp="<modFrete>0</modFrete><transporta><CNPJ>11222333000181</CNPJ>"
            "<xNome>Rápido Paulista</xNome><xMun>Jundiaí</xMun><UF>SP</UF></transporta>"
            "<vol><qVol>16</qVol><esp>CAIXA</esp><pesoB>30983.000</pesoB></vol>",
            notes="Pedido 4711 | Entregar pela manhã",
            reserved="Aviso do fisco",
            taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}",
        )
        (text,) = pages_of(danfe_pdf(sample.xml()))
        for expected in (
            "RECEBEMOS DE Indústria & Comércio São João Ltda",
            "DANFE",
            "Nº 000.123.456",
            "SÉRIE 001",
            "FOLHA 1/1",
            " ".join(re.findall("....", sample.chave)),
            "135260000000123 - 20/11/2026 23:30:05",
            "Venda de mercadoria",
            "07.504.505/0001-32",
            "Mercado Ônibus & Açaí S/A",
            "11.222.333/0001-81",
            "20/11/2026",
            "08:15:00",
            "F-77",
            "Nº 001 VENC. 20/12/2026",
            "CÁLCULO DO IMPOSTO",
            "1.234,56",
            "0 - Remetente (CIF)",
            "30.983,000",
            "COD-0001",
            "Parafuso sextavado de aço inox M8",
            "73181500",
            "110",
            "6102",
            "2,5000",
            "Pedido 4711",
            "Entregar pela manhã",
            "Aviso do fisco",
        ):
            assert expected in text
        assert "TOTAL DO IBS / CBS / IS" not in text
        assert "SEM VALOR FISCAL" not in text
        assert "CANCELADA" not in text

    def test_ipi_columns_only_when_there_is_ipi(self) -> None:
        plain = Sample(crt="1", taxes=f"<ICMS>{SIMPLES}</ICMS>")
        text = danfe_html(plain.xml())
        assert "ALÍQ. IPI" not in text
        assert "O/CSOSN" in text
        assert "ALÍQ. IPI" in danfe_html(plain.xml(), options=DanfeOptions(exibe_sempre_ipi=True))

    def test_options(self) -> None:
        sample = Sample(unit="KG", tax_unit="G", cobr="<fat><nFat>F-77</nFat></fat>")
        options = DanfeOptions(
            logo=PNG,
            recibo_danfe=False,
            exibe_fatura=False,
            exibe_issqn=True,
            exibe_impostos_adicionais=True,
            exibe_unidade_tributaria=True,
            exibe_sempre_volumes=True,
            exibe_desconto_itens=True,
        )
        html, plain = danfe_html(sample.xml(), options=options), danfe_html(sample.xml())
        present = ("data:image/png", "CÁLCULO DO ISSQN", "VALOR DO PIS", "2.500,0000", "DESC.")
        for expected in (*present, "PESO BRUTO"):
            assert expected in html
            assert expected not in plain
        for absent in ("RECEBEMOS DE", "F-77"):
            assert absent not in html
            assert absent in plain

    def test_text_of_the_document_is_never_markup(self) -> None:
        html = danfe_html(Sample(item_name="<script>alert(1)</script>").xml())
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


class TestNewLayout:
    def test_date_of_issue_decides(self) -> None:
        assert layout_of("2026-11-30T23:59:59-03:00") == "moc"
        assert layout_of("2026-12-01T00:00:00-03:00") == "nt2026"

    def test_blocks_columns_and_qr(self) -> None:
        url = "https://www.nfe.fazenda.gov.br/qr?p=35261207504505000132550010001234561876543215|3|1"
        sample = Sample(
            dh_emi="2026-12-01T10:00:00-03:00",
            taxes=f"<ICMS>{ICMS_ST}</ICMS>{REFORM}",
            more_totals=REFORM_TOTAL,
            supplement=tags(qrCode=url, urlChave="www.fazenda.gov.br"),
        )
        document = danfe_pdf(sample.xml())
        (text,) = pages_of(document)
        for expected in (
            "TOTAL DOS PRODUTOS E TOTAL DA NOTA",
            "TOTAL DO ICMS / IPI",
            "TOTAL DO IBS / CBS / IS",
            "3 - Regime normal",
            "REGIME DO IBS / CBS",
            "Regular",
            "CST / CFOP",
            "QTD / UN",
            "BASES DE CÁLCULO",
            "ALÍQUOTAS",
            "VALOR DOS TRIBUTOS",
            "IBS UF",
            "0,65",
            "0,90",
        ):
            assert expected in text
        assert "CÁLCULO DO IMPOSTO" not in text
        assert codes_on(document) == {"Code128": sample.chave, "QRCode": url}

    def test_what_the_xml_lacks_is_not_printed(self) -> None:
        sample = Sample(dh_emi="2026-12-01T10:00:00-03:00", totals=tags(vProd="9.00", vNF="9.00"))
        sheet = read_sheet(sample.xml(), events=(), options=DanfeOptions())
        titles = [block.title for block in sheet.before]
        assert "TOTAL DOS PRODUTOS E TOTAL DA NOTA" in titles
        assert "TOTAL DO ICMS / IPI" not in titles
        assert "TOTAL DO IBS / CBS / IS" not in titles


class TestSheets:
    def test_items_flow_over_sheets_with_the_head(self) -> None:
        sample = Sample(n_items=120, reserved="Fim do aviso")
        pages = pages_of(danfe_pdf(sample.xml()))
        assert len(pages) >= 3
        for at, page in enumerate(pages, 1):
            assert f"FOLHA {at}/{len(pages)}" in page
            assert "DESCRIÇÃO DO PRODUTO / SERVIÇO" in page
            assert "135260000000123" in page
        assert ["RECEBEMOS DE" in page for page in pages] == [True] + [False] * (len(pages) - 1)
        whole = " ".join(pages)
        found = re.findall(r"COD-(\d{4})", whole)
        assert found == [f"{n:04d}" for n in range(1, 121)]

    @pytest.mark.parametrize("orientacao", ["portrait", "landscape"])
    def test_long_notes_continue_and_lose_nothing(self, orientacao: str) -> None:
        words = [f"observação{n}" for n in range(360)]
        reserved = [f"AVISO{n}" for n in range(60)]
        sample = Sample(notes=" ".join(words), reserved=" ".join(reserved))
        options = DanfeOptions(orientacao=orientacao)  # type: ignore[arg-type]
        text = text_of(danfe_pdf(sample.xml(), options=options))
        assert "INFORMAÇÕES COMPLEMENTARES (CONTINUAÇÃO)" in text
        for word in (*words, *reserved):
            assert re.search(rf"{word}\b", text), word

    def test_long_names_leave_the_head_in_its_place(self) -> None:
        street = "AVENIDA DOUTOR PROFESSOR ENGENHEIRO ALEXANDRE DE MORAIS NETO"
        sample = Sample(
            street=street,
            emit_name="COMPANHIA BRASILEIRA DE DISTRIBUICAO E COMERCIO DE MATERIAIS",
            item_name="DESCRIÇÃO COMPRIDA DE PRODUTO " * 4,
            inf_ad_prod="Informação adicional " * 23,
        )
        document = danfe_pdf(sample.xml())
        (text,) = pages_of(document)
        assert "MATERIAIS" in text
        plain = danfe_pdf(Sample().xml())
        last_of_head, first_of_body = "SUBST. TRIBUT.", "DESTINATÁRIO / REMETENTE"
        for label in (last_of_head, first_of_body):
            assert _top_of(document, label) == _top_of(plain, label)
        assert _top_of(document, last_of_head) > _top_of(document, first_of_body)


def _top_of(document: bytes, text: str) -> float:
    """Height in points of the first `text` on the first page, from its bottom."""
    page = pypdfium2.PdfDocument(document)[0].get_textpage()
    found = page.search(text).get_next()
    return float(round(page.get_charbox(found[0])[1]))


class TestMarks:
    def test_homologacao(self) -> None:
        text = text_of(danfe_pdf(Sample(tp_amb="2").xml()))
        assert "EMITIDA EM AMBIENTE DE HOMOLOGAÇÃO" in text
        assert 'class="marks"' in danfe_html(Sample(tp_amb="2").xml())

    def test_cancelled_with_protocol_on_every_sheet(self) -> None:
        sample = Sample(n_items=60)
        pages = pages_of(danfe_pdf(sample.xml(), events=[event(sample, "110111")]))
        assert len(pages) > 1
        for page in pages:
            assert "NOTA CANCELADA – protocolo 135260000009999 de 21/11/2026 09:00:07" in page
            assert "CANCELADA" in page.replace("NOTA CANCELADA", "")

    def test_events_of_others_or_refused_count_for_nothing(self) -> None:
        sample = Sample()
        stray = [
            event(sample, "110111", c_stat="573"),
            event(sample, "110111", chave=Sample(numero=9).chave),
            event(sample, "110110"),
        ]
        assert "CANCELADA" not in danfe_html(sample.xml(), events=stray)

    def test_without_protocol_there_is_no_value(self) -> None:
        html = danfe_html(Sample(protocol="").xml())
        assert "SEM VALOR FISCAL" in html
        preview = danfe_html(Sample().xml(), options=DanfeOptions(previa=True))
        assert "SEM VALOR FISCAL" in preview

    def test_epec(self) -> None:
        sample = Sample(tp_emis=4, protocol="")
        html = danfe_html(sample.xml(), events=[event(sample, "110140", c_stat="136")])
        assert "EPEC regularmente recebido pela Receita Federal" in html
        assert "PROTOCOLO DO EPEC" in html
        assert "135260000009999" in html
        assert "SEM VALOR FISCAL" not in html

    def test_denied(self) -> None:
        html = danfe_html(Sample(c_stat="302").xml())
        assert "USO DENEGADO" in html
        assert "PROTOCOLO DE DENEGAÇÃO DE USO" in html

    @pytest.mark.parametrize("tp_emis", [6, 7])
    def test_svc_has_no_phrase(self, tp_emis: int) -> None:
        assert "CONTINGÊNCIA" not in danfe_html(Sample(tp_emis=tp_emis).xml()).upper()


class TestConsumerNote:
    @pytest.mark.parametrize("width", [80, 58])
    def test_page_pdf_and_qr(self, width: int) -> None:
        sample = consumer_note(cnpj=LETTERED)
        options = DanfeOptions(largura_danfce=width, logo=PNG)
        document = danfce_pdf(sample.xml(), options=options)
        (text,) = pages_of(document)
        for expected in (
            "12.ABC.345/01DE-35",
            "Documento Auxiliar da Nota Fiscal de Consumidor Eletrônica",
            "COD-0002",
            "2,5000 UN × 40,00",
            "300,00",
            "Valor a Pagar R$ 280,00",
            "Cartão de Crédito 180,00",
            "PIX dinâmico 120,00",
            "Troco R$ 20,00",
            "CONSUMIDOR NÃO IDENTIFICADO",
            "NFC-e nº 000123456 Série 001 20/11/2026 23:30:00",
            "135260000000123",
            "45,10",
        ):
            assert expected in text
        assert "https://www.nfce.fazenda.sp.gov.br/consulta" in squeezed(text)
        assert sample.chave in squeezed(text)
        assert codes_on(document)["QRCode"].endswith(
            f"{sample.chave}|2|1|1|A94A8FE5CCB19BA61C4C0873D391E987982FBBD3"
        )
        page = pypdf.PdfReader(io.BytesIO(document)).pages[0]
        assert round(float(page.mediabox.width) * 25.4 / 72) == width

    @pytest.mark.parametrize("n_items", [1, 40, 200])
    @pytest.mark.parametrize("width", [80, 58])
    def test_one_page_as_high_as_its_content(self, n_items: int, width: int) -> None:
        sample = consumer_note(n_items=n_items, notes="MENSAGEM DE INTERESSE DO CONSUMIDOR " * 6)
        document = danfce_pdf(sample.xml(), options=DanfeOptions(largura_danfce=width))
        page = pypdfium2.PdfDocument(document)
        assert len(page) == 1
        image = page[0].render(scale=1).to_pil().convert("L")
        ink = image.point(lambda value: 255 if value < 128 else 0).getbbox()
        blank = (image.height - ink[3]) * 25.4 / 72
        assert blank < 20 + 0.25 * image.height * 25.4 / 72

    def test_offline_prints_two_copies(self) -> None:
        sample = consumer_note(tp_emis=9, protocol="")
        pages = pages_of(danfce_pdf(sample.xml()))
        assert len(pages) == 2
        assert "Via Consumidor" in pages[0]
        assert "Via Empresa" in pages[1]
        assert all("EMITIDA EM CONTINGÊNCIA – Pendente de autorização" in page for page in pages)
        assert "SEM VALOR FISCAL" not in pages[0]
        settled = danfce_html(consumer_note(tp_emis=9).xml())
        assert "Pendente de autorização" not in settled
        assert "EMITIDA EM CONTINGÊNCIA" in settled

    def test_buyer_cancellation_and_summary(self) -> None:
        place = group("enderDest", tags(xLgr="Rua B", nro="7", xMun="Campinas", UF="SP"))
        dest = group("dest", tags(CPF="39053344705", xNome="José Conceição") + place)
        sample = consumer_note(dest=dest)
        html = danfce_html(
            sample.xml(),
            events=[event(sample, "110112")],
            options=DanfeOptions(resumo_danfce=True),
        )
        assert "CONSUMIDOR - CPF 390.533.447-05" in html
        assert "José Conceição" in html
        assert "CANCELADA" in html
        assert "COD-0001" not in html


class TestCorrection:
    TEXT = "Onde se lê volume 3, leia-se volume 4. "

    def test_event_text_and_barcode(self) -> None:
        sample = Sample(cnpj=LETTERED)
        detail = tags(xCorrecao=self.TEXT * 20, xCondUso="A Carta de Correcao e disciplinada")
        document = cce_pdf(event(sample, "110110", detail=detail, n_seq="3"), xml=sample.xml())
        (text,) = pages_of(document)
        assert text.count(self.TEXT.strip()) == 20
        for expected in (
            "A Carta de Correcao e disciplinada",
            "135260000009999 - 21/11/2026 09:00:07",
            "Mercado Ônibus & Açaí S/A",
            "000.123.456",
            "12.ABC.345/01DE-35",
        ):
            assert expected in text
        assert codes_on(document)["Code128"] == sample.chave

    def test_refused_event_is_marked(self) -> None:
        sample = Sample()
        text = text_of(cce_pdf(event(sample, "110110", detail=tags(xCorrecao="x"), c_stat="594")))
        assert "EVENTO SEM REGISTRO NA SEFAZ" in text

    def test_another_event_is_refused(self) -> None:
        with pytest.raises(BadXml):
            cce_pdf(event(Sample(), "110111"))


class TestBadInput:
    @pytest.mark.parametrize("raw", [b"", b"<a/>", b"<NFe", b"%PDF-1.7"])
    def test_what_is_no_invoice(self, raw: bytes) -> None:
        with pytest.raises(BadXml):
            danfe_html(raw)
        with pytest.raises(BadXml):
            danfce_html(raw)


SERVICE = "<ISSQN><vBC>200.00</vBC><vAliq>5.00</vAliq><vISSQN>10.00</vISSQN></ISSQN>"
VARIED = {
    "plain": Sample(),
    "simples": Sample(crt="1", taxes=f"<ICMS>{SIMPLES}</ICMS>"),
    "st_ipi": Sample(n_items=9, taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}"),
    "letters": Sample(cnpj=LETTERED),
    "homologacao": Sample(tp_amb="2"),
    "no_protocol": Sample(protocol=""),
    "services": Sample(taxes=SERVICE, more_totals=ISSQN_TOTAL),
    "foreign": Sample(dest="<dest><idEstrangeiro>AB123</idEstrangeiro><xNome>ACME</xNome></dest>"),
    "no_recipient": Sample(dest=""),
    "many": Sample(n_items=300),
    "long_notes": Sample(notes="Texto legal " * 400),
    "places": Sample(
        places="<retirada><CNPJ>11222333000181</CNPJ><xLgr>Rua A</xLgr></retirada>"
        "<entrega><CPF>39053344705</CPF><xLgr>Rua B</xLgr></entrega>"
    ),
    "instalments": Sample(
        cobr="".join(
            f"<dup><nDup>{n:03d}</nDup><dVenc>2027-01-{n:02d}</dVenc><vDup>1.00</vDup></dup>"
            for n in range(1, 29)
        )
    ),
    "volumes": Sample(transp="<modFrete>1</modFrete>" + "<vol><qVol>2</qVol></vol>" * 50),
    "batches": Sample(
        item_more="<rastro><nLote>L1</nLote><qLote>2.000</qLote><dFab>2026-01-01</dFab>"
        "<dVal>2027-01-01</dVal></rastro>"
    ),
    "new": Sample(dh_emi="2026-12-02T10:00:00-03:00", taxes=REFORM, more_totals=REFORM_TOTAL),
    "new_many": Sample(
        dh_emi="2027-03-02T10:00:00-03:00",
        n_items=80,
        taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}{REFORM}",
        more_totals=REFORM_TOTAL,
    ),
    "new_mei": Sample(dh_emi="2027-03-02T10:00:00-03:00", crt="4", taxes=f"<ICMS>{SIMPLES}</ICMS>"),
    "new_letters": Sample(dh_emi="2027-03-02T10:00:00-03:00", cnpj=LETTERED, tp_emis=7),
    "long_words": Sample(item_name="X" * 120, emit_name="W" * 60, inf_ad_prod="9" * 500),
}


@pytest.mark.parametrize(("at", "name"), list(enumerate(VARIED)))
def test_varied_documents_print(at: int, name: str) -> None:
    sample, orientacao = VARIED[name], ("portrait", "landscape")[at % 2]
    options = DanfeOptions(orientacao=orientacao, logo=PNG)  # type: ignore[arg-type]
    document = danfe_pdf(sample.xml(), options=options)
    pages = pages_of(document)
    assert all(" ".join(re.findall("....", sample.chave)) in page for page in pages)
    assert f"FOLHA {len(pages)}/{len(pages)}" in pages[-1]
    assert len(re.findall(r"COD-\d{4}", " ".join(pages))) == sample.n_items
    assert codes_on(document, len(pages) - 1)["Code128"] == sample.chave
    width, height = pypdf.PdfReader(io.BytesIO(document)).pages[0].mediabox[2:]
    assert (width > height) == (orientacao == "landscape")
    _assert_nothing_is_clipped(document)


def _assert_nothing_is_clipped(document: bytes) -> None:
    """No ink in the 4 mm around any sheet."""
    for page in pypdfium2.PdfDocument(document):
        image = page.render(scale=1).to_pil().convert("L")
        left, top, right, bottom = image.point(lambda v: 255 if v < 100 else 0).getbbox()
        assert min(left, top, image.width - right, image.height - bottom) >= 4 * 72 / 25.4 - 1
