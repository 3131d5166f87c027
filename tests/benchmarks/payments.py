"""Getting paid: selecting by a ruler, and what the other measures of payments are."""

from __future__ import annotations

import importlib
import importlib.util
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks import seeding
from benchmarks.lab import POSTGRES, SQLITE, Lab
from benchmarks.report import Row
from django.db import connection, transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import NotificationRuler, Receivable
from billing.services.dunning.rulers import activate, create_default
from billing.services.dunning.selection import select_due
from lib import clock
from lib.bulk import insert_rows

MAX_SECONDS = 5
# Each has a `measure(lab)` of its own.
OTHERS = ("payments_boleto", "payments_cnab")
# An ordinary business day.
NOON = datetime(2026, 10, 15, 12, tzinfo=ZoneInfo(clock.SAO_PAULO))
OLDEST, NEWEST = -90, 30  # days from NOON that parcels fall due
_PARCEL = (
    "account", "invoice", "position", "due_date", "original_due_date", "value", "gross_value",
    "payment_value", "open_principal", "state", "created_at",
)  # fmt: skip


def measure(lab: Lab) -> Iterator[Row]:
    """All that ./dev bench payments tells."""
    yield from dunning(lab)
    for name in OTHERS:
        if importlib.util.find_spec(f"benchmarks.{name}"):
            yield from importlib.import_module(f"benchmarks.{name}").measure(lab)


def dunning(lab: Lab) -> Iterator[Row]:
    """A day's selection over open parcels; the baseline reads the same rows once."""
    if POSTGRES in lab.engines:
        yield from _rows(lab, POSTGRES, lab.size(500_000, 400), target=MAX_SECONDS)
    if SQLITE in lab.engines:
        yield from _rows(lab, SQLITE, lab.size(50_000, 400), target=None)


def _rows(lab: Lab, engine: str, n: int, *, target: int | None) -> Iterator[Row]:
    account = lab.case("payments.seed", engine, n=n)
    for what, days in (("no dia em que é ativada", 0), ("no dia útil seguinte", 1)):
        result = lab.case("payments.select", engine, account=account, days=days)
        seconds, baseline = result["seconds"], result["baseline"]
        yield Row(
            f"régua, seleção entre {n} parcelas em aberto ({engine}), {what}",
            seconds,
            f"s ({result['found']} passos)",
            baseline,
            seconds / baseline,
            f"≤ {target} s" if target and days else "",
            seconds <= target if target and days else None,
        )


def seed(*, n: int) -> int:
    """An account with `n` open parcels and the usual ruler, switched on; answers its id."""
    at = seeding.tenant(f"regua-{Account.objects.count()}", customers=max(10, n // 20))
    ids = seeding.invoices(at, n, states=seeding.OPEN)
    rng = random.Random(11)
    with seeding.in_bulk():
        for chunk in seeding.chunks((_parcel(at, pk, rng) for pk in ids), seeding.CHUNK):
            with transaction.atomic():
                insert_rows(Receivable, _PARCEL, chunk)
    ruler = create_default(at.organization, actor=SYSTEM)
    activate(
        ruler.pk, account=at.account, actor=SYSTEM, on=NOON.date(),
        past=NotificationRuler.Past.ALL,
    )  # fmt: skip
    seeding.analyse()
    return int(at.account.pk)


def _parcel(at: seeding.Tenant, invoice_id: int, rng: random.Random) -> tuple[Any, ...]:
    due = NOON.date() + timedelta(days=rng.randint(OLDEST, NEWEST))
    value = rng.choice(seeding.PRICES)
    return (
        at.account.pk, invoice_id, 1, due, due, Decimal(100), value, value, value, "to_receive",
        NOON,
    )  # fmt: skip


def select(*, account: int, days: int) -> dict[str, Any]:
    """Seconds of a selection at noon so many days later, and how many steps it found."""
    found = Account.objects.get(pk=account)
    baseline = _read_once(account)
    started = time.perf_counter()
    n = select_due(found, now=NOON + timedelta(days=days))
    seconds = time.perf_counter() - started
    seeding.analyse()
    return {"seconds": seconds, "found": n, "baseline": baseline}


def _read_once(account: int) -> float:
    """Seconds that the bare join of the open parcels with their invoices takes."""
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), max(i.customer_id) FROM billing_receivable r "
            "JOIN billing_invoice i ON i.id = r.invoice_id "
            "WHERE r.account_id = %s AND r.state = 'to_receive' AND r.open_principal > 0",
            [account],
        )
        cursor.fetchone()
    return time.perf_counter() - started
