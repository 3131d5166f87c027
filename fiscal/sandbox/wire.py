"""HTTP/1.1 on a socket, just as much as these services need, and every way to break an answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from dataclasses import dataclass, field

MAX_HEAD = 65_536
MAX_BODY = 30_000_000
_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 405: "Not Allowed"}


class BadRequest(Exception):
    """What came is not HTTP that we take; the connection ends."""


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


@dataclass
class Reply:
    """One answer and how it leaves: whole, byte by byte, cut off or not at all."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    dropped: bool = False
    cut_at: int | None = None  # bytes of the body that leave before the connection ends
    pause: float = 0.0  # seconds between the bytes


class Reader:
    """Reads requests one after the other from a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.rest = b""

    def next(self) -> Request | None:
        """The next request, None when the client has ended. Raises BadRequest and OSError."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        line, *lines = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(line)
        pairs = (each.partition(":") for each in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(words[0], words[1], headers, self._body(headers))

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise BadRequest("content-length")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = b""
        while True:
            line = self._until(b"\r\n") or b""
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError as error:
                raise BadRequest("chunk") from error
            if len(body) + size > MAX_BODY:
                raise BadRequest("too long")
            body += self._exactly(size)
            self._exactly(2)
            if size == 0:
                return body

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self.rest:
            part = self.connection.recv(65_536)
            if not part:
                return None
            self.rest += part
            if mark not in self.rest and len(self.rest) > MAX_HEAD:
                raise BadRequest("head")
        found, _, self.rest = self.rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        parts, have = [self.rest], len(self.rest)
        while have < size:
            part = self.connection.recv(65_536)
            if not part:
                raise BadRequest("cut off")
            parts.append(part)
            have += len(part)
        whole = b"".join(parts)
        self.rest = whole[size:]
        return whole[:size]


def send(connection: socket.socket, reply: Reply, *, close: bool) -> bool:
    """Send it as it wants to be sent; whether the connection may go on."""
    if reply.dropped:
        return False
    ending = "close" if close else "keep-alive"
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}\r\n"
        f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
        f"Connection: {ending}\r\n\r\n"
    )
    body = reply.body if reply.cut_at is None else reply.body[: reply.cut_at]
    if not reply.pause:
        connection.sendall(head.encode() + body)
    else:
        connection.sendall(head.encode())
        for place in range(len(body)):
            connection.sendall(body[place : place + 1])
            time.sleep(reply.pause)
    return not close and reply.cut_at is None


def reset(connection: socket.socket) -> None:
    """End a connection by RST, as a machine that was switched off."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Only the descriptor: ssl's unwrap would say goodbye first.
    with contextlib.suppress(OSError):
        connection.close()
