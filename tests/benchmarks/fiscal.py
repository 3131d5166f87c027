"""Everything of the fiscal engine that `./dev bench fiscal` measures."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import fiscal_build, fiscal_issue, fiscal_print, fiscal_store
from benchmarks.lab import Lab
from benchmarks.report import Row


def measure(lab: Lab) -> Iterator[Row]:
    """Making documents, issuing them, finding them among a million, printing them."""
    for subject in (fiscal_build, fiscal_issue, fiscal_store, fiscal_print):
        yield from subject.measure(lab)
