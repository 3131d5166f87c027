"""Who is asked for received documents, and when (DIS-2, fiscal-api §7, §8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product

from django.db import transaction

from fiscal.models import Company, DistributionCursor, Source
from fiscal.services.companies import option
from fiscal.services.company_fields import AMBIENTES
from lib.queue import enqueue

TASK = "fiscal.tasks.fetch_received"
# fiscal-api §8: every two hours; §7: twice a day.
EVERY = {
    Source.NFE: timedelta(hours=2),
    Source.NFSEN: timedelta(hours=2),
    Source.NFSE: timedelta(hours=12),
}
ASKED = (Source.NFE, Source.NFSEN, Source.NFSE)
# Longer than a task may take: a lost one is called for again after this.
LEASE = timedelta(minutes=10)
_BATCH = 500


def receives(company: Company, *, source: str, ambiente: str) -> bool:
    """Does the company want documents of that source? (§14.2)"""
    if company.removed_at is not None:
        return False
    if source == Source.NFE:
        return bool(option(company, "habilita_manifestacao"))
    if source == Source.NFSEN:
        return bool(option(company, f"habilita_nfsen_recebidas_{ambiente}"))
    return company.habilita_nfse and _city_tells(company.codigo_municipio, ambiente)


def _city_tells(municipality: str, ambiente: str) -> bool:
    from fiscal.services.received.municipal import offers  # which asks by these cursors

    return offers(municipality, ambiente)


def cursor_of(company: Company, *, source: str, ambiente: str, now: datetime) -> DistributionCursor:
    """The cursor of a company, made on the first call: from NSU 0 on (DIS-4)."""
    found, _ = DistributionCursor.objects.get_or_create(
        company=company,
        ambiente=ambiente,
        source=source,
        defaults={"account_id": company.account_id, "created_at": now, "next_at": now},
    )
    return found


def locked(cursor_id: int) -> DistributionCursor:
    """The row for update, with its company. Inside a transaction."""
    row: DistributionCursor = (
        DistributionCursor.objects.select_for_update(of=("self",))
        .select_related("company")
        .get(pk=cursor_id)
    )
    return row


def sweep(*, now: datetime) -> int:
    """Begin for companies that want documents, and call for every question that is due.

    Answers how many were called for. Each 5 minutes.
    """
    _wake_missing(now)
    due = DistributionCursor.objects.filter(next_at__lte=now).order_by("next_at", "id")
    rows = list(due.values_list("pk", "next_at")[:_BATCH])
    return sum(_claim(pk, was, now) for pk, was in rows if was is not None)


def _wake_missing(now: datetime) -> None:
    """Cursors of companies that want documents since lately, or again."""
    awake = DistributionCursor.objects.exclude(next_at=None)
    known = set(awake.values_list("company_id", "ambiente", "source"))
    wanting = Company.objects.filter(removed_at=None).only(
        "account_id", "removed_at", "options", "habilita_nfse", "codigo_municipio"
    )
    for company in wanting.iterator():
        for source, ambiente in product(ASKED, AMBIENTES):
            if (company.pk, ambiente, source) in known:
                continue
            if receives(company, source=source, ambiente=ambiente):
                cursor = cursor_of(company, source=source, ambiente=ambiente, now=now)
                DistributionCursor.objects.filter(pk=cursor.pk, next_at=None).update(next_at=now)


@transaction.atomic
def _claim(pk: int, was: datetime, now: datetime) -> bool:
    """The task and the new time commit together: nobody else calls for it meanwhile."""
    mine = DistributionCursor.objects.filter(pk=pk, next_at=was)
    if not mine.update(next_at=now + LEASE):
        return False
    enqueue(TASK, pk)
    return True


def hasten(company: Company, *, source: str, ambiente: str, now: datetime) -> None:
    """Something new is to be expected: ask as soon as it is allowed."""
    cursor = cursor_of(company, source=source, ambiente=ambiente, now=now)
    at = max(now, cursor.blocked_until or now)
    rows = DistributionCursor.objects.filter(pk=cursor.pk, next_at__gt=at)
    rows.update(next_at=at)
