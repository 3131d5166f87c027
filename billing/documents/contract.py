"""HTML and PDF of a contract's summary: who, what, how much, since when, and how it changed."""

from __future__ import annotations

from dataclasses import dataclass

from billing.documents.sheets import sheet_html
from lib import pdf


@dataclass(frozen=True)
class Side:
    """One of the two who agreed; `lines` are its address and the like."""

    role: str
    name: str
    document: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ContractSummary:
    """A contract as it stands on `made_on`: texts in pt-BR only.

    `items` are (service, quantity, unit price, value, period); `readjustments` (date, index,
    variation, result). `mark` is written across the page, `notice` above it.
    """

    number: str
    title: str
    sides: tuple[Side, ...]
    facts: tuple[tuple[str, str], ...]
    items: tuple[tuple[str, str, str, str, str], ...]
    readjustments: tuple[tuple[str, str, str, str], ...]
    made_on: str
    description: str = ""
    mark: str = ""
    notice: str = ""


def contract_html(summary: ContractSummary) -> str:
    """The page; the same summary gives the same text."""
    return sheet_html("contract", "contrato", contract=summary)


def contract_pdf(summary: ContractSummary) -> bytes:
    """The same as PDF, its bytes repeatable; a tenth of a second, never inside a transaction.

    Raises lib.pdf.RenderFailed, or OSError when no renderer can be started.
    """
    job = pdf.RenderJob(html_template=contract_html(summary), watermark=summary.mark or None)
    return pdf.render(job).pdf
