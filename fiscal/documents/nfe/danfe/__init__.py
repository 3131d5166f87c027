"""Printed forms of NF-e and NFC-e, made from the stored XML alone (fiscal-engine §15)."""

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.printing import (
    LAYOUT_VERSION,
    cce_html,
    cce_pdf,
    danfce_html,
    danfce_pdf,
    danfe_html,
    danfe_pdf,
    label_html,
    label_pdf,
)
from fiscal.documents.nfe.danfe.standing import Cancellation

__all__ = [
    "LAYOUT_VERSION",
    "Cancellation",
    "DanfeOptions",
    "cce_html",
    "cce_pdf",
    "danfce_html",
    "danfce_pdf",
    "danfe_html",
    "danfe_pdf",
    "label_html",
    "label_pdf",
]
