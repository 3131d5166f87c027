"""SOAP of the cities: two parts of text in, one out; several envelopes, quotings and actions."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lxml import etree

from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.wire import Reply

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_VERSIONS = {SOAP11: "1.1", SOAP12: "1.2"}
_KINDS = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}


class NotSoap(Exception):
    """Answered by a Fault."""


@dataclass(frozen=True)
class Envelope:
    """A SOAP request: its version, the first element of its body and the action it named."""

    version: str
    body: etree._Element
    action: str


def opened(call: NoteCall) -> Envelope:
    """Raises NotSoap for what is no envelope with exactly one element in its body."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False)
    try:
        root = etree.fromstring(call.request.body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotSoap(f"envelope mal formado: {error}") from error
    name = etree.QName(root)
    version = _VERSIONS.get(name.namespace or "")
    if version is None or name.localname != "Envelope":
        raise NotSoap("a raiz não é um Envelope SOAP")
    kind = call.request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != _KINDS[version].split(";")[0]:
        raise NotSoap(f"Content-Type {kind} não é de SOAP {version}")
    body = root.find(f"{{{name.namespace}}}Body")
    inside = [] if body is None else [each for each in body if isinstance(each.tag, str)]
    if len(inside) != 1:
        raise NotSoap("o Body deve ter um elemento")
    return Envelope(version, inside[0], _action(call, version))


def _action(call: NoteCall, version: str) -> str:
    if version == "1.1":
        return call.request.headers.get("soapaction", "").strip('"')
    for part in call.request.headers.get("content-type", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "action":
            return value.strip('"')
    return ""


def part(body: etree._Element, name: str, namespace: str) -> str:
    """Text of one part of the operation. Raises NotSoap when it is not there."""
    found = body.find(f"{{{namespace}}}{name}" if namespace else name)
    if found is None:
        raise NotSoap(f"parte {name} não encontrada no espaço de nomes {namespace or 'vazio'}")
    if len(found):
        raise NotSoap(f"a parte {name} deve ser texto, escapado ou CDATA")
    return found.text or ""


def sealed(
    version: str, *, response: str, namespace: str, answer: str, text: str, form: str, bare: bool
) -> Reply:
    """An answer in the same version of SOAP; `bare` puts the part in no namespace."""
    soap = SOAP12 if version == "1.2" else SOAP11
    inner = f"<![CDATA[{text}]]>" if form == "cdata" else escape(text, quote=False)
    empty = ' xmlns=""' if bare else ""
    made = (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{soap}"><soap:Body>'
        f'<{response} xmlns="{namespace}"><{answer}{empty}>{inner}</{answer}></{response}>'
        "</soap:Body></soap:Envelope>"
    )
    return Reply(200, _KINDS[version], made.encode())


def fault(version: str, reason: str) -> Reply:
    """A Fault, HTTP 500."""
    if version == "1.2":
        inner = (
            "<soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason>"
            f'<soap:Text xml:lang="pt">{escape(reason)}</soap:Text></soap:Reason>'
        )
    else:
        inner = f"<faultcode>soap:Client</faultcode><faultstring>{escape(reason)}</faultstring>"
    soap = SOAP12 if version == "1.2" else SOAP11
    made = (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{soap}"><soap:Body>'
        f"<soap:Fault>{inner}</soap:Fault></soap:Body></soap:Envelope>"
    )
    return Reply(500, _KINDS[version], made.encode())


def certificate_fault(call: NoteCall) -> str:
    """Why the certificate of the connection is refused, or nothing."""
    wrong = call.world.trust.judge(call.sender, call.now, call.world.revoked())
    return "" if wrong is None else f"Certificado de transmissão recusado: {wrong.name}"
