"""The soak `ledger`: payments, undoings, refunds and chargebacks in any order, by round."""

from __future__ import annotations

import argparse
import os

from benchmarks.lab import migrate
from django.db import transaction
from support.ledger_story import TODAY, Story

from accounts.models import Account

STEPS = 400


def ledger(options: argparse.Namespace) -> list[str]:
    """What was out of balance, by seed. Each round has a seed of its own; nothing is kept."""
    migrate()
    os.environ["UX_TODAY"] = TODAY
    found = []
    for seed in range(options.seed, options.seed + options.rounds):
        with transaction.atomic():
            account = Account.objects.create(name="Livro", slug=f"livro-{seed}")
            story = Story.begin(account, seed)
            try:
                story.go_on(STEPS)
            except AssertionError as wrong:
                found.append(f"semente {seed}: {wrong}")
            transaction.set_rollback(True)
        print(f"semente {seed}: {story.done} de {STEPS} atos", flush=True)
    return found
