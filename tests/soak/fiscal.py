"""The fiscal soak: documents, every fault of the sandbox, and workers killed -9 at random.

It ends when nothing waits any more. Then every document is in a final state, the sandbox's store
and ours are equal, no number was used twice and no number is missing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from benchmarks.lab import migrate
from django.conf import settings
from django.db import connection
from factories import AccountFactory, FiscalCompanyFactory
from support.certificates import authority, certify

from fiscal.models import FiscalDocument, Inutilizacao, Series, State, VoidState
from fiscal.sandbox import server
from fiscal.services import recovery
from fiscal.services.gaps import gaps_of

WORKERS, CLIENTS = 4, 2
FAULTS = 4  # scripted at a time
KILLED = 0.25  # of the seconds or so end with a dead worker
WORKER = Path(__file__).parent / "fiscal_worker.py"
FINAL = (State.AUTORIZADO, State.CANCELADO, State.INUTILIZADO, State.REJEITADO)
AUTHORIZING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("queda_antes", {}),
    ("queda_depois", {}),
    ("lento_antes", {"parametros": {"segundos": 3}}),
    ("lento_depois", {"parametros": {"segundos": 3}}),
    ("gotejar", {}),
    ("truncado", {}),
    ("mal_formado", {}),
    ("vazio", {}),
    ("outra_codificacao", {}),
    ("http_500", {"parametros": {"quando": "depois"}}),
    ("http_503", {"parametros": {"quando": "depois"}}),
    ("http_503", {}),
    ("http_html", {}),
    ("soap_fault", {"parametros": {"quando": "depois"}}),
    ("cstat", {"parametros": {"codigo": 999}}),
    ("em_processamento", {}),
    ("pausado", {}),
    ("parado", {}),
    ("consumo_indevido", {"parametros": {"segundos": 3}}),
    ("resposta_trocada", {}),
    ("digval_trocado", {}),
    ("consulta_atrasada", {"parametros": {"segundos": 3}}),
)
ASKING = ("queda_antes", "queda_depois", "truncado", "http_503")
CONNECTING = ("sem_conexao", "tls_recusado")


class Wrong(Exception):
    """What should not be; the text says where."""


@dataclass(frozen=True)
class Lab:
    """A running sandbox and the environment that sends processes to it."""

    running: server.Running
    env: dict[str, str]

    def tell(self, method: str, name: str, body: Any = None) -> Any:
        url = f"{self.running.control_url}/{name}"
        return requests.request(method, url, json=body, timeout=30).json()


def fiscal(options: argparse.Namespace) -> None:
    """The soak of this name: see the top. `options`: documents, seed."""
    rng = random.Random(options.seed)
    migrate()
    _companies()
    with _laboratory() as lab:
        killed = _storm(lab, options.documents, rng)
        lab.tell("DELETE", "falhas")
        _calm(lab, options.documents)
        _prove(lab, options.documents)
        print(f"{killed} processos mortos; {_totals()}", flush=True)


def _companies() -> None:
    account = AccountFactory(slug="fiscal-soak")
    certify(FiscalCompanyFactory(account=account))
    certify(
        FiscalCompanyFactory(
            account=account,
            uf="SC",
            municipio="Florianópolis",
            codigo_municipio="4205407",
            inscricao_estadual="251040852",
            habilita_contingencia_offline_nfce=True,
        )
    )


@contextmanager
def _laboratory() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as folder:
        running = server.start(Path(folder), ca_folder=authority().folder)
        pointers = {
            "FISCAL_ENDPOINTS_BASE": running.base_url,
            "FISCAL_CA_FILE": str(running.ca_file),
        }
        for name, value in pointers.items():
            setattr(settings, name, value)
        try:
            yield Lab(running, {**os.environ, **pointers, "LOG_LEVEL": "ERROR"})
        finally:
            running.stop()


# --- the storm ---------------------------------------------------------------------------------


def _storm(lab: Lab, documents: int, rng: random.Random) -> int:
    """Clients accept all documents while faults are scripted and workers die; how many died."""
    share = -(-documents // CLIENTS)
    clients = [
        _start(lab, "issue", str(n * share), str(min((n + 1) * share, documents)))
        for n in range(CLIENTS)
    ]
    workers = [_start(lab, "work") for _ in range(WORKERS)]
    killed = 0
    try:
        while any(client.poll() is None for client in clients) or _unsent(documents):
            _script(lab, rng)
            time.sleep(rng.uniform(0.5, 1.5))
            # A worker takes seconds to start: most are to live long enough to be cut at work.
            if rng.random() < KILLED:
                victim = rng.randrange(WORKERS)
                workers[victim].send_signal(signal.SIGKILL)
                workers[victim].wait()
                killed += 1
                workers[victim] = _start(lab, "work")
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    if any(client.returncode for client in clients):
        raise Wrong("um cliente terminou com erro")
    return killed


def _unsent(documents: int) -> bool:
    """Is more than a tenth of the documents still on its way?"""
    connection.close()
    waiting = FiscalDocument.objects.filter(next_attempt_at__isnull=False).count()
    return waiting > documents / 10


def _start(lab: Lab, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(WORKER), *arguments], env=lab.env)


def _script(lab: Lab, rng: random.Random) -> None:
    """A few more faults, while few are left: calls that succeed must come in between."""
    left = [rule for rule in lab.tell("GET", "falhas") if rule["usadas"] < rule["vezes"]]
    if len(left) >= FAULTS:
        return
    tipo, rule = rng.choice(AUTHORIZING)
    rules = [{"tipo": tipo, "servico": "autorizacao", "vezes": rng.randint(1, 3), **rule}]
    if rng.random() < 0.4:
        rules.append({"tipo": rng.choice(ASKING), "servico": "consulta_protocolo", "vezes": 1})
    if rng.random() < 0.3:
        rules.append({"tipo": rng.choice(ASKING), "servico": "recepcao_evento", "vezes": 1})
    if rng.random() < 0.3:
        rules.append({"tipo": rng.choice(ASKING), "servico": "inutilizacao", "vezes": 1})
    if rng.random() < 0.3:
        rules.append({"tipo": rng.choice(CONNECTING), "vezes": rng.randint(1, 3)})
    for one in rules:
        one["depois_de"] = rng.randint(0, 5)
    lab.tell("POST", "falhas", rules)


def _calm(lab: Lab, documents: int, *, seconds: int = 300) -> None:
    """No more faults: workers go on until nothing waits; an operator settles scripted conflicts."""
    workers = [_start(lab, "work") for _ in range(WORKERS)]
    ends = time.monotonic() + seconds + documents / 5
    try:
        while _waiting():
            if time.monotonic() > ends:
                raise Wrong(f"ainda à espera: {_totals()}")
            _settle_conflicts()
            time.sleep(1)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _waiting() -> bool:
    connection.close()
    rows = FiscalDocument.objects.exclude(state__in=FINAL, next_attempt_at=None)
    return rows.exists() or Inutilizacao.objects.filter(next_attempt_at__isnull=False).exists()


def _settle_conflicts() -> None:
    for pk in FiscalDocument.objects.filter(state=State.CONFLITO).values_list("pk", flat=True):
        recovery.recover(pk)


# --- the proof ---------------------------------------------------------------------------------


def _prove(lab: Lab, documents: int) -> None:
    rows = list(FiscalDocument.objects.all())
    answering = [row for row in rows if row.superseded_by_id is None]
    if len(answering) != documents:
        raise Wrong(f"{len(answering)} documentos respondem por {documents} refs")
    if odd := Counter(row.state for row in rows if row.state not in FINAL):
        raise Wrong(f"sem situação final: {dict(odd)}")
    _same_as_there(lab, rows)
    _no_gaps(rows)


def _same_as_there(lab: Lab, rows: list[FiscalDocument]) -> None:
    there = {
        row["chave"]: (row["protocolo"], row["situacao"] == "autorizado")
        for row in lab.tell("GET", "documentos")
    }
    here = {
        row.chave: (row.protocolo, row.state == State.AUTORIZADO)
        for row in rows
        if row.state in (State.AUTORIZADO, State.CANCELADO)
    }
    if there != here:
        only_there, only_here = set(there) - set(here), set(here) - set(there)
        differ = [key for key in set(there) & set(here) if there[key] != here[key]]
        raise Wrong(
            f"só lá: {len(only_there)}, só aqui: {len(only_here)}, diferentes: {len(differ)}"
        )


def _no_gaps(rows: list[FiscalDocument]) -> None:
    used = Counter(
        (row.company_id, row.modelo, row.serie, row.numero) for row in rows if row.numero
    )
    if repeated := [key for key, count in used.items() if count > 1]:
        raise Wrong(f"números repetidos: {repeated[:5]}")
    for series in Series.objects.filter(modelo__in=(55, 65)):
        if found := gaps_of(series):
            raise Wrong(f"lacunas em {series}: {found[:5]}")
    if Inutilizacao.objects.filter(state=VoidState.REJEITADA).exists():
        raise Wrong("há inutilizações recusadas")


def _totals() -> str:
    states = Counter(FiscalDocument.objects.values_list("state", flat=True))
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
