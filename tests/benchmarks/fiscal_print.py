"""The DANFE: the first time beside bare WeasyPrint on the same HTML, and from the cache."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.lab import Lab
from benchmarks.report import Row

MAX_RATIO = 1.3
MAX_HIT_MS = 5
FEW, MANY = 5, 150  # items: one page, and several


def measure(lab: Lab) -> Iterator[Row]:
    """On one engine: the database has little to do with it."""
    for items in (FEW, lab.size(MANY, 20)):
        name = f"DANFE de {items} itens"
        result = lab.case(
            "fiscal_paper.time_danfe",
            lab.engines[0],
            items=items,
            rounds=lab.size(7, 1),
            is_patient=not lab.is_quick,
        )
        first, bare, hit = (statistics.median(result[name]) for name in ("first", "bare", "hit"))
        yield Row(
            f"fiscal, {name}, primeira vez",
            first,
            "ms",
            bare,
            first / bare,
            f"≤ {MAX_RATIO:g}x".replace(".", ",") if not lab.is_quick else "",
            first / bare <= MAX_RATIO if not lab.is_quick else None,
        )
        is_timed = not lab.is_quick
        yield Row(
            f"fiscal, {name}, do cache",
            hit,
            "ms",
            target=f"≤ {MAX_HIT_MS} ms" if is_timed else "",
            ok=hit <= MAX_HIT_MS if is_timed else None,
        )
