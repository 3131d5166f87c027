"""A real server that receives webhooks, well behaved or not, and remembers what came."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# (the request, its connection) → what to do with it.
Behaviour = Callable[["Received", socket.socket], None]


@dataclass(frozen=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def is_ping(self) -> bool:
        return self.json == {"test": True}


def answer(raw: bytes = OK) -> Behaviour:
    return lambda _, connection: connection.sendall(raw)


def status(code: int, body: bytes = b"") -> Behaviour:
    head = f"HTTP/1.1 {code} Status\r\nContent-Length: {len(body)}\r\n\r\n"
    return answer(head.encode() + body)


def hang(_: Received, connection: socket.socket) -> None:
    """Say nothing until the client gives up."""
    with suppress(OSError):
        connection.recv(1)


def only_pings(events: Behaviour) -> Behaviour:
    """Answer tests well, and events as told."""
    return lambda got, connection: (answer() if got.is_ping else events)(got, connection)


@dataclass
class Receiver:
    """`behave` may be changed at any time; `received` has every request in order."""

    host: str
    port: int
    scheme: str = "http"
    behave: Behaviour = field(default_factory=answer)
    received: list[Received] = field(default_factory=list)
    n_connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/hooks/billing"

    @property
    def events(self) -> list[Received]:
        return [got for got in self.received if not got.is_ping]


@contextmanager
def receiver(
    behave: Behaviour | None = None, *, tls: tuple[Path, Path] | None = None
) -> Iterator[Receiver]:
    """Serve on 127.0.0.1, each connection in a thread; `tls` is (certificate, key)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    made = Receiver("127.0.0.1", listener.getsockname()[1], "https" if tls else "http")
    made.behave = behave or answer()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    threading.Thread(target=_serve, args=(listener, made, context), daemon=True).start()
    try:
        yield made
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(listener: socket.socket, made: Receiver, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        made.n_connections += 1
        threading.Thread(target=_one, args=(connection, made, context), daemon=True).start()


def _one(connection: socket.socket, made: Receiver, context: ssl.SSLContext | None) -> None:
    with suppress(OSError), connection:
        connection.settimeout(60)
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        got = _read(connection)
        if got:
            made.received.append(got)
            made.behave(got, connection)


def _read(connection: socket.socket) -> Received | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(65536)
        if not part:
            return None
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(each.split(": ", 1) for each in lines)
    while len(body) < int(headers.get("Content-Length", 0)):
        body += connection.recv(65536)
    return Received(line, headers, body)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def sha1(secret: str, got: Received, prefix: str = "X-Webhook") -> str:
    """The older contract's signature, worked out as its receivers do (billing-api §4)."""
    message = got.headers[f"{prefix}-RequestId"].encode() + got.body
    return hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()


def sha256(secret: str, got: Received) -> str:
    """SIG-1's v1."""
    moment = got.headers["X-Signature"].split(",")[0].removeprefix("t=")
    message = moment.encode() + b"." + got.body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
