"""What the scripted faults do to a request and to its answer."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

from fiscal.sandbox import answers, br, soap
from fiscal.sandbox.faults import EITHER, Fault
from fiscal.sandbox.services.authorisation import key_of
from fiscal.sandbox.wire import Reply
from fiscal.sandbox.world import Call, Naps, Refused

_HTML = b"<html><head><title>Service Unavailable</title></head><body><h1>503</h1></body></html>"
_SILENCE = Reply(0, "", b"", dropped=True)
_MESSAGE_LEVEL = {*range(280, 287), 108, 109, 113, 114, 214, 225, 239, 243, 252, 402, 404, 452, 656}
_PROT = re.compile(r"<protNFe.*?</protNFe>", re.DOTALL)
_KEY = re.compile(r"(<chNFe>)([0-9A-Z]{44})(</chNFe>)")
_DIGEST = re.compile(r"(<digVal>)[^<]*(</digVal>)")


def before(fault: Fault, naps: Naps) -> Reply | None:
    """The answer, or the silence, of a fault that comes before any processing."""
    if fault.tipo == "queda_antes":
        return _SILENCE
    if fault.tipo == "lento_antes" and naps.sleep(fault.number("segundos", 3)):
        return _SILENCE  # whatever was reset meanwhile does not get it any more
    if fault.tipo in EITHER and fault.parameters.get("quando", "antes") == "antes":
        return _error(fault)
    return None


def instead(fault: Fault | None) -> Callable[[Call], str] | None:
    """What answers in place of the service."""
    if fault is None:
        return None
    refusals = {"pausado": 108, "parado": 109, "consumo_indevido": 656}
    if fault.tipo in refusals:
        return lambda call: _refuse(refusals[fault.tipo])
    if fault.tipo == "cstat":
        return lambda call: _told(call, fault)
    if fault.tipo == "duplicado_fantasma":
        return _phantom
    return None


def _refuse(c_stat: int, detail: str = "") -> str:
    raise Refused(c_stat, detail)


def _told(call: Call, fault: Fault) -> str:
    """A given code, about the document where it is one's, else about the message."""
    c_stat, detail = int(fault.number("codigo", 999)), str(fault.parameters.get("motivo", ""))
    chave = key_of(call.payload)
    about_message = c_stat < 200 or c_stat in _MESSAGE_LEVEL
    if fault.parameters.get("nivel", "lote" if about_message else "documento") == "lote":
        _refuse(c_stat, detail)
    if call.service != "autorizacao" or not chave:
        _refuse(c_stat, detail)
    _place(call, chave)
    prot = answers.protocol(call, chave=chave, c_stat=c_stat, detail=detail)
    return answers.ret_envi(call, 104, content=prot)


def _phantom(call: Call) -> str:
    """539 with a key that nobody sent."""
    chave = key_of(call.payload)
    if not chave:
        _refuse(539)
    _place(call, chave)
    detail = f"[chNFe: {_other_key(chave)}]"
    prot = answers.protocol(call, chave=chave, c_stat=539, detail=detail)
    return answers.ret_envi(call, 104, content=prot)


def _place(call: Call, chave: str) -> None:
    call.cuf = chave[:2]


def _other_key(chave: str) -> str:
    """The same number under another cNF, with a right check digit."""
    first = chave[:35] + f"{(int(chave[35:43]) + 7) % 100_000_000:08d}"
    return first + br.key_digit(first)


def to_payload(fault: Fault, payload: str, call: Call) -> str:
    """The answer with another document's protocol, or with another digVal."""
    if fault.tipo == "digval_trocado":
        other = base64.b64encode(hashlib.sha1(payload.encode()).digest()).decode()  # noqa: S324
        return _DIGEST.sub(rf"\g<1>{other}\g<2>", payload)
    if fault.tipo == "resposta_trocada":
        return _swapped(payload, call)
    return payload


def _swapped(payload: str, call: Call) -> str:
    found = _KEY.search(payload)
    if not found:
        return payload
    row = call.world.store.one(
        "SELECT prot FROM documentos WHERE ambiente = ? AND chave <> ? ORDER BY id DESC",
        call.ambiente,
        found.group(2),
    )
    if row is not None and _PROT.search(payload):
        return _PROT.sub(lambda _: bytes(row["prot"]).decode(), payload, count=1)
    return payload.replace(found.group(2), _other_key(found.group(2)))


def to_reply(fault: Fault, reply: Reply, naps: Naps) -> Reply:
    """Damage a finished answer on its way out."""
    tipo = fault.tipo
    if tipo == "lento_depois":
        reply.dropped = naps.sleep(fault.number("segundos", 3))
    elif tipo == "gotejar":
        reply.pause = fault.number("intervalo", 0.01)
    elif tipo == "queda_depois":
        reply.dropped = True
    elif tipo == "truncado":
        reply.cut_at = len(reply.body) // 2
    elif tipo == "vazio":
        reply.body = b""
    elif tipo == "mal_formado":
        reply.body = reply.body.replace(b"</", b"<", 1)
    elif tipo == "outra_codificacao":
        # Says UTF-8 and is Latin-1: the accent is a byte that UTF-8 cannot hold there.
        text = reply.body.decode().replace("<xMotivo>", "<xMotivo>Não é UTF-8: ", 1)
        reply.body = text.encode("latin-1", "replace")
    elif tipo in EITHER and fault.parameters.get("quando", "antes") == "depois":
        return _error(fault)
    return reply


def _error(fault: Fault) -> Reply:
    if fault.tipo == "soap_fault":
        kind, body = soap.fault("Erro interno do servidor")
        return Reply(500, kind, body)
    if fault.tipo == "http_html":
        return Reply(200, "text/html; charset=utf-8", _HTML)
    return Reply(int(fault.tipo.removeprefix("http_")), "text/html; charset=utf-8", _HTML)
