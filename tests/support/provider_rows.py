"""Rows about providers of payments, for the tests of screens."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from billing.models import GatewayAccount, InboundEvent, Invoice, ProviderCustomer, SavedMethod
from lib import clock


def provider_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    """A row of each model, beside those of `rows`."""
    invoice: Invoice = rows[Invoice]
    gateway = GatewayAccount.objects.create(
        account=invoice.account, provider="stripe", name=f"{mark} cartões", hook=uuid.uuid4(),
        is_active=False,
    )  # fmt: skip
    given = {"account": invoice.account, "gateway": gateway}
    reference = uuid.uuid4().hex
    return {
        GatewayAccount: gateway,
        InboundEvent: InboundEvent.objects.create(
            **given, external_id=f"{mark} aviso", kind="charge.refunded", payload={},
            next_attempt_at=clock.now(), received_at=clock.now(),
        ),
        ProviderCustomer: ProviderCustomer.objects.create(
            **given, customer=invoice.customer, reference=f"{mark} {reference}"
        ),
        SavedMethod: SavedMethod.objects.create(
            **given, customer=invoice.customer, reference=reference, brand=mark, last4="4242"
        ),
    }  # fmt: skip
