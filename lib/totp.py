"""Time-based one-time passwords (RFC 6238) as telephones compute them: SHA-1, 6 digits, 30 s."""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

PERIOD = 30  # seconds of a step
DIGITS = 6
DRIFT = 1  # steps by which a telephone's clock may be off, either way (RFC 6238 §5.2)
_SECRET_BYTES = 20  # RFC 4226 §4, R6


def new_secret() -> str:
    """A random shared secret in base32: 32 letters and digits."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def step_at(seconds: float) -> int:
    """The time step of a POSIX moment (RFC 6238 §4.2, T0 = 0)."""
    return int(seconds) // PERIOD


def code_of(secret: str, step: int, *, digits: int = DIGITS) -> str:
    """The code of a step: HOTP with the step as its counter (RFC 4226 §5.3)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: str, code: str, *, step: int, after: int = 0) -> int | None:
    """The step later than `after` and within the drift of `step` whose code this is, else None."""
    found = None
    for near in range(step - DRIFT, step + DRIFT + 1):
        # All are computed and compared in full, so that the time tells nothing.
        is_same = hmac.compare_digest(code_of(secret, near).encode(), code.encode())
        if is_same and near > after:
            found = near
    return found


def address(secret: str, *, name: str, issuer: str) -> str:
    """The `otpauth://` address that a telephone reads from the QR code."""
    label = quote(f"{issuer}:{name}", safe="@:")
    query = urlencode(
        {"secret": secret, "issuer": issuer, "digits": DIGITS, "period": PERIOD}, quote_via=quote
    )
    return f"otpauth://totp/{label}?{query}"
