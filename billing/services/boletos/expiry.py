"""Boletos that no bank takes any more: their limit date has passed."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from billing.models import Charge
from lib import clock
from lib.bulk import update_rows

BATCH = 1000
_COLUMNS = ("id", "state", "closed_at")


def expire_boletos() -> int:
    """Move open boletos past their limit date to expired; answers how many. Safe to repeat.

    A payment of the last day that a bank tells later still finds its boleto (§3.4).
    """
    count = 0
    for account in Account.objects.filter(is_active=True).order_by("id"):
        while done := _some(account):
            count += done
    return count


@transaction.atomic
def _some(account: Account) -> int:
    rows = Charge.objects.of(account).filter(
        kind=Charge.Kind.BOLETO,
        state=Charge.State.OPEN,
        limit_date__lt=clock.today(account.time_zone),
    )
    found = list(rows.order_by("id").select_for_update(skip_locked=True)[:BATCH])
    for charge in found:
        charge.expire(at=clock.now())
    update_rows(Charge, _COLUMNS, [[getattr(one, name) for name in _COLUMNS] for one in found])
    return len(found)
