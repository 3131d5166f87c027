"""Services that contract fixtures require."""

from __future__ import annotations

from decimal import Decimal

from support.wire import Fixture, fixtures, seeds

from accounts.models import Account
from billing.models import ServiceItem


@seeds("service_item")
def service_item(pk: int, fixture: Fixture, account: Account) -> None:
    """A service as the answer shows it, else as any fixture does: all tell of one catalogue."""
    if ServiceItem.objects.filter(pk=pk).exists():
        return
    tellers = [fixture, *fixtures()]
    shown = next(filter(None, (one.shown("service_item", pk) for one in tellers)), {})
    item = ServiceItem(pk=pk, account=account, name=shown.get("name") or f"Serviço {pk}")
    item.value = Decimal(shown.get("value") or 0)
    item.keep_text("description", shown.get("description"))
    item.save(force_insert=True)
