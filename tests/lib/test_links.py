"""Signed links."""

from __future__ import annotations

import pytest
from django.core import signing

from lib.links import signer


@pytest.mark.parametrize("salt", ["billing.invoice", "outro é"])
def test_links_are_signed_to_the_same_bytes_as_the_frameworks(monkeypatch, settings, salt):
    settings.SECRET_KEY = "chave é longa"
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.5)
    frameworks = signing.TimestampSigner(salt=salt)

    signed = signer(salt).sign_ids(3, 2**62)

    assert signed == frameworks.sign_object([3, 2**62])
    assert signer(salt).unsign_object(signed, max_age=60) == [3, 2**62]
    assert frameworks.unsign_object(signed, max_age=60) == [3, 2**62]


def test_a_changed_key_ends_links_unless_it_is_kept_as_a_fallback(settings):
    settings.SECRET_KEY = "antiga"
    signed = signer("sal").sign_ids(1)

    settings.SECRET_KEY = "nova"
    with pytest.raises(signing.BadSignature):
        signer("sal").unsign_object(signed)

    settings.SECRET_KEY_FALLBACKS = ["antiga"]
    assert signer("sal").unsign_object(signed) == [1]
    with pytest.raises(signing.BadSignature):
        signer("outro").unsign_object(signed)
