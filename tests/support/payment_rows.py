"""A row of each model of the ledger, for the screens."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models

from billing.models import (
    Chargeback,
    CustomerCredit,
    Invoice,
    Payment,
    PaymentAllocation,
    Receivable,
    Refund,
)
from lib import clock


def payment_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    """`rows` has the invoice and its receivable; both stay as they are."""
    invoice, at, amount = rows[Invoice], clock.now(), Decimal("10.00")
    account = invoice.account
    payment = Payment.objects.create(
        account=account, key=uuid.uuid4(), customer=invoice.customer, invoice=invoice,
        receivable=rows[Receivable], method=Payment.Method.CASH, state=Payment.State.SUCCEEDED,
        amount=amount, reference=f"{mark} referência", created_at=at, undone_at=at,
        received_on=date(2026, 8, 20),
    )  # fmt: skip
    told = {"account": account, "payment": payment, "amount": amount}
    return {
        Payment: payment,
        PaymentAllocation: PaymentAllocation.objects.create(
            payment=payment, receivable=rows[Receivable], principal=amount, created_at=at,
            reversed_at=at,
        ),
        Refund: Refund.objects.create(
            **told, number=1, key=f"refund:{payment.key}:1", reason=f"{mark} motivo",
            state=Refund.State.FAILED, created_at=at,
        ),
        Chargeback: Chargeback.objects.create(
            **told, external_id=f"dp_{mark}", reason=f"{mark} motivo", opened_at=at,
            state=Chargeback.State.WON,
        ),
        CustomerCredit: CustomerCredit.objects.create(
            **told, customer=invoice.customer, origin=CustomerCredit.Origin.MANUAL,
            reason=f"{mark} motivo", created_at=at,
        ),
    }  # fmt: skip
