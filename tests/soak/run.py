"""What `./dev soak [name]` runs: --rounds, --rules, --documents, --notes, --deaths, --seed.

Faults of the product end it with 1.

`overlap`: each round, four processes run the billing on the same database at the same time and one
of them is killed -9 at a random moment. A last run finishes the work. Then the invariants must
hold, and the invoices must be exactly those that arithmetic says, each announced once.

`schemathesis`: each round, generated requests that the OpenAPI document allows and does not allow
go to every operation of /api/v1; every answer must be one that the document tells of.

`fiscal`: `--documents` NF-e and NFC-e against the sandbox authority, with every fault it knows,
processes killed -9 at random and the database taken away twice; at the end both sides hold the
same, and no number is missing. `--seed` repeats the faults and the deaths of an earlier run.

`nfse`: the same with `--notes` service notes: the national system, two cities, São Paulo.

`payments`: card payments and refunds against the provider's stand-in, `--deaths` processes killed
-9 at every step in turn; nothing is charged twice or lost, and both books say the same.

`ledger`: each round, 400 payments, undoings, refunds and chargebacks of a few invoices in any
order; the books are proved every few of them. `--seed` repeats a round.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.lab import migrate, set_up  # noqa: E402

set_up()

from benchmarks import seeding  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count  # noqa: E402

from accounts.models import Account, WebhookEvent  # noqa: E402
from billing.engine.schedule import add_months  # noqa: E402
from billing.models import Contract, Invoice, InvoiceRule  # noqa: E402

PROCESSES = 4
MANAGE = [sys.executable, str(ROOT / "manage.py")]


class Fault(Exception):
    """What should not be; the text says where."""


def overlap(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    rng = random.Random(options.seed)
    migrate()
    at = seeding.tenant(f"choque-{Account.objects.count()}", customers=options.rules)
    seeding.recurring(at, end_date=None)
    # Nobody pays here, and who owes is billed no more unless the contract says so.
    Contract.objects.of(at.account).update(overdue_automatic_management=True)
    seconds = None
    for number in range(options.rounds):
        until = add_months(seeding.ISSUE, number)
        seconds = _round(at.account, until, rng, seconds)
        _prove(at.account, until)
        print(f"rodada {number + 1} de {options.rounds}: {_totals(at.account)}", flush=True)


def _round(account: Account, until: date, rng: random.Random, seconds: float | None) -> float:
    """Four runs, one killed, one more to finish; answers how long the four took."""
    started = time.monotonic()
    runs = [_start_run(account, until) for _ in range(PROCESSES)]
    # Somewhere within the time that the round before took, once its length is known.
    time.sleep(rng.uniform(0.5, max(1.5, seconds or 4.0)))
    victim = rng.choice(runs)
    victim.send_signal(signal.SIGKILL)
    codes = [run.wait() for run in runs if run is not victim]
    took = time.monotonic() - started
    victim.wait()
    if any(codes):
        raise Fault(f"uma rodada que não foi morta terminou com {codes}")
    if _start_run(account, until).wait():
        raise Fault("a rodada final falhou")
    return took


def _start_run(account: Account, until: date) -> subprocess.Popen[bytes]:
    command = [*MANAGE, "run_billing", "--account", account.slug, "--until", until.isoformat()]
    env = {**os.environ, "UX_TODAY": until.isoformat()}
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)


def _prove(account: Account, until: date) -> None:
    connection.close()  # nothing of an earlier round is seen again
    call_command("check_invariants", account=account.slug, stdout=sys.stderr)
    found = Invoice.objects.of(account).exclude(state="to_emit")
    pairs = sorted(found.values_list("rule_id", "occurrence_date"))
    expected = _expected(account, until)
    if pairs != expected:
        missing, extra = set(expected) - set(pairs), set(pairs) - set(expected)
        raise Fault(f"faltam {len(missing)}, sobram {len(extra)} de {len(expected)} faturas")
    left = Invoice.objects.of(account).filter(state="to_emit", issue_date__lte=until).count()
    if left:
        raise Fault(f"{left} faturas vencidas não foram emitidas")
    events = WebhookEvent.objects.of(account).filter(event="emit")
    repeated = events.values("object_id").annotate(n=Count("id")).filter(n__gt=1).count()
    if repeated or events.count() != len(expected):
        raise Fault(f"{events.count()} avisos para {len(expected)} faturas, {repeated} repetidos")


def _expected(account: Account, until: date) -> list[tuple[int, date]]:
    """(rule, date) of every occurrence up to `until`, from the rules alone."""
    rules = InvoiceRule.objects.of(account).values_list("id", "init_date")
    months = range((until.year - 2000) * 12)
    return sorted(
        (pk, day)
        for pk, first in rules
        for day in (add_months(first, n) for n in months)
        if day <= until
    )


def _totals(account: Account) -> str:
    rows = Invoice.objects.of(account)
    emitted = rows.exclude(state="to_emit").count()
    return f"{emitted} faturas emitidas uma vez cada, {rows.count() - emitted} a emitir"


def schemathesis(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    from soak.generated import generated

    if found := generated(options):
        raise Fault("respostas que o documento não prevê: " + "; ".join(found))


def fiscal(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    from soak import fiscal as soak

    try:
        soak.fiscal(options)
    except soak.Wrong as wrong:
        raise Fault(str(wrong)) from wrong


def nfse(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    from soak import notes

    try:
        notes.notes(options)
    except notes.Wrong as wrong:
        raise Fault(str(wrong)) from wrong


def payments(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    from soak import payments as soak

    migrate()
    try:
        soak.payments(options)
    except soak.Wrong as wrong:
        raise Fault(str(wrong)) from wrong


def ledger(options: argparse.Namespace) -> None:
    """The soak of this name: see the top."""
    from soak import ledger as soak

    if found := soak.ledger(options):
        raise Fault("; ".join(found))


SOAKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "overlap": overlap,
    "schemathesis": schemathesis,
    "fiscal": fiscal,
    "nfse": nfse,
    "payments": payments,
    "ledger": ledger,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev soak")
    parser.add_argument("name", nargs="?", choices=list(SOAKS), metavar="nome")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rules", type=int, default=3_000)
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--notes", type=int, default=500)
    parser.add_argument("--deaths", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    options.seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"semente {options.seed}", flush=True)
    try:
        for name in [options.name] if options.name else SOAKS:
            SOAKS[name](options)
    except Fault as fault:
        print(f"FALHA: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
