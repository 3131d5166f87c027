"""Standard rates of IBS and CBS by date of issue, from `fiscal/tables/ibs_cbs_rates.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files

# §0: the group is owed by CRT 3 since this date, by Simples and MEI from the second one on.
OWED_FROM = {2: "2026-08-03", 3: "2026-08-03", 1: "2027-01-04", 4: "2027-01-04"}
# TAX-4: until then IBS, CBS and IS are not charged on top of the price.
CHARGED_OUTSIDE_FROM = "2027-01-01"


@cache
def _rows() -> tuple[tuple[str, Decimal, str, str], ...]:
    text = files("fiscal.tables").joinpath("ibs_cbs_rates.csv").read_text("utf-8")
    return tuple(
        (row["tax"], Decimal(row["percent"]), row["valid_from"], row["valid_to"])
        for row in csv.DictReader(text.splitlines())
    )


@lru_cache(maxsize=512)
def rates_on(day: str) -> Mapping[str, Decimal]:
    """Per cent of `ibs_uf`, `ibs_mun` and `cbs` on `day` (AAAA-MM-DD).

    A tax whose rate no law has fixed for that day is missing: it has to be sent.
    """
    return {
        tax: percent
        for tax, percent, valid_from, valid_to in _rows()
        if valid_from <= day and (not valid_to or day <= valid_to)
    }
