"""Kept mTLS connections to the authorities (fiscal-engine §8.2, TLS-4 and TLS-5).

A session belongs to one certificate, one host and one thread, so that no taxpayer ever speaks over
another's connection.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from fiscal.authorities import tls
from fiscal.authorities.base import Credentials

IDLE_SECONDS = 60
MAX_SESSIONS = 64  # of one thread
_OBJECT = re.compile(r"\A<?[\w.]*Connection(Pool)?\([^)]*\)>?: ")


class NeverConnected(Exception):
    """connect() did not end well: not one byte of a request can have left."""


class _OutOfTime(OSError):
    """The whole call took longer than it may."""


class _Own(threading.local):
    """What belongs to this thread: its sessions, and the end of the call that it is making."""

    def __init__(self) -> None:
        self.sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self.deadline = float("inf")


_own = _Own()


def _forget_parent() -> None:
    # A forked worker must not speak over its parent's connections, nor end them.
    global _own
    _own = _Own()


os.register_at_fork(after_in_child=_forget_parent)


class _Socket(ssl.SSLSocket):
    """Ends a call that lives on because a byte arrives every now and then."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._in_time()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._in_time()
        return super().send(*args, **kwargs)

    def _in_time(self) -> None:
        left = _own.deadline - time.monotonic()
        if left <= 0:
            raise _OutOfTime("prazo total esgotado")
        silence = self.gettimeout()
        if silence is None or left < silence:
            self.settimeout(left)


class _Connection(HTTPSConnection):
    """urllib3 writes a request only after connect() returned: the proof of REC-8."""

    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:  # whatever it is, nothing was sent
            raise NeverConnected(text_of(error)) from error


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Connections of one context; no setting of requests may touch its verification."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        parts = urlsplit(str(request.url))
        return {"scheme": parts.scheme, "host": parts.hostname, "port": parts.port}, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context verifies; requests would load its bundle again for each connection."""


class Session:
    """A requests.Session with the moment of its last use."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.http = requests.Session()
        self.http.trust_env = False  # no proxy, bundle or .netrc of the environment
        self.http.adapters.clear()
        self.http.mount("https://", _Adapter(context))
        self.used_at = time.monotonic()

        self._addresses: dict[str, str] = {}
        self._headers = {name: str(value) for name, value in self.http.headers.items()}

    @property
    def is_idle(self) -> bool:
        return time.monotonic() - self.used_at > IDLE_SECONDS

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        timeout: tuple[float, float],
    ) -> requests.Response:
        """One request; the body of the answer is still to be read. Follows no redirect.

        As `requests.Session.request`, without looking each time at forms, proxies and parameters
        that no authority has: half of what requests costs.
        """
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._checked(url)
        request.headers = CaseInsensitiveDict(self._headers, **headers)
        request.hooks = {}
        if body is not None:
            request.body = body
            request.headers["Content-Length"] = str(len(body))
        request.prepare_cookies(self.http.cookies)  # of load balancers
        return self.http.send(
            request, timeout=timeout, allow_redirects=False, stream=True, proxies={}
        )

    def _checked(self, url: str) -> str:
        """As requests would write it. Raises InvalidURL, InvalidSchema."""
        if url not in self._addresses:
            request = requests.PreparedRequest()
            request.prepare_url(url, None)
            self._addresses[url] = str(request.url)
        return self._addresses[url]


def session_for(credentials: Credentials, host: str, ca_file: str) -> Session:
    _close_idle()
    key = (credentials.thumbprint, host)
    if key not in _own.sessions:
        name = urlsplit(f"//{host}").hostname or ""
        context = tls.context_for(credentials, host=name, ca_file=ca_file, socket=_Socket)
        _own.sessions[key] = Session(context)
        if len(_own.sessions) > MAX_SESSIONS:
            _own.sessions.popitem(last=False)[1].http.close()
    _own.sessions.move_to_end(key)
    return _own.sessions[key]


def _close_idle() -> None:
    for key, session in list(_own.sessions.items()):
        if session.is_idle:
            del _own.sessions[key]
            session.http.close()


def drop(thumbprint: str, host: str = "") -> None:
    """Close this thread's connections of a certificate (of one host, or of all)."""
    for key in [key for key in _own.sessions if key[0] == thumbprint and host in ("", key[1])]:
        _own.sessions.pop(key).http.close()


def limit_call(seconds: float) -> None:
    """The call that this thread makes now ends that many seconds from now; infinite: no call."""
    _own.deadline = time.monotonic() + seconds


def n_sessions() -> int:
    """How many sessions this thread keeps."""
    return len(_own.sessions)


def text_of(error: BaseException) -> str:
    """What people read of a failure, without the object that it happened to."""
    return _OBJECT.sub("", str(error))[:200] or type(error).__name__
