"""Published monthly variations of the IPCA, as the Banco Central gives them (SGS series 433).

ipca.csv holds facts only: January 2024 to February 2026, as published by IBGE. They were checked
against the accumulated figures IBGE announced with them: 4,83% in 2024, 2,04% in the first quarter
of 2025, 5,35% in the twelve months to June 2025, 4,26% in 2025, and 3,81% in the twelve months to
February 2026. Later months come from `fetch_index` or `import_index`.
"""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from billing.models import PriceIndex, PriceIndexValue
from lib.br import parse_date

FILE = Path(__file__).parent / "ipca.csv"
SOURCE = "SGS 433 (arquivo)"


def published() -> list[tuple[str, str]]:
    """(first day of the month as dd/mm/aaaa, variation in percent with a decimal comma)."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [(row["data"], row["valor"]) for row in csv.DictReader(file, delimiter=";")]


def load(*, at: datetime) -> None:
    """Write the months that nobody has; the values are shared by all accounts."""
    months = {parse_date(day): Decimal(value.replace(",", ".")) for day, value in published()}
    known = set(
        PriceIndexValue.objects.filter(index=PriceIndex.IPCA, month__in=months).values_list(
            "month", flat=True
        )
    )
    PriceIndexValue.objects.bulk_create(
        [
            PriceIndexValue(
                index=PriceIndex.IPCA, month=month, percent=percent, source=SOURCE, published_at=at
            )
            for month, percent in months.items()
            if month not in known
        ],
        ignore_conflicts=True,
    )
