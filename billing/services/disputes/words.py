"""What is written in a dispute: how much of it, and without what no reader sees. Pure."""

from __future__ import annotations

import unicodedata

from billing.errors import fault

LEAST, MOST = 20, 2000  # P09; billing-engine P-7 yields (DECISIONS 10)
TOO_SHORT = f"Explique em pelo menos {LEAST} caracteres."
TOO_LONG = f"Escreva no máximo {MOST} caracteres."
NO_MESSAGE = "Escreva a mensagem."
NO_ANSWER = "Escreva a resposta ao cliente."
_KEPT = {"\n", "\t", "\u200d", "\u200c"}  # joiners belong to emoji and to some scripts
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def clean(text: str) -> str:
    """One kind of line break, no control characters and no marks that turn the text around."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        char for char in lines if char in _KEPT or unicodedata.category(char) not in _HIDDEN
    ).strip()


def explanation(text: str) -> str:
    """What a dispute begins with, 20–2000 characters. Raises InvalidInput for `texto`."""
    found = clean(text)
    if len(found) < LEAST:
        raise fault("texto", TOO_SHORT)
    return _not_too_long(found)


def message(text: str, *, missing: str = NO_MESSAGE) -> str:
    """What comes later, 1–2000 characters. Raises InvalidInput for `texto`."""
    found = clean(text)
    if not found:
        raise fault("texto", missing)
    return _not_too_long(found)


def _not_too_long(text: str) -> str:
    if len(text) > MOST:
        raise fault("texto", TOO_LONG)
    return text
