"""Requests to an address that somebody else chose: bounded in time, bytes and where they lead.

The name is resolved once for each request and the connection goes to the very address that was
checked, so a name that changes its mind in between (DNS rebinding) gains nothing. Redirects are
not followed, proxies of the environment not used, and the whole exchange has one deadline.
"""

from __future__ import annotations

import http.client
import io
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from lib.addresses import is_public
from lib.errors import GatewayRefused, GatewayUnavailable
from lib.http import USER_AGENT

KEPT_BYTES = 4096  # of the answer's body
MAX_URL = 2000
_MAX_ANSWER = 128 * 1024  # of everything: status lines, headers and the part of the body we read
_PORTS = (80, 443, 8080, 8443)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_RESOLVERS = threading.BoundedSemaphore(32)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?\.?|\[?[0-9a-f:.]+\]?", re.IGNORECASE)


@dataclass(frozen=True)
class Policy:
    """What besides https to public addresses is allowed; for development and tests."""

    allow_http: bool = False
    allow_private: bool = False


@dataclass(frozen=True)
class Target:
    """A URL taken apart and found acceptable in form."""

    scheme: str
    host: str
    port: int
    path: str  # with its query, percent-encoded

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """The status, the first part of the body, and how long it took in milliseconds."""

    status: int
    body: bytes
    duration_ms: int

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


NOT_PUBLIC = "o endereço não é público"


class Blocked(GatewayRefused):
    """The URL leads where we do not go."""


class NoAnswer(GatewayUnavailable):
    """No answer in time, or none that is HTTP; the text says what happened, in pt-BR."""


def parse(url: str, policy: Policy) -> Target:
    """`url` taken apart. Raises Blocked for every form that we do not go to."""
    if len(url) > MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise Blocked("endereço malformado")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise Blocked("endereço malformado") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and policy.allow_http):
        raise Blocked("o endereço não é https")
    if "@" in parts.netloc:
        raise Blocked("o endereço traz usuário ou senha")
    if not _HOST.fullmatch(host):
        raise Blocked("endereço malformado")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port == 0 or (port not in _PORTS and not policy.allow_private):
        raise Blocked(f"a porta {port} não é permitida")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    return Target(parts.scheme, host, port, path + query)


def check(url: str, policy: Policy, *, timeout: float = 5) -> Target:
    """`parse`, and its name leads to permitted addresses now. Raises Blocked or NoAnswer."""
    target = parse(url, policy)
    _addresses(target, policy, time.monotonic() + timeout)
    return target


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], timeout: float, policy: Policy
) -> Answer:
    """`send` a POST of which only the beginning of the answer is read."""
    return send("POST", url, body, headers=headers, timeout=timeout, policy=policy)


def send(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    headers: Mapping[str, str],
    timeout: float,
    policy: Policy,
    kept: int = KEPT_BYTES,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send `body` and wait at most `timeout` seconds for all of it: name, connection and answer.

    An answer whose status came in time counts, whatever its body does afterwards; `kept` bytes of
    it are read, at most 120 KB. `context` is for a certificate of our own. Raises Blocked or
    NoAnswer.
    """
    begun = time.monotonic()
    deadline = begun + timeout
    target = parse(url, policy)
    addresses = _addresses(target, policy, deadline)
    try:
        with _connected(target, addresses, deadline, context) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(_request(method, target, body, headers))
            status, found = _answer(connection, deadline, method=method, kept=kept)
    except TimeoutError as error:
        raise NoAnswer(f"sem resposta em {timeout:g} s") from error
    except ssl.SSLError as error:
        raise NoAnswer(_tls_text(error)) from error
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        raise NoAnswer("conexão recusada" if refused else "falha na conexão") from error
    except (http.client.HTTPException, ValueError) as error:
        raise NoAnswer("a resposta não é HTTP válido") from error
    return Answer(status, found, int((time.monotonic() - begun) * 1000))


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


# --- where to ----------------------------------------------------------------------------------

_Found = tuple[socket.AddressFamily, tuple[object, ...]]


def _addresses(target: Target, policy: Policy, deadline: float) -> list[_Found]:
    """What the name leads to; one address among them that is not public spoils them all."""
    found = _resolved(target, deadline)
    if not policy.allow_private and not all(is_public(str(where[0])) for _, where in found):
        raise Blocked(NOT_PUBLIC)
    return found


def _resolved(target: Target, deadline: float) -> list[_Found]:
    """The name's addresses. In a thread, because the system's resolver takes no deadline."""
    answers: queue.SimpleQueue[list[_Found] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            answers.put([(row[0], row[4]) for row in rows])
        except (OSError, UnicodeError) as error:
            answers.put(error)
        finally:
            _RESOLVERS.release()

    # Threads that a dead resolver keeps waiting must not pile up.
    if not _RESOLVERS.acquire(timeout=max(deadline - time.monotonic(), 0)):
        raise NoAnswer("o nome do servidor não foi resolvido a tempo")
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=max(deadline - time.monotonic(), 0))
    except queue.Empty as error:
        raise NoAnswer("o nome do servidor não foi resolvido a tempo") from error
    if isinstance(found, list) and found:
        return found
    raise NoAnswer("o nome do servidor não existe")


def _connected(
    target: Target, addresses: list[_Found], deadline: float, context: ssl.SSLContext | None
) -> socket.socket:
    """A connection to the first address that takes one, with TLS under the URL's own name."""
    failure: OSError | None = None
    for n, (family, where) in enumerate(addresses):
        share = _left(deadline) / (len(addresses) - n)
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(share)
            plain.connect(where)
            break
        except OSError as error:
            plain.close()
            failure = error
    else:
        raise failure or TimeoutError()
    if target.scheme == "http":
        return plain
    try:
        plain.settimeout(_left(deadline))
        return _tls(context or _tls_context(), plain, target.host)
    except BaseException:
        plain.close()
        raise


def _tls(context: ssl.SSLContext, plain: socket.socket, host: str) -> ssl.SSLSocket:
    return context.wrap_socket(plain, server_hostname=host.rstrip("."))


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """The system's authorities and those of requests: a minimal machine may have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _tls_text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificado TLS recusado ({error.verify_message})"
    return f"falha de TLS ({error.reason or 'desconhecida'})"


# --- what is said ------------------------------------------------------------------------------


def _request(method: str, target: Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = {
        "Host": target.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        **headers,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if text.count("\n") != len(lines):
        raise ValueError("a header holds a line break")
    return f"{method} {target.path} HTTP/1.1\r\n{text}\r\n".encode("latin-1") + body


class _Reader(io.RawIOBase):
    """The socket as a file that ends in TimeoutError at the deadline, however slowly it drips."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection, self.deadline, self.rest = connection, deadline, _MAX_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.rest <= 0:
            raise http.client.HTTPException("too long an answer")
        self.connection.settimeout(_left(self.deadline))
        n = self.connection.recv_into(buffer, min(len(buffer), self.rest))
        self.rest -= n
        return n


class _Stream:
    """What http.client takes for a socket."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader, 2048)


def _answer(
    connection: socket.socket, deadline: float, *, method: str, kept: int
) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(_Stream(_Reader(connection, deadline)), method=method)  # type: ignore[arg-type]
    response.begin()
    found = b""
    try:
        while len(found) < kept and (part := response.read1(kept - len(found))):
            found += part
    except (OSError, http.client.HTTPException, ValueError):
        pass  # the status is what counts; a body may break off
    return response.status, found
