"""The HTTP server: /<provider>/… to its stand-in, /control/… to whoever tries the product."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from billing.sandbox.faults import NONSENSE, Fault
from billing.sandbox.wire import CutOff, Reply, as_json
from billing.sandbox.world import World

MAX_BODY = 32 * 1024 * 1024
FILE = "providers.json"


@dataclass
class Running:
    """A sandbox that listens at `base_url`, which ends without a slash."""

    base_url: str
    world: World
    _server: ThreadingHTTPServer

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.world.stop()


def start(data: Path | None, *, port: int = 0, host: str = "127.0.0.1") -> Running:
    """Serve in threads of this process; port 0 takes a free one, without `data` nothing is kept."""
    file = None
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        file = data / FILE
    server = _Server((host, port), _Handler)
    address = f"http://{host}:{server.server_address[1]}"
    server.world = World(file, address)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return Running(address, server.world, server)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    world: World


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Small answers in two packets wait 40 ms for each other.
    wbufsize = -1

    def do_any(self) -> None:
        try:
            reply = self._reply(self._body())
        except CutOff:
            self._tear()
            return
        self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    def log_message(self, *_: Any) -> None:
        """Bodies hold made-up cards and names; nothing is written."""

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            raise CutOff
        return self.rfile.read(length)

    def _reply(self, body: bytes) -> Reply:
        name, _, rest = self.path.lstrip("/").partition("/")
        world = self.server.world
        if name == "control":
            return _controlled(world, self.command, rest, body)
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            provider = world.provider(name)
        except KeyError:
            return as_json({"error": "no such provider"}, 404)
        path = f"/{rest}"
        fault = world.faults.take(name, self.command, path)
        call: dict[str, Any] = {
            "provider": name, "method": self.command, "path": path, "status": 0,
            "key": headers.get("idempotency-key", ""), "fault": fault.kind if fault else "",
        }  # fmt: skip
        world.note(call)
        before(fault)
        if fault is not None and fault.kind == "status":
            return Reply(fault.status, {"Content-Type": "application/json"}, _nonsense(fault))
        with provider.lock:
            reply = provider.handle(self.command, path, headers, body)
        call["status"] = reply.status
        return after(fault, reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, text in reply.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(reply.body)
            self.wfile.flush()

    def _tear(self) -> None:
        """RST: the other side sees a connection that broke, not one that ended."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()


def before(fault: Fault | None) -> None:
    """What happens to a request before it is dealt with."""
    if fault is not None and fault.kind == "down":
        raise CutOff
    if fault is not None and fault.kind == "slow":
        time.sleep(fault.seconds)


def after(fault: Fault | None, reply: Reply) -> Reply:
    """What becomes of its answer."""
    if fault is None:
        return reply
    if fault.kind == "cut":
        raise CutOff
    if fault.kind == "late":
        time.sleep(fault.seconds)
    if fault.kind == "garbage":
        return Reply(200, {"Content-Type": "text/html"}, _nonsense(fault))
    return reply


def _nonsense(fault: Fault) -> bytes:
    return (fault.body or NONSENSE).encode("utf-8", "surrogateescape")


def _controlled(world: World, method: str, path: str, body: bytes) -> Reply:
    """POST faults, deliveries, deliver, reset, <provider>/<what>; GET books/<provider>, calls…"""
    try:
        given = json.loads(body or b"{}")
        return as_json(_control(world, method, path.rstrip("/"), given))
    except (ValueError, TypeError, KeyError) as error:
        return as_json({"error": str(error)}, 400)


def _control(world: World, method: str, path: str, given: dict[str, Any]) -> Any:
    name, _, rest = path.partition("/")
    match (method, name):
        case ("POST", "faults"):
            world.faults.order(given)
        case ("DELETE", "faults"):
            world.faults.clear(str(given.get("provider", "")))
        case ("POST", "reset"):
            world.reset()
        case ("POST", "deliveries"):
            world.deliveries.steer(given["mode"])
        case ("POST", "deliver"):
            return world.deliveries.deliver(given.get("order"), reverse=bool(given.get("reverse")))
        case ("GET", "notices"):
            return list(world.deliveries.notices)
        case ("GET", "calls"):
            return list(world.calls)
        case ("GET", "books"):
            provider = world.provider(rest)
            with provider.lock:
                return json.loads(json.dumps(provider.books))
        case ("POST", _):
            provider = world.provider(name)
            with provider.lock:
                return provider.control(rest, given)
        case _:
            raise KeyError(path)
    return {"ok": True}
