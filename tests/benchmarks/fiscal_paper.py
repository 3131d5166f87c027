"""The case of `fiscal_print`: one document printed again and again, ours and bare WeasyPrint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from factories import FiscalCompanyFactory, cnpj
from support.certificates import certify
from support.foreign_notes import foreign_nfe
from support.issuing import item
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from accounts.services.audit import SYSTEM
from fiscal.documents.nfe.danfe import danfe_html
from fiscal.models import Company, FiscalDocument, PrintCache
from fiscal.selectors.documents import shown_xml
from fiscal.services import archive, printing
from fiscal.services.import_xml import import_nfe
from lib import clock, pdf, pdf_layout

HITS = 30
PRACTICE_SECONDS = 5.0  # the renderer prepares itself while nobody asks


def time_danfe(*, items: int, rounds: int, is_patient: bool) -> dict[str, Any]:
    """Milliseconds of first prints, of bare ones and of hits."""
    logging.disable(logging.WARNING)
    document = _document(items)
    pdf.warm_up()
    if is_patient:
        time.sleep(PRACTICE_SECONDS)
    printing.danfe(document)  # templates, tables
    bare = _bare(document)
    bare()
    result: dict[str, Any] = {"first": [], "bare": [], "hit": []}
    for _ in range(rounds):
        PrintCache.objects.all().delete()
        result["first"].append(_ms(lambda: printing.danfe(document)))
        result["bare"].append(_ms(bare))
    for _ in range(HITS):
        result["hit"].append(_ms(lambda: printing.danfe(document)))
    pdf.stop()
    return result


def _document(items: int) -> FiscalDocument:
    """An authorised document of a company with a certificate."""
    number = Company.objects.count()
    company = FiscalCompanyFactory(cnpj=cnpj(73_000_000 + number))
    certify(company)
    fields: dict[str, Any] = {
        "items": [item(n + 1) for n in range(items)],
        "formas_pagamento": [{"forma_pagamento": "01", "valor_pagamento": f"{items * 20}.00"}],
    }
    note = foreign_nfe(company, **fields)
    done = import_nfe(
        company, ambiente="homologacao", raw=note.proc, ref="", actor=SYSTEM, now=clock.now()
    )
    return done.document


def _bare(document: FiscalDocument) -> Callable[[], object]:
    """WeasyPrint alone on the finished HTML, with fonts that it has read before."""
    found = shown_xml(document)
    assert found is not None
    xml, options = archive.read(found), printing.options_of(document.company_id)
    html = danfe_html(xml, options=options)
    fetcher, fonts = pdf_layout.OfflineFetcher({}), FontConfiguration()
    base = CSS(string=pdf_layout._base_css(), font_config=fonts, url_fetcher=fetcher)

    def print_it() -> object:
        page = HTML(string=html, url_fetcher=fetcher)
        variant = pdf_layout.PDF_VARIANT
        return page.write_pdf(font_config=fonts, stylesheets=[base], pdf_variant=variant)

    return print_it


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
