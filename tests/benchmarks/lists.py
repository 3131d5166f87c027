"""The invoice list over a million invoices: every filter, order and kind of page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from benchmarks import seeding
from benchmarks.lab import POSTGRES, SQLITE, Lab
from benchmarks.report import Row
from django.db import connection

from accounts.models import Account
from billing.models import Invoice
from billing.selectors.invoices import SORTS, InvoiceFilters, invoice_page

MAX_MS = 200
REPEATS = 3


def measure(lab: Lab) -> Iterator[Row]:
    """p95 of each filter over all orders and pages; the baseline is a page by primary key."""
    if POSTGRES in lab.engines:
        yield from _rows(lab, POSTGRES, lab.size(1_000_000, 400), target=MAX_MS)
    if SQLITE in lab.engines:
        yield from _rows(lab, SQLITE, lab.size(100_000, 400), target=None)


def _rows(lab: Lab, engine: str, n: int, *, target: int | None) -> Iterator[Row]:
    account = lab.case("lists.seed", engine, n=n)
    repeats = REPEATS if target else 1
    result = lab.case("lists.time_pages", engine, account=account, repeats=repeats)
    baseline = result["baseline"]
    classes = result["classes"]
    if target is None:  # for the record: one row says it
        classes = {"todos os filtros": [ms for times in classes.values() for ms in times]}
    for name, times in classes.items():
        p95 = _percentile(times, 95)
        yield Row(
            f"lista de {n} ({engine}), {name}",
            p95,
            f"ms p95 (p50 {_percentile(times, 50):.0f})",
            baseline,
            p95 / baseline,
            f"≤ {target} ms" if target else "",
            p95 <= target if target else None,
        )


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def seed(*, n: int) -> int:
    """A new account with `n` invoices of 50,000 customers, or fewer; answers its id."""
    at = seeding.tenant(f"lista-{Account.objects.count()}", customers=max(10, n // 20))
    seeding.invoices(at, n)
    return int(at.account.pk)


def classes(customer_id: int) -> dict[str, InvoiceFilters]:
    """What people ask for, by name."""
    today = seeding.TODAY
    month = {"issued_from": date(today.year, today.month - 1, 1), "issued_to": today}
    year = {"due_from": today - timedelta(days=500), "due_to": today - timedelta(days=135)}
    return {
        "sem filtro": InvoiceFilters(),
        "não anuladas": InvoiceFilters(void="not_void"),
        "anuladas": InvoiceFilters(void="void"),
        "pagas": InvoiceFilters(payment="paid"),
        "não pagas": InvoiceFilters(payment="unpaid", void="not_void"),
        "canceladas": InvoiceFilters(state="cancelled"),
        "a emitir": InvoiceFilters(state="to_emit"),
        "emissão no mês": InvoiceFilters(**month),
        "vencimento num ano": InvoiceFilters(**year),
        "vencimento num dia": InvoiceFilters(due_from=today, due_to=today),
        "vencidas": InvoiceFilters(overdue_on=today),
        "pagas, vencimento num ano": InvoiceFilters(payment="paid", **year),
        "um cliente": InvoiceFilters(customer_id=customer_id),
        "busca por número": InvoiceFilters(search=f"{customer_id}"),
        "busca por um nome": InvoiceFilters(search=seeding.customer_name(customer_id)),
        "busca por palavra de 12%": InvoiceFilters(search="aurora"),
        "busca por palavra de todas": InvoiceFilters(search="ltda"),
        "busca por duas palavras": InvoiceFilters(search="padaria aurora"),
        "busca sem resultado": InvoiceFilters(search="inexistente"),
        "busca nas vencidas": InvoiceFilters(search="mensalidade", overdue_on=today),
    }


def time_pages(*, account: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of pages, by class: every order, first, second, middle and last page."""
    found = Account.objects.get(pk=account)
    middle = _middle(found)
    sorts = [sign + name for name in SORTS for sign in ("", "-")]
    times = {
        name: [ms for sort in sorts for ms in _times(found, filters, sort, repeats)]
        for name, filters in classes(middle.customer_id).items()
    }
    return {"classes": times, "baseline": _baseline(found)}


def _middle(account: Account) -> Invoice:
    rows = Invoice.objects.of(account).order_by("id")
    first = rows.values_list("id", flat=True)[0]
    invoice: Invoice = rows.filter(id__gte=first + 57)[0]
    return invoice


def _times(account: Account, filters: InvoiceFilters, sort: str, repeats: int) -> list[float]:
    last = invoice_page(account, filters=filters, sort=sort).total_pages
    pages = sorted({1, min(2, last), max(1, last // 2), last})
    return [_page_ms(account, filters, sort, page) for page in pages for _ in range(repeats)]


def _page_ms(account: Account, filters: InvoiceFilters, sort: str, page: int) -> float:
    started = time.perf_counter()
    invoice_page(account, filters=filters, sort=sort, page=page)
    return (time.perf_counter() - started) * 1000


def _baseline(account: Account) -> float:
    """p50 of the bare SQL for 25 rows of the list by primary key."""
    start = _middle(account).pk
    times = []
    with connection.cursor() as cursor:
        for i in range(200):
            started = time.perf_counter()
            cursor.execute(
                "SELECT i.id, i.number, i.title, i.start_date, i.end_date, i.due_date, "
                "i.created_at, i.total_amount, i.status_code, p.name FROM billing_invoice i "
                "JOIN billing_party p ON p.id = i.customer_id WHERE i.id BETWEEN %s AND %s",
                [start + i, start + i + 24],
            )
            cursor.fetchall()
            times.append((time.perf_counter() - started) * 1000)
    return _percentile(times, 50)
