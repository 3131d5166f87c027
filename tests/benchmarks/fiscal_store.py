"""Finding one document among a million, through HTTP, and what lists and sweeps read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import api_load, fiscal_lab
from benchmarks.fiscal_lab import Site
from benchmarks.lab import POSTGRES, Lab
from benchmarks.report import Row

MAX_MS = 15
WARM_UP = 100


def measure(lab: Lab) -> Iterator[Row]:
    """One client at a time: how long a question takes, not how many fit."""
    engine = lab.engines[0]
    n = lab.size(1_000_000, 3_000)
    at = lab.case("fiscal_rows.seed", engine, n=n)
    has_target = engine == POSTGRES and not lab.is_quick
    among = "fiscal, entre " + f"{n:,} notas".replace(",", ".")
    with fiscal_lab.site(fiscal_lab.product_env(engine)) as site:
        for what, paths in _questions(at).items():
            asked = _Asked(site, paths, lab.size(2_000, 20))
            yield asked.row(f"{among}: {what}, p95", has_target)
    whole = lab.case(
        "fiscal_rows.plans",
        engine,
        account=at["account"],
        company=at["company"],
        ref=at["refs"][-1],
        is_small=lab.is_quick,
    )
    for what, lines in whole.items():
        unit = "tabelas lidas por inteiro"
        yield Row(f"{among}: {what}", len(lines), unit, target="0", ok=not lines)


def _questions(at: dict[str, Any]) -> dict[str, list[str]]:
    token = f"?token={at['token']}"
    return {
        "consulta por ref": [f"/v2/nfe/{ref}{token}" for ref in at["refs"]],
        "XML por chave": [path + token for path in at["files"]],
    }


class _Asked:
    """Requests of one kind, and what they took."""

    def __init__(self, site: Site, paths: list[str], n: int) -> None:
        calls = [api_load.call("GET", paths[i % len(paths)]) for i in range(n)]
        api_load.run(site.port, calls[:WARM_UP], clients=2)
        spent = site.cpu_seconds()
        self.load = api_load.run(site.port, calls, clients=1)
        self.cpu_ms = (site.cpu_seconds() - spent) / n * 1000

    def row(self, name: str, has_target: bool) -> Row:
        p95 = self.load.p(95)
        unit = f"ms (p50 {self.load.p(50):.0f}, processador {self.cpu_ms:.0f})"
        target = f"≤ {MAX_MS} ms" if has_target else ""
        return Row(name, p95, unit, target=target, ok=p95 <= MAX_MS if has_target else None)
