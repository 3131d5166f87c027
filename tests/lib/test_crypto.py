"""Secrets at rest."""

from __future__ import annotations

import pytest

from lib.crypto import Unreadable, decrypt, encrypt


def test_what_is_closed_opens_again_and_does_not_show():
    closed = encrypt("segredo é 1", purpose="webhook")

    assert decrypt(closed, purpose="webhook") == "segredo é 1"
    assert "segredo" not in closed
    assert closed.isascii()
    assert encrypt("segredo é 1", purpose="webhook") != closed


def test_a_text_of_one_purpose_means_nothing_to_another():
    closed = encrypt("segredo", purpose="webhook")

    with pytest.raises(Unreadable):
        decrypt(closed, purpose="certificado")


def test_a_former_key_still_opens_what_it_closed(settings):
    settings.SECRET_KEY = "antiga"
    closed = encrypt("segredo", purpose="webhook")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "nova", ["antiga"]

    assert decrypt(closed, purpose="webhook") == "segredo"
    closed_anew = encrypt("segredo", purpose="webhook")
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(closed_anew, purpose="webhook") == "segredo"
    with pytest.raises(Unreadable):
        decrypt(closed, purpose="webhook")


@pytest.mark.parametrize("text", ["", "abc", "é", "gAAAAABh", "\ud800"])
def test_what_was_never_closed_is_unreadable(text):
    with pytest.raises(Unreadable):
        decrypt(text, purpose="webhook")


def test_a_changed_text_is_unreadable():
    closed = encrypt("segredo", purpose="webhook")
    changed = closed[:-5] + ("A" if closed[-5] != "A" else "B") + closed[-4:]

    with pytest.raises(Unreadable):
        decrypt(changed, purpose="webhook")
