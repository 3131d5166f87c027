"""Options that invoices and rules take alike: from the API's values to columns (§2.8, §2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.messages import BLANK, INVALID
from billing.models import BillingOptions, Management, PaymentMethod
from lib.errors import FieldError

UNKNOWN_ID = -1  # what was sent as an id and can be none

# Attributes kept as sent in `integration`; nothing of ours depends on them.
KEPT = (
    "emites_service_values_id",
    "emites_service_value_name",
    "finance_category",
    "finance_category_id",
    "finance_revenue_center",
    "finance_revenue_center_id",
    "myfinance_sale_account_id",
    "myfinance_sale_account_name",
    "cobrato_charge_config_id",
    "cobrato_charge_config_name",
    "cobrato_charge_template_id",
    "cobrato_charge_template_name",
)
# Of payment_information, kept the same way.
KEPT_PAYMENT = ("financial_charge_template_id", "financial_account_id", "charging_account_id")

# Attribute of the API → column of BillingOptions, where they differ.
OPTION_COLUMNS = {
    "automatic_email_template_id": "automatic_email_template_ref",
    "notification_ruler_id": "notification_ruler_ref",
    "nfse_template_id": "nfse_template_ref",
}
# The options that are columns under their own name.
OPTIONS = ("management_type", "days_until_automatic_nfe_emission", "issue_nfse")

_TEXTS = ("description", "nfe_body")
_EMAIL = {"management_type", "automatic_email_template_id"}


def apply_options(target: BillingOptions, values: Mapping[str, Any]) -> None:
    """Put the options sent into their columns; null leaves a column that is never null as it is."""
    for name in _TEXTS:
        if name in values:
            target.keep_text(name, values[name])
    for name in OPTIONS:
        if values.get(name) is not None:
            setattr(target, name, values[name])
    for name, column in OPTION_COLUMNS.items():
        if name in values:
            setattr(target, column, values[name])
    for name in KEPT:
        if name in values:
            target.integration[name] = values[name]
    apply_payment(target, values.get("payment_information") or {})


def apply_payment(target: BillingOptions, node: Mapping[str, Any]) -> None:
    """Merge `payment_information`; only cards have instalments, one unless told otherwise."""
    if node.get("payment_method"):
        target.payment_method = node["payment_method"]
    if "installments" in node:
        target.installments = node["installments"]
    is_card = target.payment_method == PaymentMethod.PAYMENT_GATEWAY
    target.installments = (target.installments or 1) if is_card else None
    for name in KEPT_PAYMENT:
        if name in node:
            target.integration[name] = node[name]


def option_faults(target: BillingOptions, values: Mapping[str, Any]) -> list[FieldError]:
    """What the options break, once applied: ids that are none, automatic without its e-mail.

    A row of before the rule is only held to it when the request is about that.
    """
    # A template that is none of the account's is 404, told by check_references.
    names = [n for n in (*OPTION_COLUMNS, *KEPT) if n.endswith("_id") and n != "nfse_template_id"]
    faults = [FieldError(name, INVALID) for name in names if values.get(name) == UNKNOWN_ID]
    is_asked = target.pk is None or not _EMAIL.isdisjoint(values)
    is_automatic = target.management_type == Management.AUTOMATIC
    if is_asked and is_automatic and target.automatic_email_template_ref is None:
        faults.append(FieldError("automatic_email_template_id", BLANK))
    return faults
