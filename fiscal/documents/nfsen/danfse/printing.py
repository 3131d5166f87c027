"""HTML and PDF of the DANFSe (NT 008 v1.02, PDF-7)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fiscal.documents.nfe.danfe.printing import TEMPLATES
from fiscal.documents.nfsen.danfse import geometry
from fiscal.documents.nfsen.danfse.reading import CONSULTATION, read_danfse
from lib import pdf
from lib.drawing import qr_svg

# Raised by hand when the same XML would print differently: part of the cache key (PDF-1).
LAYOUT_VERSION = 1


def danfse_html(
    xml: bytes, *, events: Sequence[bytes] = (), mark: str = "", with_receipt: bool = False
) -> str:
    """The DANFSe as a page of its own, of one sheet A4.

    `xml` is the NFSe as it came, `events` what was registered about it; `mark` stands in for a
    cancellation that left no event. Raises fiscal.xml.BadXml.
    """
    danfse = read_danfse(xml, events=events, mark=mark)
    return (
        _environment()
        .get_template("danfse.html")
        .render(
            danfse=danfse,
            head=danfse.head,
            sheet=geometry.sheet_of(danfse, with_receipt=with_receipt),
            geometry=geometry,
            qrcode=qr_svg(CONSULTATION + danfse.head.chave),
        )
    )


def danfse_pdf(
    xml: bytes, *, events: Sequence[bytes] = (), mark: str = "", with_receipt: bool = False
) -> bytes:
    """The DANFSe as PDF; a tenth of a second, never inside a transaction.

    Raises fiscal.xml.BadXml, lib.pdf.RenderFailed, OSError when no renderer can be started.
    """
    html = danfse_html(xml, events=events, mark=mark, with_receipt=with_receipt)
    return pdf.render(pdf.RenderJob(html_template=html)).pdf


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
