"""HTML and PDF of a payment's receipt: who paid whom, how much, for what, when and how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lib import pdf

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "billing" / "receipt"


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
    return _environment().get_template("recibo.html").render(receipt=receipt, css=_css())


def receipt_pdf(receipt: Receipt) -> bytes:
    """The same as PDF, its bytes repeatable; a tenth of a second, never inside a transaction.

    Raises lib.pdf.RenderFailed, or OSError when no renderer can be started.
    """
    job = pdf.RenderJob(html_template=receipt_html(receipt), watermark=receipt.mark or None)
    return pdf.render(job).pdf


@cache
def _css() -> Markup:
    return Markup((TEMPLATES / "recibo.css").read_text(encoding="utf-8"))  # noqa: S704  ours


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
