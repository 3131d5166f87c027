"""What a request to an authority of service notes is about, so that faults can be aimed at it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib

from fiscal.sandbox.faults import Facts
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.wire import Request

_DPS = re.compile(r"DPS([0-9]{7})([12])([0-9A-Z]{14})([0-9]{5})([0-9]{15})")
_KEY = re.compile(r"(?<![0-9A-Z])([0-9]{9}[0-9A-Z]{12}[0-9]{29})(?![0-9A-Z])")
_DOCUMENT = re.compile(r"<(?:\w+:)?(?:Cnpj|Cpf|CNPJ|CPF)>([0-9A-Z]{11,14})<")
_RPS = re.compile(
    r"<(?:\w+:)?IdentificacaoRps>\s*<(?:\w+:)?Numero>([0-9]+)<.*?Serie>([^<]*)<"
    r"|<(?:\w+:)?SerieRPS>([^<]*)<.*?NumeroRPS>([0-9]+)<",
    re.DOTALL,
)
# Parts of operation names, the longest first.
_OPERATIONS = (
    ("cancela", "nota_cancelamento"),
    ("substituir", "nota_envio"),
    ("consultarlote", "nota_lote"),
    ("consultarsituacao", "nota_lote"),
    ("consultalote", "nota_lote"),
    ("consulta", "nota_consulta"),
)
MAX_MESSAGE = 10_000_000


def service_of(authority: str, request: Request, parts: list[str]) -> str:
    """One of tables.NOTE_SERVICES."""
    if authority == "ADN":
        is_parameter = parts[:1] == ["parametrizacao"]
        return "nota_parametros" if is_parameter else "nota_distribuicao"
    if authority == "SEFIN":
        if request.method != "POST":
            return "nota_consulta"
        return "nota_cancelamento" if "eventos" in parts else "nota_envio"
    found = re.search(rb"<(?:\w+:)?(\w+?)(?:Request)?[ >/]", _after_body(request.body))
    name = found.group(1).decode().lower() if found else ""
    return next((service for part, service in _OPERATIONS if part in name), "nota_envio")


def _after_body(raw: bytes) -> bytes:
    found = re.search(rb":?Body\s*>", raw)
    return raw[found.end() :] if found else raw


def facts_of(call: NoteCall) -> Facts:
    """Read without believing; what the request does not say is empty."""
    text = f"{'/'.join(call.parts)} {_text(call)}"
    sender = call.sender.document if call.sender else ""
    dps, key = _DPS.search(text), _KEY.search(text)
    if dps:
        document = dps.group(3) if dps.group(2) == "2" else dps.group(3)[3:]
        return Facts(
            call.service,
            cnpj=document,
            serie=str(int(dps.group(4))),
            numero=str(int(dps.group(5))),
            chave=dps.group(0),
            autorizador=call.authority,
        )
    if key:
        return Facts(call.service, cnpj=sender, chave=key.group(1), autorizador=call.authority)
    return _of_city(call, text, sender)


def _of_city(call: NoteCall, text: str, sender: str) -> Facts:
    found, document = _RPS.search(text), _DOCUMENT.search(text)
    number = (found.group(1) or found.group(4)) if found else ""
    serie = (found.group(2) or found.group(3) or "").strip() if found else ""
    return Facts(
        call.service,
        cnpj=document.group(1) if document else sender,
        serie=serie,
        numero=str(int(number)) if number else "",
        chave=f"{serie}-{int(number)}" if number else "",
        autorizador=call.authority,
    )


def _text(call: NoteCall) -> str:
    """The message as text: unzipped for SEFIN, unescaped for cities."""
    raw = call.request.body
    if call.authority in ("SEFIN", "ADN"):
        return "\n".join(_unzipped(value) for value in _values(raw))
    text = raw.decode("utf-8", "replace")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _values(raw: bytes) -> list[str]:
    try:
        found = json.loads(raw)
    except ValueError:
        return []
    return (
        [each for each in found.values() if isinstance(each, str)]
        if isinstance(found, dict)
        else []
    )


def _unzipped(value: str) -> str:
    try:
        packed = base64.b64decode(value, validate=True)
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, MAX_MESSAGE).decode()
    except (binascii.Error, ValueError, zlib.error):
        return ""
