"""Sending through a mail server, also one that somebody else chose: bounded in time and in where
it leads.

The name is resolved once and the connection goes to the very address that was checked, as in
`lib.outbound`.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.utils import DNS_NAME
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from lib.addresses import is_public
from lib.errors import GatewayRefused

Security = Literal["", "starttls", "tls"]
Mechanism = Literal["", "plain", "login", "cram_md5"]


@dataclass(frozen=True)
class Server:
    """A mail server and how to talk to it. `helo` is the name that we give for ourselves.

    `security` starttls is asked for, not hoped for: a server without it is refused. Without
    `mechanism` the best one that the server offers is used.
    """

    host: str
    port: int
    helo: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    security: Security = ""
    mechanism: Mechanism = ""
    is_verified: bool = True  # its certificate


class BlockedServer(GatewayRefused):
    """The server's name leads where we do not go."""


class ChosenServer(EmailBackend):
    """Django's SMTP backend for a `Server`.

    Raises BlockedServer, smtplib.SMTPException, OSError (also TimeoutError and ssl.SSLError).
    """

    def __init__(self, server: Server, *, timeout: float, allow_private: bool = False) -> None:
        super().__init__(
            host=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "starttls",
            use_ssl=server.security == "tls",
            timeout=int(timeout),
        )
        self.server, self.allow_private = server, allow_private

    def open(self) -> bool | None:
        if self.connection:
            return False
        connection: smtplib.SMTP = _Guarded(self)
        try:
            if self.server.security == "starttls":
                connection.starttls(context=tls_context(self.server))
            _log_in(connection, self.server)
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        return True


class _Guarded(smtplib.SMTP):
    """Connects to checked addresses only, with TLS from the first byte where that is asked for."""

    def __init__(self, backend: ChosenServer) -> None:
        self.backend = backend
        server = backend.server
        super().__init__(
            server.host,
            server.port,
            local_hostname=server.helo or DNS_NAME.get_fqdn(),
            timeout=float(backend.timeout or 0),
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connected(host, port, timeout, allow_private=self.backend.allow_private)
        if self.backend.server.security != "tls":
            return plain
        try:
            return tls_context(self.backend.server).wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


def _connected(host: str, port: int, timeout: float, *, allow_private: bool) -> socket.socket:
    """A connection to the first address that takes one. Raises BlockedServer, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # One address that is not public spoils them all.
    if not allow_private and not all(is_public(str(where[0])) for *_, where in found):
        raise BlockedServer("o endereço do servidor de e-mail não é público")
    failure: OSError = ConnectionError("o servidor de e-mail não tem endereço")
    for *_, where in found:
        try:
            return socket.create_connection((str(where[0]), port), timeout)
        except OSError as error:
            failure = error
    raise failure


def tls_context(server: Server) -> ssl.SSLContext:
    """The system's authorities and those of requests; none at all where that was chosen."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if not server.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(connection: smtplib.SMTP, server: Server) -> None:
    if not server.user:
        return
    if not server.mechanism:
        connection.login(server.user, server.password)
        return
    connection.ehlo_or_helo_if_needed()
    connection.user, connection.password = server.user, server.password
    ways: dict[str, Any] = {
        "plain": connection.auth_plain,
        "login": connection.auth_login,
        "cram_md5": connection.auth_cram_md5,
    }
    name = server.mechanism.upper().replace("_", "-")
    connection.auth(name, ways[server.mechanism])


# --- handing over -------------------------------------------------------------------------------

# Permanent refusals of a recipient that are no word about the address itself: full mailboxes
# (5.2.2, 5.2.3), policy and reputation (5.7) and protocol (5.5).
_NOT_THE_ADDRESS = re.compile(r"5\.(?:2\.[23]|5|7)\b")
_NO_ADDRESS = (550, 551, 553)


class NotDelivered(Exception):
    """The server did not take it, or did not say; the text (pt-BR) says why.

    `is_final`: trying again is of no use. `is_bounce`: the address does not exist. `is_unknown`:
    the connection broke after it was made, so the server may have it.
    """

    def __init__(
        self,
        text: str,
        *,
        is_final: bool = False,
        is_bounce: bool = False,
        is_unknown: bool = False,
    ) -> None:
        super().__init__(text)
        self.is_final, self.is_bounce, self.is_unknown = is_final, is_bounce, is_unknown


def hand_over(message: EmailMessage, connection: BaseEmailBackend) -> None:
    """Give one message to one server. Network: never inside a transaction. Raises NotDelivered."""
    message.connection = connection
    is_open = False
    try:
        connection.open()
        is_open = True
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _refused(code, said) from error
    except smtplib.SMTPAuthenticationError as error:
        # A changed password is soon put right: it is tried again.
        raise NotDelivered(_told("login recusado", error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPResponseException as error:
        told = _told("recusado", error.smtp_code, error.smtp_error)
        raise NotDelivered(told, is_final=error.smtp_code >= 500) from error
    except BlockedServer as error:
        raise NotDelivered(str(error), is_final=True) from error
    except (OSError, UnicodeError) as error:  # an SMTPException is an OSError
        told = f"{type(error).__name__}: {error}"
        raise NotDelivered(told, is_unknown=is_open and _broke(error)) from error
    except ValueError as error:  # Django's, of an address or a header that is none
        raise NotDelivered("endereço ou cabeçalho malformado", is_final=True) from error
    finally:
        with suppress(OSError):  # it has the message by now, or never will
            connection.close()


def _broke(error: Exception) -> bool:
    """Is it the connection that ended, and not something that was said?"""
    if isinstance(error, smtplib.SMTPException):
        return isinstance(error, smtplib.SMTPServerDisconnected)
    return isinstance(error, OSError)


def _refused(code: int, said: bytes | str) -> NotDelivered:
    text = _told("destinatário recusado", code, said)
    is_bounce = code in _NO_ADDRESS and not _NOT_THE_ADDRESS.search(text)
    return NotDelivered(text, is_final=code >= 500, is_bounce=is_bounce)


def _told(what: str, code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{what}: {code} {' '.join(text.split())}"
