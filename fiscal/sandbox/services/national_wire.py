"""JSON, gzip and base64 of the national system, and the checks of the reception (E12xx)."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from typing import Any

from lxml import etree

from fiscal.sandbox import sefin_texts
from fiscal.sandbox.certificates import Fault as Wrong
from fiscal.sandbox.note_call import Fault, NoteCall, NoteRefused
from fiscal.sandbox.schemas import first_fault
from fiscal.sandbox.wire import Reply

APPLICATION = "SefinNacional_1.6.0"
NAMESPACE = "http://www.sped.fazenda.gov.br/nfse"
NS = f"{{{NAMESPACE}}}"
MAX_XML = 5_000_000
_JSON = "application/json; charset=utf-8"
_DECLARATION = re.compile(rb"\A<\?xml[^>]*encoding=[\"']utf-?8[\"'][^>]*\?>", re.IGNORECASE)
_SENDER = {
    Wrong.INVALID: "E1200",
    Wrong.DATES: "E1203",
    Wrong.NO_DOCUMENT: "E1209",
    Wrong.CHAIN: "E1205",
    Wrong.REVOKED: "E1207",
    Wrong.NOT_ICP: "E1208",
}


def check_sender(call: NoteCall) -> None:
    """The certificate of the connection. Raises NoteRefused with 403."""
    wrong = call.world.trust.judge(call.sender, call.now, call.world.revoked())
    if wrong is not None:
        raise NoteRefused(Fault(_SENDER[wrong]), status=403)


def answered(call: NoteCall, status: int, **content: Any) -> Reply:
    """A JSON answer with the head that all of them carry."""
    head = {
        "tipoAmbiente": int(call.tp_amb),
        "versaoAplicativo": APPLICATION,
        "dataHoraProcessamento": call.local(),
    }
    return Reply(status, _JSON, json.dumps({**head, **content}, ensure_ascii=False).encode())


def refused(call: NoteCall, refusal: NoteRefused, *, one: bool = False) -> Reply:
    """The errors in PascalCase below `erros`, or (`one`) the first alone below `erro`."""
    call.codes += [fault.code for fault in refusal.faults]
    told = [_told(fault) for fault in refusal.faults]
    content = {"erro": told[0]} if one and told else {"erros": told}
    return answered(call, refusal.status, **content)


def shaped(
    call: NoteCall, refusal: NoteRefused, content: dict[str, Any], *, kind: str = _JSON
) -> Reply:
    """A JSON answer of another shape; the faults, if any, go below `Erros`."""
    call.codes += [fault.code for fault in refusal.faults]
    if refusal.faults:
        content = {**content, "Erros": [_told(fault) for fault in refusal.faults]}
    return Reply(refusal.status, kind, json.dumps(content, ensure_ascii=False).encode())


def _told(fault: Fault) -> dict[str, str]:
    told = {"Codigo": fault.code, "Descricao": fault.text or sefin_texts.text(fault.code)}
    if fault.detail:
        told["Complemento"] = fault.detail
    return told


def message(call: NoteCall, name: str) -> bytes:
    """The XML of the JSON member `name`. Raises NoteRefused 415, E1225."""
    kind = call.request.headers.get("content-type", "")
    if not kind.lower().startswith("application/json"):
        raise NoteRefused(Fault("E1225", detail=f"Content-Type {kind}"), status=415)
    try:
        body = json.loads(call.request.body)
        packed = base64.b64decode(body[name], validate=True)
        opened = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return opened.decompress(packed, MAX_XML)
    except (ValueError, KeyError, TypeError, binascii.Error, zlib.error) as error:
        raise NoteRefused(Fault("E1225", detail=f"{name}: {error!r}")) from error


def parsed(raw: bytes, root: str) -> etree._Element:
    """The document, of the wanted root and valid. Raises NoteRefused E1226…E1242."""
    _check_encoding(raw)
    try:
        found = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise NoteRefused(Fault("E1226", detail=str(error))) from error
    if any(each.prefix for each in found.iter(etree.Element)):
        raise NoteRefused(Fault("E1228"))
    if found.tag != f"{NS}{root}":
        raise NoteRefused(Fault("E1242", detail=etree.QName(found).localname))
    wrong = first_fault(found, root)
    if wrong:
        raise NoteRefused(Fault("E1235", detail=wrong))
    return found


def _check_encoding(raw: bytes) -> None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteRefused(Fault("E1229", detail=str(error))) from error
    if not _DECLARATION.match(raw):
        raise NoteRefused(Fault("E1229", detail='<?xml version="1.0" encoding="UTF-8"?>'))


def packed(xml: bytes) -> str:
    """base64 of gzip, as every XML leaves."""
    return base64.b64encode(gzip.compress(xml, mtime=0)).decode()


def number(name: str, value: object) -> str:
    """A leaf, or nothing for None."""
    return "" if value is None else f"<{name}>{value}</{name}>"
