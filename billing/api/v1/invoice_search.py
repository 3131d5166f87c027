"""What the organization-wide invoice search can be asked for (billing-api §2.8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.http import QueryDict

from accounts.models import Account
from billing.api.v1.base import BadSearch
from billing.api.v1.filters import (
    PAGING,
    Asked,
    Association,
    Attribute,
    Choice,
    Day,
    Integer,
    Kind,
    attributes_of,
    filtered,
    filters,
    predicates_of,
)
from billing.models import Contract, Invoice, InvoiceTally, Party, Receivable
from billing.selectors.invoice_pages import (
    Search,
    organization_invoices,
    organization_receivables,
    organization_tallies,
)
from billing.selectors.invoices_shown import are_late, is_late
from lib import clock

LATE = "late"


class State(Choice):
    """A state, or late: being collected, with something past due today (§6.5)."""

    def __init__(self, account: Account) -> None:
        super().__init__({state: state for state in (*Invoice.State.values, LATE)})
        self._account = account

    def just(self, path: str, value: Any) -> Q:
        if value == LATE:
            return are_late(self._account, clock.today())
        return super().just(path, value)

    def any_of(self, path: str, values: Sequence[Any]) -> Q:
        known = [is_late(clock.today()) if value == LATE else value for value in values]
        return super().any_of(path, known)


class _CustomerKind(Kind):
    """The customer of a purchase is the organization itself (§6.2)."""

    has_order = False

    def any_of(self, path: str, values: Sequence[Any]) -> Q:
        sale, purchase = Contract.Kind.SALE, Contract.Kind.PURCHASE
        return Q(self.is_sold_to(values), contract__kind=sale) | Q(
            self.is_bought_by(values), contract__kind=purchase
        )

    def is_sold_to(self, values: Sequence[Any]) -> Q:
        raise NotImplementedError

    def is_bought_by(self, values: Sequence[Any]) -> Q:
        raise NotImplementedError


class CustomerId(_CustomerKind, Integer):
    def is_sold_to(self, values: Sequence[int]) -> Q:
        return Q(customer_id__in=values)

    def is_bought_by(self, values: Sequence[int]) -> Q:
        return Q(organization_id__in=values)


_PARTY_KINDS = {
    "Company": (Party.Kind.COMPANY, Party.Kind.ORGANIZATION),
    "Person": (Party.Kind.PERSON,),
}


class CustomerType(_CustomerKind, Choice):
    def __init__(self) -> None:
        super().__init__({name: name for name in _PARTY_KINDS})

    def is_sold_to(self, values: Sequence[str]) -> Q:
        return Q(customer__kind__in=[kind for value in values for kind in _PARTY_KINDS[value]])

    def is_bought_by(self, values: Sequence[str]) -> Q:
        return Q() if "Company" in values else Q(pk__in=())


class TallyState(Choice):
    """A state as tallies keep it: among the codes of Invoice.status_code."""

    def __init__(self) -> None:
        n = len(Invoice.STATUS_PAYMENTS)
        codes: dict[str, list[int]] = {state: [] for state in Invoice.State.values}
        for position, state in enumerate(Invoice.STATUS_STATES):
            stored = Invoice.State.CANCELLED.value if state == "void" else state
            codes[stored] += range(position * n, (position + 1) * n)
        super().__init__({s: Q(status_code__in=c) for s, c in codes.items()})


# What the kept counts can answer.
TALLIED = {
    "issue_date": Attribute(Day(), "issue_date"),
    "state": Attribute(TallyState(), "status_code"),
}


def _filters(account: Account) -> dict[str, Attribute]:
    receivables = Association(Receivable.objects.of(account), "invoice_id")
    return {
        "issue_date": Attribute(Day(), "issue_date"),
        "receivables_due_date": Attribute(Day(), "due_date", through=receivables),
        "state": Attribute(State(account), "state"),
        "customer_id": Attribute(CustomerId(), "customer_id"),
        "customer_type": Attribute(CustomerType(), "customer__kind"),
        "contract_id": Attribute(Integer(), "contract_id"),
    }


def search_of(account: Account, organization_id: int, params: QueryDict) -> Search:
    """The search for the organization's invoices. Raises BadSearch."""
    # Whoever turns pages asks for the same; what is late is another question each day.
    return _search(account.pk, organization_id, predicates_of(params), clock.today())


@lru_cache(maxsize=512)
def _search(account_id: int, organization_id: int, asked: Asked, today: date) -> Search:
    account = Account(pk=account_id)
    every = organization_invoices(account, organization_id)
    invoices = filtered(every, asked, _filters(account))
    receivables = _by_receivables(account, organization_id, asked, today)
    return Search(invoices, _tallied(account, organization_id, asked), receivables)


class _JustLate(Choice):
    """Nothing but late: asked for in any other way it is the invoices' question."""

    def __init__(self, today: date) -> None:
        condition = {"state": Receivable.State.TO_RECEIVE, "due_date__lt": today}
        super().__init__({LATE: Q(**condition)})

    def just(self, path: str, value: Any) -> Q:
        condition: Q = value
        return condition

    def any_of(self, path: str, values: Sequence[Any]) -> Q:
        raise BadSearch("")


def _by_receivables(
    account: Account, organization_id: int, asked: Asked, today: date
) -> QuerySet[Receivable] | None:
    """The receivables whose invoices are searched for; None when they cannot tell."""
    table = {
        "receivables_due_date": Attribute(Day(), "due_date"),
        "state": Attribute(_JustLate(today), ""),
    }
    try:
        # Of both, each may be true of another of the invoice's receivables.
        if len(attributes_of(asked, table)) != 1:
            return None
        return filtered(organization_receivables(account, organization_id), asked, table)
    except BadSearch:
        return None


def _tallied(account: Account, organization_id: int, asked: Asked) -> QuerySet[InvoiceTally] | None:
    """The kept counts of what is searched for; None when there are none that know."""
    if connection.vendor != "postgresql":
        return None
    try:
        return filtered(organization_tallies(account, organization_id), asked, TALLIED)
    except BadSearch:
        return None


PARAMETERS = [
    *filters(
        "issue_date_gteq",
        "issue_date_lteq",
        "receivables_due_date_gteq",
        "receivables_due_date_lteq",
        "state_eq",
        "customer_id_eq",
        "customer_type_eq",
        "contract_id_eq",
    ),
    *PAGING,
]
