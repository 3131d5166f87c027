"""A company whose documents all fail for the same reason is stopped until somebody acts (§8.4)."""

from __future__ import annotations

from datetime import datetime

from fiscal.models import Company, Consumption
from fiscal.services.consumption import caller

SERVICE = "fila"


def stop(company: Company, *, ambiente: str, until: datetime, now: datetime) -> None:
    """CONFIG_ERROR: nothing of this company is sent before `until`, when one document tries."""
    Consumption.objects.update_or_create(
        base=caller(company.document, ambiente).base,
        ambiente=ambiente,
        service=SERVICE,
        subject=str(company.pk),
        defaults={"blocked_until": until, "window_start": now},
    )


def resume(company: Company) -> None:
    """What was wrong was changed (certificate, CSC, record): the queue goes on at once."""
    rows = Consumption.objects.filter(service=SERVICE, subject=str(company.pk))
    rows.update(blocked_until=None)


def stopped_until(company: Company, *, ambiente: str, now: datetime) -> datetime | None:
    return (
        Consumption.objects.filter(
            base=caller(company.document, ambiente).base,
            ambiente=ambiente,
            service=SERVICE,
            subject=str(company.pk),
            blocked_until__gt=now,
        )
        .values_list("blocked_until", flat=True)
        .first()
    )
