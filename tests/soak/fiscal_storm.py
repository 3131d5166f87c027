"""The storm of the fiscal soak: clients and workers, faults one after the other, and deaths."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any

import requests
from django.db import transaction
from soak import fiscal_worker
from soak.fiscal_faults import Script
from soak.fiscal_proof import Wrong
from soak.fiscal_worker import patient

from fiscal.models import Company, FiscalDocument
from fiscal.sandbox import server
from fiscal.services import numbering

WORKERS, CLIENTS = 4, 8
PER_KILL = 40  # documents for each process that is killed
KILLS_AT_ONCE = 3
OUTAGE = 12.0  # seconds that São Paulo is down; a minute of the hurried clock is 2
SKIPPED = 7  # numbers that an operator leaves out
ENOUGH = 500  # from so many documents on, every fault must have struck
Job = tuple[str, *tuple[int, ...]]

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["soak.nursery"])


@dataclass(frozen=True)
class Lab:
    """A running sandbox; every process gets its address from the environment."""

    running: server.Running
    documents: int

    def tell(self, method: str, name: str, body: Any = None) -> Any:
        """One call to the sandbox's control API."""
        url = f"{self.running.control_url}/{name}"
        answer = requests.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def start(self, *job: Any) -> ForkServerProcess:
        """A process of soak.fiscal_worker."""
        process = _PROCESSES.Process(target=fiscal_worker.run, args=job, daemon=True)
        process.start()
        return process

    def run(self, *job: Any) -> None:
        """A process of soak.fiscal_worker, to its end."""
        process = self.start(*job)
        process.join()
        if process.exitcode:
            raise Wrong(f"{job[0]} terminou com erro")


class Storm:
    """Clients hand documents in while faults are told and processes die."""

    def __init__(self, lab: Lab, script: Script, rng: random.Random) -> None:
        self.lab, self.script, self.rng = lab, script, rng
        share = -(-lab.documents // CLIENTS)
        self.jobs: list[Job] = [
            ("accept", n * share, min((n + 1) * share, lab.documents)) for n in range(CLIENTS)
        ] + [("work",)] * WORKERS
        self.running = [lab.start(*job) for job in self.jobs]
        self.counts: Counter[str] = Counter()
        self.down_until: float | None = None

    def blow(self) -> None:
        """Until every document was handed in."""
        self.lab.tell("POST", "svc", {"uf": "SP", "estado": "aberto"})
        try:
            while not self._is_over():
                self._look()
                done = patient(_count) / self.lab.documents
                self.script.keep_up(done)
                self._happen(done)
                time.sleep(self.rng.uniform(0.3, 0.9))
                for _ in range(min(self._kills_due(done), KILLS_AT_ONCE)):
                    self._kill(self.rng.randrange(len(self.jobs)))
            self._end_outage()
        finally:
            end(self.running)

    def told(self) -> str:
        """What happened, for people."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))

    def _is_over(self) -> bool:
        return all(client.exitcode == 0 for client in self.running[:CLIENTS])

    def _look(self) -> None:
        """Nobody ends by itself but a client that has handed everything in."""
        for job, process in zip(self.jobs, self.running, strict=True):
            code = process.exitcode
            if code or (code == 0 and job == ("work",)):
                raise Wrong(f"{job} terminou sozinho com o código {code}")

    def _kills_due(self, done: float) -> int:
        """By documents, not by time: a fast machine must not be spared."""
        return int(done * self.lab.documents / PER_KILL) - self.counts["processos mortos"]

    def _kill(self, number: int) -> None:
        """A worker, or a server in the middle of requests: its clients ask again."""
        if self.running[number].exitcode is not None:
            return
        end([self.running[number]])
        self.counts["processos mortos"] += 1
        self.running[number] = self.lab.start(*self.jobs[number])

    def _happen(self, done: float) -> None:
        """What happens once, when that share of the documents is there."""
        for share, what, act in (
            (0.2, "paradas de SP", self._begin_outage),
            (0.4, "reinícios do banco", lambda: _cut(signal.SIGUSR1)),
            (0.5, "saltos de numeração", _skip_numbers),
            (0.7, "quedas do banco", lambda: _cut(signal.SIGUSR2)),
        ):
            if done >= share and not self.counts[what]:
                self.counts[what] += 1
                act()
        if self.down_until is not None and time.monotonic() > self.down_until:
            self._end_outage()

    def _begin_outage(self) -> None:
        self.lab.tell("POST", "falhas", [{"tipo": "parado", "autorizador": "SP", "vezes": None}])
        self.down_until = time.monotonic() + OUTAGE

    def _end_outage(self) -> None:
        if self.down_until is not None:
            self.down_until = None
            self.lab.tell("DELETE", "falhas?tipo=parado")


def end(processes: list[ForkServerProcess]) -> None:
    """Kill -9."""
    for process in processes:
        process.kill()
        process.join()


def _count() -> int:
    return FiscalDocument.objects.filter(superseded_by=None).count()


def _cut(how: signal.Signals) -> None:
    """Have the database server restarted, or cut off and brought back."""
    keeper = os.environ.get("POSTGRES_KEEPER")
    if keeper is None:
        raise Wrong("o banco não é um PostgreSQL descartável (tests/support/postgres.py)")
    os.kill(int(keeper), how)


def _skip_numbers() -> None:
    """An operator sets a series ahead: the numbers between are a gap to be voided."""
    company = patient(lambda: Company.objects.order_by("pk").first())

    key: dict[str, Any] = {"ambiente": "homologacao", "modelo": 55, "serie": 1}

    def skip() -> None:
        series = numbering.locked_series(company, **key)
        numbering.set_next_number(company, number=series.next_number + SKIPPED, **key)

    patient(transaction.atomic(skip))
