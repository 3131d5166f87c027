"""Signed-in browsers: opened with a password, ended by their owner, and what they have proved.

In the session: `signed_in_at` (POSIX seconds of the last password) and `second_factor` (the user's
primary key once the code was right).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import login, logout
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from accounts.models import SecondFactor, User, UserSession
from lib import clock

REMEMBERED = timedelta(days=30)
FRESH = timedelta(minutes=15)  # ux §1.3: after it, sensitive acts ask for the password again
_SEEN_EVERY = timedelta(minutes=5)
_SIGNED_IN_AT, _PROVED = "signed_in_at", "second_factor"
_BACKEND = "accounts.authentication.EmailBackend"


def open_session(request: HttpRequest, user: User, *, remember: bool = False) -> UserSession:
    """Sign the browser in under a new session key, and list it."""
    login(request, user, backend=_BACKEND)
    request.session[_SIGNED_IN_AT] = int(clock.now().timestamp())
    if remember:
        request.session.set_expiry(REMEMBERED)
    request.session.save()
    return UserSession.objects.create(
        user=user,
        digest=_digest(request),
        user_agent=request.headers.get("User-Agent", "")[:300],
        ip=request.META.get("REMOTE_ADDR"),
        is_remembered=remember,
        created_at=clock.now(),
        seen_at=clock.now(),
    )


def is_open(request: HttpRequest) -> bool:
    """Is somebody signed in whose session nobody has ended? Notes that it was used."""
    if not isinstance(request.user, User):
        return False
    mine = UserSession.objects.filter(digest=_digest(request), user=request.user, ended_at=None)
    factor = SecondFactor.objects.filter(user=OuterRef("user"), confirmed_at__isnull=False)
    session = mine.annotate(has_factor=Exists(factor)).first()
    if session is None:
        return False
    request._has_factor = session.has_factor  # type: ignore[attr-defined]  # for needs_code
    now = clock.now()
    if now - session.seen_at > _SEEN_EVERY:
        UserSession.objects.filter(pk=session.pk).update(seen_at=now)
    return True


def needs_code(request: HttpRequest) -> bool:
    """Does the user have a second factor that this session has not shown?"""
    if request.session.get(_PROVED) == request.user.pk:
        return False
    known: bool | None = getattr(request, "_has_factor", None)
    if known is not None:
        return known
    rows = SecondFactor.objects.filter(confirmed_at__isnull=False)
    return isinstance(request.user, User) and rows.filter(user=request.user).exists()


def code_was_right(request: HttpRequest) -> None:
    """The second factor was shown in this session."""
    request.session[_PROVED] = request.user.pk


def password_was_right(request: HttpRequest) -> None:
    """The password was typed again."""
    request.session[_SIGNED_IN_AT] = int(clock.now().timestamp())


def is_fresh(request: HttpRequest) -> bool:
    """Was the password typed in the last 15 minutes?"""
    at = request.session.get(_SIGNED_IN_AT, 0)
    return clock.now().timestamp() - at < FRESH.total_seconds()


def end_session(session_id: int, *, user: User) -> bool:
    """End one of the user's sessions; False for what is not theirs or has ended."""
    mine = UserSession.objects.filter(pk=session_id, user=user, ended_at=None)
    return bool(mine.update(ended_at=clock.now()))


def end_others(request: HttpRequest, user: User) -> int:
    """End every session of the user but this one. Answers how many."""
    others = UserSession.objects.filter(user=user, ended_at=None).exclude(digest=_digest(request))
    return others.update(ended_at=clock.now())


def end_all(user: User) -> int:
    """End every session of the user. Answers how many."""
    return UserSession.objects.filter(user=user, ended_at=None).update(ended_at=clock.now())


def end_this(request: HttpRequest) -> None:
    """Sign the browser out."""
    UserSession.objects.filter(digest=_digest(request)).update(ended_at=clock.now())
    logout(request)


def current(request: HttpRequest) -> UserSession | None:
    """The row of this browser."""
    return UserSession.objects.filter(digest=_digest(request)).first()


def open_sessions(user: User) -> QuerySet[UserSession]:
    """The user's sessions that a browser can still be in, the last used first."""
    now = clock.now()
    idle = now - timedelta(seconds=settings.SESSION_COOKIE_AGE) - _SEEN_EVERY
    alive = Q(is_remembered=True, created_at__gt=now - REMEMBERED) | Q(seen_at__gt=idle)
    mine = UserSession.objects.filter(user=user, ended_at=None)
    return mine.filter(alive).order_by("-seen_at", "-pk")


def purge() -> int:
    """Drop sessions that ended, or that no browser can be in. Answers how many."""
    limit = clock.now() - REMEMBERED - timedelta(days=1)
    return int(UserSession.objects.filter(seen_at__lt=limit).delete()[0])


def _digest(request: HttpRequest) -> str:
    return hashlib.sha256((request.session.session_key or "").encode()).hexdigest()
