"""The soak of service notes: the national system, two cities of ABRASF and São Paulo.

Notes are handed in and some cancelled while every fault of the sandbox strikes and processes are
killed -9; once the database is restarted. Then the faults end, clients send again what was refused,
an operator allows what only a person may send again, and days go by. At the end both sides hold the
same notes, none was issued twice, and no number of a series is missing (soak.note_proof).
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from typing import Any

from benchmarks.lab import migrate
from factories import AccountFactory, FiscalCompanyFactory
from soak import note_worker, pace
from soak.fiscal import _durable, _laboratory
from soak.fiscal_faults import Script
from soak.fiscal_proof import Wrong, journal
from soak.fiscal_storm import _PROCESSES, Lab, _cut, end
from soak.fiscal_worker import patient
from soak.note_faults import missing, script
from soak.note_proof import prove, totals
from support.certificates import certify

from fiscal.models import Company, NoteState, ServiceNote, ServiceOrder
from fiscal.services.nfse import recovery
from lib import clock

WORKERS, CLIENTS = 3, 4
PER_KILL = 20  # notes for each process that is killed
ENOUGH = 400  # from so many notes on, every fault must have struck
EXTRA, PATIENCE = 40, 6.0
QUARTER, DAY = 900.0, 86_400.0
Job = tuple[str, *tuple[int, ...]]


@dataclass(frozen=True)
class NoteLab(Lab):
    """The laboratory with processes of soak.note_worker."""

    def start(self, *job: Any) -> ForkServerProcess:
        process = _PROCESSES.Process(target=note_worker.run, args=job, daemon=True)
        process.start()
        return process


def notes(options: argparse.Namespace) -> None:
    """The soak of this name: see the top. `options`: notes, seed."""
    rng = random.Random(options.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("fiscal").setLevel(logging.ERROR)
    began = time.monotonic()
    migrate()
    _durable()
    with _lab(options.notes) as lab:
        note_worker.impatient()
        companies()
        told = script(lab.tell, rng)
        storm = NoteStorm(lab, told, rng)
        storm.blow()
        patient(ServiceNote.objects.count)  # the restart may have come last
        told.end()
        n = _make_up(lab, told) if options.notes >= ENOUGH else options.notes
        stormed = time.monotonic() - began
        _calm(lab)
        struck = _struck(lab)
        print(f"{storm.told()} em {stormed:.0f} s; {len(struck)} falhas diferentes, "
              f"{sum(struck.values())} ao todo; {totals()}", flush=True)  # fmt: skip
        if options.notes >= ENOUGH and (absent := missing(struck)):
            raise Wrong(f"falhas que não aconteceram: {', '.join(absent)}")
        _people_decide(lab)
        prove(lab.tell, n)
        print(f"{totals()}; igual nos dois lados, {time.monotonic() - began:.0f} s", flush=True)


@contextmanager
def _lab(n: int) -> Iterator[NoteLab]:
    with _laboratory(n) as lab:
        yield NoteLab(lab.running, n)


def companies() -> list[Company]:
    """One for each of note_worker.PLACES."""
    account = AccountFactory(slug="notas-soak")
    made = []
    for _ in note_worker.PLACES:
        company = FiscalCompanyFactory(
            account=account,
            habilita_nfse=True,
            habilita_nfsen_homologacao=True,
        )
        certify(company)
        made.append(company)
    return made


class NoteStorm:
    """Clients hand notes in while faults are told and processes die."""

    def __init__(self, lab: NoteLab, told: Script, rng: random.Random) -> None:
        self.lab, self.script, self.rng = lab, told, rng
        share = -(-lab.documents // CLIENTS)
        self.jobs: list[Job] = [
            ("accept", n * share, min((n + 1) * share, lab.documents)) for n in range(CLIENTS)
        ] + [("work",)] * WORKERS + [("cancel",)]  # fmt: skip
        self.running = [lab.start(*job) for job in self.jobs]
        self.counts: Counter[str] = Counter()

    def blow(self) -> None:
        """Until every note was handed in."""
        try:
            while not all(client.exitcode == 0 for client in self.running[:CLIENTS]):
                self._look()
                done = patient(ServiceNote.objects.count) / self.lab.documents
                self.script.keep_up(done)
                if done >= 0.5 and not self.counts["reinícios do banco"]:
                    self.counts["reinícios do banco"] += 1
                    _cut(signal.SIGUSR1)
                time.sleep(self.rng.uniform(0.2, 0.6))
                if done * self.lab.documents / PER_KILL > self.counts["processos mortos"] + 1:
                    self._kill(self.rng.randrange(len(self.jobs)))
        finally:
            end(self.running)

    def told(self) -> str:
        """What happened, for people."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))

    def _look(self) -> None:
        for job, process in zip(self.jobs, self.running, strict=True):
            code = process.exitcode
            if code or (code == 0 and job[0] != "accept"):
                raise Wrong(f"{job} terminou sozinho com o código {code}")

    def _kill(self, number: int) -> None:
        if self.running[number].exitcode is not None:
            return
        end([self.running[number]])
        self.counts["processos mortos"] += 1
        self.running[number] = self.lab.start(*self.jobs[number])


