"""An authority on a real TLS port that demands a client certificate and does as it is told.

It checks nothing of what it receives: it is about connections and shapes of answers. The sandbox of
the product checks documents.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fiscal.authorities.base import Credentials

OURS = "AC de teste"
Answering = Callable[["Call"], None]


@dataclass
class Issued:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes
    _x509: x509.Certificate = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def credentials(self) -> Credentials:
        thumbprint = self._x509.fingerprint(hashes.SHA256()).hex()
        return Credentials(thumbprint, self.certificate, self.key)


@cache
def authority(name: str) -> Issued:
    return _issued(name, signed_by=None)


@cache
def client(name: str, *, by: str = OURS) -> Credentials:
    """A taxpayer's certificate; the same name is the same certificate."""
    return _issued(name, signed_by=authority(by)).credentials()


def _issued(name: str, signed_by: Issued | None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by._x509.subject if signed_by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_hosts()), critical=False)
        .sign(signed_by._key if signed_by else key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Issued(built.public_bytes(serialization.Encoding.PEM), pem, built, key)


def _hosts() -> list[x509.GeneralName]:
    return [x509.DNSName("localhost"), x509.DNSName("localhost.localdomain")]


@dataclass
class Call:
    """One request as received, and the socket to answer on."""

    path: str
    headers: dict[str, str]
    body: bytes
    client: str  # common name in the certificate of the connection
    connection: int  # 1, 2, 3…
    socket: ssl.SSLSocket = field(repr=False)

    def answer(
        self,
        body: bytes,
        *,
        status: str = "200 OK",
        kind: str = "application/soap+xml",
        **also: str,
    ) -> None:
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **also}
        lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
        self.socket.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)

    def hang_up(self) -> None:
        raise _HangUpError


class _HangUpError(Exception):
    """End this connection without another byte."""


@dataclass
class Server:
    """What it was asked so far, and what it does with the next request."""

    port: int
    ca_file: str
    do: Answering
    calls: list[Call] = field(default_factory=list)
    n_connections: int = 0
    refuse_handshake: bool = False

    def url(self, path: str = "/ws", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"


@contextmanager
def serving(
    do: Answering, folder: Path, *, tls: ssl.TLSVersion | None = None, by: str = OURS
) -> Iterator[Server]:
    """A server until the block ends; `by` issued its own certificate."""
    listener = socket.create_server(("127.0.0.1", 0))
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(authority(OURS).certificate)
    server = Server(listener.getsockname()[1], str(ca_file), do)
    context = _context(folder, tls, by)
    threading.Thread(target=_accept, args=(listener, context, server), daemon=True).start()
    try:
        yield server
    finally:
        listener.close()


def _context(folder: Path, tls: ssl.TLSVersion | None, by: str) -> ssl.SSLContext:
    own = _issued("localhost", signed_by=authority(by))
    pem = folder / "server.pem"
    pem.write_bytes(own.certificate + own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(cadata=authority(OURS).certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    if tls:
        context.minimum_version = context.maximum_version = tls
    return context


def _accept(listener: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    with suppress(OSError):  # the listener was closed
        while True:
            plain, _ = listener.accept()
            server.n_connections += 1
            args = (plain, context, server, server.n_connections)
            threading.Thread(target=_talk, args=args, daemon=True).start()


def _talk(plain: socket.socket, context: ssl.SSLContext, server: Server, number: int) -> None:
    if server.refuse_handshake:
        plain.close()
        return
    with suppress(OSError, _HangUpError), context.wrap_socket(plain, server_side=True) as secure:
        while call := _received(secure, number):
            server.calls.append(call)
            server.do(call)


def _received(secure: ssl.SSLSocket, number: int) -> Call | None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = secure.recv(65536)
        if not more:
            return None
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += secure.recv(65536)
    subject = dict(item for part in secure.getpeercert()["subject"] for item in part)
    return Call(first.split()[1], headers, body, subject["commonName"], number, secure)


def slowly(call: Call, body: bytes, *, pause: float) -> None:
    """An answer byte by byte, headers included."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for byte in head + body:
        call.socket.sendall(bytes([byte]))
        time.sleep(pause)
