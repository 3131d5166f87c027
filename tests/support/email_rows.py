"""A row of each model of e-mails, for the screens."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.services.audit import SYSTEM
from billing.models import (
    EmailMessage,
    EmailSuppression,
    EmailTemplate,
    Invoice,
    InvoiceLink,
)
from billing.services import links
from billing.services.emails.suppressions import suppress
from lib import clock


def email_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    """`rows` has the invoice and a template."""
    invoice = rows[Invoice]
    link = links.make_link(invoice, recipient=f"{mark}@exemplo.test")
    message = EmailMessage.objects.create(
        account=invoice.account, template=rows[EmailTemplate], invoice=invoice,
        customer=invoice.customer, link=link,
        trigger=EmailMessage.Trigger.MANUAL, batch=link.key, recipient=link.recipient,
        subject=f"{mark} assunto", body=f"{mark} mensagem", error=f"{mark} erro",
        attached=[{"name": f"{mark}.pdf", "size": 2048, "kind": "fatura", "id": invoice.pk}],
        state=EmailMessage.State.FAILED, created_at=clock.now(),
    )  # fmt: skip
    reason = EmailSuppression.Reason.SPAM
    barred = suppress(
        invoice.account,
        f"{mark}@exemplo.test",
        reason=reason,
        detail=f"{mark} detalhe",
        actor=SYSTEM,
    )
    return {InvoiceLink: link, EmailMessage: message, EmailSuppression: barred}
