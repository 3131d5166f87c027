"""SOAP as the authorities speak it: requests taken strictly, answers in several true shapes."""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from html import escape

from lxml import etree

from fiscal.sandbox.tables import SERVICES

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
_WSDL = "http://www.portalfiscal.inf.br/nfe/wsdl/"
_MESSAGE = re.compile(rb"<((?:[\w.-]+:)?nfeDadosMsg(Zip)?)(?:\s[^>]*)?>(.*)</\1\s*>", re.DOTALL)


class NotSoap(Exception):
    """The request is no envelope of this service: answered by a Fault."""


def parse(raw: bytes) -> etree._Element:
    """Parse without entities or network; raises etree.XMLSyntaxError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(raw, parser)


def payload_of(body: bytes, service: str) -> bytes:
    """The bytes inside nfeDadosMsg exactly as received, unzipped where it came so.

    Raises NotSoap for a wrong envelope, wrong namespace or wrong operation. A payload that is not
    well-formed is handed over for the checks of its own to refuse (SBX-4).
    """
    found = _MESSAGE.search(body)
    if not found:
        raise NotSoap("nfeDadosMsg não encontrado")
    head, tail = body[: found.start(3)], body[found.end(3) :]
    _check_envelope(head + tail, service)
    inner = found.group(3)
    return _unzipped(inner) if found.group(2) else inner


def _check_envelope(frame: bytes, service: str) -> None:
    try:
        root = parse(frame)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotSoap(f"envelope mal formado: {error}") from error
    if root.tag != f"{{{SOAP12}}}Envelope":
        raise NotSoap("a raiz não é um Envelope SOAP 1.2")
    wanted = _WSDL + SERVICES[service]
    tags = [etree.QName(each) for each in root.iter(etree.Element)]
    if not any(tag.localname.startswith("nfeDadosMsg") and tag.namespace == wanted for tag in tags):
        raise NotSoap(f"nfeDadosMsg fora do espaço de nomes {wanted}")


def _unzipped(inner: bytes) -> bytes:
    try:
        packed = base64.b64decode(inner.strip(), validate=True)
        unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, 30_000_000)
    except (ValueError, zlib.error) as error:
        raise NotSoap(f"nfeDadosMsgZip ilegível: {error}") from error
    return unpacked


def zipped(xml: bytes) -> str:
    """base64 of gzip, as distribution packs a document."""
    return base64.b64encode(gzip.compress(xml, mtime=0)).decode()


# --- answers -----------------------------------------------------------------------------------

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


def _plain(ns: str, payload: str, _: str) -> str:
    """As most of them: SOAP 1.2, the answer inside nfeResultMsg."""
    return (
        f'{_DECLARATION}<soap:Envelope xmlns:soap="{SOAP12}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
        f'<nfeResultMsg xmlns="{ns}">{payload}</nfeResultMsg></soap:Body></soap:Envelope>'
    )


def _prefixed(ns: str, payload: str, _: str) -> str:
    """Java services: other prefixes, an empty header, no declaration, white space around."""
    return (
        f"<env:Envelope xmlns:env='{SOAP12}'><env:Header/><env:Body>\n"
        f"<ns2:nfeResultMsg xmlns:ns2='{ns}'>{payload}</ns2:nfeResultMsg>\n"
        "</env:Body></env:Envelope>\n"
    )


def _wrapped(ns: str, payload: str, service: str) -> str:
    """One element more around the answer, and a declaration with single quotes."""
    method = f"{SERVICES[service]}Result"
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><S:Envelope xmlns:S=\"{SOAP12}\"><S:Body>"
        f'<nfeResultMsg xmlns="{ns}"><{method}>{payload}</{method}></nfeResultMsg>'
        "</S:Body></S:Envelope>"
    )


def _soap11(ns: str, payload: str, _: str) -> str:
    """SOAP 1.1 in answer to 1.2."""
    return (
        f'{_DECLARATION}<soapenv:Envelope xmlns:soapenv="{SOAP11}"><soapenv:Body>'
        f'<nfeResultMsg xmlns="{ns}">{payload}</nfeResultMsg></soapenv:Body></soapenv:Envelope>'
    )


def _escaped(ns: str, payload: str, _: str) -> str:
    """The answer as a string, with a declaration of its own."""
    inner = escape(_DECLARATION + payload, quote=False)
    return (
        f'<soap:Envelope xmlns:soap="{SOAP12}"><soap:Body>'
        f'<nfeResultMsg xmlns="{ns}">{inner}</nfeResultMsg></soap:Body></soap:Envelope>'
    )


SHAPES = (_plain, _prefixed, _wrapped, _soap11, _escaped)


def sealed(payload: str, *, service: str, cuf: str) -> tuple[str, bytes]:
    """(content type, body) of an answer in the shape of that unit (SBX-5)."""
    shape = SHAPES[int(cuf) % len(SHAPES)]
    text = shape(_WSDL + SERVICES[service], payload, service)
    kind = "text/xml" if shape is _soap11 else "application/soap+xml"
    return f"{kind}; charset=utf-8", text.encode()


def fault(reason: str) -> tuple[str, bytes]:
    """(content type, body) of a SOAP 1.2 Fault."""
    text = (
        f'{_DECLARATION}<soap:Envelope xmlns:soap="{SOAP12}"><soap:Body><soap:Fault><soap:Code>'
        "<soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="pt">{escape(reason)}</soap:Text></soap:Reason></soap:Fault>'
        "</soap:Body></soap:Envelope>"
    )
    return "application/soap+xml; charset=utf-8", text.encode()
