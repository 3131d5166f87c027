"""What printed forms say, read from the page that their PDF is made from (§15)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import zxingcpp
from barcode import Code128
from lxml import html as lxml_html

from fiscal.documents.nfe.danfe import (
    Cancellation,
    DanfeOptions,
    cce_html,
    danfce_html,
    danfe_html,
    fitting,
    label_html,
)
from fiscal.documents.nfe.danfe.barcode import code128_svg, code128_values, modules_of
from fiscal.documents.nfe.danfe.dates import layout_of
from fiscal.documents.nfe.danfe.reading import read_sheet
from fiscal.documents.nfe.danfe.tags import amount, number, price, rate
from fiscal.xml import BadXml
from tests.fiscal.danfe_samples import (
    CORRECTION,
    FOREIGN,
    ICMS_ST,
    IPI,
    ISSQN_TOTAL,
    LETTERED,
    NEW,
    PNG,
    REDUCED,
    REFORM,
    REFORM_TOTAL,
    SIMPLES,
    Sample,
    consumer_note,
    correction,
    event,
    group,
    tags,
)


def said(html: str) -> str:
    """What a page says, without its styles, in one line."""
    page = lxml_html.fromstring(html)
    for style in page.iter("style", "title"):
        style.text = ""
    return " ".join(" ".join(page.itertext()).split())


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

    def test_upright_bars_are_the_same_bars(self) -> None:
        lying, upright = code128_svg("A1"), code128_svg("A1", is_vertical=True)
        assert upright.count("M0 ") == lying.count("v10")
        width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', lying).groups()  # type: ignore[union-attr]
        assert f'viewBox="0 0 {height} {width}"' in upright


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


def sheet_of(sample: Sample, **options: Any) -> Any:
    return read_sheet(sample.xml(), events=(), options=DanfeOptions(**options))


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
        text = said(danfe_html(sample.xml()))
        for expected in (
            "RECEBEMOS DE Indústria & Comércio São João Ltda",
            "DOCUMENTO AUXILIAR DA NOTA FISCAL ELETRÔNICA",
            "Nº 000.123.456",
            "SÉRIE 001",
            " ".join(re.findall("....", sample.chave)),
            "135260000000123 - 20/11/2026 23:30:05",
            "Venda de mercadoria",
            "07.504.505/0001-32",
            "Mercado Ônibus & Açaí S/A",
            "11.222.333/0001-81",
            "20/11/2026",
            "08:15:00",
            "F-77",
            "Nº 001 - VENCIM. / VALOR 20/12/2026 1.234,56",
            "CÁLCULO DO IMPOSTO",
            "0 - Remetente (CIF)",
            "30.983,000",
            "COD-0001",
            "Parafuso sextavado de aço inox M8",
            "ICMS ST: BASE 140,00 - ALÍQ. 18,00% - VALOR 13,20",
            "73181500 110 6102 UN 2,5000 40,00 100,00 100,00 12,00 5,00 12,00 5,00",
            "INFORMAÇÕES COMPLEMENTARES Aviso do fisco Pedido 4711 Entregar pela manhã",
        ):
            assert expected in text
        for absent in ("TOTAL DO IBS / CBS / IS", "SEM VALOR FISCAL", "CANCELADA", "APROX."):
            assert absent not in text

    def test_the_field_of_the_fisco_has_what_the_authority_said(self) -> None:
        sample = Sample(reserved="do emitente", message="Procure a SEFAZ")
        sheet = sheet_of(sample)
        assert (sheet.reserved, sheet.notes) == ("Procure a SEFAZ", "do emitente")

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
        present = ("data:image/png", "CÁLCULO DO ISSQN", "VALOR DO PIS", "DESC.", "APROX.")
        for expected in (*present, "PESO BRUTO"):
            assert expected in html
            assert expected not in plain
        for absent in ("RECEBEMOS DE", "F-77"):
            assert absent not in html
            assert absent in plain
        # Other unit for taxation: always told (MOC 7.0), in the columns where asked for.
        assert "TRIBUTÁVEL: 2.500,0000 G × R$ 0,04" in said(plain)
        assert "KG G 2,5000 2.500,0000 40,00 0,04" in said(html)
        assert "TRIBUTÁVEL" not in html

    def test_approximate_taxes_wherever_the_document_states_them(self) -> None:
        stated = tags(vProd="100.00", vNF="100.00", vTotTrib="31.45")
        for moment in ("2026-11-20T10:00:00-03:00", NEW):
            text = said(danfe_html(Sample(dh_emi=moment, totals=stated).xml()))
            assert "V. APROX. TRIBUTOS 31,45" in text

    def test_text_of_the_document_is_never_markup(self) -> None:
        html = danfe_html(Sample(item_name="<script>alert(1)</script>").xml())
        assert "<script>" not in html
        assert "&lt;script&gt;" in html

    def test_a_recipient_abroad(self) -> None:
        text = said(danfe_html(Sample(dest=FOREIGN).xml()))
        for expected in ("US-998877", "EXTERIOR - ESTADOS UNIDOS", "12125551234"):
            assert expected in text


class TestNewLayout:
    def test_date_of_issue_decides(self) -> None:
        assert layout_of("2026-11-30T23:59:59-03:00") == "moc"
        assert layout_of(NEW) == "nt2026"

    def test_blocks_and_columns(self) -> None:
        sample = Sample(
            dh_emi=NEW,
            taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}{REFORM}",
            more_totals=REFORM_TOTAL,
            supplement=tags(qrCode="https://qr.fazenda.gov.br/?p=1", urlChave="www.fazenda.gov.br"),
        )
        html = danfe_html(sample.xml())
        text = said(html)
        for expected in (
            "CÓDIGO DE REGIME TRIBUTÁRIO 3 - Regime normal",
            "TOTAL DOS PRODUTOS E TOTAL DA NOTA",
            "TOTAL DO ICMS / IPI",
            "TOTAL DO IBS / CBS / IS VALOR DA CBS 0,65 VALOR DO IBS UF 0,07",
            "BASES DE CÁLCULO ALÍQUOTAS (%) VALOR DOS TRIBUTOS",
            "[NCM 73181500] [cClassTrib 000001]",
            "110 6102 2,5000 UN 40,00 100,00",
            "ICMS 100,00 ICMS ST 140,00 IPI 100,00 IBS/CBS 72,75",
            "ICMS 12,00 IPI 5,00 IBS MUN 0,00 ICMS ST 18,00 IBS UF 0,10 CBS 0,90",
            "ICMS 12,00 IPI 5,00 IBS MUN 0,00 ICMS ST 13,20 IBS UF 0,07 CBS 0,65",
            "CONSULTA VIA QR CODE",
        ):
            assert expected in text
        assert "CÁLCULO DO IMPOSTO" not in text
        assert 'class="qr"' in html
        regime = sheet_of(sample).issuer.registration[1][1]
        # No tag says it yet, so nothing may be printed there (NT 2026.010, 4.2).
        assert (regime.label, regime.value) == ("TIPO DE REGIME DE APURAÇÃO DO IBS E DA CBS", "")

    def test_a_reduced_rate_counts_as_its_effective_one(self) -> None:
        text = said(danfe_html(Sample(dh_emi=NEW, taxes=REDUCED).xml()))
        assert "IBS UF 0,04" in text
        assert "CBS 0,36" in text
        assert "0,90" not in text

    def test_what_the_xml_lacks_is_not_printed(self) -> None:
        sample = Sample(dh_emi=NEW, totals=tags(vProd="9.00", vNF="9.00", vFCP="0.00"))
        boxes = {
            box.label: box.value
            for block in sheet_of(sample).before
            for row in block.rows
            for box in row
        }
        # Fields of the model stay, and stay empty: never a zero of our own.
        assert boxes["VALOR DO ICMS"] == boxes["VALOR DA CBS"] == ""
        assert boxes["VALOR TOTAL DA NOTA"] == "9,00"
        assert "VALOR DO FCP" not in boxes
        assert "IBS MONOFÁSICO" not in boxes


TOTALS = (
    "vBC vICMS vICMSDeson vFCPUFDest vICMSUFDest vICMSUFRemet vFCP vBCST vST vFCPST qBCMono "
    "vICMSMono qBCMonoReten vICMSMonoReten vProd vFrete vSeg vDesc vII vIPI vIPIDevol vPIS "
    "vCOFINS vOutro vNF vTotTrib"
)
EVERY_TOTAL = tags(**dict.fromkeys(TOTALS.split(), "999999999.99"))


@pytest.mark.parametrize("moment", ["2026-11-20T10:00:00-03:00", NEW])
@pytest.mark.parametrize(("orientacao", "inner"), [("portrait", 200), ("landscape", 287)])
def test_labels_and_amounts_fit_into_their_boxes(moment: str, orientacao: str, inner: int) -> None:
    mono = "<vIBSMono>1.00</vIBSMono><vCBSMono>1.00</vCBSMono><vIBSMonoReten>1.00</vIBSMonoReten>"
    sample = Sample(
        dh_emi=moment,
        totals=EVERY_TOTAL,
        more_totals=f"<IBSCBSTot><gMono>{mono}<vCBSMonoReten>1.00</vCBSMonoReten></gMono>"
        f"</IBSCBSTot>{ISSQN_TOTAL}<vNFTot>1.00</vNFTot>",
        cobr="<fat><nFat>1</nFat></fat><dup><nDup>001</nDup><dVenc>2026-12-20</dVenc>"
        "<vDup>9999999.99</vDup></dup>",
        places="<retirada><xLgr>A</xLgr></retirada>",
        transp="<modFrete>0</modFrete><vol><qVol>1</qVol></vol>",
    )
    sheet = sheet_of(sample, orientacao=orientacao, exibe_impostos_adicionais=True)
    blocks = [block.rows for block in (*sheet.before, *sheet.after)]
    for row in (*sheet.issuer.registration, *(row for rows in blocks for row in rows)):
        whole = sum(box.weight for box in row)
        for box in row:
            room = inner * box.weight / whole - 2.2
            assert fitting.width_of(box.label, 6) <= room, box.label
            if box.align == "right" or "\t" in box.value:
                assert fitting.width_of(box.value, 10) <= room, box.label


class TestMarks:
    def test_homologacao(self) -> None:
        html = danfe_html(Sample(tp_amb="2").xml())
        assert "EMITIDA EM AMBIENTE DE HOMOLOGAÇÃO – SEM VALOR FISCAL" in html
        assert '<div class="marks"><p>SEM VALOR FISCAL</p>' in html

    def test_a_cancellation_that_only_a_query_told_of(self) -> None:
        xml = Sample().xml()
        known = Cancellation("135260000007777", "21/11/2026 10:00:00")
        for html, phrase in (
            (
                danfe_html(xml, cancellation=known),
                "NOTA CANCELADA – protocolo 135260000007777 de 21/11/2026 10:00:00",
            ),
            (danfe_html(xml, cancellation=Cancellation()), "NOTA CANCELADA"),
        ):
            assert f">{phrase}<" in html
            assert "<p>CANCELADA</p>" in html
        told = danfe_html(xml, events=[event(Sample(), "110111")], cancellation=known)
        assert "protocolo 135260000009999" in told

    def test_events_of_others_or_refused_count_for_nothing(self) -> None:
        sample = Sample()
        stray = [
            event(sample, "110111", c_stat="573"),
            event(sample, "110111", chave=Sample(numero=9).chave),
            event(sample, "110110"),
        ]
        assert "CANCELADA" not in danfe_html(sample.xml(), events=stray)

    def test_without_protocol_there_is_no_value(self) -> None:
        assert "SEM VALOR FISCAL" in danfe_html(Sample(protocol="").xml())
        preview = danfe_html(Sample().xml(), options=DanfeOptions(previa=True))
        assert "SEM VALOR FISCAL" in preview
        assert "PRÉ-VISUALIZAÇÃO – DOCUMENTO NÃO EMITIDO" in preview

    def test_epec(self) -> None:
        sample = Sample(tp_emis=4, protocol="")
        html = danfe_html(sample.xml(), events=[event(sample, "110140", c_stat="136")])
        assert "EPEC regularmente recebido pela Receita Federal" in html
        assert "PROTOCOLO DE AUTORIZAÇÃO DO EPEC" in html
        assert "135260000009999" in html
        assert "site da Sefaz" not in html
        assert "SEM VALOR FISCAL" not in html
        unregistered = danfe_html(sample.xml())
        assert "regularmente recebido" not in unregistered
        assert "SEM VALOR FISCAL" in unregistered

    def test_denied(self) -> None:
        html = danfe_html(Sample(c_stat="302").xml())
        assert "USO DENEGADO" in html
        assert "PROTOCOLO DE DENEGAÇÃO DE USO" in html

    @pytest.mark.parametrize("tp_emis", [6, 7])
    def test_svc_has_no_phrase(self, tp_emis: int) -> None:
        assert "CONTINGÊNCIA" not in danfe_html(Sample(tp_emis=tp_emis).xml()).upper()


class TestConsumerNote:
    def test_divisions(self) -> None:
        sample = consumer_note(cnpj=LETTERED, reserved="Do fisco", notes="PROCON 151")
        text = said(danfce_html(sample.xml(), options=DanfeOptions(logo=PNG)))
        for expected in (
            "CNPJ: 12.ABC.345/01DE-35 IE: 244567890112",
            "Documento Auxiliar da Nota Fiscal de Consumidor Eletrônica",
            "COD-0002",
            "2,5000 UN × 40,00 100,00",
            "Desconto R$ 20,00",
            "Valor a Pagar R$ 280,00",
            "Cartão de Crédito 180,00",
            "PIX dinâmico 120,00",
            "Troco R$ 20,00",
            "https://www.nfce.fazenda.sp.gov.br/consulta",
            " ".join(re.findall("....", sample.chave)),
            "CONSUMIDOR NÃO IDENTIFICADO",
            "NFC-e nº 000123456 Série 001 20/11/2026 23:30:00",
            "135260000000123",
            "Tributos Totais Incidentes (Lei Federal 12.741/2012): R$ 45,10",
            "Do fisco PROCON 151",
        ):
            assert expected in text

    def test_offline(self) -> None:
        text = said(danfce_html(consumer_note(tp_emis=9, protocol="").xml()))
        # Below the head and below the identification, on both copies (CON-6).
        assert text.count("EMITIDA EM CONTINGÊNCIA – Pendente de autorização") == 4
        assert ("Via Consumidor" in text, "Via Empresa" in text) == (True, True)
        assert "SEM VALOR FISCAL" not in text
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
        assert '<p class="mark">CANCELADA</p>' in html
        assert "COD-0001" not in html


class TestOtherForms:
    """What the XML says of its form decides (tpImp)."""

    def test_simplified_type_2(self) -> None:
        sample = consumer_note(modelo=55, tp_imp="6", more_totals=REFORM_TOTAL)
        html = danfe_html(sample.xml())
        text = said(html)
        for expected in ("DANFE Simplificado Tipo 2", "CBS R$ 0,65 IBS R$ 0,07", "NF-e nº"):
            assert expected in text
        assert 'class="qr"' in html
        pending = said(danfe_html(sample.but(tp_emis=9, protocol="").xml()))
        assert "Via Estabelecimento" in pending

    def test_simplified_and_label(self) -> None:
        sample = Sample(tp_imp="3", notes="Frágil")
        simplified, label = said(danfe_html(sample.xml())), said(label_html(sample.xml()))
        for expected in (
            " ".join(re.findall("....", sample.chave)),
            "135260000000123 - 20/11/2026 23:30:05",
            "000.123.456 / 001",
            "1 - SAÍDA",
            "20/11/2026",
            "Indústria & Comércio São João Ltda 07.504.505/0001-32 - SP IE 244567890112",
            "Mercado Ônibus & Açaí S/A 11.222.333/0001-81 - MG IE 0620000000001",
            "R$ 1.234,56",
            "Frágil",
        ):
            assert expected in simplified
            assert expected in label
        assert "DANFE SIMPLIFICADO – ETIQUETA" in label
        assert "Parafuso" in simplified
        assert "Parafuso" not in label
        long = label_html(Sample(notes="x " * 400).xml())
        assert "x x x" not in long


class TestCorrection:
    def test_event_text(self) -> None:
        sample = Sample(cnpj=LETTERED)
        text = said(cce_html(correction(sample), xml=sample.xml()))
        assert text.count(CORRECTION.strip()) == 20
        for expected in (
            "A Carta de Correcao e disciplinada",
            "135260000009999 - 21/11/2026 09:00:07",
            "Mercado Ônibus & Açaí S/A",
            "000.123.456",
            "12.ABC.345/01DE-35",
        ):
            assert expected in text

    def test_refused_event_is_marked(self) -> None:
        refused = event(Sample(), "110110", detail=tags(xCorrecao="x"), c_stat="594")
        assert "EVENTO SEM REGISTRO NA SEFAZ" in cce_html(refused)

    def test_another_event_is_refused(self) -> None:
        with pytest.raises(BadXml):
            cce_html(event(Sample(), "110111"))


class TestBadInput:
    @pytest.mark.parametrize("raw", [b"", b"<a/>", b"<NFe", b"%PDF-1.7"])
    def test_what_is_no_invoice(self, raw: bytes) -> None:
        for draw in (danfe_html, danfce_html, label_html):
            with pytest.raises(BadXml):
                draw(raw)


SERVICE = "<ISSQN><vBC>200.00</vBC><vAliq>5.00</vAliq><vISSQN>10.00</vISSQN></ISSQN>"
VARIED = {
    "services": Sample(taxes=SERVICE, more_totals=ISSQN_TOTAL),
    "no_recipient": Sample(dest=""),
    "many": Sample(n_items=300),
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
    "new_many": Sample(
        dh_emi="2027-03-02T10:00:00-03:00",
        n_items=80,
        taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}{REFORM}",
        more_totals=REFORM_TOTAL,
    ),
    "new_mei": Sample(dh_emi="2027-03-02T10:00:00-03:00", crt="4", taxes=f"<ICMS>{SIMPLES}</ICMS>"),
    "long_words": Sample(item_name="X" * 120, emit_name="W" * 60, inf_ad_prod="9" * 500),
}


@pytest.mark.parametrize("name", VARIED)
def test_varied_documents_are_read(name: str) -> None:
    sample = VARIED[name]
    for orientacao in ("portrait", "landscape"):
        options = DanfeOptions(orientacao=orientacao, logo=PNG)  # type: ignore[arg-type]
        text = said(danfe_html(sample.xml(), options=options))
        assert text.count("COD-") == sample.n_items
        assert "None" not in text
