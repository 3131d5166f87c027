"""Which passwords are taken (ux P02): long ones that are not among the first to be guessed."""

from __future__ import annotations

from functools import lru_cache

from django.contrib.auth.password_validation import CommonPasswordValidator, validate_password
from django.core.exceptions import ValidationError

LONGEST = 1024  # characters that are hashed
MISMATCH = "As senhas não são iguais."
TOO_SHORT = "Use pelo menos 12 caracteres."
TOO_COMMON = "Esta senha é muito comum. Escolha outra."
TOO_LONG = f"Use no máximo {LONGEST} caracteres."
_TEXTS = {"password_too_short": TOO_SHORT, "password_too_common": TOO_COMMON}
_FEW_DIFFERENT = 5  # "aaaaaaaaaaaa" is long and on no list
_AROUND = "0123456789!@#$%&*().,-_ "
_ROWS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def faults_of(password: str, *, email: str = "") -> list[str]:
    """Why a new password is not taken, in pt-BR; none when it is."""
    try:
        validate_password(password)
    except ValidationError as error:
        return [_TEXTS.get(str(one.code), " ".join(one.messages)) for one in error.error_list]
    if _is_guessed(password.casefold(), email.casefold()):
        return [TOO_COMMON]
    return [] if len(password) <= LONGEST else [TOO_LONG]


def _is_guessed(text: str, email: str) -> bool:
    """A common word made longer: by digits around it, or said twice; a row of keys; the e-mail."""
    core, half = text.strip(_AROUND), text[: len(text) // 2]
    return (
        len(set(text)) < _FEW_DIFFERENT
        or core in _common()
        or (half * 2 == text and half in _common())
        or (bool(email) and core in (email, email.partition("@")[0]))
        or any(text in row * 4 or text in row[::-1] * 4 for row in _ROWS)
    )


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)
