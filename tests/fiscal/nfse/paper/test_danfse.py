"""The DANFSe: what each block says, what is left out, and the sheet itself (NT 008, PDF-7)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pypdf
import pypdfium2
import pytest
import zxingcpp

from fiscal.documents.nfsen.danfse import CANCELLED, CONSULTATION, danfse_html, danfse_pdf
from fiscal.documents.nfsen.danfse.geometry import sheet_of
from fiscal.documents.nfsen.danfse.parties import (
    NO_INTERMEDIARY,
    NO_RECIPIENT,
    NO_TAKER,
    SAME_RECIPIENT,
)
from fiscal.documents.nfsen.danfse.reading import NO_VALUE, read_danfse
from fiscal.documents.nfsen.danfse.taxes import NOT_SUBJECT
from fiscal.xml import BadXml
from lib import pdf as renderer
from tests.fiscal.nfse.paper.samples import FULL, LETTERED, REFORM, Nfse

NOTE = Nfse()
CM = 72 / 2.54  # points


@pytest.fixture(scope="module", autouse=True)
def _renderer() -> Iterator[None]:
    yield
    renderer.stop()


class _Text(HTMLParser):
    """What is read on the page, cell by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(" ".join(data.split()))


def said(note: Nfse, **kwargs: Any) -> list[str]:
    """Texts of the page behind its style sheet."""
    reader = _Text()
    reader.feed(danfse_html(note.xml(), **kwargs).partition("</style>")[2])
    return reader.found


def field(note: Nfse, label: str, at: int = 0, **kwargs: Any) -> str:
    """The value below the `at`-th label of that name."""
    texts = said(note, **kwargs)
    places = [n for n, text in enumerate(texts) if text == label]
    return texts[places[at] + 1]


