"""One row of every model of disputes and notices, for `rows.one_of_each`."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.models import Account, User
from billing.models import (
    Dispute,
    DisputeFile,
    DisputeMessage,
    Invoice,
    NotificationPreference,
    ProtocolSeries,
)
from lib import clock


def dispute_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    account, invoice, now = rows[Account], rows[Invoice], clock.now()
    dispute = Dispute.objects.create(
        account=account, invoice=invoice, customer=invoice.customer,
        protocol=f"{mark}-{invoice.pk}", reason="outro", email="ana@exemplo.test",
        answer_by=now.date(), opened_by=rows[User], opened_at=now,
    )  # fmt: skip
    message = DisputeMessage.objects.create(
        dispute=dispute, author="customer", author_name=f"{mark} Ana", text=f"{mark} texto", at=now
    )
    return {
        Dispute: dispute,
        DisputeMessage: message,
        DisputeFile: DisputeFile.objects.create(
            message=message, name=f"{mark}.pdf", content_type="application/pdf", size=1, path="x"
        ),
        NotificationPreference: NotificationPreference.objects.create(
            account=account, customer=invoice.customer, event="lembrete", channel="email"
        ),
        ProtocolSeries: ProtocolSeries.objects.create(
            account=account, prefix=f"{invoice.pk}", year=2026
        ),
    }  # fmt: skip
