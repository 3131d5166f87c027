"""SOAP 1.2 envelopes of the NF-e services (fiscal-engine §8.1); the templates are data."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import dataclass, field
from functools import cache

from fiscal.authorities.tables import Service, default_body, namespace_of, service

# MT publishes a document/literal wrapped register service: the message inside the method.
NESTED = {("consulta_cadastro", "MT")}
_OPENING = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<soap12:Envelope xmlns:soap12="http://www.w3.org/2003/05/soap-envelope"><soap12:Body>'
)
_CLOSING = b"</soap12:Body></soap12:Envelope>"
_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml\b[^>]*\?>\s*)?")


@dataclass(frozen=True)
class Envelope:
    """A request ready for POST, and the local name of the element that answers it."""

    content_type: str
    body: bytes = field(repr=False)
    expected: str


def seal(payload: bytes, *, name: str, uf: str) -> Envelope:
    """The request of service `name` (key of the table) with the payload as it is, byte for byte.

    Only an XML declaration in front of the payload is dropped: inside an envelope it is not
    well-formed (XML-1). Raises NotOffered for an unknown service.
    """
    of = service(name)
    content_type, before, after = _frame(name, uf)
    inner = _DECLARATION.sub(b"", payload, count=1)
    if of.is_zipped:
        inner = base64.b64encode(gzip.compress(inner, mtime=0))
    return Envelope(content_type, before + inner + after, of.resposta)


@cache
def _frame(name: str, uf: str) -> tuple[str, bytes, bytes]:
    of = service(name)
    ns = namespace_of(of)
    method = of.excecoes.get(uf, of.metodo)
    before, after = _body(of, uf).replace("{ns}", ns).split("PAYLOAD")
    content_type = f'application/soap+xml; charset=utf-8; action="{ns}/{method}"'
    return content_type, _OPENING + before.encode(), after.encode() + _CLOSING


def _body(of: Service, uf: str) -> str:
    if (of.name, uf) in NESTED:
        return f'<{of.metodo} xmlns="{{ns}}"><nfeDadosMsg>PAYLOAD</nfeDadosMsg></{of.metodo}>'
    # "base64(gzip(PAYLOAD))" tells a reader what seal() does.
    return (of.corpo or default_body()).replace("base64(gzip(PAYLOAD))", "PAYLOAD")
