"""Links to choose another password (ux P03).

A link names its user and moment, signed with the user's present password: once that changes the
link means nothing, and nothing has to be kept of it.
"""

from __future__ import annotations

import re
from datetime import timedelta

from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User, UserSession
from accounts.services import attempts
from accounts.services.people_trail import told
from accounts.services.sign_in import KIND
from lib import clock

VALID = timedelta(hours=1)
_SALT = "accounts.password_link"
_TOKEN = re.compile(r"([0-9]{1,18})-([0-9]{1,12})-([0-9a-f]{64})", re.ASCII)


def make_token(user: User) -> str:
    """A link's token, good for an hour and until the password changes."""
    seconds = int(clock.now().timestamp())
    return f"{user.pk}-{seconds}-{_signature(user, seconds)}"


def user_of(token: str) -> User | None:
    """Whose password the token may change now; None for what is over or was never ours."""
    found = _TOKEN.fullmatch(token)
    user = User.objects.filter(pk=int(found[1]), is_active=True).first() if found else None
    if found is None or user is None:
        return None
    seconds = int(found[2])
    is_ours = constant_time_compare(found[3], _signature(user, seconds))
    age = clock.now().timestamp() - seconds
    return user if is_ours and age + 1 >= 0 and age <= VALID.total_seconds() else None


def _signature(user: User, seconds: int) -> str:
    value = f"{user.pk} {seconds} {user.password} {user.email}"
    return salted_hmac(_SALT, value, algorithm="sha256").hexdigest()


@transaction.atomic
def change_by_token(token: str, password: str, *, ip: str | None = None) -> User | None:
    """Give the password to the token's user, once; None when the token is over.

    Every open session ends and failed tries are forgotten; the second factor stays in force. The
    password has no faults (password_rules).
    """
    found = user_of(token)
    if found is None:
        return None
    user = User.objects.select_for_update().get(pk=found.pk)
    if user.password != found.password:  # another used the link meanwhile
        return None
    user.set_password(password)
    user.save(update_fields=["password"])
    UserSession.objects.filter(user=user, ended_at=None).update(ended_at=clock.now())
    attempts.forget(KIND, user.email)
    told(user, action="senha.alterada", ip=ip)
    return user
