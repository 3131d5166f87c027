"""Signing in to the customers' portal: who may, and how often one may try (ux P01)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.contrib.auth import authenticate

from accounts.models import User
from accounts.services import attempts
from accounts.services.password_rules import LONGEST
from accounts.services.people_trail import told

KIND, LIMIT, WINDOW = "login", 5, timedelta(minutes=15)
_BLOCKED_KIND = "login.bloqueado"


class Refusal(StrEnum):
    """Why somebody did not come in. `wrong` is one answer for all that nobody may learn apart."""

    WRONG = "wrong"
    BLOCKED = "blocked"
    STAFF = "staff"


@dataclass(frozen=True)
class Outcome:
    """The user who may come in, or why nobody does."""

    user: User | None = None
    refusal: Refusal | None = None


def check(email: str, password: str, *, ip: str | None = None) -> Outcome:
    """Who has this e-mail and password, among customers.

    Unknown, inactive and uninvited people, and a wrong password, cost the same time and are the
    same answer. The sixth try within 15 minutes of five that failed is refused unseen. What fails
    is audited where the e-mail is somebody's; `welcomed` audits who came in.
    """
    if not begin_try(email, ip=ip):
        return Outcome(refusal=Refusal.BLOCKED)
    user = authenticate(username=email, password=password[:LONGEST])
    if not isinstance(user, User):
        failed(email, ip=ip)
        return Outcome(refusal=Refusal.WRONG)
    if is_customer(user):
        succeeded(email)
        return Outcome(user=user)
    if user.is_staff:
        succeeded(email)
        return Outcome(refusal=Refusal.STAFF)
    return Outcome(refusal=Refusal.WRONG)


def begin_try(email: str, *, ip: str | None, where: str = "") -> bool:
    """Count a try at a door, the customers' or (`where`) another; False when it is closed.

    One count for all doors, or each would allow the full number.
    """
    if attempts.begin(KIND, email, limit=LIMIT, within=WINDOW):
        return True
    # Once for each window: the trail is for good, and trying costs nothing.
    if attempts.begin(_BLOCKED_KIND, email, limit=1, within=WINDOW):
        _tell(email, "login.bloqueado", ip, where)
    return False


def failed(email: str, *, ip: str | None, where: str = "") -> None:
    """The try came to nothing; audited where the e-mail is somebody's."""
    _tell(email, "login.falha", ip, where)


def succeeded(email: str) -> None:
    """The password was right: earlier tries do not count any more."""
    attempts.forget(KIND, email)


def is_customer(user: User) -> bool:
    """May this person act for some company of an active account?"""
    return user.customer_accesses.filter(account__is_active=True).exists()


def welcomed(user: User, *, ip: str | None, user_agent: str = "") -> None:
    """Audit that somebody came in, with all that was asked of them."""
    told(user, action="login.ok", ip=ip, after={"navegador": user_agent[:300]})


def left(user: User, *, ip: str | None) -> None:
    """Audit that somebody signed out."""
    told(user, action="logout", ip=ip)


def is_right_password(user: User, password: str, *, ip: str | None = None) -> bool | None:
    """The password of somebody who is signed in, asked for again; None: tried too often.

    The same count as at the door.
    """
    if not begin_try(user.email, ip=ip):
        return None
    if user.check_password(password[:LONGEST]):
        succeeded(user.email)
        return True
    failed(user.email, ip=ip)
    return False


def _tell(email: str, action: str, ip: str | None, where: str) -> None:
    if "\x00" in email:
        return
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is not None:
        told(user, action=action, ip=ip, after={"origem": where} if where else None)
