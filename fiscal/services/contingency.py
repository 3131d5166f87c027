"""How documents are issued now: normally, or in which contingency (§9, CON-1).

Who decides it by himself is `contingency_review`; an operator does it with `manage.py contingency`.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from fiscal.authorities import registry
from fiscal.authorities.base import Route
from fiscal.models import Company, Contingency, FiscalDocument, State
from fiscal.selectors.hot_rows import contingency_of
from fiscal.services.signing_step import NORMAL, OFFLINE, Mode

log = logging.getLogger(__name__)

NFE, NFCE = 55, 65
EPEC = Contingency.Mode.EPEC
# SP wants EPEC or a new attempt instead of offline NFC-e (fiscal-api §3.6).
WITHOUT_OFFLINE = frozenset({"SP"})
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


@transaction.atomic
def leave(contingency: Contingency, *, now: datetime) -> None:
    """From now on documents go home again; what was announced by EPEC goes at once (CON-5)."""
    rows = Contingency.objects.filter(pk=contingency.pk, left_at=None)
    if rows.update(left_at=now):
        log.warning("contingency.left", extra={"uf": contingency.uf, "mode": contingency.mode})
        if contingency.mode == EPEC:
            # One time for all: the sweep takes rows of one time by age, the oldest first.
            _held_back(contingency).update(next_attempt_at=now)


def _held_back(contingency: Contingency) -> QuerySet[FiscalDocument]:
    rows = FiscalDocument.objects.filter(
        company__uf=contingency.uf, ambiente=contingency.ambiente, modelo=contingency.modelo,
        tp_emis=EPEC, state__in=(State.EPEC, State.ASSINADO), superseded_by=None,
    )  # fmt: skip
    return rows.filter(company=contingency.company) if contingency.company_id else rows


def close_svc(route: Route, *, now: datetime) -> None:
    """113 or 114: the SVC does not take this UF any more (CON-7)."""
    rows = Contingency.objects.filter(
        uf=route.uf, modelo=route.modelo, ambiente=route.ambiente, left_at=None
    )
    # Also those of single companies: what they sign for the SVC would be refused for ever.
    for row in rows.filter(mode__in=registry.SVC):
        leave(row, now=now)
