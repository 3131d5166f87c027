"""Service notes by the second: one core that builds, signs and validates, and a whole billing run.

The invoices are made and emitted in a process of their own; the queue makes their notes and sends
them to the sandbox over TLS: from the beginning of the run to the last note that is authorised.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import fiscal_lab
from benchmarks.lab import POSTGRES, SQLITE, Lab
from benchmarks.nfse_steps import BARE, MADE, MODERN, REQUEST
from benchmarks.report import Row

LEAST = 1_600  # documents per second, one core
LEAST_PER_SECOND = 60
WORKERS = 2


def measure(lab: Lab) -> Iterator[Row]:
    """What a DPS costs, then 5,000 of them from acceptance to authorisation."""
    yield from _rates(lab)
    yield from _run(lab)


def _rates(lab: Lab) -> Iterator[Row]:
    seconds = 0 if lab.is_quick else 0.05
    rates = lab.case("nfse_steps.rates", SQLITE, rounds=lab.size(40, 1), seconds=seconds)
    bare, made = rates[BARE], rates[MADE]
    target = f"≥ {LEAST:,}/s".replace(",", ".")
    yield Row(f"NFS-e, {BARE}", bare, "assin./s")
    yield Row(f"NFS-e, {MADE}", made, "notas/s", bare, made / bare, target, made >= LEAST)
    yield Row(f"NFS-e, {MODERN}", rates[MODERN], "notas/s", bare, rates[MODERN] / bare)
    yield Row(f"NFS-e, {REQUEST}", rates[REQUEST], "notas/s")


def _run(lab: Lab) -> Iterator[Row]:
    engine = lab.engines[0]
    has_target = engine == POSTGRES and not lab.is_quick
    n = lab.size(5_000, 6)
    with (
        tempfile.TemporaryDirectory() as folder,
        fiscal_lab.authority(Path(folder)) as authority,
    ):
        env = authority.env(engine)
        ca = str(authority.ca_folder)
        first = lab.case("nfse_steps.seed", engine, ca=ca, n=4)["account"]
        month = lab.case("nfse_steps.seed", engine, ca=ca, n=n)["account"]
        pids = {"banco": lab.case("fiscal_steps.database", engine), "sandbox": authority.pid}
        with fiscal_lab.queue(env, workers=WORKERS) as queue:
            _billed(lab, engine, first, 4)  # certificates opened, what the city is known to want
            work = fiscal_lab.Work({"fila": queue, **pids})
            seconds = _billed(lab, engine, month, n)
            cost = work.each(n)
    rate = n / seconds
    name = f"NFS-e, {n} faturas de um mês, {WORKERS} processos, da fatura à autorização"
    yield cost.row(name)
    yield Row(
        name,
        rate,
        f"notas/s ({seconds:.0f} s)",
        target=f"≥ {LEAST_PER_SECOND}/s" if has_target else "",
        ok=rate >= LEAST_PER_SECOND if has_target else None,
    )


def _billed(lab: Lab, engine: str, account: int, n: int) -> float:
    since = lab.case("nfse_steps.bill", engine, account=account, n=n)
    seconds: float = lab.case("nfse_steps.wait", engine, account=account, n=n, since=since)
    return seconds
