"""TLS with a certificate of our own, whose key no disk ever holds."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH


class UnusableCertificate(Exception):
    """Certificate, key or authority that OpenSSL does not take; the text says which (pt-BR)."""


@lru_cache(maxsize=64)
def context_of(certificate_pem: str, key_pem: str, ca_pem: str = "") -> ssl.SSLContext:
    """A client's context, built once per process; the server is always verified.

    `certificate_pem` is the leaf and its chain, `ca_pem` authorities besides the usual ones.
    Without a certificate the context only verifies. Raises UnusableCertificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    try:
        if ca_pem:
            context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise UnusableCertificate("A autoridade certificadora informada é ilegível.") from error
    if certificate_pem or key_pem:
        _identify(context, certificate_pem, key_pem)
    return context


def _identify(context: ssl.SSLContext, certificate_pem: str, key_pem: str) -> None:
    try:
        with in_memory(f"{certificate_pem}\n{key_pem}".encode()) as path:
            # Without a password of our own, OpenSSL would ask the terminal for one.
            context.load_cert_chain(path, password=b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise UnusableCertificate("O certificado não abre a conexão segura.") from error


@contextmanager
def in_memory(pem: bytes) -> Iterator[str]:
    """A path that OpenSSL can read and that no disk ever holds.

    Where there is no memory-backed file, a file of this user only, removed at once.
    """
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()  # mode 0600
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            Path(path).unlink()
