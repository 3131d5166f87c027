"""How often a taxpayer may call a service, below what the authorities punish with 656 (§8.6).

A bucket for each (CNPJ base, environment, service, subject): half of the official number at once,
and the same again over an hour. So no hour ever sees more than the official number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet

from fiscal.models import Consumption
from lib.errors import RateLimited

HOUR = timedelta(hours=1)
WHOLE_SERVICE = ""  # the subject of a block that is not about one


class Service(StrEnum):
    """What is counted; the subject is what the call is about."""

    AUTHORIZE = "autorizacao"  # key
    EVENT = "evento"  # Id of the event
    VOID = "inutilizacao"  # Id of the voiding
    CONSULT = "consulta"  # key
    RECEIPT = "recibo"  # receipt
    DISTRIBUTION_NSU = "distribuicao"  # none: the taxpayer's place in the distribution
    DISTRIBUTION_ONE = "distribuicao_avulsa"  # none: consNSU and consChNFe together


# §8.6, the ceilings of the authorities in an hour.
OFFICIAL = {
    Service.AUTHORIZE: 30,
    Service.EVENT: 20,
    Service.VOID: 20,
    Service.CONSULT: 10,
    Service.RECEIPT: 40,
    Service.DISTRIBUTION_ONE: 20,
}
LIMITS = {service: official // 2 for service, official in OFFICIAL.items()}


@dataclass(frozen=True)
class Caller:
    """Whose calls are counted: authorities count by the base of the CNPJ, or by CPF."""

    base: str
    ambiente: str


class Throttled(RateLimited):
    """Not before `until`: the call was not made."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


def caller(document: str, ambiente: str) -> Caller:
    """The caller of a CNPJ (its first 8 characters, KEY-4) or a CPF."""
    return Caller(document[:8] if len(document) == 14 else document, ambiente)


@transaction.atomic
def spend(who: Caller, *, service: Service, subject: str, now: datetime) -> None:
    """Count one call that is about to be made. Raises Throttled, and counts nothing."""
    until = _blocked_until(who, service, subject, now)
    if until:
        raise Throttled(until)
    limit = LIMITS.get(service)
    if limit is None:
        return
    row = _locked(who, service, subject, now)
    _refill(row, limit, now)
    if row.count >= limit:
        raise Throttled(row.window_start + HOUR / limit)
    row.count += 1
    row.save(update_fields=["count", "window_start"])


@transaction.atomic
def give_back(who: Caller, *, service: Service, subject: str) -> None:
    """Uncount a call that provably never left (NotSent)."""
    row = _row(who, service, subject).select_for_update().first()
    if row and row.count:
        row.count -= 1
        row.save(update_fields=["count"])


@transaction.atomic
def block(who: Caller, *, service: Service, now: datetime) -> datetime:
    """After 656, or 137 of the distribution: no call to that service for an hour; until when."""
    row = _locked(who, service, WHOLE_SERVICE, now)
    row.blocked_until = max(now + HOUR, row.blocked_until or now)
    row.save(update_fields=["blocked_until"])
    return row.blocked_until


def allowed_at(who: Caller, *, service: Service, subject: str, now: datetime) -> datetime:
    """When the next call may be made: `now` when it already may. Counts nothing."""
    until = _blocked_until(who, service, subject, now)
    limit = LIMITS.get(service)
    row = _row(who, service, subject).first()
    if until or limit is None or row is None:
        return until or now
    _refill(row, limit, now)
    return now if row.count < limit else row.window_start + HOUR / limit


def forget_old(now: datetime) -> int:
    """Delete buckets that are full again and blocks that are over; how many."""
    over = Q(blocked_until=None) | Q(blocked_until__lte=now)
    return Consumption.objects.filter(over, window_start__lt=now - 2 * HOUR).delete()[0]


def _blocked_until(who: Caller, service: Service, subject: str, now: datetime) -> datetime | None:
    blocks = Consumption.objects.filter(
        base=who.base,
        ambiente=who.ambiente,
        service=service,
        subject__in={subject, WHOLE_SERVICE},
        blocked_until__gt=now,
    )
    return max((row.blocked_until for row in blocks if row.blocked_until), default=None)


def _row(who: Caller, service: Service, subject: str) -> QuerySet[Consumption]:
    return Consumption.objects.filter(
        base=who.base, ambiente=who.ambiente, service=service, subject=subject
    )


def _locked(who: Caller, service: Service, subject: str, now: datetime) -> Consumption:
    # The constraint makes one of two first calls wait for the other's row.
    Consumption.objects.get_or_create(
        base=who.base,
        ambiente=who.ambiente,
        service=service,
        subject=subject,
        defaults={"window_start": now},
    )
    return _row(who, service, subject).select_for_update().get()


def _refill(row: Consumption, limit: int, now: datetime) -> None:
    """Take back one call for each share of the hour since `window_start`, and move that on."""
    share = HOUR / limit
    shares = max((now - row.window_start) // share, 0)
    row.count = max(row.count - shares, 0)
    # An empty bucket gathers nothing: the next share counts from its first call.
    row.window_start = row.window_start + shares * share if row.count else now
