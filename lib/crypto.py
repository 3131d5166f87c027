"""Secrets at rest: text that only this installation can read back.

Keys are derived from SECRET_KEY (RFC 5869, HKDF-SHA256), one for each purpose, so that a text of
one purpose means nothing to another. SECRET_KEY_FALLBACKS still open what they once closed.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_SALT = b"faturamento/secrets/1"


class Unreadable(Exception):
    """The text was closed with a key that this installation no longer has, or was changed."""


def encrypt(text: str, *, purpose: str) -> str:
    """`text` closed with the present key; ASCII, some 1.4 times as long plus 100."""
    return _box(purpose).encrypt(text.encode()).decode("ascii")


def decrypt(closed: str, *, purpose: str) -> str:
    """The text behind `closed`. Raises Unreadable."""
    try:
        return _box(purpose).decrypt(closed.encode()).decode()
    except (InvalidToken, UnicodeError) as error:
        raise Unreadable("closed with an unknown key, or changed") from error


def _box(purpose: str) -> MultiFernet:
    return _boxes(purpose, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=32)
def _boxes(purpose: str, secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret, purpose)) for secret in secrets])


def _derived(secret: str, purpose: str) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=_SALT, info=purpose.encode())
    return base64.urlsafe_b64encode(kdf.derive(secret.encode()))
