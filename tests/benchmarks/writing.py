"""Materialisation and emission, against the fastest plain insert of the very same finished rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.lab import POSTGRES, SQLITE, Lab
from benchmarks.report import Row

MAX_RATIO = 2.5
MIN_RATE = 2_000
MAX_QUERIES = 15
MAX_GROWTH = 1.2
MAX_MEMORY_MB = 300
ROUNDS = 3


def materialise(lab: Lab) -> Iterator[Row]:
    """50,000 occurrences of 3 lines and 1 receivable each."""
    return _rows(lab, "materialise")


def emission(lab: Lab) -> Iterator[Row]:
    """50,000 invoices: number, snapshot, outbox, audit and follow-up."""
    return _rows(lab, "emission")


def _rows(lab: Lab, step: str) -> Iterator[Row]:
    if POSTGRES in lab.engines:
        n = lab.size(50_000, 60)
        rounds = [_round(lab, POSTGRES, step, n) for _ in range(lab.size(ROUNDS, 1))]
        yield _rate(f"{step}, {n} faturas (PostgreSQL)", n, rounds, has_target=True)
        yield _queries(step, n, rounds)
        yield from _growth(lab, step)
    if SQLITE in lab.engines:
        n = lab.size(5_000, 40)
        rounds = [_round(lab, SQLITE, step, n) for _ in range(lab.size(ROUNDS, 1))]
        yield _rate(f"{step}, {n} faturas (SQLite)", n, rounds, has_target=False)


def _round(lab: Lab, engine: str, step: str, n: int, has_baseline: bool = True) -> dict[str, Any]:
    """One measurement: fresh rules, the step in a process of its own, then the plain insert."""
    account = lab.case("steps.seed", engine, n=n)
    result = lab.case("steps.materialise", engine, account=account, n=n)
    if step == "emission":
        result = lab.case("steps.emission", engine, account=account, n=n)
    if has_baseline:
        result["baseline"] = lab.case("steps.plain_insert", engine, account=account, step=step)
    return dict(result)


def _rate(name: str, n: int, rounds: list[dict[str, Any]], *, has_target: bool) -> Row:
    # The best of each: what else the machine does only ever makes a round slower.
    ours = min(each["seconds"] for each in rounds)
    baseline = min(each["baseline"] for each in rounds)
    ratio = ours / baseline
    return Row(
        name,
        n / ours,
        "faturas/s",
        n / baseline,
        ratio,
        f"≤ {MAX_RATIO:g}x e ≥ {MIN_RATE}/s".replace(".", ",") if has_target else "",
        (ratio <= MAX_RATIO and n / ours >= MIN_RATE) if has_target else None,
    )


def _queries(step: str, n: int, rounds: list[dict[str, Any]]) -> Row:
    per_thousand = max(each["queries"] for each in rounds) * 1000 / n
    return Row(
        f"{step}, consultas por 1.000 faturas",
        per_thousand,
        "consultas",
        target=f"≤ {MAX_QUERIES}",
        ok=per_thousand <= MAX_QUERIES,
    )


def _growth(lab: Lab, step: str) -> Iterator[Row]:
    """Time per invoice of a large run beside a small one, and the memory of the large one."""
    small, large = lab.size(5_000, 20), lab.size(200_000, 80)
    few = [
        _round(lab, POSTGRES, step, small, has_baseline=False) for _ in range(lab.size(ROUNDS, 1))
    ]
    each_few = min(one["seconds"] for one in few) / small * 1e6
    many = [_round(lab, POSTGRES, step, large, has_baseline=False)]
    if many[0]["seconds"] / large * 1e6 > each_few * MAX_GROWTH:
        # What else the machine did may have slowed it: it gets the second try the small ones had.
        many.append(_round(lab, POSTGRES, step, large, has_baseline=False))
    each_many = min(one["seconds"] for one in many) / large * 1e6
    yield Row(
        f"{step}, tempo por fatura: {large} contra {small}",
        each_many,
        "µs",
        each_few,
        each_many / each_few,
        f"≤ {MAX_GROWTH:g}x".replace(".", ","),
        each_many / each_few <= MAX_GROWTH,
    )
    peak = max(one["peak_mb"] for one in many)
    yield Row(
        f"{step}, memória de pico com {large} faturas",
        peak,
        "MB",
        target=f"≤ {MAX_MEMORY_MB} MB",
        ok=peak <= MAX_MEMORY_MB,
    )
