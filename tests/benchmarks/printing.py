"""The case of `pdf`: one invoice printed again and again, ours and bare WeasyPrint by turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from factories import AccountFactory
from support.pdfs import horizonte, july_invoice, padaria
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from accounts.models import Account
from billing.documents.cache import clear, invoice_pdf
from billing.documents.context import invoice_source, read_assets
from billing.documents.templates import render_html
from billing.models import DocumentTemplateVersion
from lib import pdf, pdf_layout

HITS = 30


def time_pdf(*, lines: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of first renderings, of bare ones and of hits, and the number of pages."""
    account = AccountFactory(slug=f"pdf-{Account.objects.count()}")
    invoice = july_invoice(horizonte(account), padaria(account), lines)
    pages = invoice_pdf(invoice.pk, account=account).pages  # starts the renderer, stores
    bare = _bare(invoice.pk, account)
    bare()
    result: dict[str, Any] = {"pages": pages, "first": [], "bare": [], "hit": []}
    for _ in range(rounds):
        clear(account, invoice_id=invoice.pk)
        result["first"].append(_ms(lambda: invoice_pdf(invoice.pk, account=account)))
        result["bare"].append(_ms(bare))
    for _ in range(HITS):
        result["hit"].append(_ms(lambda: invoice_pdf(invoice.pk, account=account)))
    pdf.stop()
    return result


def _bare(invoice_id: int, account: Account) -> Callable[[], object]:
    """WeasyPrint alone on the finished HTML, with fonts that it has read before."""
    source = invoice_source(invoice_id, account)
    assert source.version is not None
    version = DocumentTemplateVersion.objects.get(pk=source.version.id)
    html = render_html(version.html, version.css, source.context)
    fetcher, fonts = pdf_layout.OfflineFetcher(read_assets(source)), FontConfiguration()
    base = CSS(string=pdf_layout._base_css(), font_config=fonts, url_fetcher=fetcher)

    def print_it() -> object:
        document = HTML(string=html, url_fetcher=fetcher)
        variant = pdf_layout.PDF_VARIANT
        return document.write_pdf(font_config=fonts, stylesheets=[base], pdf_variant=variant)

    return print_it


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
