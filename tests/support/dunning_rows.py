"""One row of every model of dunning, for `rows.one_of_each`."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.models import Account
from billing.models import (
    CollectionTask,
    Contract,
    DunningPause,
    Invoice,
    NotificationRuler,
    Receivable,
    RulerExecution,
    RulerStep,
    Suspension,
)
from lib import clock


def dunning_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    account, invoice, parcel = rows[Account], rows[Invoice], rows[Receivable]
    now = clock.now()
    ruler = NotificationRuler.objects.create(
        account=account, organization=invoice.organization, name=f"{mark} régua"
    )
    step = RulerStep.objects.create(ruler=ruler, offset_days=3)
    execution = RulerExecution.objects.create(
        account=account, receivable=parcel, step=step, cycle=parcel.due_date, created_at=now,
        note=f"{mark} observação",
    )  # fmt: skip
    return {
        NotificationRuler: ruler,
        RulerStep: step,
        RulerExecution: execution,
        CollectionTask: CollectionTask.objects.create(
            account=account, execution=execution, customer=invoice.customer, receivable=parcel,
            kind="phone", created_at=now,
        ),
        DunningPause: DunningPause.objects.create(
            account=account, receivable=parcel, reason="manual", created_at=now
        ),
        Suspension: Suspension.objects.create(
            account=account, contract=rows[Contract], receivable=parcel, since=now
        ),
    }  # fmt: skip
