"""Contracts as they stand today: who is late, and which may still be undone."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import StrIndex

from accounts.models import Account
from billing.models import Contract, Invoice, Nfse, Party, Receivable, Transaction
from billing.selectors.plans import with_products
from lib import clock


def contracts_shown(account: Account, *, today: date | None = None) -> QuerySet[Contract]:
    """Contracts with all that the API shows of them, in one query (two with plans).

    `late_since` is the due date of the oldest late receivable (billing-api §6.5), None without
    one; `is_expired` says that `valid_until` has passed. Both are counted on `today` (default: the
    account's date), whatever the nightly run stored.
    """
    today = today or clock.today(account.time_zone)
    late = Receivable.objects.filter(
        invoice__contract_id=OuterRef("pk"),
        invoice__state=Invoice.State.TO_RECEIVE,
        state=Receivable.State.TO_RECEIVE,
        due_date__lt=today,
    ).order_by("due_date")
    contracts: QuerySet[Contract] = Contract.objects.of(account)
    return (
        contracts.select_related("organization", "party", "plan")
        .prefetch_related(with_products("plan__"))
        .annotate(
            late_since=Subquery(late.values("due_date")[:1]),
            is_expired=Q(valid_until__lt=today),
        )
    )


def is_overdue(contract: Any) -> bool:
    """§6.8, of a contract of `contracts_shown`: late, or a subscription past its paid period."""
    if contract.status == Contract.Status.CANCELLED:
        return False
    if contract.registration_method == Contract.Registration.SUBSCRIPTION:
        return bool(contract.is_expired)
    return contract.late_since is not None


def valid_until(contract: Any) -> date | None:
    """§6.8, of a contract of `contracts_shown`: a subscription's own date, else `late_since`."""
    if contract.registration_method == Contract.Registration.SUBSCRIPTION:
        return contract.valid_until  # type: ignore[no-any-return]
    return contract.late_since  # type: ignore[no-any-return]


def with_party(contracts: QuerySet[Contract], party: Party) -> QuerySet[Contract]:
    """Those in which `party` is supplier or customer."""
    return contracts.filter(Q(organization=party) | Q(party=party))


def with_customer(contracts: QuerySet[Contract], customer_id: int) -> QuerySet[Contract]:
    """Those whose customer has that id, whichever its type (question 33)."""
    return contracts.filter(
        Q(kind=Contract.Kind.SALE, party_id=customer_id)
        | Q(kind=Contract.Kind.PURCHASE, organization_id=customer_id)
    )


def with_name(contracts: QuerySet[Contract], text: str) -> QuerySet[Contract]:
    """Those with `text` somewhere in their name, capitals told apart."""
    # LIKE ignores the case of ASCII letters on SQLite; a position in the text does not.
    return contracts.alias(found_at=StrIndex("name", Value(text))).filter(found_at__gt=0)


def settled_invoices(contract: Contract) -> QuerySet[Invoice]:
    """Invoices of the contract that happened: nothing may delete or move them.

    They were emitted once (their number may not vanish, INV-8), were received, bill transactions
    or have a service note. What was only planned, or cancelled before its emission, is not among
    them.
    """
    of_it = {"invoice_id": OuterRef("pk")}
    charged = Receivable.objects.filter(**of_it).exclude(
        state__in=(Receivable.State.TO_EMIT, Receivable.State.CANCELLED), received_at=None
    )
    return Invoice.objects.filter(contract=contract).filter(
        Q(state__in=(Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED))
        | Q(number__isnull=False)
        | Q(void=True)
        | ~Q(payment_status=Invoice.PaymentStatus.UNPAID)
        | Q(nfe__nfe_issued=True)
        | Exists(charged)
        | Exists(Transaction.objects.filter(**of_it))
        | Exists(Nfse.objects.filter(**of_it))
    )
