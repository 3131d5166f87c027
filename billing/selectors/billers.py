"""Who bills a customer, where no invoice says it."""

from __future__ import annotations

from accounts.models import Account
from billing.models import Contract, Invoice, Party


def biller_of(account: Account, customer: Party) -> Party | None:
    """The organization of the last contract, else of the last invoice, else the account's first.

    Its profile is loaded. None in an account without organizations.
    """
    mine = (
        Party.objects.of(account)
        .filter(kind=Party.Kind.ORGANIZATION)
        .select_related("account", "profile")
    )
    for rows in (
        Contract.objects.of(account).filter(party=customer, kind="sale"),
        Invoice.objects.of(account).filter(customer=customer),
    ):
        last = list(rows.order_by("-pk").values_list("organization_id", flat=True)[:1])
        found: Party | None = mine.filter(pk__in=last).first()
        if found is not None:
            return found
    first: Party | None = mine.order_by("pk").first()
    return first
