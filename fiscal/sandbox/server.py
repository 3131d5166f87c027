"""The TLS server: demands a certificate of the test chain, keeps connections, one thread each."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509

from fiscal.sandbox import ca, certificates, control, front
from fiscal.sandbox.certificates import Trust
from fiscal.sandbox.clock import Clock
from fiscal.sandbox.faults import Fault, Faults
from fiscal.sandbox.store import Store
from fiscal.sandbox.wire import BadRequest, Reader, Reply, reset, send
from fiscal.sandbox.world import World

IDLE = 65.0  # seconds a connection may wait for its next request
LAST_WORDS = 5.0  # seconds that requests in work have to end at a stop
# Dates are ours to judge, by a clock that can be moved: X509_V_FLAG_NO_CHECK_TIME of OpenSSL.
_NO_CHECK_TIME = 0x200000
_HANDSHAKE_FAILURE = bytes([21, 3, 3, 0, 2, 2, 40])  # a TLS record: alert, fatal
OTHER_ROOTS = "outras-raizes"
STRANGER = "outra-cadeia"  # folder of an authority that nobody trusts


@dataclass(frozen=True)
class Running:
    """A sandbox that listens. `ca_file` is what a client must trust."""

    base_url: str
    control_url: str
    ca_file: Path
    world: World
    stop: Callable[[], None]


def start(
    data: Path,
    *,
    port: int = 0,
    control_port: int = 0,
    host: str = "127.0.0.1",
    ca_folder: Path | None = None,
) -> Running:
    """Serve from the folder `data` in threads of this process; port 0 takes a free one.

    The folder holds `ca/` (the test authority, unless `ca_folder` names another), the file
    `sandbox.sqlite3` and, if somebody puts it there, `outras-raizes/*.pem`: roots that TLS lets in
    but that are not ICP (285, 295).
    """
    data.mkdir(parents=True, exist_ok=True)
    authority = ca.make_authority(ca_folder or data / "ca")
    store = Store(data / "sandbox.sqlite3")
    others = [
        certificate
        for path in sorted((data / OTHER_ROOTS).glob("*.pem"))
        for certificate in x509.load_pem_x509_certificates(path.read_bytes())
    ]
    trust = Trust((authority.root, authority.intermediate), others)
    world = World(store, Clock(store), trust, Faults(store), authority)

    @cache
    def strange() -> ssl.SSLContext:
        return _context(ca.make_authority(data / STRANGER), data)

    server = Server(world, _context(authority, data), strange, host, port)
    steering = control.start(world, server.follow_script, control_port)

    def stop() -> None:
        steering.stop()
        server.stop()
        store.close()

    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)  # noqa: S104
    return Running(f"https://{shown}:{server.port}", steering.url, authority.ca_file, world, stop)


def _context(authority: ca.Authority, data: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # In 1.3 a client learns only after its handshake that its certificate was refused; in 1.2 the
    # handshake itself fails, which proves that nothing was sent.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*authority.server())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca_file)
    for path in sorted((data / OTHER_ROOTS).glob("*.pem")):
        context.load_verify_locations(path)
    context.verify_flags |= _NO_CHECK_TIME
    return context


class Server:
    """Accepts in one thread, serves every connection in one of its own."""

    def __init__(
        self,
        world: World,
        context: ssl.SSLContext,
        strange: Callable[[], ssl.SSLContext],
        host: str,
        port: int,
    ) -> None:
        self.world = world
        self.context = context
        self.strange = strange  # of `cadeia_quebrada`, made when it is first wanted
        self.host = host
        self.listener = _listener(host, port)
        self.port = int(self.listener.getsockname()[1])
        self.open: dict[socket.socket, bool] = {}  # connection → whether a request is in work
        self.lock = threading.Lock()
        self.stopping = False
        self.reopening = threading.Event()
        self.closed_until = 0.0  # of time.monotonic()
        self.accepting = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        self.accepting.start()

    def stop(self) -> None:
        """Stop listening and cut every connection."""
        self.stopping = True
        self.reopening.set()
        self.world.naps.wake()
        _shut(self.listener)
        self.accepting.join(timeout=5)
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            _shut(connection)
        deadline = time.monotonic() + LAST_WORDS
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _is_busy(self) -> bool:
        with self.lock:
            return any(self.open.values())

    def follow_script(self) -> None:
        """A script was told or lifted: cut idle connections, close or open the door."""
        faults, closed_for = self.world.faults, self.world.faults.door()
        if closed_for or faults.hits_connections(self.world.clock.now().timestamp()):
            self._drop_idle()
        if closed_for:
            self.reopening.clear()
            self.closed_until = time.monotonic() + closed_for
            _shut(self.listener)
        else:
            self.closed_until = 0.0
            self.reopening.set()

    def _drop_idle(self) -> None:
        with self.lock:
            idle = [connection for connection, busy in self.open.items() if not busy]
        for connection in idle:
            _shut(connection)

    def _accept(self) -> None:
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                if not self.stopping:
                    self._open_again()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _open_again(self) -> None:
        self.reopening.wait(max(0.0, min(self.closed_until - time.monotonic(), 1_000_000)))
        if not self.stopping:
            self.listener = _listener(self.host, self.port)

    def _serve(self, connection: socket.socket) -> None:
        fault = self.world.faults.at_connection(self.world.clock.now().timestamp())
        if fault is not None:
            self._refuse(connection, fault)
            return
        with contextlib.suppress(OSError):
            connection.settimeout(IDLE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self.context.wrap_socket(connection, server_side=True)
            ended = False
            try:
                ended = self._talk(secured)
            finally:
                with self.lock:
                    self.open.pop(secured, None)
                (_shut if ended else reset)(secured)

    def _talk(self, secured: ssl.SSLSocket) -> bool:
        """Answer until one side ends; whether the end is a polite one."""
        leaf = secured.getpeercert(binary_form=True)
        sender = certificates.read(leaf) if leaf else None
        reader = Reader(secured)
        while not self.stopping:
            self._mark(secured, busy=False)
            try:
                request = reader.next()
            except BadRequest:
                send(secured, Reply(400, "text/plain", b""), close=True)
                return True
            if request is None:
                return True
            self._mark(secured, busy=True)
            reply = front.handle(self.world, request, sender)
            if not send(secured, reply, close=not request.keeps_alive):
                return not reply.dropped
        return True

    def _refuse(self, connection: socket.socket, fault: Fault) -> None:
        """`cadeia_quebrada`: the certificate of an unknown authority, which the client refuses."""
        if fault.tipo != "cadeia_quebrada":
            _refuse(connection, fault)
            return
        with contextlib.suppress(OSError):
            connection.settimeout(5)
            reset(self.strange().wrap_socket(connection, server_side=True))
        connection.close()

    def _mark(self, secured: socket.socket, *, busy: bool) -> None:
        with self.lock:
            self.open[secured] = busy


def _refuse(connection: socket.socket, fault: Fault) -> None:
    """`sem_conexao` one by one: RST before the handshake; `tls_recusado`: a fatal alert in it."""
    if fault.tipo == "sem_conexao":
        reset(connection)
        return
    with contextlib.suppress(OSError):
        connection.settimeout(5)
        connection.recv(65_536)
        connection.sendall(_HANDSHAKE_FAILURE)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(256)
    return listener


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
