"""Rows 1 to 7 of the table: the sender, and the message before anything in it is believed."""

from __future__ import annotations

import re

from lxml import etree

from fiscal.sandbox import soap, tables
from fiscal.sandbox.world import Call, Refused

MAX_DOCUMENT = 500 * 1024
_GAP = re.compile(rb">\s+<")
_ENCODING = re.compile(rb"\A\s*<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)", re.IGNORECASE)


def check_sender(call: Call) -> None:
    """Row 1: chain, dates, CNPJ and revocation of the client certificate (280-285)."""
    fault = call.world.trust.judge(call.sender, call.now, call.world.revoked())
    if fault is not None:
        raise Refused(280 + fault)


def check_size(payload: bytes, most: int = MAX_DOCUMENT) -> None:
    """Row 3."""
    if len(payload) > most:
        raise Refused(214)


def parsed(payload: bytes, root: str, version: str) -> etree._Element:
    """Rows 4 and 5: encoding, prefixes, white space, form, root and version."""
    named = _ENCODING.match(payload)
    if named and named.group(1).upper() != b"UTF-8":
        raise Refused(402)
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise Refused(402) from error
    try:
        element = soap.parse(payload)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused(243, f"[{error}]") from error
    check_form(payload, element)
    _check_root(element, root, version)
    return element


def check_form(payload: bytes, element: etree._Element) -> None:
    """No prefixes, no white space between tags, no comments or instructions (XML-1)."""
    if any(prefix is not None for each in element.iter(etree.Element) for prefix in each.nsmap):
        raise Refused(404)
    if payload != payload.strip() or _GAP.search(payload):
        raise Refused(588)
    if any(not isinstance(each.tag, str) for each in element.iter()):
        raise Refused(588)


def _check_root(element: etree._Element, root: str, version: str) -> None:
    name = etree.QName(element)
    if name.localname != root:
        raise Refused(516)
    if name.namespace != "http://www.portalfiscal.inf.br/nfe":
        raise Refused(587)
    if not element.get("versao"):
        raise Refused(517)
    if element.get("versao") != version:
        raise Refused(239)


def check_place(call: Call, *, tp_amb: str, cuf: str, refusal: int = 226) -> None:
    """Row 7: the environment, the unit and the model are this address's."""
    if tp_amb != call.tp_amb:
        raise Refused(252)
    if call.is_svc and call.modelo == "65":
        raise Refused(783)
    if not tables.serves(call.authority, cuf, call.modelo):
        raise Refused(refusal)


def check_svc(call: Call, cuf: str) -> None:
    """Row 2, contingency: closed for the unit until the control API opens it (114)."""
    if call.is_svc and call.setting("svc", {}).get(_sigla(cuf), "fechado") == "fechado":
        raise Refused(114)


def _sigla(cuf: str) -> str:
    uf = tables.by_code().get(cuf)
    return uf.sigla if uf else ""


def check_author(call: Call, document: str, c_stat: int = 213) -> None:
    """The sender's certificate is of the same CNPJ base, or CPF, as that document."""
    if call.sender is None or not call.sender.base_is(document):
        raise Refused(c_stat)
