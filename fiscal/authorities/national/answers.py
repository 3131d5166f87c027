"""What the national services answer, in every shape that was seen (NAC-8).

Names of any case, `erro` or `erros`, an object or a list, UTF-8 or Latin-1.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from fiscal.authorities.base import Lost, Misconfigured, NotSent
from fiscal.authorities.provider import ProviderMessage
from fiscal.authorities.transport import Reply

MAX_UNPACKED = 20_000_000  # bytes of one document
# Not processed, and not for the content: an operator acts.
_REFUSED_AT_THE_DOOR = frozenset((401, 403, 415, 495, 496, 501))
_TOO_MANY = 429
_BUSINESS = frozenset((400, 404, 422))
# E1200 to E1209: the certificate of the connection.
_TRANSPORT_CODES = frozenset(f"E12{n:02d}" for n in range(10))


class Body(dict[str, Any]):
    """A JSON object whose names are looked up in lower case."""

    def text(self, name: str) -> str:
        value = self.get(name.lower())
        return "" if value is None or isinstance(value, dict | list) else str(value).strip()

    def rows(self, name: str) -> list[Body]:
        """The objects under a name, one or many."""
        value = self.get(name.lower())
        listed = value if isinstance(value, list) else [value]
        return [_lowered(row) for row in listed if isinstance(row, dict)]


def body_of(reply: Reply) -> Body | None:
    """The JSON object of an answer; None for HTML, nothing and all else."""
    for encoding in dict.fromkeys((reply.charset or "utf-8", "utf-8", "latin-1")):
        try:
            found = json.loads(reply.body.decode(encoding))
        except (ValueError, LookupError, RecursionError):
            continue
        return _lowered(found) if isinstance(found, dict) else None
    return None


def _lowered(source: dict[str, Any]) -> Body:
    return Body({str(name).lower(): value for name, value in source.items()})


def messages(body: Body) -> tuple[ProviderMessage, ...]:
    """The errors of an answer. `complemento` often holds the real reason."""
    return tuple(message for row in _errors(body) for message in _message(row))


def _errors(body: Body) -> Iterator[Body]:
    for name in ("erros", "erro"):
        yield from body.rows(name)
        if isinstance(body.get(name), str):
            yield Body({"descricao": body[name]})


def _message(row: Body) -> Iterator[ProviderMessage]:
    code = (row.text("codigo") or row.text("code")).upper()
    text = row.text("descricao") or row.text("mensagem") or row.text("message")
    more = row.text("complemento")
    if code or text:
        yield ProviderMessage(code, " ".join(filter(None, (text, more)))[:2000])


def alerts(body: Body) -> tuple[ProviderMessage, ...]:
    """Warnings beside an authorization."""
    return tuple(message for row in body.rows("alertas") for message in _message(row))


def refusal(reply: Reply) -> tuple[ProviderMessage, ...]:
    """The reasons of an answer that is no success.

    Raises Misconfigured and NotSent where nothing was processed, for reasons outside of the
    content; Lost where nobody can tell.
    """
    body = body_of(reply)
    found = messages(body) if body is not None else ()
    reason = "; ".join(f"{m.code} {m.text}".strip() for m in found)[:300]
    told = f"HTTP {reply.status} {reason}".strip()
    if reply.status in _REFUSED_AT_THE_DOOR or any(m.code in _TRANSPORT_CODES for m in found):
        raise Misconfigured(f"O sistema nacional recusou: {told}", elapsed_ms=reply.elapsed_ms)
    if reply.status == _TOO_MANY:
        text = "O sistema nacional pediu para esperar (HTTP 429)."
        raise NotSent(text, elapsed_ms=reply.elapsed_ms, wait=reply.retry_after)
    if reply.status in _BUSINESS and found:
        return found
    raise lost(reply, told)


def lost(reply: Reply, reason: str) -> Lost:
    """An answer that proves nothing."""
    text = f"O sistema nacional não deu resposta conclusiva: {reason}"
    return Lost(text[:300], raw=reply.body, elapsed_ms=reply.elapsed_ms)


def packed(xml: bytes) -> str:
    """XML as the messages carry it: gzip in base64, in one line."""
    return base64.b64encode(gzip.compress(xml, compresslevel=6, mtime=0)).decode("ascii")


def unpacked(text: str) -> bytes:
    """The XML of a message. Raises ValueError for what is damaged or too large."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        found = unpacker.decompress(base64.b64decode(text, validate=False), MAX_UNPACKED)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError("documento compactado ilegível") from error
    if not unpacker.eof:
        raise ValueError("documento compactado incompleto ou grande demais")
    return found


def document(text: str) -> bytes:
    """XML that comes packed, or as it is. Raises ValueError when it is neither."""
    return text.encode() if text.lstrip("\ufeff \r\n").startswith("<") else unpacked(text)
