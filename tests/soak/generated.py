"""The soak `schemathesis`: generated requests at every operation of /api/v1, round after round."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections import Counter

from benchmarks.lab import migrate
from django.conf import settings
from django.db import transaction
from support.fuzzing import attack, operations, told
from support.tenants import DAY, build

from accounts.models import Account

EXAMPLES = 40  # of each kind, for each operation and round


def generated(options: argparse.Namespace) -> list[str]:
    """Names of the operations that answered what is not documented; the requests go to stderr.

    Each round has a seed of its own, printed, so that it can be repeated. Nothing is kept.
    """
    migrate()
    os.environ["UX_TODAY"] = DAY
    settings.RATE_LIMIT_PER_MINUTE = 1_000_000_000
    settings.ALLOWED_HOSTS = ["*"]
    found = []
    with transaction.atomic():
        account = Account.objects.create(name="Gerada", slug="gerada")
        world = build(account, "Meu", 1000)
        socket.getaddrinfo = _offline  # addresses of webhooks are generated too
        for number in range(options.seed, options.seed + options.rounds):
            statuses: Counter[int] = Counter()
            for name, operation in operations().items():
                try:
                    attack(operation, world, examples=EXAMPLES, number=number, seen=statuses)
                except (Exception, BaseExceptionGroup) as fault:
                    print(f"--- {name}, semente {number}\n{told(fault)}", file=sys.stderr)
                    found.append(f"{name} (semente {number})")
            print(f"semente {number}: {_totals(statuses)}", flush=True)
        transaction.set_rollback(True)
    return found


def _offline(*args: object, **kwargs: object) -> None:
    raise socket.gaierror("no network in this soak")


def _totals(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
