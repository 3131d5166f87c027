"""One call to an authority, and what each failure of it proves (fiscal-engine REC-8, REC-9)."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotSent
from fiscal.authorities.connections import (
    NeverConnected,
    Session,
    drop,
    limit_call,
    session_for,
    text_of,
)
from lib.occupancy import Occupancy

MAX_BYTES = 20_000_000
_CHUNK = 65536
_SECONDS = re.compile("[0-9]{1,9}")
# REC-9: the proxy in front of the authority refused the certificate; nothing was processed.
_REFUSED_CERTIFICATE = {403, 495, 496}
# The time that threads spend here is the authorities', not ours.
waiting = Occupancy()
_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


@dataclass(frozen=True)
class Limits:
    """Seconds (TLS-5): to connect, of silence while reading, and of the whole call."""

    connect: float = 5
    read: float = 60
    overall: float = 90


@dataclass(frozen=True)
class Reply:
    """A complete body; of `post` always with status 200."""

    body: bytes = field(repr=False)
    charset: str
    elapsed_ms: int
    status: int = 200
    content_type: str = ""
    retry_after: int = 0  # seconds, where the header says seconds


def post(
    url: str,
    body: bytes,
    *,
    content_type: str,
    credentials: Credentials,
    limits: Limits,
    ca_file: str = "",
    soap_action: str = "",
) -> Reply:
    """POST and the whole answer of at most 20 MB, over this certificate's own connection.

    Raises NotSent (no connection came to be), Misconfigured (the certificate was refused, here or
    there, or the address is unusable) or Lost (anything else: the outcome is unknown).
    """
    headers = {"Content-Type": content_type}
    if soap_action:
        headers["SOAPAction"] = f'"{soap_action}"'  # SOAP 1.1 wants it quoted
    return request(
        "POST",
        url,
        body,
        headers=headers,
        credentials=credentials,
        limits=limits,
        ca_file=ca_file,
        only_ok=True,
    )


def request(
    method: str,
    url: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str],
    credentials: Credentials,
    limits: Limits,
    ca_file: str = "",
    only_ok: bool = False,
) -> Reply:
    """As `post`, by any method; without `only_ok` every complete answer is a Reply."""
    started = time.monotonic()
    host = _host(url)
    try:
        session = session_for(credentials, host, ca_file)
        sent = {**headers, "Accept-Encoding": "identity"}
        reply = _exchange(session, method, url, body, sent, limits, only_ok=only_ok)
    except Misconfigured as error:
        error.elapsed_ms = _since(started)
        raise
    except NeverConnected as error:
        drop(credentials.thumbprint, host)
        raise _unsent(error, host, _since(started)) from error
    except (requests.RequestException, HTTPError, OSError, _Broken) as error:
        drop(credentials.thumbprint, host)
        raise _lost(error, host, _since(started)) from error
    return replace(reply, elapsed_ms=_since(started))


class _Broken(Exception):
    """An answer came, but not one to believe."""

    def __init__(self, reason: str, content: bytes = b"") -> None:
        super().__init__(reason)
        self.content = content


def _exchange(
    session: Session,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    limits: Limits,
    *,
    only_ok: bool,
) -> Reply:
    limit_call(limits.overall)
    try:
        with (
            waiting,
            session.send(
                method, url, body, headers, timeout=(limits.connect, limits.read)
            ) as response,
        ):
            content = _whole(response)
            if only_ok:
                _check(response, content)
            kind = response.headers.get("Content-Type", "")
            wait = response.headers.get("Retry-After", "").strip()
            seconds = int(wait) if _SECONDS.fullmatch(wait) else 0
            return Reply(content, _charset(response), 0, response.status_code, kind, seconds)
    finally:
        limit_call(float("inf"))
        session.used_at = time.monotonic()


def _whole(response: requests.Response) -> bytes:
    content = bytearray()
    try:
        for chunk in _chunks(response):
            content += chunk
    except (requests.RequestException, HTTPError, OSError) as error:
        raise _Broken(f"resposta interrompida: {text_of(error)}", bytes(content)) from error
    return bytes(content)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    size = 0
    # read1 gives what is there, so that a cut answer is kept up to the cut.
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > MAX_BYTES:
            raise _Broken(f"resposta de mais de {MAX_BYTES} bytes")
        yield chunk


def _check(response: requests.Response, content: bytes) -> None:
    if response.status_code in _REFUSED_CERTIFICATE:
        host = urlsplit(str(response.url)).hostname
        raise Misconfigured(f"{host} recusou o certificado (HTTP {response.status_code}).")
    if response.status_code != 200:
        raise _Broken(f"HTTP {response.status_code}", content)
    if not content.strip():
        raise _Broken("resposta vazia")


def _charset(response: requests.Response) -> str:
    """What the header names, not what requests would guess for text/*."""
    kind = response.headers.get("Content-Type", "")
    return kind.partition("charset=")[2].partition(";")[0].strip("\"' ") if kind else ""


def _unsent(error: NeverConnected, host: str, elapsed_ms: int) -> NotSent | Misconfigured:
    if _is_refused_certificate(error):
        return Misconfigured(f"{host} recusou o certificado: {error}", elapsed_ms=elapsed_ms)
    return NotSent(f"Sem conexão com {host}: {error}", elapsed_ms=elapsed_ms)


def _lost(error: Exception, host: str, elapsed_ms: int) -> Lost | Misconfigured:
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return Misconfigured(f"Endereço inválido: {host}", elapsed_ms=elapsed_ms)
    # TLS 1.3 tells the client that its certificate is refused only after the request has left,
    # but a server that has not accepted it has no request to process.
    if _is_refused_certificate(error):
        return Misconfigured(f"{host} recusou o certificado.", elapsed_ms=elapsed_ms)
    raw = error.content if isinstance(error, _Broken) else b""
    return Lost(f"Sem resposta legível de {host}: {text_of(error)}", raw=raw, elapsed_ms=elapsed_ms)


def _is_refused_certificate(error: BaseException | None) -> bool:
    while error is not None:
        reason = str(getattr(error, "reason", "") or "")
        if isinstance(error, ssl.SSLError) and "ALERT" in reason:
            return any(word in reason for word in _ALERTS)
        error = error.__cause__ or error.__context__
    return False


def _host(url: str) -> str:
    """The host and port, which a connection belongs to. Raises Misconfigured without a host."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Misconfigured(f"Endereço inválido: {url[:100]}")
    return parts.netloc


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
