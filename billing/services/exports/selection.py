"""Which invoices an export holds: those that the customer's list shows of the period (P06)."""

from __future__ import annotations

from datetime import date

from accounts.models import Account
from billing.models import Party
from billing.selectors.customer_standing import Standing, customer_standings


def chosen(
    account: Account, customer: Party, first: date, last: date, *, today: date
) -> list[Standing]:
    """By the month they are listed under, the newest first; void and cancelled ones are left out.

    `first` and `last` are any days of the first and the last month.
    """
    rows = customer_standings(account, customer, today=today).shown()
    return [row for row in rows if first.replace(day=1) <= row.month <= last]
