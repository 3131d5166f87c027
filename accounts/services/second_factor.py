"""The second factor: a telephone that shows codes, and ten codes on paper (ux P04).

A time step is taken once: a conditional update moves `last_step`, so that of two who show the
same code together only one comes in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from accounts.models import RecoveryCode, SecondFactor, User
from accounts.services import attempts
from accounts.services.people_trail import told
from lib import clock, totp
from lib.crypto import Unreadable, decrypt, encrypt
from lib.errors import RateLimited

ISSUER = "Central de Faturas"
KIND, LIMIT, WINDOW = "totp", 5, timedelta(minutes=15)
N_CODES = 10
_PURPOSE = "accounts.second_factor"
_SALT = "accounts.recovery_code"
# Without what is read wrong from paper: 0 O, 1 I L, U.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_HALF = 5  # ten of thirty signs: 49 bits


class Locked(RateLimited):
    mensagem = "Muitas tentativas. Tente de novo em 15 minutos."


def is_on(user: User) -> bool:
    """Is a code asked for when this person signs in?"""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def n_codes_left(user: User) -> int:
    """How many recovery codes were not used yet."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


# --- set up ---------------------------------------------------------------------------------------


def secret_to_show(user: User) -> str | None:
    """The secret of a set-up that was begun and not confirmed; None when there is none."""
    row = SecondFactor.objects.filter(user=user, confirmed_at=None).first()
    return _secret(row) if row is not None else None


def begin(user: User) -> str:
    """The secret to be scanned, made where there is none; nothing is asked for until `confirm`.

    A factor that is in force stays as it is and its secret is shown to nobody: "".
    """
    closed = encrypt(totp.new_secret(), purpose=_PURPOSE)
    SecondFactor.objects.get_or_create(user=user, defaults={"secret": closed})
    secret = secret_to_show(user)
    if secret is None and not is_on(user):  # a key that is gone: begin anew
        SecondFactor.objects.filter(user=user, confirmed_at=None).update(secret=closed)
        secret = secret_to_show(user)
    return secret or ""


@transaction.atomic
def confirm(user: User, code: str, *, ip: str | None = None) -> list[str] | None:
    """Put the factor in force if the telephone shows the right code; None if not.

    Answers the recovery codes, which nobody sees again. A factor in force is None too.
    """
    row = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at=None).first()
    secret = _secret(row) if row is not None else None
    step = totp.matching_step(secret, _digits(code), step=_now()) if secret else None
    if row is None or step is None:
        return None
    row.confirmed_at, row.last_step = clock.now(), step
    row.save(update_fields=["confirmed_at", "last_step"])
    told(user, action="totp.ativado", ip=ip)
    return _new_codes(user)


@transaction.atomic
def turn_off(user: User, *, ip: str | None = None) -> bool:
    """No code is asked for any more. False when there was none."""
    was_on, _ = SecondFactor.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    if was_on:
        told(user, action="totp.desativado", ip=ip)
    return bool(was_on)


@transaction.atomic
def new_codes(user: User, *, ip: str | None = None) -> list[str]:
    """Ten other recovery codes; the old ones mean nothing any more."""
    codes = _new_codes(user)
    told(user, action="totp.codigos_gerados", ip=ip)
    return codes


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [_code() for _ in range(N_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=_digest(user, code, settings.SECRET_KEY)) for code in codes
    )
    return codes


def _code() -> str:
    halves = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    return "-".join(halves)


# --- the challenge --------------------------------------------------------------------------------


def accept_code(user: User, code: str, *, ip: str | None = None) -> bool:
    """Is it the telephone's code, of this moment and not used before? Raises Locked."""
    return _guarded(user, partial(_take_code, user, code), ip=ip)


def accept_recovery(user: User, code: str, *, ip: str | None = None) -> bool:
    """Is it one of the codes on paper? It is used up. Raises Locked."""
    is_right = _guarded(user, partial(_take_recovery, user, code), ip=ip)
    if is_right:
        told(user, action="totp.recuperacao_usada", ip=ip, after={"restam": n_codes_left(user)})
    return is_right


def _guarded(user: User, take: Callable[[], bool], *, ip: str | None) -> bool:
    """Count the try, then make it. Five that fail close the door for 15 minutes."""
    if not attempts.begin(KIND, str(user.pk), limit=LIMIT, within=WINDOW):
        raise Locked()
    is_right = take()
    if is_right:
        attempts.forget(KIND, str(user.pk))
    else:
        told(user, action="totp.falha", ip=ip)
    return is_right


def _take_code(user: User, code: str) -> bool:
    row = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()
    secret = _secret(row) if row is not None else None
    if row is None or secret is None:
        return False
    step = totp.matching_step(secret, _digits(code), step=_now(), after=row.last_step)
    if step is None:
        return False
    unused = SecondFactor.objects.filter(pk=row.pk, last_step__lt=step)
    return bool(unused.update(last_step=step))


def _take_recovery(user: User, code: str) -> bool:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = [_digest(user, code, key) for key in keys]
    mine = RecoveryCode.objects.filter(user=user, digest__in=digests, used_at=None)
    return bool(mine.update(used_at=clock.now()))


def _secret(row: SecondFactor) -> str | None:
    try:
        return decrypt(row.secret, purpose=_PURPOSE)
    except Unreadable:
        return None


def _digits(code: str) -> str:
    """As typed or pasted: "123 456"."""
    return "".join(char for char in code if char.isascii() and char.isdigit())


def _digest(user: User, code: str, key: str) -> str:
    plain = "".join(char for char in code.upper() if char in _LETTERS)
    value = f"{user.pk} {plain}"
    return salted_hmac(_SALT, value, secret=key, algorithm="sha256").hexdigest()


def _now() -> int:
    return totp.step_at(clock.real_seconds())
