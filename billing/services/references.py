"""Rows that bodies of the API name by id: they must be of the same account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import Account, TenantModel
from billing.models import ChargeTemplate, FinancialAccount, NfseTemplate
from lib.errors import NotFound


def check_references(account: Account, values: Mapping[str, Any]) -> None:
    """Refuse ids of presets and bank accounts that the account does not have.

    `values` are attributes of an invoice, rule or subscription as the API names them; what was not
    sent, or is null, refers to nothing. `automatic_email_template_id` and `notification_ruler_id`
    may name rows of outside services (billing-api §2.8), so they are not looked at.

    Raises NotFound: one of another account is like one that does not exist.
    """
    payment = values.get("payment_information") or {}
    named: tuple[tuple[type[TenantModel], int | None], ...] = (
        (NfseTemplate, values.get("nfse_template_id")),
        (ChargeTemplate, payment.get("financial_charge_template_id")),
        (FinancialAccount, payment.get("financial_account_id")),
    )
    for model, pk in named:
        if pk is not None and not model.objects.of(account).filter(pk=pk).exists():
            raise NotFound()
