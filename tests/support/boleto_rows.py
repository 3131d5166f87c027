"""A row of each model of boletos, for the screens."""

from __future__ import annotations

from typing import Any

from django.db import models

from billing.models import (
    BankAgreement,
    Charge,
    FinancialAccount,
    Invoice,
    NossoNumeroRange,
)
from billing.services.boletos.issue import issue_boleto


def boleto_rows(rows: dict[type[models.Model], Any], mark: str) -> dict[type[models.Model], Any]:
    """`rows` has the invoice and the bank account."""
    bank, invoice = rows[FinancialAccount], rows[Invoice]
    agreement = BankAgreement.objects.create(
        account=bank.account, financial_account=bank, agency="0810", account_number="53678",
        carteira="109", code=mark[:20],
    )  # fmt: skip
    charge = issue_boleto(invoice.receivables.get().pk, account=bank.account)
    Charge.objects.filter(pk=charge.pk).update(reason=f"{mark} motivo")
    return {
        BankAgreement: agreement,
        NossoNumeroRange: agreement.ranges.get(),
        Charge: Charge.objects.get(pk=charge.pk),
    }
