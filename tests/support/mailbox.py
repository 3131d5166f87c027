"""A mail server on a real socket, as small as the protocol allows (RFC 5321, RFC 4954)."""

from __future__ import annotations

import base64
import hmac
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Mailbox:
    """What arrived, and how the server is to answer the coming recipients."""

    host: str = "127.0.0.1"
    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    helos: list[str] = field(default_factory=list)
    logins: list[tuple[str, str, str]] = field(default_factory=list)  # mechanism, user, password
    refusals: list[str] = field(default_factory=list)  # of RCPT TO, one for each


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def read(self) -> str:
        return self.rfile.readline().decode().rstrip("\r\n")

    def handle(self) -> None:
        if self.server.tls == "tls":
            self.encrypt()
        self.say("220 teste ESMTP")
        while line := self.read():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                self.say("221 ate logo")
                return
            getattr(self, f"on_{verb.lower()}", self.on_other)(rest)

    def encrypt(self) -> None:
        assert self.server.context
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def on_other(self, rest: str) -> None:
        self.say("250 OK")

    def on_ehlo(self, rest: str) -> None:
        self.server.mailbox.helos.append(rest)
        self.say("250-teste")
        if self.server.tls == "starttls" and not isinstance(self.connection, ssl.SSLSocket):
            self.say("250-STARTTLS")
        self.say("250 AUTH PLAIN LOGIN CRAM-MD5")

    def on_starttls(self, rest: str) -> None:
        self.say("220 pode comecar")
        self.encrypt()

    def on_auth(self, rest: str) -> None:
        mechanism, _, first = rest.partition(" ")
        if mechanism == "CRAM-MD5":
            self.on_cram()
            return
        if mechanism == "LOGIN":
            user = first or self.asked("VXNlcm5hbWU6")
            pair = (_plain(user), _plain(self.asked("UGFzc3dvcmQ6")))
        else:
            _, user, password = _plain(first or self.asked("")).split("\0")
            pair = (user, password)
        self.server.mailbox.logins.append((mechanism, *pair))
        self.say("235 bem-vindo" if pair[1] != "errada" else "535 5.7.8 senha errada")

    def on_cram(self) -> None:
        """RFC 2195: the password itself never comes."""
        user, _, digest = _plain(self.asked("PDEuMkBjYWl4YT4=")).partition(" ")
        right = hmac.new(b"segredo", b"<1.2@caixa>", "md5").hexdigest()
        self.server.mailbox.logins.append(("CRAM-MD5", user, "segredo" if digest == right else "?"))
        self.say("235 bem-vindo" if digest == right else "535 5.7.8 senha errada")

    def asked(self, prompt: str) -> str:
        self.say(f"334 {prompt}")
        return self.read()

    def on_mail(self, rest: str) -> None:
        self.server.mailbox.senders.append(rest)
        self.say("250 OK")

    def on_rcpt(self, rest: str) -> None:
        waiting = self.server.mailbox.refusals
        self.say(waiting.pop(0) if waiting else "250 OK")

    def on_data(self, rest: str) -> None:
        self.say("354 envie")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        message: Any = message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.mailbox.messages.append(message)
        self.say("250 aceito")


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us goes away in the middle of a handshake."""

    def __init__(self, tls: str, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls, self.context = tls, context
        self.mailbox = Mailbox(port=self.server_address[1])


@contextmanager
def mail_server(tls: str = "", context: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A server for the block; `tls` is "", "starttls" or "tls" from the first byte."""
    with _Server(tls, context) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.mailbox
        finally:
            server.shutdown()
            thread.join()
