"""Printing: the first time beside bare WeasyPrint on the same HTML, and from the cache."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.lab import Lab
from benchmarks.report import Row

MAX_RATIO = 1.3
MAX_HIT_MS = 5
ONE_PAGE, LONG = 10, 400  # lines: one page, and some fifteen


def measure(lab: Lab) -> Iterator[Row]:
    """The targets hold on both engines: the database has little to do with it."""
    for engine in lab.engines:
        for lines in (ONE_PAGE, lab.size(LONG, 20)):
            result = lab.case("printing.time_pdf", engine, lines=lines, rounds=lab.size(5, 2))
            yield from _rows(f"{result['pages']} p. ({engine})", result)


def _rows(what: str, result: dict[str, Any]) -> Iterator[Row]:
    first, bare, hit = (statistics.median(result[name]) for name in ("first", "bare", "hit"))
    yield Row(
        f"PDF, primeira vez, {what}",
        first,
        "ms",
        bare,
        first / bare,
        f"≤ {MAX_RATIO:g}x".replace(".", ","),
        first / bare <= MAX_RATIO,
    )
    yield Row(f"PDF, do cache, {what}", hit, "ms", target=f"< {MAX_HIT_MS} ms", ok=hit < MAX_HIT_MS)
