"""From data to the canonical bytes of infDPS (XML-1, SIG-5): what is digested is what is sent."""

from __future__ import annotations

from functools import cache

from fiscal.documents.nfsen import generator
from fiscal.documents.service import RpsIdentity
from fiscal.documents.types import Data
from fiscal.xml import NFSE

VERSION = "1.01"
VER_APLIC = "faturamento 0.1"  # 1 to 20 characters
TP_AMB = {"producao": "1", "homologacao": "2"}


def write(data: Data, identity: RpsIdentity, *, element_id: str) -> bytes:
    """Canonical `<infDPS xmlns=… Id=…>…</infDPS>`; absent values are not written.

    Serie and number go unpadded (NAC-2). `data` is not changed.
    """
    pieces = [f'<infDPS xmlns="{NFSE}" Id="{element_id}">']
    engine = {
        "tpAmb": TP_AMB[identity.ambiente],
        "verAplic": VER_APLIC,
        "serie": identity.series.lstrip("0") or "0",
        "nDPS": str(identity.number),
    }
    writer()(data, engine, pieces)
    pieces.append("</infDPS>")
    return "".join(pieces).encode()


@cache
def writer() -> generator.Writer:
    """The compiled layout; made with the first document, or earlier by who wants it loaded."""
    return generator.compiled()
