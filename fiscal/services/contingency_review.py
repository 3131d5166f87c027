"""Whether the authorities are there, and which contingency follows from that (CON-1, CON-7).

Home down: its SVC, if that takes the UF. No SVC either for a while: EPEC, if the AN answers. Home
up three times in a row: back, but not within ten minutes of entering.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from fiscal.authorities import registry, tables
from fiscal.authorities.base import Misconfigured, Route
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Company, Contingency, FiscalDocument, FiscalEvent
from fiscal.services import authority_status, contingency
from fiscal.services.authority_status import Situation
from fiscal.services.certificates import credentials_of
from lib import clock

ENTER_AFTER = timedelta(minutes=2)  # the breaker open for this long; a 109 needs no wait
# An EPEC binds the issuer for a week, and a home authority that is down opens its SVC within
# minutes: it is worth waiting for that.
EPEC_AFTER = timedelta(minutes=15)
STAY, UPS = timedelta(minutes=10), 3  # CON-7
_SVC = tuple(registry.SVC)


def review_now() -> int:
    """`review` at this moment."""
    return review(now=clock.now())


def review(*, now: datetime) -> int:
    """Ask the authorities that are down, open and close contingencies; answers how many are.

    Each authority is asked at most every three minutes, by one worker, and only while something
    waits for it or its UF is in a contingency (§8.7).
    """
    opened = {(one.uf, one.modelo, one.ambiente) for one in _opened()}
    n = 0
    for place in sorted(opened | set(_waiting_documents())):
        uf, modelo, ambiente = place
        home = registry.route(uf=uf, modelo=modelo, ambiente=ambiente)
        situation = authority_status.situation(home, now=now)
        if situation.is_open or situation.is_failing or place in opened:
            n += 1
            _review(home, now)
    return n + _review_receivers_of_events(now)


def _opened() -> QuerySet[Contingency]:
    """Those that the system opened; an operator closes his own."""
    return Contingency.objects.filter(left_at=None, company=None, entered_by="")


def _waiting_documents() -> Iterable[tuple[str, int, str]]:
    rows = FiscalDocument.objects.filter(next_attempt_at__isnull=False)
    return rows.values_list("company__uf", "modelo", "ambiente").distinct()


def _review_receivers_of_events(now: datetime) -> int:
    """Events wait for others as well: SVRS takes those of all UFs, an SVC cancellations."""
    rows = FiscalEvent.objects.filter(next_attempt_at__isnull=False).values_list(
        "authority", "document__company__uf", "document__modelo", "document__ambiente"
    )
    n = 0
    for authority, uf, modelo, ambiente in sorted(set(rows.distinct())):
        route = Route(authority, uf, modelo, ambiente)
        if registry.tells_status(route) and authority_status.situation(route, now=now).is_open:
            n += 1
            _refreshed(route, now)
    return n


# --- one UF ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A UF's home authority as it is now, and the contingency that the system opened for it."""

    home: Route
    situation: Situation
    opened: Contingency | None
    now: datetime

    @property
    def is_back(self) -> bool:
        return self.situation.n_up >= UPS and self.has_stayed

    @property
    def has_stayed(self) -> bool:
        """No flapping."""
        return self.opened is not None and self.opened.entered_at + STAY <= self.now


def _review(home: Route, now: datetime) -> None:
    situation = _refreshed(home, now)
    if situation is None or home.modelo != contingency.NFE:
        return
    rows = _opened().filter(uf=home.uf, modelo=home.modelo, ambiente=home.ambiente)
    place = _Place(home, situation, rows.first(), now)
    if place.opened is None:
        if _is_down(situation, now):
            _enter_something(place)
    elif place.is_back:
        contingency.leave(place.opened, now=now)
    elif place.opened.mode in _SVC:
        _review_svc(place, place.opened)
    elif place.opened.mode == contingency.EPEC and place.has_stayed:
        _prefer_svc(place, place.opened)


def _is_down(situation: Situation, now: datetime, *, after: timedelta = ENTER_AFTER) -> bool:
    since = situation.down_since
    if since is None:
        return False
    if after == ENTER_AFTER and situation.c_stat == authority_status.DOWN:
        return True
    return since + after <= now


def _enter_something(place: _Place) -> None:
    """Only if the SVC says 107 for the UF: 114 is that nobody opened it (CON-1)."""
    if _svc_is_up(place):
        _enter(place, tables.state(place.home.uf).tp_emis_svc)
    elif _is_down(place.situation, place.now, after=EPEC_AFTER) and _an_answers(place):
        _enter(place, contingency.EPEC)


def _review_svc(place: _Place, opened: Contingency) -> None:
    """113 or 114: closed. Silent as the home authority is: EPEC remains."""
    svc = _svc(place)
    if svc is None:
        return
    if svc.c_stat in (authority_status.SVC_CLOSING, authority_status.SVC_DISABLED):
        contingency.close_svc(_svc_route(place), now=place.now)
    elif place.situation.is_open and _is_down(svc, place.now, after=EPEC_AFTER):
        _change(place, opened, contingency.EPEC, is_there=_an_answers(place))


def _prefer_svc(place: _Place, opened: Contingency) -> None:
    """The SVC authorizes: better than announcing."""
    if place.situation.is_open:
        svc = tables.state(place.home.uf).tp_emis_svc
        _change(place, opened, svc, is_there=_svc_is_up(place))


def _change(place: _Place, opened: Contingency, mode: int, *, is_there: bool) -> None:
    if is_there:
        contingency.leave(opened, now=place.now)
        _enter(place, mode)


def _svc_route(place: _Place) -> Route:
    return registry.svc_route(uf=place.home.uf, ambiente=place.home.ambiente)


def _svc(place: _Place) -> Situation | None:
    return _refreshed(_svc_route(place), place.now)


def _svc_is_up(place: _Place) -> bool:
    svc = _svc(place)
    return svc is not None and svc.c_stat == authority_status.UP


def _an_answers(place: _Place) -> bool:
    """As far as anybody knows: the AN tells no status, its breaker does."""
    an = Route(registry.AN, place.home.uf, contingency.NFE, place.home.ambiente)
    return authority_status.may_call(an, now=place.now)


def _enter(place: _Place, mode: int) -> None:
    contingency.enter(
        uf=place.home.uf,
        modelo=contingency.NFE,
        ambiente=place.home.ambiente,
        mode=mode,
        reason=contingency.REASON_DOWN,
        now=place.now,
    )


def _refreshed(route: Route, now: datetime) -> Situation | None:
    """The status over the connection of any company of the UF: it is the same for all."""
    companies = Company.objects.filter(uf=route.uf, removed_at=None, certificates__isnull=False)
    for company in companies.order_by("pk").distinct()[:20]:
        try:
            authority = registry.at(route, credentials_of(company))
            return authority_status.refresh_status(authority, now=now)
        except (CertificateExpired, NoCertificate, Misconfigured):
            continue
    return None
