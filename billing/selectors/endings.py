"""Contracts that end at their customer's request and are not cancelled yet (P13)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from accounts.models import Account
from billing.models import Contract, ScheduledCancellation


@dataclass(frozen=True)
class OpenEnding:
    """The end that a customer has asked for: the last day, BRL still billed, the protocol."""

    pk: int
    effective_on: date
    final_amount: Decimal
    protocol: str


def with_endings(contracts: QuerySet[Contract]) -> QuerySet[Contract]:
    """The contracts, each with what `ending_of` reads, in the same query."""
    is_open = Q(
        scheduled_cancellations__undone_at__isnull=True,
        scheduled_cancellations__done_at__isnull=True,
    )
    return contracts.annotate(
        open_ending=FilteredRelation("scheduled_cancellations", condition=is_open),
        ending_id=F("open_ending__pk"),
        ending_on=F("open_ending__effective_on"),
        ending_amount=F("open_ending__final_amount"),
        ending_protocol=F("open_ending__request__protocol"),
    )


def ending_of(contract: Any) -> OpenEnding | None:
    """The scheduled end of a contract of `with_endings`."""
    if contract.ending_id is None:
        return None
    return OpenEnding(
        contract.ending_id,
        contract.ending_on,
        contract.ending_amount,
        contract.ending_protocol,
    )


def open_endings(account: Account) -> QuerySet[ScheduledCancellation]:
    """Scheduled, neither undone nor carried out; request loaded."""
    found: QuerySet[ScheduledCancellation] = ScheduledCancellation.objects.filter(
        contract__account=account, undone_at=None, done_at=None
    ).select_related("request")
    return found


def endings_by_contract(
    account: Account, contract_ids: Collection[int]
) -> dict[int, ScheduledCancellation]:
    """The scheduled end of each of these contracts that has one."""
    found = open_endings(account).filter(contract_id__in=contract_ids)
    return {row.contract_id: row for row in found}


def due_endings(account: Account, *, today: date) -> QuerySet[ScheduledCancellation]:
    """Those whose last day is over."""
    return open_endings(account).filter(effective_on__lt=today).order_by("effective_on", "pk")


def ends_before(day: str, *, contract: str = "contract_id") -> Q:
    """The condition that a row's contract ends before the row's `day` (names of its columns).

    Nothing is billed for days that the customer was told are over, however far ahead a run looks.
    """
    return Q(
        Exists(
            ScheduledCancellation.objects.filter(
                contract_id=OuterRef(contract),
                undone_at=None,
                done_at=None,
                effective_on__lt=OuterRef(day),
            )
        )
    )
