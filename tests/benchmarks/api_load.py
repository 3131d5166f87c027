"""Clients that keep their connections: how long each request took, and how many went through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request, written out; `status` is the answer that counts as right.

    `tell`, if given, gets the milliseconds and the body of the answer.
    """

    raw: bytes
    status: int = 200
    tell: Callable[[float, bytes], None] | None = None


def call(
    method: str,
    path: str,
    *,
    token: str = "",
    cookie: str = "",
    body: bytes = b"",
    status: int = 200,
) -> Call:
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    if token:
        head.append(f"Authorization: Token token={token}")
    if cookie:
        head.append(f"Cookie: {cookie}")
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return Call("\r\n".join([*head, "", ""]).encode() + body, status)


@dataclass(frozen=True)
class Load:
    """Milliseconds of each request, and the seconds that all clients together took."""

    times: list[float]
    seconds: float

    @classmethod
    def empty(cls) -> Load:
        return cls([], 0.0)

    def __add__(self, later: Load) -> Load:
        return Load(self.times + later.times, self.seconds + later.seconds)

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def p(self, percent: int) -> float:
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def run(port: int, calls: Sequence[Call], *, clients: int) -> Load:
    """Send `calls` over `clients` connections, each taking the next one as soon as it is free."""
    return asyncio.run(_run(port, list(calls), clients))


async def _run(port: int, calls: list[Call], clients: int) -> Load:
    times: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, calls, times) for _ in range(clients)))
    return Load(times, time.perf_counter() - started)


async def _client(port: int, calls: list[Call], times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while calls:
        one = calls.pop()
        started = time.perf_counter()
        writer.write(one.raw)
        status, body, keeps = await _answer(reader)
        times.append((time.perf_counter() - started) * 1000)
        if one.tell:
            one.tell(times[-1], body)
        if status != one.status:
            raise RuntimeError(f"{one.raw[:120]!r}: {status} {body[:300]!r}")
        if not keeps:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split()[1]), body, headers.get("connection", "").lower() != "close"
