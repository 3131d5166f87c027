"""TLS contexts of client certificates (fiscal-engine §8.2, TLS-1…TLS-3)."""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import certifi

from fiscal.authorities.base import Credentials, Misconfigured
from fiscal.tables.loaders import yaml_table
from lib.client_tls import in_memory

ANCHORS = Path(__file__).resolve().parent.parent / "tables" / "ca"
MAX_CONTEXTS = 200
_LEGACY_RENEGOTIATION = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT: ssl has no name for it before 3.12

_lock = threading.Lock()
_contexts: OrderedDict[tuple[str, str, str], ssl.SSLContext] = OrderedDict()


def context_for(
    credentials: Credentials, *, host: str, ca_file: str, socket: type[ssl.SSLSocket]
) -> ssl.SSLContext:
    """The context of that certificate, built once per process and kind of host.

    The server is always verified, by certifi, the anchors of tables/ca and `ca_file`. Raises
    Misconfigured when the certificate, its key or an anchor cannot be used.
    """
    relaxed = _relaxed(host)
    key = (credentials.thumbprint, repr(sorted(relaxed.items())), ca_file)
    with _lock:
        if key not in _contexts:
            _contexts[key] = _built(credentials, relaxed, ca_file, socket)
            if len(_contexts) > MAX_CONTEXTS:
                _contexts.popitem(last=False)
        _contexts.move_to_end(key)
        return _contexts[key]


def forget(thumbprint: str) -> None:
    """Drop the contexts of a certificate that is no longer used (SIG-9)."""
    with _lock:
        for key in [key for key in _contexts if key[0] == thumbprint]:
            del _contexts[key]


def _built(
    credentials: Credentials, relaxed: dict[str, Any], ca_file: str, socket: type[ssl.SSLSocket]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = socket
    # Servers that ask for the certificate only once they have seen the path do it this way in 1.3.
    context.post_handshake_auth = True
    _relax(context, relaxed)
    try:
        for anchors in _anchor_files(ca_file):
            context.load_verify_locations(anchors)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"Autoridade certificadora ilegível: {error}") from error
    _identify(context, credentials)
    return context


def _anchor_files(ca_file: str) -> list[str]:
    own = sorted(str(path) for path in ANCHORS.glob("*.pem"))
    return [certifi.where(), *own, *([ca_file] if ca_file else [])]


def _relaxed(host: str) -> dict[str, Any]:
    return (yaml_table("tls-hosts.yaml").get("hosts") or {}).get(host) or {}


def _relax(context: ssl.SSLContext, relaxed: dict[str, Any]) -> None:
    """Only what the table says of that host (TLS-3); verification is never among it."""
    if relaxed.get("security_level") is not None:
        context.set_ciphers(f"DEFAULT:@SECLEVEL={int(relaxed['security_level'])}")
    if relaxed.get("legacy_renegotiation"):
        context.options |= _LEGACY_RENEGOTIATION


def _identify(context: ssl.SSLContext, credentials: Credentials) -> None:
    try:
        with in_memory(credentials.certificate_pem + b"\n" + credentials.key_pem) as path:
            # Without a password of our own, OpenSSL would ask the terminal for one.
            context.load_cert_chain(path, password=b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise Misconfigured(f"O certificado não abre a conexão: {error}") from error
