"""The billing API under gunicorn with two workers, over 100,000 invoices."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks import api_load, seeding
from benchmarks.api_load import Load, call
from benchmarks.fiscal_lab import cpu_seconds
from benchmarks.lab import PATHS, POSTGRES, ROOT, Lab
from benchmarks.report import Row
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, ApiToken
from accounts.services.tokens import create_token
from billing.models import Contract, Invoice, InvoiceRule, Receivable, ServiceItem
from billing.services.emission import emit_due
from billing.services.materialise import extend
from billing.services.tallies import merge_tallies
from devtools.gate import WARM_UP_AFTER
from devtools.serve import WEB

CLIENTS = 8
TURNS = 8
# Sixteen threads have a connection each, which keeps the plan of a statement at the tenth time.
WARM_UP = 320
OCCURRENCES = 20  # invoices of each contract
IDLE = 0.05  # seconds of processor in a second
MAX_LIST_MS = 120
MAX_CREATE_MS = 80
MAX_QUERIES = 8
MIN_SHARE = 0.4


def measure(lab: Lab) -> Iterator[Row]:
    """Lists and searches with 50 per page, creation of an invoice, and queries of each list."""
    engine = lab.engines[0]
    at = lab.case("api.seed", engine, n=lab.size(100_000, 200))
    counts = lab.case("api.queries", engine, at=at)
    has_target = engine == POSTGRES and not lab.is_quick
    with tempfile.TemporaryDirectory() as folder:
        payload = Path(folder) / "payload.json"
        payload.write_text(json.dumps(counts.pop("payload")), encoding="utf-8")
        with server(payload, engine) as port:
            yield from _lists(port, at, counts, lab.size(1_600, 16), has_target)
            yield from _creation(port, at, lab.size(400, 8), has_target)


def _lists(
    port: int, at: dict[str, Any], counts: dict[str, int], n: int, has_target: bool
) -> Iterator[Row]:
    """Each kind beside the fixed view, in turns: what else the machine does slows both alike."""
    turn = max(CLIENTS, n // TURNS)
    fixed_calls = [call("GET", "/fixed")] * turn
    api_load.run(port, fixed_calls, clients=CLIENTS)
    for name, paths in searches(at).items():
        calls = [call("GET", paths[i % len(paths)], token=at["token"]) for i in range(turn * TURNS)]
        api_load.run(port, calls[:WARM_UP], clients=CLIENTS)
        fixed, load = Load.empty(), Load.empty()
        for start in range(0, len(calls), turn):
            fixed += api_load.run(port, fixed_calls, clients=CLIENTS)
            load += api_load.run(port, calls[start : start + turn], clients=CLIENTS)
        yield from _list_rows(name, load, fixed, counts[name], has_target)


def _list_rows(name: str, load: Load, fixed: Load, queries: int, has_target: bool) -> Iterator[Row]:
    is_list = name == "lista"
    share = load.rate / fixed.rate
    yield Row(
        f"API, {name}: {CLIENTS} clientes",
        load.rate,
        "req/s",
        fixed.rate,
        share,
        f"≥ {MIN_SHARE:g}x".replace(".", ",") if is_list and has_target else "",
        (share >= MIN_SHARE) if is_list and has_target else None,
    )
    yield Row(
        f"API, {name}: p95",
        load.p(95),
        f"ms (p50 {load.p(50):.0f})",
        fixed.p(95),
        load.p(95) / fixed.p(95),
        f"≤ {MAX_LIST_MS} ms" if has_target else "",
        (load.p(95) <= MAX_LIST_MS) if has_target else None,
    )
    yield Row(
        f"API, {name}: consultas",
        queries,
        "consultas",
        target=f"≤ {MAX_QUERIES}",
        ok=queries <= MAX_QUERIES,
    )


def _creation(port: int, at: dict[str, Any], n: int, has_target: bool) -> Iterator[Row]:
    for clients in (1, CLIENTS):
        calls = [_new_invoice(at, i) for i in range(n)]
        load = api_load.run(port, calls, clients=clients)
        yield Row(
            f"API, criar fatura de 3 serviços e 2 vencimentos: {clients} cliente(s)",
            load.p(95),
            f"ms p95 (p50 {load.p(50):.0f})",
            target=f"≤ {MAX_CREATE_MS} ms" if has_target and clients == 1 else "",
            ok=(load.p(95) <= MAX_CREATE_MS) if has_target and clients == 1 else None,
        )


def _new_invoice(at: dict[str, Any], i: int) -> api_load.Call:
    contract = at["contracts"][i % len(at["contracts"])]
    service = {"service_item_id": at["item"], "units": 2, "unit_value": "49.90"}
    body = {
        "issue_date": "01/11/2026",
        "description": "Serviços de novembro",
        "nfe_body": "$DESCRICAO",
        "services": [service] * 3,
        "receivables": [{"due_date": "10/11/2026"}, {"due_date": "10/12/2026"}],
    }
    raw = json.dumps({"invoice": body}).encode()
    path = f"/api/v1/contracts/{contract}/invoices"
    return call("POST", path, token=at["token"], body=raw, status=201)


def searches(at: dict[str, Any]) -> dict[str, list[str]]:
    """What integrators ask for, by name; each name is one kind of request over many pages."""
    rng = random.Random(1)
    search = f"/api/v1/organizations/{at['organization']}/invoices/search?per_page=50"
    pages = max(1, at["n"] // 50)
    some = [rng.randint(1, pages) for _ in range(40)]
    month = "q[issue_date_gteq]=01/03/2027&q[issue_date_lteq]=31/03/2027"
    due = "q[receivables_due_date_gteq]=08/03/2027&q[receivables_due_date_lteq]=14/03/2027"
    few = [f"&page={rng.randint(1, max(1, pages // 50))}" for _ in range(20)]
    contracts = at["contracts"]
    span = "issue_date_from=01-01-2026&issue_date_to=31-12-2030"
    dues = "due_date_from=01-01-2026&due_date_to=31-12-2030"
    return {
        "lista": [f"{search}&page={page}" for page in some],
        "busca por mês": [f"{search}&{month}{page}" for page in few],
        "busca por vencimento": [f"{search}&{due}{page}" for page in few],
        "busca por situação": [f"{search}&q[state_eq]=to_receive{page}" for page in few],
        "vencidas": [f"{search}&q[state_eq]=late{page}" for page in few],
        "faturas do contrato": [f"/api/v1/contracts/{c}/invoices/search?{span}" for c in contracts],
        "vencimentos do contrato": [
            f"/api/v1/contracts/{c}/receivables/search?{dues}" for c in contracts
        ],
    }


# --- cases ---------------------------------------------------------------------------------------


def seed(*, n: int) -> dict[str, Any]:
    """An account with `n` invoices, three services and two receivables each; a tenth emitted."""
    customers = max(2, n // OCCURRENCES)
    at = seeding.tenant(f"api-{Account.objects.count()}", customers=customers)
    at.account.monthly_block_months = OCCURRENCES - 1
    at.account.save()
    rules = seeding.recurring(at, end_date=None)
    InvoiceRule.objects.filter(id__among=rules).update(parcel_number=2, day_number=F("id") % 28 + 1)
    extend(at.account, until=seeding.TODAY, today=seeding.TODAY)
    emit_due(at.account, until=date(2026, 12, 15), today=date(2026, 12, 1))
    emitted = Receivable.objects.filter(account=at.account, state="to_receive")
    emitted.filter(id__in=list(emitted.values_list("id", flat=True)[: customers // 2])).update(
        due_date=date.today() - timedelta(days=30)
    )
    merge_tallies()  # as the scheduled task does
    seeding.analyse()
    _, token = create_token(at.account, name="Medição", scope=ApiToken.Scope.BILLING)
    contracts = Contract.objects.of(at.account).order_by("id").values_list("id", flat=True)[:200]
    return {
        "token": token,
        "organization": at.organization.pk,
        "contracts": list(contracts),
        "item": ServiceItem.objects.of(at.account).values_list("id", flat=True)[0],
        "n": Invoice.objects.of(at.account).count(),
    }


def queries(*, at: dict[str, Any]) -> dict[str, Any]:
    """Statements of each kind of request, and a page of the list as the fixed payload."""
    token = f"Token token={at['token']}"
    client = Client(headers={"Authorization": token, "Host": "127.0.0.1"})
    counts: dict[str, Any] = {}
    for name, paths in searches(at).items():
        client.get(paths[0])  # notes the token's use, at most once a minute
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(paths[0])
        assert answer.status_code == 200, answer.content
        counts[name] = len(captured)
    counts["payload"] = client.get(searches(at)["lista"][0]).json()
    return counts


# --- the server ----------------------------------------------------------------------------------


@contextlib.contextmanager
def server(payload: Path, engine: str) -> Iterator[int]:
    """Gunicorn as `./dev run` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = dict(os.environ, BENCH_PAYLOAD=str(payload), RATE_LIMIT_PER_MINUTE="0", LOG_LEVEL="ERROR")
    env["PYTHONPATH"] = os.pathsep.join(PATHS)
    if engine != POSTGRES:
        env.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "gunicorn", "benchmarks.api_server:application"]
    command += ["--bind", f"127.0.0.1:{port}", *WEB, "--preload"]
    command += ["--log-level", "warning", "--no-control-socket", "-c", "python:devtools.gate"]
    server = subprocess.Popen(command, env=env, cwd=ROOT)
    try:
        _wait(port, server)
        _settle(server.pid)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("o servidor da medição não respondeu")


def _settle(pid: int) -> None:
    """Until the server does nothing by itself: each process makes its PDF renderer ready first."""
    limit, busy = time.monotonic() + 60, True
    time.sleep(WARM_UP_AFTER)
    while busy and time.monotonic() < limit:
        before = cpu_seconds(pid)
        time.sleep(1)
        busy = cpu_seconds(pid) - before > IDLE
