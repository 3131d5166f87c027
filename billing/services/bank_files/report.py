"""A file in figures: how many lines of each result, and what they come to (B17-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from billing.models import CnabFile, CnabRecord
from billing.services.bank_files.results import QUEUED
from lib.money import half_up

_ZERO = Decimal("0.00")


def report(file: CnabFile) -> dict[str, Any]:
    """Counts and sums (BRL as text) by result, what was applied, and what waits for a person."""
    rows = (
        file.records.values("result")
        .annotate(
            n=Count("id"), paid=Sum("paid"), fee=Sum("fee"),
            applied=Count("id", filter=Q(applied_at__isnull=False)),
        )
        .order_by("result")
    )  # fmt: skip
    results = [
        {
            "result": row["result"],
            "label": CnabRecord.Result(row["result"]).label,
            "records": row["n"],
            "applied": row["applied"],
            "paid": str(half_up(row["paid"])),
            "fee": str(half_up(row["fee"])),
        }
        for row in rows
    ]
    return {
        "file": file.pk,
        "records": sum(row["records"] for row in results),
        "applied": sum(row["applied"] for row in results),
        "paid": str(sum((Decimal(row["paid"]) for row in results), _ZERO)),
        "fees": str(sum((Decimal(row["fee"]) for row in results), _ZERO)),
        "waiting": waiting(file).count(),
        "faults": len(file.faults),
        "results": results,
    }


def waiting(file: CnabFile) -> Any:
    """Lines that a person has to decide about."""
    return file.records.filter(result__in=QUEUED, resolution="", applied_at=None)
