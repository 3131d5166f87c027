"""HTML and PDF of the auxiliary documents: DANFE, DANFE NFC-e and carta de correção (§15)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fiscal.documents.nfe.danfe import geometry
from fiscal.documents.nfe.danfe.barcode import code128_svg, image_uri, qr_svg
from fiscal.documents.nfe.danfe.consumer import QR_SIZE, height_of, read_receipt
from fiscal.documents.nfe.danfe.correction import read_correction
from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.reading import read_sheet
from fiscal.documents.nfe.danfe.tags import grouped
from lib import pdf

# Raised by hand when the same XML would print differently: part of the cache key (PDF-1).
LAYOUT_VERSION = 1

TEMPLATES = Path(__file__).resolve().parents[4] / "templates" / "fiscal" / "danfe"
_PLAIN = DanfeOptions()
# 990 items with the longest texts are some 150 sheets.
_LIMITS = pdf.Limits(html_size=16 * 2**20, pdf_size=20 * 2**20, pages=400, layout_cpu_seconds=140)


def danfe_html(xml: bytes, *, events: Sequence[bytes] = (), options: DanfeOptions = _PLAIN) -> str:
    """DANFE of model 55 as a page of its own, in the layout of its date of issue.

    `xml` is nfeProc, or NFe of a document without protocol; `events` are procEventoNFe of it.
    Raises fiscal.xml.BadXml.
    """
    sheet = read_sheet(xml, events=events, options=options)
    page = geometry.page_of(sheet, is_landscape=options.orientacao == "landscape")
    return _filled(
        "danfe.html",
        sheet=sheet,
        page=page,
        notes=geometry.notes_of(sheet, page),
        barcode=code128_svg(sheet.chave),
        is_lettered=not sheet.chave.isdecimal(),
        qrcode=qr_svg(sheet.qrcode),
        logo=_logo(options),
    )


def danfe_pdf(xml: bytes, *, events: Sequence[bytes] = (), options: DanfeOptions = _PLAIN) -> bytes:
    """DANFE as PDF; a tenth of a second and more, never inside a transaction.

    Raises fiscal.xml.BadXml, lib.pdf.RenderFailed, OSError when no renderer can be started.
    """
    return _printed(danfe_html(xml, events=events, options=options))


def danfce_html(xml: bytes, *, events: Sequence[bytes] = (), options: DanfeOptions = _PLAIN) -> str:
    """DANFE NFC-e as a page of its own, as wide as the paper roll. Raises fiscal.xml.BadXml."""
    receipt = read_receipt(xml, events=events, options=options)
    width, logo = options.largura_danfce, _logo(options)
    return _filled(
        "danfce.html",
        receipt=receipt,
        width=width,
        height=height_of(receipt, width=width, has_logo=bool(logo)),
        qr_size=QR_SIZE,
        qrcode=qr_svg(receipt.qrcode),
        logo=logo,
    )


def danfce_pdf(
    xml: bytes, *, events: Sequence[bytes] = (), options: DanfeOptions = _PLAIN
) -> bytes:
    """DANFE NFC-e as PDF, one page per copy. Raises like `danfe_pdf`."""
    return _printed(danfce_html(xml, events=events, options=options))


def cce_html(event: bytes, *, xml: bytes | None = None, options: DanfeOptions = _PLAIN) -> str:
    """Carta de correção as a page: `event` is procEventoNFe, `xml` the invoice, for its parties.

    Raises fiscal.xml.BadXml for another kind of event.
    """
    correction = read_correction(event, xml=xml)
    return _filled(
        "cce.html",
        correction=correction,
        barcode=code128_svg(correction.chave),
        is_lettered=not correction.chave.isdecimal(),
        logo=_logo(options),
    )


def cce_pdf(event: bytes, *, xml: bytes | None = None, options: DanfeOptions = _PLAIN) -> bytes:
    """Carta de correção as PDF (PDF-8). Raises like `danfe_pdf`."""
    return _printed(cce_html(event, xml=xml, options=options))


def _printed(html: str) -> bytes:
    return pdf.render(pdf.RenderJob(html_template=html, limits=_LIMITS)).pdf


def _logo(options: DanfeOptions) -> str:
    return image_uri(options.logo) if options.logo else ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["grouped"] = grouped
    return environment


def _filled(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(context)
