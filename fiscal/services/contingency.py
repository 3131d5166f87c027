"""When a UF's documents go another way, and back (§9, CON-1, CON-7)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from fiscal.authorities import registry, tables
from fiscal.authorities.base import Misconfigured, Route
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Company, Contingency, FiscalDocument
from fiscal.selectors.hot_rows import contingency_of
from fiscal.services import authority_status
from fiscal.services.authority_status import Situation
from fiscal.services.certificates import credentials_of
from fiscal.services.signing_step import NORMAL, OFFLINE, Mode
from lib import clock

log = logging.getLogger(__name__)

NFE, NFCE = 55, 65
# SP wants EPEC or a new attempt instead of offline NFC-e (fiscal-api §3.6).
WITHOUT_OFFLINE = frozenset({"SP"})
ENTER_AFTER = timedelta(minutes=2)  # the breaker open for this long; a 109 needs no wait
STAY, UPS = timedelta(minutes=10), 3  # CON-7
REASON_DOWN = "Servico da SEFAZ de origem paralisado ou sem resposta"
REASON_OFFLINE = "Falha de comunicacao com a SEFAZ de origem"


def mode_for(company: Company, *, modelo: int, ambiente: str) -> Mode:
    """How the company's documents are to be issued now; NORMAL outside of a contingency."""
    found = contingency_of(company, modelo, ambiente)
    return Mode(found.mode, found.entered_at, found.reason) if found else NORMAL


def allows_offline(company: Company, *, modelo: int) -> bool:
    """May its NFC-e be issued without the authority (CON-6, CON-9)?"""
    is_open = company.habilita_contingencia_offline_nfce and company.uf not in WITHOUT_OFFLINE
    return modelo == NFCE and is_open


def offline_mode(now: datetime) -> Mode:
    return Mode(OFFLINE, now, REASON_OFFLINE)


def enter(
    *,
    uf: str,
    modelo: int,
    ambiente: str,
    mode: int,
    reason: str,
    now: datetime,
    by: str = "",
    company: Company | None = None,
) -> Contingency:
    """Open a contingency; `by` is empty when the system decided. An open one stays as it is."""
    key = {"uf": uf, "modelo": modelo, "ambiente": ambiente, "company": company, "left_at": None}
    try:
        with transaction.atomic():
            row, created = Contingency.objects.get_or_create(
                **key,
                defaults={"mode": mode, "reason": reason, "entered_by": by, "entered_at": now},
            )
    except IntegrityError:  # another worker was first
        return Contingency.objects.get(**key)
    if created:
        log.warning("contingency.entered", extra={"uf": uf, "modelo": modelo, "mode": mode})
    return row


def leave(contingency: Contingency, *, now: datetime) -> None:
    """From now on documents go home again."""
    rows = Contingency.objects.filter(pk=contingency.pk, left_at=None)
    if rows.update(left_at=now):
        log.warning("contingency.left", extra={"uf": contingency.uf, "mode": contingency.mode})


def close_svc(route: Route, *, now: datetime) -> None:
    """113 or 114: the SVC does not take this UF any more."""
    rows = Contingency.objects.filter(
        uf=route.uf, modelo=route.modelo, ambiente=route.ambiente, left_at=None, company=None
    )
    for row in rows.filter(mode__in=registry.SVC):
        leave(row, now=now)


# --- deciding ----------------------------------------------------------------------------------


def review(*, now: datetime) -> int:
    """Ask the authorities that are down, open and close contingencies; answers how many are.

    Each authority is asked at most every three minutes, by one worker, and only while something
    waits for it or its UF is in a contingency (§8.7).
    """
    opened = {(one.uf, one.modelo, one.ambiente) for one in _opened()}
    waiting = FiscalDocument.objects.filter(next_attempt_at__isnull=False).values_list(
        "company__uf", "modelo", "ambiente"
    )
    n = 0
    for uf, modelo, ambiente in sorted(opened | set(waiting.distinct())):
        route = registry.route(uf=uf, modelo=modelo, ambiente=ambiente)
        is_down = authority_status.situation(route, now=now).is_open
        if is_down or (uf, modelo, ambiente) in opened:
            n += 1
            _review(route, now)
    return n


def _opened() -> QuerySet[Contingency]:
    """Those that the system opened; an operator closes his own."""
    return Contingency.objects.filter(left_at=None, company=None, entered_by="")


def _review(route: Route, now: datetime) -> None:
    situation = _refreshed(route, now)
    if situation is None or route.modelo != NFE:
        return
    opened = _opened().filter(uf=route.uf, modelo=route.modelo, ambiente=route.ambiente).first()
    if opened is None and _is_down(situation, now):
        _enter_svc(route, now)
    elif opened is not None and situation.n_up >= UPS and opened.entered_at + STAY <= now:
        leave(opened, now=now)


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


def _is_down(situation: Situation, now: datetime) -> bool:
    since = situation.down_since
    if since is None:
        return False
    return situation.c_stat == authority_status.DOWN or since + ENTER_AFTER <= now


def _enter_svc(home: Route, now: datetime) -> None:
    """Only if the SVC says 107 for the UF: 114 is that nobody opened it (CON-1)."""
    svc = _refreshed(registry.svc_route(uf=home.uf, ambiente=home.ambiente), now)
    if svc is None or svc.c_stat != authority_status.UP:
        return
    enter(
        uf=home.uf,
        modelo=NFE,
        ambiente=home.ambiente,
        mode=tables.state(home.uf).tp_emis_svc,
        reason=REASON_DOWN,
        now=now,
    )


def review_now() -> int:
    """`review` at this moment."""
    return review(now=clock.now())
