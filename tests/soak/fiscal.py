"""The fiscal soak: documents, every fault of the sandbox, and processes killed -9 at random.

In the middle the database server is restarted, and once cut off like by a power failure, and the
authority of São Paulo is down while its SVC is open. Then the faults end, an operator settles the
conflicts, clients send half of what was refused again, and a month goes by. At the end every
document is in a final state, the sandbox's books and ours are equal, every number has one use and
none is missing (soak.fiscal_proof).
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.lab import migrate
from django.conf import settings
from django.db import connection
from factories import AccountFactory, FiscalCompanyFactory
from soak import pace
from soak.fiscal_faults import Script, missing
from soak.fiscal_proof import Wrong, journal, prove, totals
from soak.fiscal_storm import ENOUGH, WORKERS, Lab, Storm, end
from support.certificates import authority, certify

from fiscal.models import FiscalDocument, FiscalHook, Inutilizacao, State
from fiscal.sandbox import server
from fiscal.services import inutilizacao, recovery
from lib import clock

EXTRA = 60  # documents for faults that found none
PATIENCE = 4.0  # seconds for the last of them to be sent
DAY, QUARTER = 86_400.0, 900.0


def fiscal(options: argparse.Namespace) -> None:
    """The soak of this name: see the top. `options`: documents, seed."""
    rng = random.Random(options.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no worker stays behind
    logging.getLogger("fiscal").setLevel(logging.ERROR)
    began = time.monotonic()
    migrate()
    _durable()
    with _laboratory(options.documents) as lab:
        _companies()
        script = Script(lab.tell, rng)
        storm = Storm(lab, script, rng)
        storm.blow()
        script.end()
        n = _make_up(lab, script) if options.documents >= ENOUGH else options.documents
        stormed = time.monotonic() - began
        _calm(lab)
        struck = _struck(lab)
        print(f"{storm.told()} em {stormed:.0f} s; {len(struck)} falhas diferentes, "
              f"{sum(struck.values())} ao todo; {totals()}", flush=True)  # fmt: skip
        if options.documents >= ENOUGH and (absent := missing(script.struck, struck)):
            raise Wrong(f"falhas que não aconteceram: {', '.join(absent)}")
        _a_month_goes_by(lab)
        prove(lab.tell, n)
        print(f"{totals()}; igual nos dois lados, {time.monotonic() - began:.0f} s", flush=True)


def _make_up(lab: Lab, script: Script) -> int:
    """Faults that were told too late get documents of their own; answers how many there are."""
    n = lab.documents
    while (absent := missing(script.struck, _struck(lab))) and n < lab.documents + 5 * EXTRA:
        script.again(absent)
        workers = [lab.start("work") for _ in range(2)]
        lab.run("accept", n, n + EXTRA)
        time.sleep(PATIENCE)
        end(workers)
        script.end()
        n += EXTRA
    return n


def _durable() -> None:
    """What was committed survives a power cut: the throwaway server forgets that by itself."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
    connection.close()


def _companies() -> None:
    """Queued and at once, with and without offline NFC-e, at three authorities."""
    account = AccountFactory(slug="fiscal-soak")
    south = {"uf": "SC", "municipio": "Florianópolis", "codigo_municipio": "4205407",
             "inscricao_estadual": "251040852"}  # fmt: skip
    for more in (
        {},
        {**south, "habilita_contingencia_offline_nfce": True},
        {"cnpj": "12ABC34501DE35"},
        {**south, "nfe_sincrono_homologacao": True},
    ):
        company = FiscalCompanyFactory(account=account, **more)
        certify(company)
        FiscalHook.objects.create(
            account=account, company=company, public_id=f"soak-{company.pk}", event="nfe",
            ambiente="homologacao", url="https://hooks.invalid/", created_at=clock.now(),
        )  # fmt: skip


@contextmanager
def _laboratory(documents: int) -> Iterator[Lab]:
    """The sandbox in this process, and the hurried clock for it and for all others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pace.prepare(folder)
        pace.hurry()
        running = server.start(folder, ca_folder=authority().folder)
        pointers = {
            "FISCAL_ENDPOINTS_BASE": running.base_url,
            "FISCAL_CA_FILE": str(running.ca_file),
        }
        for key in ("FISCAL_ENDPOINTS_BASE", "FISCAL_CA_FILE"):
            setattr(settings, key, pointers[key])
        # The process that all others are forks of looks for its modules here.
        path = os.pathsep.join(word for word in sys.path if word)
        os.environ.update(pointers, LOG_LEVEL="ERROR", PYTHONPATH=path)
        try:
            yield Lab(running, documents)
        finally:
            running.stop()


# --- afterwards --------------------------------------------------------------------------------


def _calm(lab: Lab) -> None:
    """No more faults: workers go on until nothing waits, but for what a later day brings."""
    ends = time.monotonic() + 120 + lab.documents / 5
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
    """Is anything to be done before that?"""
    soon = {"next_attempt_at__lt": clock.now() + timedelta(**near)}
    # The first of two documents of a sale may wait for as long as its client leaves the second.
    documents = FiscalDocument.objects.exclude(state=State.AUTORIZADO)
    return any(rows.filter(**soon).exists() for rows in (documents, Inutilizacao.objects))


def _a_month_goes_by(lab: Lab) -> None:
    """Operator and clients decide; then the nights that void what nobody took up again."""
    _settle_conflicts()
    lab.run("correct")
    _calm(lab)
    pace.jump(DAY * 1.1)
    _calm(lab)
    this = clock.now()
    later = (this.replace(day=1) + timedelta(days=31)).replace(day=6)
    pace.jump((later - this).total_seconds())
    for _ in range(3):
        lab.run("night")
        _calm(lab)


def _settle_conflicts() -> None:
    """Ask once more; a number that nobody has, whatever was said, is voided."""
    for row in FiscalDocument.objects.filter(state=State.CONFLITO).select_related("company"):
        recovery.recover(row.pk)
        row = FiscalDocument.objects.select_related("company").get(pk=row.pk)
        if row.state == State.CONFLITO:
            inutilizacao.request_void(
                row.company, ambiente=row.ambiente, modelo=row.modelo, serie=row.serie,
                first=row.numero, last=row.numero, justificativa="Numero sem uso em conflito",
            )  # fmt: skip


def _struck(lab: Lab) -> Counter[tuple[str, str]]:
    """How often each fault struck a request, by model."""
    found: Counter[tuple[str, str]] = Counter()
    for row in journal(lab.tell):
        model = row["caminho"].strip("/").split("/")[2]
        found.update((tipo, model) for tipo in row["falha"].split())
    return found
