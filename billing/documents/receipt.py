"""HTML and PDF of a payment's receipt: who paid whom, how much, for what, when and how."""

from __future__ import annotations

from dataclasses import dataclass

from billing.documents.sheets import sheet_html
from lib import pdf


@dataclass(frozen=True)
class Receipt:
    """A receipt as it is shown: texts in pt-BR only.

    `rows` are label and value of what was paid and how; `settled` are (parcel, due date, value) of
    what it settled. `mark` is written across the page when the money went back.
    """

    number: str
    amount: str
    amount_in_words: str
    payer: str
    payer_document: str
    beneficiary: str
    beneficiary_document: str
    beneficiary_address: str
    invoice: str
    paid_on: str
    rows: tuple[tuple[str, str], ...]
    settled: tuple[tuple[str, str, str], ...]
    mark: str = ""


def receipt_html(receipt: Receipt) -> str:
    """The page of a receipt; the same one gives the same text."""
    return sheet_html("receipt", "recibo", receipt=receipt)


def receipt_pdf(receipt: Receipt) -> bytes:
    """The same as PDF, its bytes repeatable; a tenth of a second, never inside a transaction.

    Raises lib.pdf.RenderFailed, or OSError when no renderer can be started.
    """
    job = pdf.RenderJob(html_template=receipt_html(receipt), watermark=receipt.mark or None)
    return pdf.render(job).pdf
