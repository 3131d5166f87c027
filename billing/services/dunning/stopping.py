"""What a debt that is no debt any more sets free (DUN-5)."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from accounts.models import Account
from billing.models import CollectionTask, Receivable
from billing.services.dunning.suspensions import lift_clear, lift_if_clear
from lib import clock

SETTLED = "A parcela não está mais em aberto."


def settled(*, receivable_ids: Collection[int], contract_ids: Collection[int | None]) -> None:
    """Lift and drop what stood for parcels that are owed no more.

    For whoever changed them, in the same transaction and after saving them: two queries when there
    is nothing to do.
    """
    _drop(CollectionTask.objects.filter(receivable__in=receivable_ids))
    lift_if_clear({pk for pk in contract_ids if pk is not None})


def sweep(account: Account) -> None:
    """`settled` for everything of the account, whoever changed it."""
    lift_clear(account)
    _drop(CollectionTask.objects.of(account))


def _drop(tasks: QuerySet[CollectionTask]) -> None:
    idle = tasks.filter(state=CollectionTask.State.OPEN).exclude(
        receivable__state=Receivable.State.TO_RECEIVE
    )
    # By id: an update over a join is not possible.
    ids = list(idle.values_list("pk", flat=True))
    if ids:
        CollectionTask.objects.filter(pk__in=ids, state=CollectionTask.State.OPEN).update(
            state=CollectionTask.State.DROPPED, note=SETTLED, closed_at=clock.now()
        )
