"""HTML and PDF of boletos: recibo do pagador and ficha de compensação, a page each (§5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from billing.documents.sheets import sheet_html
from lib import pdf
from lib.drawing import itf_svg, qr_svg

PLACE = "Pagável em qualquer banco"
# 60 parcels of an agreement are 60 pages.
_LIMITS = pdf.Limits(pages=120)


@dataclass(frozen=True)
class Slip:
    """One boleto as it is printed: texts only.

    `barcode` has 44 digits. `pix_code` is the Pix of the same value, "" without one. `mark` is
    written across the page once it is not to be paid any more.
    """

    bank_name: str
    bank_code: str
    linha_digitavel: str
    barcode: str
    beneficiary: str
    beneficiary_address: str
    final_beneficiary: str
    agency_code: str
    payer: str
    payer_address: str
    issued_on: str
    due_date: str
    limit_date: str
    document_number: str
    species: str
    carteira: str
    nosso_numero: str
    amount: str
    instructions: tuple[str, ...]
    acceptance: str = "N"
    place: str = PLACE
    pix_code: str = ""
    mark: str = ""
    is_test: bool = False

    @property
    def bars(self) -> Markup:
        """The bar code as a drawing, never a bitmap (BAR-1)."""
        return Markup(itf_svg(self.barcode))  # noqa: S704  our own drawing

    @property
    def pix_qr(self) -> Markup:
        """Empty without a Pix, and for a code that no QR code holds."""
        return Markup(qr_svg(self.pix_code))  # noqa: S704  our own drawing


def boletos_html(slips: Sequence[Slip]) -> str:
    """The pages of some boletos; the same ones give the same text."""
    return sheet_html("boleto", "boleto", slips=slips)


def boletos_pdf(slips: Sequence[Slip]) -> bytes:
    """The same as PDF, its bytes repeatable; a tenth of a second, never inside a transaction.

    Raises lib.pdf.RenderFailed, or OSError when no renderer can be started.
    """
    return pdf.render(pdf.RenderJob(html_template=boletos_html(slips), limits=_LIMITS)).pdf
