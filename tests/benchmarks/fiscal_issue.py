"""Issuing end to end: site, queue, database and the sandbox authority, each a process of its own.

The processor time beside each figure tells what the work costs when the machine has other things to
do; the figure itself tells how long people wait.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import api_load, fiscal_lab
from benchmarks.api_load import Call, Load
from benchmarks.fiscal_lab import Authority, Site, Work
from benchmarks.lab import POSTGRES, Lab
from benchmarks.report import Row
from support.issuing import nfce_body, nfe_body

CLIENTS = 4
WORKERS = 2
MAX_OVERHEAD_MS = 60
LEAST_PER_SECOND = 80
LATENCY = 0.5  # seconds
LEAST_SHARE = 0.9
NFE, NFCE = "nfe", "nfce"
BODIES = {NFE: nfe_body, NFCE: nfce_body}


def measure(lab: Lab) -> Iterator[Row]:
    """NFC-e while the client waits, NF-e through the queue, and the queue of a slow authority."""
    engine = lab.engines[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        fiscal_lab.authority(Path(folder)) as authority,
    ):
        env = authority.env(engine)
        bench = _Bench(lab, engine, authority, env)
        with fiscal_lab.site(env) as site:
            yield from bench.counts()
            yield from bench.sales(site)
            yield from bench.queued(site)
            yield from bench.slow(site)


class _Bench:
    """One run: the company, and what is measured with it."""

    def __init__(self, lab: Lab, engine: str, authority: Authority, env: dict[str, str]) -> None:
        self.lab, self.engine, self.authority, self.env = lab, engine, authority, env
        self.has_target = engine == POSTGRES and not lab.is_quick
        self.senders: int = self._case("at_once")
        self.at = self._case("seed", ca=str(authority.ca_folder))
        self.database: int = self._case("database")
        code = {self.at["cnpj"]: {"1": "CODIGO-HOMOLOGACAO-0001"}}
        authority.told("POST", "csc", code)

    def _case(self, name: str, **arguments: Any) -> Any:
        return self.lab.case(f"fiscal_steps.{name}", self.engine, **arguments)

    # --- statements --------------------------------------------------------------------------

    def counts(self) -> Iterator[Row]:
        """PERF-4: one insert and two updates of the row of a document."""
        found = self._case(
            "queries",
            token=self.at["token"],
            company=self.at["company"],
            base_url=self.authority.base_url,
            ca_file=self.env["FISCAL_CA_FILE"],
        )
        queued = {
            name: found["nfe_request"][name] + found["nfe_queue"][name] for name in found["nfce"]
        }
        for what, counts in (("NFC-e", found["nfce"]), ("NF-e pela fila", queued)):
            writes = counts["inserts"] + counts["updates"]
            yield Row(
                f"fiscal, {what}: gravações do documento",
                writes,
                f"(consultas ao todo: {counts['statements']})",
                target="≤ 3",
                ok=writes <= 3,
            )

    # --- NFC-e -------------------------------------------------------------------------------

    def sales(self, site: Site) -> Iterator[Row]:
        """Request to authorised answer, beside what the sandbox itself took for each."""
        n = self.lab.size(400, 8)
        self._load(site, NFCE, "aquecimento", self.lab.size(40, 4))
        self._case("analyse")  # as autovacuum does within a minute
        since = self.authority.last_request()
        took: dict[str, float] = {}
        work = self._work(site=site.pid)
        load = self._load(site, NFCE, "venda", n, took=took)
        cost = work.each(n)
        own = {row["chave"]: row["milissegundos"] for row in self.authority.sent(since)}
        keys = self._case("keys", company=self.at["company"], modelo=65)
        theirs = [own[keys[ref]] for ref in took]
        over = Load([took[ref] - own[keys[ref]] for ref in took], load.seconds)
        name = f"fiscal, NFC-e do pedido à autorização, {CLIENTS} clientes"
        yield Row(f"{name}: vazão", load.rate, "notas/s")
        yield cost.row(name)
        yield Row(
            f"{name}: além do sandbox, p95",
            over.p(95),
            f"ms (p50 {over.p(50):.0f})",
            Load(theirs, 0).p(95),
            target=f"≤ {MAX_OVERHEAD_MS} ms" if self.has_target else "",
            ok=over.p(95) <= MAX_OVERHEAD_MS if self.has_target else None,
        )

    # --- NF-e --------------------------------------------------------------------------------

    def queued(self, site: Site) -> Iterator[Row]:
        """Accepted by the site while the queue works, until the last one is authorised."""
        n = self.lab.size(1_000, 8)
        with fiscal_lab.queue(self.env, workers=WORKERS) as queue:
            self._load(site, NFE, "aquecimento", WORKERS * 4)
            self._wait("aquecimento", WORKERS * 4)
            work = self._work(site=site.pid, fila=queue)
            self._load(site, NFE, "lote", n)
            took = self._wait("lote", n)
            cost = work.each(n)
        rate = n / took["whole"]
        name = f"fiscal, NF-e pela fila, {WORKERS} processos, do pedido à autorização"
        yield Row(
            name,
            rate,
            "notas/s",
            target=f"≥ {LEAST_PER_SECOND}/s" if self.has_target else "",
            ok=rate >= LEAST_PER_SECOND if self.has_target else None,
        )
        yield cost.row(name)

    def slow(self, site: Site) -> Iterator[Row]:
        """Documents that wait while each answer takes half a second: only that may limit them."""
        n = self.lab.size(200, 4)
        self._load(site, NFE, "lenta", n)
        since = self.authority.last_request()
        rule = {
            "tipo": "lento_antes",
            "servico": "autorizacao",
            "vezes": n * 10,
            "parametros": {"segundos": LATENCY},
        }
        self.authority.told("POST", "falhas", rule)
        with fiscal_lab.queue(self.env, workers=WORKERS):
            took = self._wait("lenta", n)
        self.authority.told("DELETE", "falhas")
        at_once = WORKERS * self.senders
        rate, possible = (n - at_once) / took["queue"], at_once / LATENCY
        yield Row(
            f"fiscal, NF-e pela fila, {n} à espera e {LATENCY * 1000:.0f} ms de latência",
            rate,
            f"notas/s ({at_once} por vez)",
            possible,
            rate / possible,
            f"≥ {LEAST_SHARE:g}x".replace(".", ",") if self.has_target else "",
            rate / possible >= LEAST_SHARE if self.has_target else None,
        )
        again = len(self.authority.sent(since)) - n
        yield Row(
            "fiscal, NF-e pela fila com latência: enviadas de novo",
            again,
            "notas",
            target="0",
            ok=again == 0,
        )

    def _wait(self, prefix: str, n: int) -> dict[str, float]:
        found: dict[str, float] = self._case("wait", company=self.at["company"], prefix=prefix, n=n)
        return found

    def _work(self, **pids: int) -> Work:
        return Work({**pids, "banco": self.database, "sandbox": self.authority.pid})

    # --- load --------------------------------------------------------------------------------

    def _load(
        self, site: Site, kind: str, prefix: str, n: int, took: dict[str, float] | None = None
    ) -> Load:
        # Made now: an NFC-e may not be older than five minutes when it arrives (704).
        raw = json.dumps(BODIES[kind]()).encode()
        calls = [self._call(kind, f"{prefix}-{i}", raw, took) for i in range(n)]
        return api_load.run(site.port, calls, clients=CLIENTS)

    def _call(self, kind: str, ref: str, raw: bytes, took: dict[str, float] | None) -> Call:
        path = f"/v2/{kind}?ref={ref}&token={self.at['token']}"
        status = 201 if kind == NFCE else 202
        sent = api_load.call("POST", path, body=raw, status=status)

        def tell(milliseconds: float, body: bytes) -> None:
            if took is not None:
                took[ref] = milliseconds

        return Call(sent.raw, status, tell)
