"""Which invoices a page of an organization's search shows, without counting or passing over rows.

On PostgreSQL the kept counts (InvoiceTally) say how many there are of each issue date, which gives
the total and the date on which a page begins: however far it is, only that day is walked. Searches
that the tallies cannot answer, and SQLite, count and pass over index entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from django.db.models import Count, QuerySet, Sum, Window

from accounts.models import Account
from billing.models import Invoice, InvoiceTally, Party
from lib.compiled import CompiledQuery
from lib.errors import NotFound

FAR = 2**40


class Slice(NamedTuple):
    """The ids of a page, in order, and how many invoices there are on all pages."""

    ids: list[int]
    total: int


_ORGANIZATION = CompiledQuery(
    lambda account, pk: Party.objects.filter(
        account_id=account, pk=pk, kind=Party.Kind.ORGANIZATION
    ).values_list("id"),
    n_parameters=2,
)


def check_organization(account: Account, organization_id: int) -> None:
    """Raises NotFound unless it is an organization of the account."""
    if not _ORGANIZATION.rows(account.pk, organization_id):
        raise NotFound()


def organization_invoices(account: Account, organization_id: int) -> QuerySet[Invoice]:
    """The organization's invoices of contracts."""
    invoices: QuerySet[Invoice] = Invoice.objects.of(account)
    return invoices.filter(organization_id=organization_id, contract__isnull=False)


def organization_tallies(account: Account, organization_id: int) -> QuerySet[InvoiceTally]:
    """How many they are."""
    tallies: QuerySet[InvoiceTally] = InvoiceTally.objects.of(account)
    return tallies.filter(organization_id=organization_id, has_contract=True)


def contract_invoices(account: Account, contract_id: int) -> QuerySet[Invoice]:
    """The contract's invoices, by issue date and id."""
    invoices: QuerySet[Invoice] = Invoice.objects.of(account)
    return invoices.filter(contract_id=contract_id).order_by("issue_date", "id")


def page_of(
    invoices: QuerySet[Invoice],
    tallies: QuerySet[InvoiceTally] | None,
    *,
    start: int,
    size: int,
) -> Slice:
    """A page of `invoices` by issue date and id; `tallies`, if given, count exactly those."""
    if tallies is None:
        return _counted(invoices, start, size)
    counts = tallies.values_list("issue_date").annotate(n=Sum("count"))
    by_date = list(counts.order_by("issue_date"))
    count = sum(n for _, n in by_date)
    first, rest = _where(by_date, start)
    if first is None:
        return Slice([], count)
    return Slice(_ids(invoices.filter(issue_date__gte=first), rest, size), count)


def _counted(invoices: QuerySet[Invoice], start: int, size: int) -> Slice:
    """Found and counted in one statement; past the end there is no row to bring the count."""
    every = invoices.annotate(n=Window(Count("*"))).order_by("issue_date", "id")
    # No database passes over more rows than it could hold.
    rows = list(every.values_list("id", "n")[start : start + size]) if start < FAR else []
    if rows:
        return Slice([pk for pk, _ in rows], rows[0][1])
    return Slice([], invoices.order_by().count() if start else 0)


def _where(by_date: Sequence[tuple[date, int]], start: int) -> tuple[date | None, int]:
    """The issue date on which position `start` falls, and how far into that date."""
    for day, n in by_date:
        if start < n:
            return day, start
        start -= n
    return None, 0


def _ids(invoices: QuerySet[Invoice], start: int, size: int) -> list[int]:
    ordered = invoices.order_by("issue_date", "id").values_list("id", flat=True)
    return list(ordered[start : start + size])