def test_every_field_says_what_the_xml_says():
    for label, value in {
        "CHAVE DE ACESSO DA NFS-e": FULL.key,
        "NÚMERO DA NFS-e": "1234",
        "COMPETÊNCIA DA NFS-e": "20/11/2026",
        "DATA E HORA DA EMISSÃO DA NFS-e": "20/11/2026 10:00:01",
        "NÚMERO DA DPS": "77",
        "SÉRIE DA DPS": "1",
        "DATA E HORA DA EMISSÃO DA DPS": "20/11/2026 10:00:00",
        "EMITENTE DA NFS-e": "Prestador",
        "SITUAÇÃO DA NFS-e": "NFS-e Gerada",
        "FINALIDADE DA NFS-e": "NFS-e regular",
        "Simples Nacional na Data de Competência":
            "Optante - Microempresa ou Empresa de Pequeno Porte (ME/EPP)",
        "Regime de Apuração Tributária pelo SN":
            "Tributos federais pelo SN e ISSQN por fora do SN",
        "Código de Tributação Nacional / Municipal": "01.01.01 / 123",
        "Código da NBS": "1.1502.20.00",
        "Local da Prestação / Sigla UF / País": "Criciúma / SC / -",
        "Descrição do Serviço": "Análise de sistemas",
        "Tipo de Tributação do ISSQN": "Operação Tributável",
        "Município / Sigla UF / País da Incidência do ISSQN": "Criciúma / SC / -",
        "Regime Especial de Tributação": "Sociedade de Profissionais",
        "Tipo de Imunidade": "-",
        "Suspensão da Exigibilidade do ISSQN": "Decisão Judicial",
        "Número Processo Suspensão": "123456789012345678901234567890",
        "Benefício Municipal": "Redução da BC em %",
        "Cálculo do BM": "R$ 33,00",
        "Total Deduções/Reduções": "R$ 12,00",
        "BC ISSQN": "R$ 1.000,00",
        "Alíquota Aplicada": "2,00 %",
        "Retenção do ISSQN": "Retido pelo Tomador",
        "ISSQN Apurado": "R$ 20,00",
        "IRRF": "R$ 15,00",
        "Contribuição Previdenciária - Retida": "R$ 110,00",
        "CST / cClassTrib": "000 / 000001",
        "Indicador de Operação / Código IBGE / Município Incidência / Sigla UF":
            "100301 / 3550308 / São Paulo / SP",
        "Exclusões e Reduções da BC": "R$ 66,50",
        "BC Após Exclusões e Reduções": "R$ 943,50",
        "Red. Alíquota IBS / CBS": "60,00 % / - / -",
        "Alíquota - IBS UF / IBS Mun": "0,10 % / 0,00 %",
        "Alíq. Efetiva Municipal - IBS": "0,00 %",
        "Valor Apurado Municipal - IBS": "R$ 0,00",
        "Alíq. Efetiva Estadual - IBS": "0,04 %",
        "Valor Apurado Estadual - IBS": "R$ 0,38",
        "Valor Total Apurado - IBS": "R$ 0,38",
        "Alíquota - CBS": "0,90 %",
        "Alíquota Efetiva - CBS": "0,36 %",
        "Valor Total Apurado - CBS": "R$ 3,40",
        "Valor da Operação / Serviço": "R$ 1.000,00",
        "Desconto Incondicionado": "R$ 10,00",
        "Desconto Condicionado": "R$ 5,00",
        "Total das Retenções (ISSQN / Federais)": "R$ 135,00",
        "Valor Líquido da NFS-e": "R$ 865,00",
        "Total do IBS/CBS": "R$ 3,78",
        "Valor Líquido da NFS-e + IBS/CBS": "R$ 938,50",
        "Nº NFS-e / Chave NFS-e": f"1234 / {FULL.key}",
    }.items():  # fmt: skip
        assert field(FULL, label, with_receipt=True) == value, label
    texts = said(FULL)
    assert "DANFSe v2.0" in texts
    assert "Município: Criciúma / SC" in texts
    assert "Tipo de Ambiente: Produção" in texts
    assert "Consultoria em informática" in texts  # xTribMun before xTribNac
    assert any(
        text.startswith("Inf. Cont.: Pagamento em 30 dias | NFS-e Subst.: 42046082")
        for text in texts
    )
    assert any("Totais Aproximados" in text and "R$ 134,50" in text for text in texts)


def test_parties_are_told_with_letters_and_from_abroad():
    lettered = NOTE.but(cnpj=LETTERED)
    assert field(lettered, "CNPJ / CPF / NIF") == "12.ABC.345/01DE-35"
    assert field(lettered, "CHAVE DE ACESSO DA NFS-e") == lettered.key
    assert field(FULL, "CNPJ / CPF / NIF", 1) == "US-998877"
    assert field(FULL, "Município / Sigla UF", 1) == "New York / NY"
    assert field(FULL, "Código IBGE / CEP", 1) == "US / 10018"
    assert field(FULL, "CNPJ / CPF / NIF", 3) == "529.982.247-25"
    assert field(FULL, "Município / Sigla UF", 3) == "- / -"
    assert field(NOTE, "Indicador Municipal (Inscrição)") == "12345"
    assert field(NOTE, "Código IBGE / CEP", 1) == "3550308 / 01001-000"
    assert field(NOTE, "Telefone", 1) == "(11) 3210-1234"


def test_what_is_absent_is_one_line_or_nothing():
    texts = said(NOTE)
    for line in (SAME_RECIPIENT, NO_INTERMEDIARY):
        assert line in texts
    for label in ("Benefício Municipal", "Tipo de Imunidade", "Data Cientificação"):
        assert label not in texts
    bare = NOTE.but(taker="", reform="", municipal="<tribISSQN>4</tribISSQN>", compet="2027-01-10",
                    service_code="990101", federal="")  # fmt: skip
    texts = said(bare)
    for line in (NO_TAKER, NO_RECIPIENT, NO_INTERMEDIARY, NOT_SUBJECT):
        assert line in texts
    assert "PIS - Débito Apuração Própria" not in texts
    assert not any(text.startswith("Município: ") for text in texts)
    assert field(bare, "Red. Alíquota IBS / CBS") == "- / - / -"
    assert field(bare, "FINALIDADE DA NFS-e") == "-"
    nothing = NOTE.but(recipient="1", reform=REFORM)
    assert NO_RECIPIENT in said(nothing)


