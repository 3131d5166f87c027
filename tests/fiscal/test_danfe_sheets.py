"""Printed forms as sheets of paper: their sizes, margins and codes, read back from real PDFs (§15).

A render takes a third of a second, so one document shows as much as it can.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdf
import pypdfium2
import pytest
import zxingcpp

from fiscal.documents.nfe.danfe import DanfeOptions, cce_pdf, danfce_pdf, danfe_pdf, label_pdf
from lib import pdf as renderer
from tests.fiscal.danfe_samples import (
    ICMS_ST,
    IPI,
    LETTERED,
    NEW,
    PNG,
    REFORM,
    REFORM_TOTAL,
    Sample,
    consumer_note,
    correction,
    event,
    tags,
)

WORDS = [f"observação{n}" for n in range(400)]
LONG = Sample(
    street="AVENIDA DOUTOR PROFESSOR ENGENHEIRO ALEXANDRE DE MORAIS NETO",
    emit_name="COMPANHIA BRASILEIRA DE DISTRIBUICAO E COMERCIO DE MATERIAIS",
    item_name="DESCRIÇÃO COMPRIDA DE PRODUTO " * 4,
    inf_ad_prod="Informação adicional " * 23,
    nat_op="VENDA DE MERCADORIA ADQUIRIDA DE TERCEIROS EM OPERACAO FISCA",
    notes=" ".join(WORDS),
)
QR = "https://www.nfe.fazenda.gov.br/qr?p=35261212ABC34501DE35550010000001231456789012|3|1"
LAST_OF_HEAD, FIRST_OF_BODY = "SUBST. TRIBUT.", "DESTINATÁRIO / REMETENTE"


@pytest.fixture(scope="module", autouse=True)
def _renderer() -> Iterator[None]:
    yield
    renderer.stop()


@dataclass
class Printed:
    """A real PDF: its sheets as text and as images of 200 dpi, which a scanner gives."""

    content: bytes
    pages: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)  # millimetres
    codes: list[dict[str, str]] = field(default_factory=list)  # format → text, by sheet
    blanks: list[tuple[float, ...]] = field(default_factory=list)  # mm left, top, right, bottom

    def __post_init__(self) -> None:
        reader = pypdf.PdfReader(io.BytesIO(self.content))
        self.pages = [" ".join(page.extract_text().split()) for page in reader.pages]
        self.document = pypdfium2.PdfDocument(self.content)
        for page in self.document:
            image = page.render(scale=200 / 72).to_pil().convert("L")
            self.sizes.append((round(image.width * 0.127), round(image.height * 0.127)))
            found = zxingcpp.read_barcodes(image)
            self.codes.append({str(one.format).replace(" ", ""): one.text for one in found})
            left, top, right, bottom = image.point(lambda v: 255 if v < 100 else 0).getbbox()
            blank = (left, top, image.width - right, image.height - bottom)
            self.blanks.append(tuple(pixels * 0.127 for pixels in blank))

    def top_of(self, text: str) -> float:
        """Height in points of the first `text` on the first sheet, from its bottom."""
        page = self.document[0].get_textpage()
        found = page.search(text).get_next()
        return float(round(page.get_charbox(found[0])[1]))


def danfe_printed(sample: Sample, *events: bytes, **options: Any) -> Printed:
    """A DANFE, of which every sheet has the key as text and bars, its place, and clear margins."""
    printed = Printed(danfe_pdf(sample.xml(), events=events, options=DanfeOptions(**options)))
    for at, page in enumerate(printed.pages):
        assert " ".join(re.findall("....", sample.chave)) in page
        assert f"FOLHA {at + 1}/{len(printed.pages)}" in page
        assert printed.codes[at]["Code128"] == sample.chave
        assert min(printed.blanks[at]) >= 4
    whole = " ".join(printed.pages)
    expected = [f"{n:04d}" for n in range(1, sample.n_items + 1)]
    assert re.findall(r"COD-(\d{4})", whole) == expected
    return printed


def test_sheets_of_a_danfe() -> None:
    plain = danfe_printed(Sample(), logo=PNG)
    assert plain.sizes == [(210, 297)]

    # Long texts leave the head in its place, and lose nothing.
    long = danfe_printed(LONG, logo=PNG)
    assert "MATERIAIS" in long.pages[0]
    assert LONG.nat_op in long.pages[0]
    for label in (LAST_OF_HEAD, FIRST_OF_BODY):
        assert long.top_of(label) == plain.top_of(label)
    whole = " ".join(long.pages)
    assert "INFORMAÇÕES COMPLEMENTARES (CONTINUAÇÃO)" in whole
    assert [word for word in WORDS if not re.search(rf"{word}\b", whole)] == []

    # Items flow over sheets, each with the head, the columns and the mark.
    cancelled = Sample(n_items=50)
    many = danfe_printed(cancelled, event(cancelled, "110111"))
    assert len(many.pages) >= 2
    for page in many.pages:
        assert "DESCRIÇÃO DO PRODUTO / SERVIÇO" in page
        assert "NOTA CANCELADA – protocolo 135260000009999 de 21/11/2026 09:00:07" in page
        assert "CANCELADA" in page.replace("NOTA CANCELADA", "")
    receipts = ["RECEBEMOS DE" in page for page in many.pages]
    assert receipts == [True] + [False] * (len(many.pages) - 1)


def test_sheets_with_letters_and_qr_code() -> None:
    sample = LONG.but(
        cnpj="ABCDEFGHIJKL35",
        dh_emi=NEW,
        n_items=6,
        inf_ad_prod="",
        taxes=f"<ICMS>{ICMS_ST}</ICMS>{IPI}{REFORM}",
        more_totals=REFORM_TOTAL,
        supplement=tags(qrCode=QR, urlChave="www.fazenda.gov.br"),
        tp_amb="2",
    )
    upright = danfe_printed(sample, logo=PNG)
    lying = danfe_printed(sample, logo=PNG, orientacao="landscape")

    assert (upright.sizes[0], lying.sizes[0]) == ((210, 297), (297, 210))
    for printed in (upright, lying):
        assert printed.codes[0]["QRCode"] == QR
        assert "QRCode" not in printed.codes[-1]
        assert all("SEM VALOR FISCAL" in page for page in printed.pages)


def test_a_roll_is_as_long_as_its_content() -> None:
    offline = Printed(danfce_pdf(consumer_note(tp_emis=9, protocol="").xml()))
    assert ["Via Consumidor" in page for page in offline.pages] == [True, False]

    sample = consumer_note(cnpj=LETTERED, n_items=30, notes="MENSAGEM AO CONSUMIDOR " * 6)
    narrow = Printed(danfce_pdf(sample.xml(), options=DanfeOptions(largura_danfce=58, logo=PNG)))
    assert len(narrow.pages) == 1
    assert sample.chave in narrow.pages[0].replace(" ", "")

    for printed, width in ((offline, 80), (narrow, 58)):
        for at, size in enumerate(printed.sizes):
            assert size[0] == width
            assert printed.blanks[at][3] < 8  # the margin and the space below the last line
            assert printed.codes[at]["QRCode"].endswith("A94A8FE5CCB19BA61C4C0873D391E987982FBBD3")


def test_bars_on_small_paper_and_on_a_correction() -> None:
    prints: list[tuple[Sample, Callable[[Sample], bytes], tuple[int, int]]] = [
        (Sample(), lambda sample: label_pdf(sample.xml()), (100, 150)),
        (Sample(cnpj=LETTERED), lambda sample: label_pdf(sample.xml()), (100, 150)),
        (
            Sample(cnpj=LETTERED),
            lambda sample: cce_pdf(correction(sample), xml=sample.xml()),
            (210, 297),
        ),
    ]
    for sample, draw, size in prints:
        printed = Printed(draw(sample))
        assert printed.sizes == [size]
        assert printed.codes[0]["Code128"] == sample.chave
