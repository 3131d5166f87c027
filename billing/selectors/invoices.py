"""The invoice list (LS-1…5): any page of any order and filter.

A large account has a million invoices, so on PostgreSQL a page is found without reading them:
counts and sums come from the tallies that the database keeps, positions from indexes that carry
the filtered columns, and words from a full-text index. Where only few rows can match, and on
SQLite, they are found, sorted and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, Count, F, QuerySet, Sum, Window
from django.db.models.functions import Cast, Round

from accounts.models import Account
from billing.models import Invoice, InvoiceTally
from billing.selectors import invoice_search as searching
from billing.selectors.invoice_positions import Order, page_ids
from lib.errors import FieldError, InvalidInput

PAGE_SIZES = (10, 25, 50, 100)
SORTS = {
    "id": "id",
    "title": "title",
    "due": "due_date",
    "created": "created_at",
    "value": "total_amount",
    "status": "status_rank",
}
VOID = ("all", "void", "not_void")
PAYMENT = ("all", "paid", "unpaid")
# So many rows are found by their dates or words and sorted faster than an index is walked.
FEW = 50_000
SEARCH_LIMIT = 1_000  # of a search that finds very many, so many are listed

_PAID = {"paid", "refunded", "partially_refunded"}  # §3.2
_UNPAID = {"unpaid", "partially_paid"}
_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class InvoiceFilters:
    """LS-2 and LS-3. Ranges are inclusive; `overdue_on` asks for what is overdue on that day."""

    search: str = ""
    void: str = "all"
    payment: str = "all"
    state: str = ""
    issued_from: date | None = None
    issued_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None
    contract_id: int | None = None
    customer_id: int | None = None
    overdue_on: date | None = None


@dataclass(frozen=True)
class InvoiceRow:
    """LS-1. `value` is before tax, BRL; `status` is void, cancelled or the payment status."""

    id: int
    label: str
    title: str
    start_date: date | None
    end_date: date | None
    due_date: date | None
    created_at: datetime
    value: Decimal
    status: str
    state: str
    approval_status: str
    customer_id: int
    customer_name: str


@dataclass(frozen=True)
class InvoicePage:
    """A page, and the count and sum (BRL) of all that the filters let through.

    With `is_capped`, a search found more than `count`: only the newest `count` are listed, and the
    sum is unknown.
    """

    rows: list[InvoiceRow]
    page: int
    page_size: int
    total_pages: int
    count: int
    total_amount: Decimal | None
    is_capped: bool = False

    @property
    def has_next(self) -> bool:
        return self.page < self.total_pages


def invoice_page(
    account: Account,
    *,
    filters: InvoiceFilters,
    sort: str = "-created",
    page: int = 1,
    page_size: int = 25,
    customer_id: int | None = None,
) -> InvoicePage:
    """One page of the account's invoices; `sort` is a key of SORTS, with `-` for descending.

    Ties are by id, newest first, in both directions. `customer_id` narrows the list to a customer
    whose name the search then leaves out. A page past the end is the last one, and `page_size` the
    next smaller of PAGE_SIZES. Raises InvalidInput for an unknown sort or filter.
    """
    _check(filters, sort)
    size = max((n for n in PAGE_SIZES if n <= page_size), default=PAGE_SIZES[0])
    order = Order(SORTS[sort.removeprefix("-")], sort.startswith("-"))
    asked = _Asked(account, filters, order, max(page, 1), size, customer_id)
    found = _search(asked) if filters.search.strip() else _list(asked)
    return InvoicePage(
        rows=_rows(account, found.ids, order) if found.count else [],
        page=found.page,
        page_size=size,
        total_pages=_pages(found.count, size),
        count=found.count,
        total_amount=found.amount,
        is_capped=found.is_capped,
    )


def _check(filters: InvoiceFilters, sort: str) -> None:
    accepted = {
        "ordenacao": (sort.removeprefix("-"), SORTS),
        "anulacao": (filters.void, VOID),
        "pagamento": (filters.payment, PAYMENT),
        "situacao": (filters.state, ("", *Invoice.State.values)),
    }
    faults = [
        FieldError(name, f"“{value[:40]}” não existe. Use: {', '.join(filter(None, allowed))}.")
        for name, (value, allowed) in accepted.items()
        if value not in allowed
    ]
    if faults:
        raise InvalidInput("Filtro ou ordenação inválidos.", erros=faults)


def _pages(count: int, size: int) -> int:
    return max(1, -(-count // size))


STATUS_CODES = {
    5 * s + p: (state, payment)
    for s, state in enumerate(Invoice.STATUS_STATES)
    for p, payment in enumerate(Invoice.STATUS_PAYMENTS)
}


@dataclass(frozen=True)
class _Asked:
    """What the caller wants, checked."""

    account: Account
    filters: InvoiceFilters
    order: Order
    page: int
    size: int
    only_customer_id: int | None

    def invoices(self, codes: Iterable[int] = STATUS_CODES) -> QuerySet[Any]:
        """The account's invoices that pass every filter but the search.

        `codes` are the status codes that there are at all: those that pass are asked for by the
        shorter list, because every row read is compared with it.
        """
        filters, rows = self.filters, Invoice.objects.of(self.account)
        refused = [code for code in codes if not self.passes(code)]
        passing = [code for code in codes if self.passes(code)]
        if len(passing) <= len(refused):
            rows = rows.filter(status_code__in=passing)
        elif refused:
            rows = rows.exclude(status_code__in=refused)
        if filters.contract_id is not None:
            rows = rows.filter(contract_id=filters.contract_id)
        for customer_id in (filters.customer_id, self.only_customer_id):
            if customer_id is not None:
                rows = rows.filter(customer_id=customer_id)
        return rows.filter(**self.dates())

    def few_invoices(self, codes: Iterable[int]) -> QuerySet[Any]:
        """The same when they are few, to be found by state and dates: invoice_issue has both."""
        states = {_state(code) for code in codes if self.passes(code)}
        return self.invoices(codes).filter(state__in=states)

    def tallies(self) -> QuerySet[Any]:
        """What is known of the same without reading invoices, of every status."""
        return InvoiceTally.objects.of(self.account).filter(**self.dates())

    def dates(self) -> dict[str, date]:
        given = {
            "issue_date__gte": self.filters.issued_from,
            "issue_date__lte": self.filters.issued_to,
            "due_date__gte": self.filters.due_from,
            "due_date__lte": self.filters.due_to,
            "due_date__lt": self.filters.overdue_on,
        }
        return {name: day for name, day in given.items() if day is not None}

    def passes(self, code: int) -> bool:
        """Whether the filters let invoices of this status through."""
        filters, (state, payment) = self.filters, STATUS_CODES[code]
        is_void = state == "void"
        is_cancelled = is_void or state == "cancelled"
        return (
            (filters.void == "all" or (filters.void == "void") == is_void)
            and (filters.payment != "paid" or payment in _PAID)
            and (filters.payment != "unpaid" or (payment in _UNPAID and not is_cancelled))
            and (not filters.state or filters.state == _state(code))
            and (filters.overdue_on is None or (state == "to_receive" and payment in _UNPAID))
        )

    @property
    def has_tallies(self) -> bool:
        """Tallies know no customers and no contracts, and SQLite keeps none."""
        narrow = (self.filters.contract_id, self.filters.customer_id, self.only_customer_id)
        return connection.vendor == "postgresql" and all(each is None for each in narrow)

    def window(self, count: int) -> tuple[int, int, int]:
        """(page, first position, position after the last), within `count` rows."""
        page = min(self.page, _pages(count, self.size))
        return page, (page - 1) * self.size, min(page * self.size, count)


@dataclass(frozen=True)
class _Found:
    """Which invoices make up the page, and what there is in all."""

    ids: Any  # a list, or a queryset of ids to be used as a subquery
    count: int
    amount: Decimal | None
    page: int
    is_capped: bool = False


def _list(asked: _Asked) -> _Found:
    """A page without search."""
    if not asked.has_tallies:
        return _counting(asked, asked.invoices())
    kinds = _kinds(asked)
    passing = {code: sums for code, sums in kinds.items() if asked.passes(code)}
    count = sum(n for n, _ in passing.values())
    amount = sum((amount for _, amount in passing.values()), _ZERO)
    page, start, stop = asked.window(count)
    if count <= FEW and (asked.dates() or _alike(kinds, passing) <= 2 * FEW):
        found = _all_found(asked.few_invoices(kinds), asked.order)
        ids: Any = list(found.values_list("id", flat=True)[start:stop])
    else:
        tallies = asked.tallies().filter(status_code__in=passing)
        rows = asked.invoices(kinds)
        ids = page_ids(rows, asked.order, tallies=tallies, count=count, start=start, stop=stop)
    return _Found(ids, count, amount, page)


def _kinds(asked: _Asked) -> dict[int, tuple[int, Decimal]]:
    """Status code → (count, sum in BRL), whether it passes or not."""
    sums = asked.tallies().values_list("status_code").annotate(Sum("count"), Sum("amount"))
    return {code: (n, amount) for code, n, amount in sums}


def _alike(kinds: dict[int, tuple[int, Decimal]], codes: Iterable[int]) -> int:
    """How many invoices are in the states of `codes`."""
    states = {_state(code) for code in codes}
    return sum(n for code, (n, _) in kinds.items() if _state(code) in states)


def _state(code: int) -> str:
    state, _ = STATUS_CODES[code]
    return "cancelled" if state == "void" else state


def _search(asked: _Asked) -> _Found:
    """A page of what the search box asks for: a number that exists, else a document, else words."""
    text, account = asked.filters.search, asked.account
    exact = searching.exact_ids(account, text)
    if exact:
        return _counting(asked, asked.invoices().filter(id__in=exact))
    customers = searching.customers_with(account, text)
    if customers:
        return _counting(asked, asked.invoices().filter(customer_id__in=customers))
    words = searching.words_of(text)
    if not words:
        return _list(asked)
    if not asked.has_tallies:
        title_only = asked.only_customer_id is not None
        return _counting(asked, searching.having_words(asked.invoices(), words, title_only))
    if searching.expected_matches(account, words) <= FEW:
        return _counting(asked, searching.indexed_words(asked.invoices(), account, words))
    kinds = _kinds(asked)
    if sum(n for code, (n, _) in kinds.items() if asked.passes(code)) <= FEW:
        return _counting(asked, searching.having_words(asked.few_invoices(kinds), words))
    return _capped(asked, searching.having_words(asked.invoices(kinds), words))


def _counting(asked: _Asked, rows: QuerySet[Any]) -> _Found:
    """A page of rows that are few, or on an engine without tallies: find, count and sort them."""
    page = asked.page
    found = _counted_page(asked, rows, page)
    if not found and page > 1:
        page = min(page, _pages(rows.count(), asked.size))
        found = _counted_page(asked, rows, page)
    if not found:
        return _Found([], 0, _ZERO, 1)
    _, count, amount = found[0]
    if connection.vendor == "sqlite":
        amount = Decimal(amount).scaleb(-2)
    return _Found([pk for pk, _, _ in found], count, amount, page)


def _counted_page(asked: _Asked, rows: QuerySet[Any], page: int) -> list[tuple[int, int, Any]]:
    """(id, number of all rows, sum of all in BRL or, on SQLite, in cents) of a page."""
    value: Any = "total_amount"
    if connection.vendor == "sqlite":  # adds decimals as floating point, whole cents exactly
        value = Cast(Round(F("total_amount") * 100), BigIntegerField())
    summed = _all_found(rows, asked.order).annotate(amount=Window(Sum(value)))
    start = (page - 1) * asked.size
    return list(summed.values_list("id", "n", "amount")[start : start + asked.size])


def _all_found(rows: QuerySet[Any], order: Order) -> QuerySet[Any]:
    """`rows` in order, with their number `n`, to be sliced only after all have been found.

    By the count, the same for all, first: otherwise PostgreSQL walks an index in order, hoping to
    meet the first few soon, and reads the whole table when they are fewer than it thinks.
    """
    return rows.annotate(n=Window(Count("id"))).order_by("n", *order.by())


def _capped(asked: _Asked, rows: QuerySet[Any]) -> _Found:
    """A page of the newest SEARCH_LIMIT invoices of a search that finds very many."""
    newest = list(rows.order_by("-id").values_list("id", flat=True)[: SEARCH_LIMIT + 1])
    is_capped, newest = len(newest) > SEARCH_LIMIT, newest[:SEARCH_LIMIT]
    page, start, stop = asked.window(len(newest))
    listed = Invoice.objects.of(asked.account).filter(id__among=newest)
    # All of them: with a LIMIT the planner would walk the index of the order in search of them.
    ids = list(listed.order_by(*asked.order.by()).values_list("id", flat=True))[start:stop]
    return _Found(ids, len(newest), None, page, is_capped)


def _rows(account: Account, ids: Any, order: Order) -> list[InvoiceRow]:
    invoices = (
        Invoice.objects.of(account)
        .filter(id__in=ids)
        .select_related("customer", "series")
        .only(*_SHOWN)
        .order_by(*order.by())
    )
    return [_row(invoice) for invoice in invoices]


_SHOWN = (
    "client_number", "number", "series__prefix", "title", "start_date", "end_date", "due_date",
    "created_at", "total_amount", "void", "state", "payment_status", "approval_status",
    "customer__name",
)  # fmt: skip


def _row(invoice: Invoice) -> InvoiceRow:
    return InvoiceRow(
        id=invoice.pk,
        label=invoice.label,
        title=invoice.title,
        start_date=invoice.start_date,
        end_date=invoice.end_date,
        due_date=invoice.due_date,
        created_at=invoice.created_at,
        value=invoice.total_amount,
        status=_status(invoice),
        state=invoice.state,
        approval_status=invoice.approval_status,
        customer_id=invoice.customer_id,
        customer_name=invoice.customer.name,
    )


def _status(invoice: Invoice) -> str:
    if invoice.void:
        return "void"
    return "cancelled" if invoice.state == Invoice.State.CANCELLED else invoice.payment_status
