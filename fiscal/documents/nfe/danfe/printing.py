"""HTML and PDF of the auxiliary documents: DANFE, DANFE NFC-e and carta de correção (§15)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fiscal.documents.nfe.danfe import geometry
from fiscal.documents.nfe.danfe.barcode import code128_svg, image_uri
from fiscal.documents.nfe.danfe.consumer import QR_SIZE, read_receipt
from fiscal.documents.nfe.danfe.correction import read_correction
from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.reading import document_of, read_sheet
from fiscal.documents.nfe.danfe.simplified import read_simplified
from fiscal.documents.nfe.danfe.standing import Cancellation
from fiscal.documents.nfe.danfe.tags import grouped
from lib import pdf
from lib.drawing import qr_svg

# Raised by hand when the same XML would print differently: part of the cache key (PDF-1).
LAYOUT_VERSION = 2

TEMPLATES = Path(__file__).resolve().parents[4] / "templates" / "fiscal" / "danfe"
_PLAIN = DanfeOptions()
# 990 items with the longest texts are some 150 sheets.
_LIMITS = pdf.Limits(html_size=16 * 2**20, pdf_size=20 * 2**20, pages=400, layout_cpu_seconds=140)
# tpImp of the forms that are not A4 (MOC 7.0, Anexo I, B21; NT 2026.002).
_SIMPLIFIED, _SIMPLIFIED_2 = "3", "6"
_ROLL, _LABEL = (80, 5000), (100, 150)  # millimetres; the height of a roll follows its content


def danfe_html(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> str:
    """DANFE of model 55 as a page of its own, in the layout of its date of issue and its tpImp.

    `xml` is nfeProc, or NFe of a document without protocol; `events` are procEventoNFe of it;
    `cancellation` is one that has no event there. Raises fiscal.xml.BadXml.
    """
    tp_imp = _tp_imp(xml)
    if tp_imp == _SIMPLIFIED_2:
        return danfce_html(xml, events=events, cancellation=cancellation, options=options)
    if tp_imp == _SIMPLIFIED:
        return _simplified(
            xml, events=events, cancellation=cancellation, options=options, is_label=False
        )
    sheet = read_sheet(xml, events=events, cancellation=cancellation, options=options)
    page = geometry.page_of(
        sheet, is_landscape=options.orientacao == "landscape", has_logo=bool(options.logo)
    )
    return _filled(
        "danfe.html",
        sheet=sheet,
        page=page,
        notes=geometry.notes_of(sheet, page),
        barcode=code128_svg(sheet.chave),
        qrcode=qr_svg(sheet.qrcode),
        logo=_logo(options),
    )


def danfe_pdf(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> bytes:
    """DANFE as PDF; a tenth of a second and more, never inside a transaction.

    Raises fiscal.xml.BadXml, lib.pdf.RenderFailed, OSError when no renderer can be started.
    """
    html = danfe_html(xml, events=events, cancellation=cancellation, options=options)
    return _printed(html, is_roll=_tp_imp(xml) in (_SIMPLIFIED, _SIMPLIFIED_2))


def label_html(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> str:
    """DANFE Simplificado – Etiqueta of an NF-e, 100 × 150 mm (NT 2020.004). Raises BadXml."""
    return _simplified(
        xml, events=events, cancellation=cancellation, options=options, is_label=True
    )


def label_pdf(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> bytes:
    """The label as PDF. Raises like `danfe_pdf`."""
    return _printed(label_html(xml, events=events, cancellation=cancellation, options=options))


def danfce_html(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> str:
    """DANFE NFC-e as a page of its own, as wide as the paper roll. Raises fiscal.xml.BadXml."""
    receipt = read_receipt(xml, events=events, cancellation=cancellation, options=options)
    return _filled(
        "danfce.html",
        receipt=receipt,
        width=options.largura_danfce,
        qr_size=QR_SIZE,
        qrcode=qr_svg(receipt.qrcode),
        logo=_logo(options),
    )


def danfce_pdf(
    xml: bytes,
    *,
    events: Sequence[bytes] = (),
    cancellation: Cancellation | None = None,
    options: DanfeOptions = _PLAIN,
) -> bytes:
    """DANFE NFC-e as PDF, one page per copy. Raises like `danfe_pdf`."""
    html = danfce_html(xml, events=events, cancellation=cancellation, options=options)
    return _printed(html, is_roll=True)


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


def _simplified(
    xml: bytes,
    *,
    events: Sequence[bytes],
    cancellation: Cancellation | None,
    options: DanfeOptions,
    is_label: bool,
) -> str:
    note = read_simplified(
        xml, is_label=is_label, events=events, cancellation=cancellation, options=options
    )
    # 115 mm of bars for a key with letters (PDF-4) are more than the paper is wide.
    is_vertical = not note.chave.isdecimal()
    width, height = _LABEL if is_label else _ROLL
    return _filled(
        "simplificado.html",
        note=note,
        width=width,
        height=height,
        is_vertical=is_vertical,
        barcode=code128_svg(note.chave, is_vertical=is_vertical),
    )


def _tp_imp(xml: bytes) -> str:
    return document_of(xml).anywhere("ide")("tpImp")


def _printed(html: str, *, is_roll: bool = False) -> bytes:
    job = pdf.RenderJob(html_template=html, limits=_LIMITS, fit_height=is_roll)
    return pdf.render(job).pdf


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