def test_contributions_withheld_with_pis_and_cofins_are_summed():
    """vRetCSLL + vPis + vCofins with tpRetPisCofins 1; then nothing of them is due by oneself."""
    assert field(FULL, "Contribuições Sociais - Retidas") == "R$ 46,50"
    assert field(FULL, "PIS - Débito Apuração Própria") == "R$ 0,00"
    assert field(NOTE, "Contribuições Sociais - Retidas") == "R$ 10,00"
    assert field(NOTE, "PIS - Débito Apuração Própria") == "R$ 6,50"
    assert field(NOTE, "Descrição Contrib. Sociais - Retidas") == "PIS/COFINS/CSLL Retidos"


def test_approximate_taxes_are_always_there():
    for total, wanted in (
        ("<totTrib><pTotTrib><pTotTribFed>13.45</pTotTribFed><pTotTribEst>0.00</pTotTribEst>"
         "<pTotTribMun>2.00</pTotTribMun></pTotTrib></totTrib>", "Federais: 13,45 %"),
        ("<totTrib><pTotTribSN>6.00</pTotTribSN></totTrib>", "Simples Nacional: 6,00 %"),
        ("<totTrib><indTotTrib>0</indTotTrib></totTrib>", "Federais: - ; Estaduais: -"),
    ):  # fmt: skip
        assert any(wanted in text for text in said(NOTE.but(approximate=total))), wanted


def test_marks_come_from_the_events_or_from_the_row():
    assert CANCELLED not in said(NOTE)
    assert said(NOTE, events=[NOTE.event()])[-1] == "CANCELADA"
    assert said(NOTE, events=[NOTE.event("e105104")])[-1] == "CANCELADA"
    assert said(NOTE, events=[NOTE.event(), NOTE.event("e105102")])[-1] == "SUBSTITUÍDA"
    assert said(NOTE, mark=CANCELLED)[-1] == "CANCELADA"
    assert CANCELLED not in said(NOTE, events=[NOTE.event(key="9" * 50), NOTE.event("e101103")])
    assert NO_VALUE in said(NOTE.but(amb="2"))
    assert NO_VALUE not in said(NOTE)
    with pytest.raises(BadXml):
        danfse_html(b"<CompNfse/>")


def test_blocks_stand_where_the_nt_says():
    """Below the ISSQN 0.32 lower: its title has a line of its own."""
    sheet = sheet_of(read_danfse(FULL.but(broker=FULL.taker).xml()), with_receipt=True)
    at = {}
    for box in sheet.boxes:
        at.setdefault(box.label, (round(box.x, 2), round(box.y, 2)))

    assert at["CHAVE DE ACESSO DA NFS-e"] == (0.30, 1.48)
    assert at["NÚMERO DA NFS-e"] == (0.30, 2.27)
    assert at["SÉRIE DA DPS"] == (5.41, 2.96)
    assert at["FINALIDADE DA NFS-e"] == (10.51, 3.65)
    assert at["PRESTADOR / FORNECEDOR"] == (0.30, 4.34)
    assert at["Telefone"] == (15.62, 4.34)
    assert at["Simples Nacional na Data de Competência"] == (0.30, 6.28)
    assert at["TOMADOR / ADQUIRENTE"] == (0.30, 6.92)
    assert at["DESTINATÁRIO DA OPERAÇÃO"] == (0.30, 8.86)
    assert at["INTERMEDIÁRIO DA OPERAÇÃO"] == (0.30, 10.80)
    assert at["SERVIÇO PRESTADO"] == (0.30, 12.74)
    assert at["Descrição do Serviço"] == (0.30, 13.79)
    assert at["TRIBUTAÇÃO MUNICIPAL (ISSQN)"] == (0.30, 14.43)
    for label, y in (
        ("Tipo de Tributação do ISSQN", 14.43), ("Regime Especial de Tributação", 15.08),
        ("BC ISSQN", 16.37), ("IRRF", 17.02), ("PIS - Débito Apuração Própria", 17.67),
        ("TRIBUTAÇÃO IBS / CBS", 18.32), ("Exclusões e Reduções da BC", 18.96),
        ("Valor Total Apurado - IBS", 20.25), ("VALOR TOTAL DA NFS-e", 20.89),
        ("Valor Líquido da NFS-e", 21.58), ("INFORMAÇÕES COMPLEMENTARES", 22.26),
    ):  # fmt: skip
        assert at[label][1] == pytest.approx(y + 0.32, abs=0.02), label
    assert at["Data Cientificação"] == (0.30, 28.10)


