"""Prints of municipal notes and of RPS, from the XML of the city where it gave one (PDF-7)."""

from fiscal.documents.nfse.paper.declared import read_declared
from fiscal.documents.nfse.paper.printing import (
    LAYOUT_VERSION,
    note_html,
    note_pdf,
    paper_html,
    paper_pdf,
    read_paper,
)
from fiscal.documents.nfse.paper.view import CANCELLED, REPLACED, Facts

__all__ = [
    "CANCELLED",
    "LAYOUT_VERSION",
    "REPLACED",
    "Facts",
    "note_html",
    "note_pdf",
    "paper_html",
    "paper_pdf",
    "read_declared",
    "read_paper",
]
