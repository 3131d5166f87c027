"""How the authorities are: one status shared by all companies, and the breaker (§8.7).

Network failures are of an authority: they are counted in its row without UF. What the authority
says of itself (107, 108, 109, 113, 114) is of a UF, model and environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from fiscal.authorities import registry
from fiscal.authorities.base import Answer, Lost, Misconfigured, NotSent, Route
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import AuthorityStatus
from fiscal.selectors.hot_rows import authority_rows

EVERY = timedelta(minutes=3)
FAILURES = 5
WINDOW = timedelta(minutes=1)
UP, PAUSED, DOWN = "107", "108", "109"
SVC_CLOSING, SVC_DISABLED = "113", "114"
_WHOLE = ""  # the UF of the row of an authority


@dataclass(frozen=True)
class Situation:
    """What is known of a route. `down_since` is there while the breaker is open."""

    c_stat: str  # of the last status; empty when there was none, or no answer
    x_motivo: str
    checked_at: datetime | None
    n_up: int  # 107 in a row (CON-7)
    down_since: datetime | None
    open_until: datetime | None = None  # when an authority without status may be tried again
    is_failing: bool = False  # calls went unanswered since the last answer

    @property
    def is_open(self) -> bool:
        """Is the breaker open: no document may be sent?"""
        return self.down_since is not None

    @property
    def is_healthy(self) -> bool:
        """Is no failure known?"""
        return not (self.is_failing or self.is_open)

    def lets_through(self, route: Route, *, now: datetime) -> bool:
        """May a document go there? Not while the breaker is open: then only status calls may.

        An authority that tells no status, as the AN, is tried again when the pause is over.
        """
        until = self.open_until
        is_over = until is not None and until <= now and not registry.tells_status(route)
        return not self.is_open or is_over


def may_call(route: Route, *, now: datetime) -> bool:
    """`Situation.lets_through` of what is known now."""
    return situation(route, now=now).lets_through(route, now=now)


def situation(route: Route, *, now: datetime) -> Situation:
    """What is known, without asking anyone. A status of long ago is shown with its date."""
    rows = _known(route)
    own, whole = rows.get(route.uf), rows.get(_WHOLE)
    shut = [row for row in (own, whole) if row and row.open_until]
    return Situation(
        c_stat=own.c_stat if own else "",
        x_motivo=own.x_motivo if own else "",
        checked_at=own.checked_at if own else None,
        n_up=own.n_up if own else 0,
        down_since=min((row.failing_since or now for row in shut), default=None),
        open_until=max((row.open_until for row in shut if row.open_until), default=None),
        is_failing=whole is not None and whole.n_failures > 0,
    )


@transaction.atomic
def record_failure(route: Route, *, now: datetime) -> Situation:
    """Count a call that got no readable answer; the fifth in a minute opens the breaker."""
    row = _locked(route, _WHOLE)
    if row.open_until is None and (not row.failing_since or now - row.failing_since > WINDOW):
        row.failing_since, row.n_failures = now, 0
    row.n_failures = min(row.n_failures + 1, FAILURES)
    if row.n_failures >= FAILURES:
        row.open_until = now + EVERY
    row.save()
    _rows(route).filter(uf=route.uf).update(n_up=0)
    return situation(route, now=now)


def record_success(route: Route, *, now: datetime) -> None:
    """The authority answered: its failures are over. What it says of itself stays.

    Writes only when there is something to forget: it follows every document (PERF-4).
    """
    known = _known(route)
    own, whole = known.get(route.uf), known.get(_WHOLE)
    if whole and whole.n_failures:
        failing = _rows(route).filter(uf=_WHOLE, n_failures__gt=0)
        failing.update(n_failures=0, failing_since=None, open_until=None)
    if own and own.open_until and not registry.tells_status(route):  # no 107 will ever close it
        _rows(route).filter(uf=route.uf).update(failing_since=None, open_until=None)


@transaction.atomic
def record_status(route: Route, *, c_stat: str, x_motivo: str, now: datetime) -> Situation:
    """What the authority says of itself, in a status or in the place of another answer.

    109 opens the breaker of the UF, 107 closes it; 108 and others leave it as it is.
    """
    row = _locked(route, route.uf)
    row.c_stat, row.x_motivo, row.checked_at = c_stat, x_motivo, now
    row.n_up = row.n_up + 1 if c_stat == UP else 0
    if c_stat == UP:
        row.open_until = row.failing_since = None
    elif c_stat == DOWN:
        row.open_until, row.failing_since = now + EVERY, row.failing_since or now
    row.save()
    return situation(route, now=now)


def refresh_status(sefaz: Sefaz, *, now: datetime) -> Situation:
    """The situation, asked anew when the last question is three minutes old (§8.7).

    Whoever comes first asks for all; the others get what is known. To be called when there is
    something to send. Raises Misconfigured when this certificate cannot ask; the next may.
    """
    claimed_from = _claim(sefaz.route, now)
    if claimed_from is _NOT_DUE:
        return situation(sefaz.route, now=now)
    try:
        answer = sefaz.status()
    except (NotSent, Lost) as error:
        return _unanswered(sefaz.route, str(error), now)
    except Misconfigured:
        _rows(sefaz.route).filter(uf=sefaz.route.uf, checked_at=now).update(checked_at=claimed_from)
        raise
    return _answered(sefaz.route, answer, now)


class _NotDue:
    """Somebody asked less than three minutes ago."""


_NOT_DUE = _NotDue()


@transaction.atomic
def _claim(route: Route, now: datetime) -> datetime | _NotDue | None:
    """Take the question for oneself: the moment of the last one, or _NOT_DUE."""
    row = _locked(route, route.uf)
    if row.checked_at and now - row.checked_at < EVERY:
        return _NOT_DUE
    last, row.checked_at = row.checked_at, now
    row.save(update_fields=["checked_at"])
    return last


def _answered(route: Route, answer: Answer, now: datetime) -> Situation:
    record_success(route, now=now)
    return record_status(route, c_stat=answer.c_stat, x_motivo=answer.x_motivo, now=now)


@transaction.atomic
def _unanswered(route: Route, reason: str, now: datetime) -> Situation:
    """A status that stays without answer twice in a row opens the breaker as well: an issuer of
    few documents would never have five failures in a minute."""
    record_failure(route, now=now)
    own = _rows(route).filter(uf=route.uf)
    if own.filter(c_stat="").exclude(x_motivo="").exists():
        whole = _rows(route).filter(uf=_WHOLE, open_until=None)
        whole.update(n_failures=FAILURES, open_until=now + EVERY)
    own.update(c_stat="", x_motivo=reason, n_up=0)
    return situation(route, now=now)


def _known(route: Route) -> dict[str, AuthorityStatus]:
    """By UF."""
    found = authority_rows(route.authority, route.modelo, route.ambiente, route.uf)
    return {row.uf: row for row in found}


def _rows(route: Route) -> QuerySet[AuthorityStatus]:
    return AuthorityStatus.objects.filter(
        authority=route.authority, modelo=route.modelo, ambiente=route.ambiente
    )


def _locked(route: Route, uf: str) -> AuthorityStatus:
    AuthorityStatus.objects.get_or_create(
        authority=route.authority, uf=uf, modelo=route.modelo, ambiente=route.ambiente
    )
    return _rows(route).select_for_update().get(uf=uf)
