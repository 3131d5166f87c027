"""Asking the bank for all that came in: what no notice told, and what went back unasked."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from billing.gateways.pix.provider import PixProvider, PixRefused, PixUnavailable, Received
from billing.models import GatewayAccount, Payment
from billing.services.pix.receipts import take_in_all
from billing.services.pix.wiring import provider_of
from lib import clock

log = logging.getLogger(__name__)

RECENT = timedelta(days=3)
RETURNABLE = timedelta(days=90)  # until when a Pix can go back, by us or by MED
_WINDOW = timedelta(days=30)  # banks list no longer periods
_AT_ONCE = 500


def reconcile_all() -> int:
    """`reconcile` every active account with a bank; answers how many payments were new.

    A bank that does not answer does not stop the others.
    """
    gateways = GatewayAccount.objects.filter(
        provider=GatewayAccount.Provider.PIX, is_active=True, account__is_active=True
    ).exclude(base_url="")
    n_new = 0
    for gateway in gateways.select_related("account").order_by("id"):
        try:
            n_new += reconcile(gateway, at=clock.now())
        except (PixUnavailable, PixRefused) as error:
            extra = {"gateway_id": gateway.pk, "error": str(error)}
            log.warning("pix.reconciliation_failed", extra=extra)
    return n_new


def reconcile(gateway: GatewayAccount, *, at: datetime) -> int:
    """Book what came in during three days, and what of 90 days went back since."""
    provider = provider_of(gateway)
    found = {one.end_to_end_id: one for one in provider.received_between(at - RECENT, at)}
    found |= {one.end_to_end_id: one for one in _returned(provider, at)}
    booked = _booked(gateway, list(found))
    news = [one for key, one in found.items() if one.returns or key not in booked]
    return take_in_all(gateway, news)


def _booked(gateway: GatewayAccount, end_to_end_ids: list[str]) -> set[str]:
    """Those that are payments already: most of them, told by a notice."""
    payments = Payment.objects.of(gateway.account).filter(method=Payment.Method.PIX)
    booked: set[str] = set()
    for start in range(0, len(end_to_end_ids), _AT_ONCE):
        part = end_to_end_ids[start : start + _AT_ONCE]
        booked |= set(payments.filter(external_id__in=part).values_list("external_id", flat=True))
    return booked


def _returned(provider: PixProvider, at: datetime) -> list[Received]:
    found: list[Received] = []
    since = at - RETURNABLE
    while since < at:
        until = min(since + _WINDOW, at)
        found += provider.received_between(since, until, only_returned=True)
        since = until
    return found
