"""HTML and PDF of municipal notes and of RPS, in a layout of our own (PDF-7).

A city's own page or PDF is the note as the city shows it; ours has every field of its answer.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fiscal.documents.nfe.danfe.barcode import image_uri
from fiscal.documents.nfe.danfe.printing import TEMPLATES
from fiscal.documents.nfe.danfe.tags import Tag
from fiscal.documents.nfse.paper import abrasf, sao_paulo, view
from fiscal.documents.nfse.paper.view import Facts, Paper
from fiscal.xml import BadXml, parse
from lib import money, pdf
from lib.drawing import qr_svg

# Raised by hand when the same XML would print differently: part of the cache key (PDF-1).
LAYOUT_VERSION = 2
_PLAIN = Facts()


def read_paper(xml: bytes) -> tuple[Paper, str]:
    """The view of a municipal note by the form of its XML, and the mark that the XML itself has.

    Raises BadXml for anything that is no note of a known form.
    """
    root = Tag(parse(xml))
    if root.anywhere("InfNfse"):
        return abrasf.read_note(root), abrasf.mark_of(root)
    if root.anywhere("ChaveNFe"):
        return sao_paulo.read_note(root), sao_paulo.mark_of(root)
    raise BadXml("O XML não é de uma NFS-e municipal conhecida.")


def note_html(xml: bytes, *, facts: Facts = _PLAIN, logo: bytes | None = None) -> str:
    """The print of a municipal note as a page of its own. Raises BadXml."""
    paper, mark = read_paper(xml)
    known = Facts(facts.url, facts.mark or mark, facts.is_test)
    return paper_html(paper, facts=known, logo=logo)


def note_pdf(xml: bytes, *, facts: Facts = _PLAIN, logo: bytes | None = None) -> bytes:
    """The print as PDF; a tenth of a second, never inside a transaction.

    Raises fiscal.xml.BadXml, lib.pdf.RenderFailed, OSError when no renderer can be started.
    """
    return _printed(note_html(xml, facts=facts, logo=logo))


def paper_html(paper: Paper, *, facts: Facts = _PLAIN, logo: bytes | None = None) -> str:
    """The print of a view, such as that of an RPS."""
    blocks = [view.party_block("PRESTADOR DE SERVIÇOS", paper.prestador)]
    if paper.tomador:
        blocks.append(view.party_block("TOMADOR DE SERVIÇOS", paper.tomador))
    if paper.intermediario:
        blocks.append(view.party_block("INTERMEDIÁRIO", paper.intermediario))
    return (
        _environment()
        .get_template("nfse_municipal.html")
        .render(
            paper=paper,
            facts=facts,
            parties=blocks,
            service=view.service_block(paper),
            values=(view.value_block(paper), view.withheld_block(paper)),
            services=view.reais(paper.amounts.services),
            payable=money.brl(paper.amounts.payable),
            credit=money.brl(paper.amounts.credit) if paper.amounts.credit else "",
            marks=tuple(filter(None, (view.NO_VALUE if facts.is_test else "", facts.mark))),
            qrcode=qr_svg(facts.url),
            logo=image_uri(logo) if logo else "",
        )
    )


def paper_pdf(paper: Paper, *, facts: Facts = _PLAIN, logo: bytes | None = None) -> bytes:
    """The print of a view as PDF. Raises as `note_pdf`, but for BadXml."""
    return _printed(paper_html(paper, facts=facts, logo=logo))


def _printed(html: str) -> bytes:
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
