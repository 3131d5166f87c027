"""The DANFSe: print of a national NFS-e, made from its stored XML alone (NT 008, PDF-7)."""

from fiscal.documents.nfsen.danfse.printing import LAYOUT_VERSION, danfse_html, danfse_pdf
from fiscal.documents.nfsen.danfse.reading import CONSULTATION
from fiscal.documents.nfsen.danfse.standing import CANCELLED, REPLACED

__all__ = [
    "CANCELLED",
    "CONSULTATION",
    "LAYOUT_VERSION",
    "REPLACED",
    "danfse_html",
    "danfse_pdf",
]