# --- afterwards --------------------------------------------------------------------------------


def _make_up(lab: NoteLab, told: Script) -> int:
    """Faults that were told too late get notes of their own; answers how many there are."""
    n = lab.documents
    while (absent := missing(_struck(lab))) and n < lab.documents + 4 * EXTRA:
        _tell_again(told, absent)
        workers = [lab.start("work") for _ in range(2)]
        lab.run("accept", n, n + EXTRA)
        time.sleep(PATIENCE)
        end(workers)
        told.end()
        n += EXTRA
    return n


def _tell_again(told: Script, absent: list[str]) -> None:
    for step in told._steps:
        rule = step[0]
        if f"{rule['tipo']} ({rule.get('autorizador')})" in absent:
            told.tell("POST", "falhas", step)


def _calm(lab: NoteLab) -> None:
    """No more faults: workers go on until nothing waits within the next hours."""
    ends = time.monotonic() + 120 + lab.documents / 3
    while _waits(hours=3):
        workers = [lab.start("work") for _ in range(WORKERS)]
        try:
            while _waits(minutes=5):
                if time.monotonic() > ends:
                    raise Wrong(f"ainda à espera: {totals()}")
                time.sleep(0.5)
        finally:
            end(workers)
        pace.jump(QUARTER)


def _waits(**near: float) -> bool:
    soon = {"next_attempt_at__lt": clock.now() + timedelta(**near)}
    unsafe = {"state": NoteState.INDEFINIDO, "last_message": recovery.NOT_FOUND}
    rows = ServiceNote.objects.filter(**soon).exclude(**unsafe)
    return rows.exists() or ServiceOrder.objects.filter(**soon).exists()


def _people_decide(lab: NoteLab) -> None:
    """Clients send again what was refused; an operator settles what only a person may."""
    known = list(Company.objects.order_by("pk"))
    for _ in range(4):
        for note in ServiceNote.objects.filter(state=NoteState.CONFLITO):
            recovery.recover(note.pk)
        for note in ServiceNote.objects.filter(
            state=NoteState.INDEFINIDO, last_message=recovery.NOT_FOUND
        ):
            recovery.allow_resending(note.pk, now=clock.now())
        for note in ServiceNote.objects.filter(state=NoteState.REJEITADO):
            note_worker.hand_in(int(note.ref[1:]), companies=known)
        _calm(lab)
        pace.jump(DAY * 1.1)
        _calm(lab)


def _struck(lab: NoteLab) -> Counter[tuple[str, str]]:
    """How often each fault struck a request, by authority."""
    found: Counter[tuple[str, str]] = Counter()
    for row in journal(lab.tell):
        found.update((tipo, row["autorizador"]) for tipo in row["falha"].split())
    return found
