"""What the PDF client and its renderer process agree on: limits, failures and messages.

A message is a length, a JSON header and raw blocks of bytes. No pickle: the renderer runs
templates written by people, so nothing it answers may become code here.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

MIB = 1024 * 1024
MAX_HEADER = 64 * MIB

_LENGTH = struct.Struct(">I")
_DECIMAL_KEY = "$decimal"
_CHUNK = 256 * 1024


class Kind(StrEnum):
    """Why there is no PDF."""

    TEMPLATE_SYNTAX = "template_syntax"
    TEMPLATE_ERROR = "template_error"
    TEMPLATE_TIMEOUT = "template_timeout"
    TOO_MUCH_MEMORY = "too_much_memory"
    HTML_TOO_LARGE = "html_too_large"
    TOO_MANY_PAGES = "too_many_pages"
    PDF_TOO_LARGE = "pdf_too_large"
    DISK_FULL = "disk_full"
    WORKER_DIED = "worker_died"


@dataclass(frozen=True)
class Limits:
    """What one rendering may use (SAFE-3). Memory is on top of what the renderer holds already.

    The template has the 5 s and 256 MB of the specification. Laying pages out needs more: 50 pages
    of a long invoice take some 10 s and 300 MB, so the page engine has bounds of its own.
    """

    template_cpu_seconds: float = 5.0
    template_memory: int = 256 * MIB
    html_size: int = 2 * MIB
    layout_cpu_seconds: float = 60.0
    layout_memory: int = 1024 * MIB
    pages: int = 200
    pdf_size: int = 5 * MIB
    wall_seconds: float = 150.0


@dataclass(frozen=True)
class RenderJob:
    """One document to print.

    `context` is plain data for the Jinja template (Decimal and date allowed); None says that
    `html_template` is the finished HTML. `assets` are the bytes behind `asset:<name>` URLs.
    `watermark` is drawn across every page. `language` is the document's (`pt-BR`).
    `fit_height` ends each page below its content, as a paper roll is cut: the height that the
    HTML gives to its pages is then the longest one.
    """

    html_template: str
    css: str = ""
    context: Mapping[str, Any] | None = None
    assets: Mapping[str, bytes] = field(default_factory=dict)
    watermark: str | None = None
    language: str = "pt-BR"
    fit_height: bool = False
    limits: Limits = field(default_factory=Limits)


class Refused(Exception):
    """A rendering that ends here: `cause` is pt-BR for people, `line` counts in the template."""

    def __init__(self, kind: Kind, cause: str, line: int | None = None) -> None:
        super().__init__(cause)
        self.kind = kind
        self.cause = cause
        self.line = line


class CpuExhausted(BaseException):
    """The template used up its processor time. Not an Exception, so that no filter keeps it."""

    line: int | None = None  # of the template, for whoever can tell


class BrokenMessage(ConnectionError):
    """The other side went away in the middle of a message, or sent something else."""


def _plain(value: Any) -> Any:
    """JSON has no decimals and no dates: keep every digit, and ISO text."""
    if isinstance(value, Decimal):
        return {_DECIMAL_KEY: str(value)}
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"the context is plain data, not {type(value).__name__}")


def _revive(found: dict[str, Any]) -> Any:
    """The Decimal that `_plain` wrote, or the object as it is."""
    if found.keys() != {_DECIMAL_KEY}:
        return found
    try:
        return Decimal(found[_DECIMAL_KEY])
    except (InvalidOperation, TypeError, ValueError):
        return found


def dumps(value: Any) -> str:
    """JSON text of plain data; also the canonical form that `source_hash` is made of."""
    return json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What `dumps` wrote, decimals exact."""
    return json.loads(text, object_hook=_revive)


def send(channel: socket.socket, header: Mapping[str, Any], blocks: tuple[bytes, ...] = ()) -> None:
    """Write one message; the channel's timeout counts for each write."""
    text = dumps({**header, "blocks": [len(block) for block in blocks]}).encode()
    channel.sendall(_LENGTH.pack(len(text)) + text)
    for block in blocks:
        channel.sendall(block)


def receive(channel: socket.socket, *, until: float | None = None) -> tuple[Any, list[bytes]]:
    """Read one message. `until` is a time.monotonic() moment after which TimeoutError is raised.

    Raises BrokenMessage when the other side closed before the end.
    """
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size, until))
    if length > MAX_HEADER:
        raise BrokenMessage(f"a header of {length} bytes")
    header = loads(_exactly(channel, length, until))
    blocks = [_exactly(channel, size, until) for size in header.pop("blocks")]
    return header, blocks


def _exactly(channel: socket.socket, size: int, until: float | None) -> bytes:
    """Exactly `size` bytes."""
    received = bytearray()
    while len(received) < size:
        _arm(channel, until)
        chunk = channel.recv(min(_CHUNK, size - len(received)))
        if not chunk:
            raise BrokenMessage("closed in the middle of a message")
        received += chunk
    return bytes(received)


def _arm(channel: socket.socket, until: float | None) -> None:
    """Let the next read wait only for what is left until the deadline."""
    if until is None:
        channel.settimeout(None)
        return
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    channel.settimeout(left)


def send_job(channel: socket.socket, job: RenderJob) -> None:
    """Write a job; the assets travel as raw bytes."""
    names = sorted(job.assets)
    header = {
        "html_template": job.html_template,
        "css": job.css,
        "context": job.context,
        "watermark": job.watermark,
        "language": job.language,
        "fit_height": job.fit_height,
        "limits": asdict(job.limits),
        "assets": names,
    }
    send(channel, header, tuple(job.assets[name] for name in names))


def receive_job(channel: socket.socket, *, until: float) -> RenderJob:
    """Read what `send_job` wrote."""
    header, blocks = receive(channel, until=until)
    assets = dict(zip(header.pop("assets"), blocks, strict=True))
    limits = Limits(**header.pop("limits"))
    return RenderJob(assets=assets, limits=limits, **header)
