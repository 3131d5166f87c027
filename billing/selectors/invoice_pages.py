"""Which invoices a page of an organization's search shows, without counting or passing over rows.

On PostgreSQL the kept counts (InvoiceTally) say how many there are of each issue date, which gives
the total and the date on which a page begins: however far it is, only that day is walked. Searches
that the tallies cannot answer, and SQLite, count and pass over index entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Count, Min, QuerySet, Sum, Window
from django.db.models.functions import Coalesce

from accounts.models import Account
from billing.models import Contract, Invoice, InvoiceTally, Party, Receivable
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


_CONTRACT = CompiledQuery(
    lambda account, pk: Contract.objects.filter(account_id=account, pk=pk).values_list("id"),
    n_parameters=2,
)


def check_contract(account: Account, contract_id: int) -> None:
    """Raises NotFound unless it is a contract of the account."""
    if not _CONTRACT.rows(account.pk, contract_id):
        raise NotFound()


def organization_invoices(account: Account, organization_id: int) -> QuerySet[Invoice]:
    """The organization's invoices of contracts."""
    invoices: QuerySet[Invoice] = Invoice.objects.of(account)
    return invoices.filter(organization_id=organization_id, contract__isnull=False)


def organization_receivables(account: Account, organization_id: int) -> QuerySet[Receivable]:
    """The receivables of those invoices."""
    receivables: QuerySet[Receivable] = Receivable.objects.of(account)
    return receivables.filter(listed_for=organization_id)


def organization_tallies(account: Account, organization_id: int) -> QuerySet[InvoiceTally]:
    """How many they are."""
    tallies: QuerySet[InvoiceTally] = InvoiceTally.objects.of(account)
    return tallies.filter(organization_id=organization_id, has_contract=True)


def contract_invoices(account: Account, contract_id: int) -> QuerySet[Invoice]:
    """The contract's invoices, by issue date and id."""
    invoices: QuerySet[Invoice] = Invoice.objects.of(account)
    return invoices.filter(contract_id=contract_id).order_by("issue_date", "id")


class Search:
    """The pages of `invoices` by issue date and id; `tallies`, if given, count exactly those.

    `receivables`, if given, are of exactly those invoices. Built once and read as often as somebody
    turns a page.
    """

    def __init__(
        self,
        invoices: QuerySet[Invoice],
        tallies: QuerySet[InvoiceTally] | None,
        receivables: QuerySet[Receivable] | None = None,
    ) -> None:
        self._invoices = invoices
        self._dates = self._ids = self._every = None
        if receivables is not None:
            self._every = CompiledQuery(
                lambda: _counted_by_receivables(receivables), n_parameters=0, keeps_plan=False
            )
        elif tallies is None:
            self._every = CompiledQuery(
                lambda: _counted(invoices), n_parameters=0, keeps_plan=False
            )
        else:
            self._dates = CompiledQuery(lambda: _by_date(tallies), n_parameters=0)
            self._ids = CompiledQuery(lambda day: _since(invoices, day), marks=(date.min,))

    def page(self, *, start: int, size: int) -> Slice:
        """`size` invoices from position `start`; past the end none, with the total all the same."""
        if self._dates is None or self._ids is None:
            return self._page_of_counted(start, size)
        by_date = self._dates.rows()
        first, rest = _where(by_date, start)
        rows = [] if first is None else self._ids.rows(first, window=(rest, size))
        return Slice([pk for (pk,) in rows], sum(n for _, n in by_date))

    def _page_of_counted(self, start: int, size: int) -> Slice:
        # No database passes over more rows than it could hold.
        rows = self._every.rows(window=(start, size)) if self._every and start < FAR else []
        if rows:
            return Slice([pk for pk, *_ in rows], rows[0][1])
        # Past the end there is no row to bring the count.
        return Slice([], self._invoices.order_by().count() if start else 0)


def _counted(invoices: QuerySet[Invoice]) -> QuerySet[Invoice, tuple[int, int]]:
    """Found and counted in one statement."""
    # Counting reads them all. An index in the order of the page makes the planner believe that it
    # may stop early; there is none in the order of an expression.
    day = Coalesce("issue_date", "issue_date")
    every = invoices.annotate(n=Window(Count("*"))).order_by(day, "id")
    return every.values_list("id", "n")


def _counted_by_receivables(
    receivables: QuerySet[Receivable],
) -> QuerySet[Receivable, tuple[int, int]]:
    """The same from what receivables repeat of their invoices: no invoice is read (0039)."""
    every = receivables.values("invoice_id").annotate(day=Min("invoice_date"))
    counted = every.annotate(n=Window(Count("*"))).order_by("day", "invoice_id")
    return counted.values_list("invoice_id", "n")


def _where(by_date: Sequence[Sequence[Any]], start: int) -> tuple[date | None, int]:
    """The issue date on which position `start` falls, and how far into that date."""
    for day, n in by_date:
        if start < n:
            return day, start
        start -= n
    return None, 0


def _by_date(tallies: QuerySet[InvoiceTally]) -> QuerySet[InvoiceTally, tuple[date, int]]:
    counts = tallies.values_list("issue_date").annotate(n=Sum("count"))
    return counts.order_by("issue_date")


def _since(invoices: QuerySet[Invoice], day: date) -> QuerySet[Invoice, int]:
    later = invoices.filter(issue_date__gte=day).order_by("issue_date", "id")
    return later.values_list("id", flat=True)
