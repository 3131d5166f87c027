"""Protocol numbers that customers are given: CTS-2026-000123 (P09), CAN-2026-000045 (P13)."""

from __future__ import annotations

from datetime import date

from accounts.models import Account
from billing.models import ProtocolSeries

DISPUTE = "CTS"
CANCELLATION = "CAN"


def take_protocol(account: Account, prefix: str, *, on: date) -> str:
    """The next protocol `prefix`-AAAA-NNNNNN of the account in the year of `on`.

    Call it last in a transaction: the counter stays locked until the commit, and a rollback gives
    the number back.
    """
    series = _locked(account, prefix, on.year)
    if series is None:
        # Another one may be creating it too: the unique constraint decides, both go on.
        ProtocolSeries.objects.get_or_create(account=account, prefix=prefix, year=on.year)
        series = _locked(account, prefix, on.year)
        assert series is not None
    number = series.next_number
    series.next_number = number + 1
    series.save(update_fields=["next_number"])
    return f"{prefix}-{on.year}-{number:06d}"


def _locked(account: Account, prefix: str, year: int) -> ProtocolSeries | None:
    return (
        ProtocolSeries.objects.select_for_update(no_key=True)
        .filter(account=account, prefix=prefix, year=year)
        .first()
    )
