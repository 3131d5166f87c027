"""Nodes and attributes that invoices, rules and templates share on the wire (§2.8–2.10)."""

from __future__ import annotations

from typing import Any

from billing.api.v1.fields import (
    AnyOut,
    BoolIn,
    BoolOut,
    ChoiceIn,
    DecimalIn,
    DecimalOut,
    IdIn,
    IntegerIn,
    IntegerOut,
    KeptIntegerOut,
    KeptTextOut,
    LongTextIn,
    MomentOut,
    TextIn,
    TextOut,
)
from billing.api.v1.shapes import In, Out
from billing.models.rule import Management
from billing.services.option_values import KEPT, KEPT_PAYMENT, OPTION_COLUMNS, OPTIONS

__all__ = ["KEPT", "KEPT_PAYMENT", "OPTIONS", "OPTION_COLUMNS"]

NO_CARD = "--"
API_PAYMENT_METHODS = ("billet", "payment_gateway", "transfer")


class ServiceIn(In):
    """A service of an invoice or rule; `value` is accepted and ignored."""

    id = IdIn()
    service_item_id = IdIn()
    description = LongTextIn()
    units = DecimalIn(required=True)
    unit_value = DecimalIn(required=True)
    _destroy = BoolIn()


class PaymentInformationIn(In):
    id = IdIn()
    payment_method = ChoiceIn(API_PAYMENT_METHODS)
    installments = IntegerIn(lowest=1, highest=99)
    financial_charge_template_id = IdIn()
    financial_account_id = IdIn()
    charging_account_id = TextIn(max_length=60)


class OptionsIn(In):
    """Attributes of BillingOptions that invoices and rules take alike."""

    management_type = ChoiceIn(Management.values)
    automatic_email_template_id = IdIn()
    days_until_automatic_nfe_emission = IntegerIn(highest=3_650)
    notification_ruler_id = IdIn()
    issue_nfse = BoolIn()
    nfse_template_id = IdIn()
    emites_service_values_id = IdIn()
    emites_service_value_name = TextIn()
    finance_category = TextIn()
    finance_category_id = IdIn()
    finance_revenue_center = TextIn()
    finance_revenue_center_id = IdIn()
    myfinance_sale_account_id = IdIn()
    myfinance_sale_account_name = TextIn()
    cobrato_charge_config_id = IdIn()
    cobrato_charge_config_name = TextIn()
    cobrato_charge_template_id = IdIn()
    cobrato_charge_template_name = TextIn()
    payment_information = PaymentInformationIn(required=False, allow_null=True)


class ServiceOut(Out):
    """A service as shown: `name` is the catalogue's, `description` may be ""."""

    id = IntegerOut()
    name = TextOut()
    description = TextOut()
    unit_value = DecimalOut()
    units = DecimalOut()
    value = DecimalOut()

    @staticmethod
    def get_name(line: Any) -> str:
        return line.service_item.name if line.service_item_id else getattr(line, "title", "")

    @staticmethod
    def get_description(line: Any) -> str:
        return line.description  # type: ignore[no-any-return]


class PaymentInformationOut(Out):
    """How the owner (invoice or rule) is collected; the node's id is its owner's."""

    id = IntegerOut(of="pk")
    payment_method = TextOut()
    cobrato_card_id = AnyOut()
    card_expiration_month = AnyOut()
    card_expiration_year = AnyOut()
    installments = IntegerOut()
    financial_charge_template_id = KeptIntegerOut()
    financial_account_id = KeptIntegerOut()
    charging_account_id = KeptTextOut()
    created_at = MomentOut()

    @staticmethod
    def get_cobrato_card_id(owner: Any) -> Any:
        return owner.integration.get("cobrato_card_id", NO_CARD)

    @staticmethod
    def get_card_expiration_month(owner: Any) -> Any:
        return owner.integration.get("card_expiration_month", NO_CARD)

    @staticmethod
    def get_card_expiration_year(owner: Any) -> Any:
        return owner.integration.get("card_expiration_year", NO_CARD)


class OptionsOut(Out):
    """Attributes of BillingOptions that invoices and rules show alike."""

    management_type = TextOut()
    emites_service_values_id = KeptIntegerOut()
    emites_service_value_name = KeptTextOut()
    nfse_template_id = IntegerOut(of="nfse_template_ref")
    finance_category = KeptTextOut()
    finance_category_id = KeptIntegerOut()
    finance_revenue_center = KeptTextOut()
    finance_revenue_center_id = KeptIntegerOut()
    myfinance_sale_account_id = KeptIntegerOut()
    myfinance_sale_account_name = KeptTextOut()
    cobrato_charge_config_id = KeptIntegerOut()
    cobrato_charge_config_name = KeptTextOut()
    cobrato_charge_template_id = KeptIntegerOut()
    cobrato_charge_template_name = KeptTextOut()
    days_until_automatic_nfe_emission = IntegerOut()
    automatic_email_template_id = IntegerOut(of="automatic_email_template_ref")
    notification_ruler_id = IntegerOut(of="notification_ruler_ref")
    issue_nfse = BoolOut()
