"""One-time passwords against the vectors of the RFCs."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from lib import totp

SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert totp.code_of(SEED, totp.step_at(seconds), digits=8) == code


@pytest.mark.parametrize(
    ("counter", "code"),
    list(
        enumerate(
            [
                "755224",
                "287082",
                "359152",
                "969429",
                "338314",
                "254676",
                "287922",
                "162583",
                "399871",
                "520489",
            ]
        )
    ),
)
def test_the_vectors_of_rfc_4226_appendix_d(counter: int, code: str) -> None:
    assert totp.code_of(SEED, counter) == code


def test_a_code_is_taken_one_step_early_or_late_and_never_again() -> None:
    codes = {step: totp.code_of(SEED, step) for step in range(98, 103)}

    assert totp.matching_step(SEED, codes[99], step=100) == 99
    assert totp.matching_step(SEED, codes[100], step=100) == 100
    assert totp.matching_step(SEED, codes[101], step=100) == 101
    assert totp.matching_step(SEED, codes[98], step=100) is None
    assert totp.matching_step(SEED, codes[102], step=100) is None
    assert totp.matching_step(SEED, codes[100], step=100, after=100) is None
    assert totp.matching_step(SEED, "", step=100) is None


def test_a_new_secret_has_160_bits_and_is_read_from_its_address() -> None:
    secret = totp.new_secret()
    found = urlsplit(totp.address(secret, name="ana+1@aurora.test", issuer="Central de Faturas"))

    assert len(base64.b32decode(secret)) == 20
    assert secret != totp.new_secret()
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert found.path == "/Central%20de%20Faturas:ana%2B1@aurora.test"
    assert parse_qs(found.query) == {
        "secret": [secret],
        "issuer": ["Central de Faturas"],
        "digits": ["6"],
        "period": ["30"],
    }