def test_long_texts_stay_on_the_sheet_and_say_that_there_was_more():
    long = FULL.but(
        description="Serviço de consultoria prestado conforme contrato. " * 39,
        more="<xInfComp>" + "Informação do contribuinte. " * 71 + "</xInfComp>",
        told_city="ATIVIDADE " * 59,
        taker=FULL.taker.replace("ACME Trading Inc", "COMPANHIA BRASILEIRA DE SERVIÇOS " * 9),
    )

    sheet = sheet_of(read_danfse(long.xml()), with_receipt=True)

    boxes = {box.label: box for box in sheet.boxes}
    description, notes = boxes["Descrição do Serviço"], sheet.boxes[-4]
    assert len(" ".join(description.lines)) >= 1200
    assert description.lines[-1].endswith("...")
    assert notes.lines[-2].endswith("...")
    assert "Totais Aproximados" in notes.lines[-1]
    assert notes.y + notes.height == pytest.approx(28.10)
    names = [box.lines[0] for box in sheet.boxes if box.label == "Nome / Nome Empresarial"]
    assert names[1].endswith("...")
    assert len(names[1]) > 55

    content = danfse_pdf(long.xml(), with_receipt=True)
    [page] = pypdf.PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text().split())
    assert (round(float(page.mediabox.width)), round(float(page.mediabox.height))) == (595, 842)
    assert "Totais Aproximados" in text
    [lowest] = _heights(content, "Totais Aproximados")
    assert 842 - lowest < 28.10 * CM


def test_the_sheet_can_be_scanned_and_keeps_its_margins():
    content = danfse_pdf(NOTE.but(cnpj=LETTERED, amb="2").xml(), mark=CANCELLED)

    page = pypdfium2.PdfDocument(content)[0]
    image = page.render(scale=200 / 72).to_pil()
    [code] = zxingcpp.read_barcodes(image.convert("L"))
    assert code.text == CONSULTATION + NOTE.but(cnpj=LETTERED).key
    corners = code.position
    side = (corners.top_right.x - corners.top_left.x) / 200 * 2.54
    assert side >= 1.5
    left, top, right, bottom = image.convert("L").point(lambda v: 255 if v < 100 else 0).getbbox()
    for pixels in (left, top, image.width - right, image.height - bottom):
        assert 0.15 <= pixels / 200 * 2.54 <= 0.22
    reds = image.crop((560, 60, 1100, 140)).getcolors(100_000)
    assert any(red > 180 and green < 60 and blue < 60 for _, (red, green, blue, *_) in reds)
    text = pypdf.PdfReader(io.BytesIO(content)).pages[0].extract_text()
    assert NO_VALUE in text
    assert "CANCELADA" in re.sub(r"\s", "", text)


def _heights(content: bytes, words: str) -> list[float]:
    """Bottoms of that text on the first sheet, points from below."""
    page = pypdfium2.PdfDocument(content)[0].get_textpage()
    searcher = page.search(words)
    found = searcher.get_next()
    return [page.get_charbox(found[0])[1]] if found else []
