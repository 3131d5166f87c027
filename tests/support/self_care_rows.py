"""One row of every model of sign-in and of what customers do alone, for `rows.one_of_each`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import models

from accounts.models import Account, Attempt, RecoveryCode, SecondFactor, User, UserSession
from billing.models import (
    CancellationRequest,
    Contract,
    HelpArticle,
    Invitation,
    Invoice,
    ScheduledCancellation,
)
from lib import clock


def self_care_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    account, user, now = rows[Account], rows[User], clock.now()
    customer = rows[Invoice].customer
    n = customer.pk  # another one each time
    request = CancellationRequest.objects.create(
        account=account, customer=customer, protocol=f"{mark}-CAN-{n}", requested_at=now
    )
    return {
        Attempt: Attempt.objects.create(kind="login", key="0" * 64, at=now),
        SecondFactor: SecondFactor.objects.create(
            user=user, secret=f"{mark} segredo"
        ),
        RecoveryCode: RecoveryCode.objects.create(user=user, digest=f"{mark} resumo {n}"),
        UserSession: UserSession.objects.create(
            user=user, digest=f"{mark} sessão {n}", created_at=now, seen_at=now
        ),
        CancellationRequest: request,
        ScheduledCancellation: ScheduledCancellation.objects.create(
            request=request, contract=rows[Contract], effective_on=date(2026, 12, 31)
        ),
        HelpArticle: HelpArticle.objects.create(
            account=account, slug=f"ajuda-{n}", title=f"{mark} ajuda", body="x"
        ),
        Invitation: Invitation.objects.create(
            account=account, customer=customer, email="b@exemplo.test", name=f"{mark} Bia",
            role="titular", digest=f"{mark} convite {n}", created_at=now,
            expires_at=now + timedelta(days=7),
        ),
    }  # fmt: skip
