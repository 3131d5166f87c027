"""A bank's file of 20,000 records: read, matched, judged and applied; plain reading beside it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from benchmarks import seeding
from benchmarks.lab import POSTGRES, SQLITE, Lab, peak_mb
from benchmarks.report import Row
from django.db import transaction
from support.cnab_files import Fact, retorno

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.gateways.boleto.bank import NossoNumero
from billing.gateways.cnab.reader import Reading, entries
from billing.models import (
    BankAgreement,
    Charge,
    CnabFile,
    FinancialAccount,
    Invoice,
    OrganizationProfile,
    Receivable,
)
from billing.services.bank_files import applying
from billing.services.bank_files.retorno import receive
from billing.services.bank_files.titles import layout_of, sender_of
from lib import clock
from lib.bulk import insert_rows, reserve_ids

MAX_SECONDS = 30
PAID_ON = date(2026, 10, 14)
_PARCEL = (
    "id", "account", "invoice", "position", "due_date", "original_due_date", "value",
    "gross_value", "payment_value", "open_principal", "state", "created_at",
)  # fmt: skip
_CHARGE = (
    "account", "receivable", "kind", "state", "agreement", "amount", "principal", "fine",
    "interest", "issued_on", "due_date", "limit_date", "terms", "instructions", "document_number",
    "nosso_numero", "nosso_numero_dv", "nosso_numero_printed", "barcode", "linha_digitavel",
    "txid", "location", "brcode", "external_id", "instruction", "change", "reason", "created_at",
)  # fmt: skip
_TERMS = {
    "fine_type": "percentage", "fine_value": "2", "interest_type": "percentage",
    "interest_value": "1", "limit_days": 59,
}  # fmt: skip
# (weight, occurrence, state of the boleto): a month's file, and the worst one.
SETTLED = ((1, "06", "open"),)
MIXED = ((60, "06", "open"), (30, "02", "registering"), (6, "09", "open"), (4, "28", "open"))


def measure(lab: Lab) -> Iterator[Row]:
    """Settlements only, which cost most; and the mixture of a month."""
    if POSTGRES in lab.engines:
        n = lab.size(20_000, 60)
        yield from _rows(lab, POSTGRES, n, "só liquidações", "settled", target=MAX_SECONDS)
        yield from _rows(lab, POSTGRES, n, "de um mês", "mixed", target=MAX_SECONDS)
    if SQLITE in lab.engines:
        yield from _rows(lab, SQLITE, lab.size(4_000, 60), "só liquidações", "settled", target=None)


def _rows(
    lab: Lab, engine: str, n: int, what: str, kinds: str, *, target: int | None
) -> Iterator[Row]:
    account = lab.case("payments_cnab.seed", engine, n=n, kinds=kinds)
    found = lab.case("payments_cnab.work", engine, account=account, kinds=kinds)
    name = f"retorno de {n} registros, {what} ({engine})"
    total = found["read"] + found["apply"]
    has_target = target is not None and not lab.is_quick
    yield Row(f"{name}, leitura pura do arquivo", n / found["plain"], "registros/s")
    yield Row(
        f"{name}, ler e aplicar",
        total,
        f"s ({found['memory']:.0f} MB)",
        found["plain"],
        total / found["plain"],
        f"≤ {target} s" if has_target else "",
        total <= (target or 0) if has_target else None,
    )


def seed(*, n: int, kinds: str) -> int:
    """An account with `n` boletos that a file tells of; answers its id."""
    at = seeding.tenant(f"retorno-{Account.objects.count()}", customers=max(10, n // 20))
    OrganizationProfile.objects.get_or_create(party=at.organization)
    bank = FinancialAccount.objects.create(
        account=at.account, organization=at.organization, bank_code="341", bank_branch="0810",
        bank_account="53678",
    )  # fmt: skip
    agreement = BankAgreement.objects.create(
        account=at.account, financial_account=bank, agency="0810", account_number="53678",
        carteira="109",
    )  # fmt: skip
    ids = seeding.invoices(at, n, states=seeding.OPEN)
    parcels = list(reserve_ids(Receivable, n))
    values = dict(Invoice.objects.filter(account=at.account).values_list("pk", "payment_value"))
    due = PAID_ON + timedelta(days=1)
    states = _kinds(n, kinds)
    with transaction.atomic():
        insert_rows(
            Receivable, _PARCEL,
            (
                (pk, at.account.pk, invoice, 1, due, due, Decimal(100), *[values[invoice]] * 3,
                 "to_receive", clock.now())
                for pk, invoice in zip(parcels, ids, strict=True)
            ),
        )  # fmt: skip
        insert_rows(
            Charge, _CHARGE,
            (
                _charge(at, agreement, pk, values[invoice], number, due, state)
                for number, (pk, invoice, (_, state)) in enumerate(
                    zip(parcels, ids, states, strict=True), 1
                )
            ),
        )  # fmt: skip
    Invoice.objects.filter(account=at.account).update(due_date=due)
    seeding.analyse()
    return int(at.account.pk)


def _charge(
    at: seeding.Tenant, agreement: Any, parcel: int, value: Decimal, n: int, due: date, state: str
) -> tuple[Any, ...]:
    return (
        at.account.pk, parcel, "boleto", state, agreement.pk, value, value, Decimal(0), Decimal(0),
        seeding.TODAY, due, due + timedelta(days=59), _TERMS, "", f"{n:05d}", f"{n:08d}", "1",
        f"109/{n:08d}-1", "", "", "", "", "", "", "", {}, "", clock.now(),
    )  # fmt: skip


def _kinds(n: int, kinds: str) -> Sequence[tuple[str, str]]:
    table = SETTLED if kinds == "settled" else MIXED
    picked = random.Random(5).choices(table, weights=[one[0] for one in table], k=n)
    return [(occurrence, state) for _, occurrence, state in picked]


def work(*, account: int, kinds: str) -> dict[str, float]:
    """Seconds to read the file plainly, to receive it, and to apply it."""
    found = Account.objects.get(pk=account)
    content = _content(found, kinds)
    plain = _timed(lambda: sum(1 for _ in entries(Reading(content))))
    files: list[CnabFile] = []
    read = _timed(
        lambda: files.append(receive(content, filename="RET.TXT", account=found, actor=SYSTEM))
    )
    seeding.analyse()
    applying.take(files[0].pk, account=found, confirmed=True)
    apply = _timed(lambda: applying.apply_file(files[0].pk))
    left = files[0].records.filter(applied_at=None).count()
    assert not left, f"{left} records were not applied"
    return {"plain": plain, "read": read, "apply": apply, "memory": peak_mb()}


def _timed(do: Any) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _content(account: Account, kinds: str) -> bytes:
    """Of ten payments one is a day late, one short and one over."""
    agreement = BankAgreement.objects.get(account=account)
    rows = Charge.objects.filter(account=account).order_by("pk")
    told = _kinds(rows.count(), kinds)
    facts = [
        _fact(n, row, occurrence)
        for n, (row, (occurrence, _)) in enumerate(
            zip(rows.values_list("nosso_numero", "amount"), told, strict=True)
        )
    ]
    layout: Any = layout_of(agreement)
    return retorno(layout, sender_of(agreement), facts)


def _fact(n: int, row: tuple[str, Decimal], occurrence: str) -> Fact:
    number, amount = row
    paid = amount
    if n % 10 == 3:
        paid = amount / 2
    elif n % 10 == 7:
        paid = amount + 5
    return Fact(
        NossoNumero(number, "1", ""),
        occurrence=occurrence,
        value=amount,
        paid=paid.quantize(Decimal("0.01")) if occurrence == "06" else Decimal(0),
        fee=Decimal("1.90"),
        occurred_on=PAID_ON + timedelta(days=5 if n % 10 == 5 else 0),
        credited_on=PAID_ON,
    )
