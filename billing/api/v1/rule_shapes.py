"""What a rule is on the wire (billing-api §2.9)."""

from __future__ import annotations

from typing import Any

from billing.api.v1.fields import (
    AnyOut,
    BoolIn,
    BoolOut,
    ChoiceIn,
    DateIn,
    DateOut,
    DecimalIn,
    DecimalOut,
    IdIn,
    IntegerIn,
    IntegerOut,
    IsoDateOut,
    IsoMomentOut,
    LongTextIn,
    MomentOut,
    QuotedIdIn,
    Refused,
    TextIn,
    TextOut,
)
from billing.api.v1.nodes import OptionsIn, OptionsOut, PaymentInformationOut, ServiceOut
from billing.api.v1.shapes import In, Out
from billing.models import Invoice, InvoiceRule, PriceIndex
from billing.services.agreements import type_of

_UNITS = {0: "monthly", 1: "weekly"}  # the numbers that older clients send


class MonthsIn(IntegerIn):
    """A number of months; what is none reads as 0, which its rule refuses in its own words."""

    def read(self, value: Any) -> int | None:
        try:
            return super().read(value)
        except Refused:
            return 0


class RuleServiceIn(In):
    """`value` is accepted and ignored: always units × unit_value."""

    id = IdIn()
    service_item_id = IdIn()
    description = LongTextIn()
    units = DecimalIn()
    unit_value = DecimalIn()
    invoice_template_service_item_id = IdIn()
    _destroy = BoolIn()


class ScheduledUpdateIn(In):
    id = IdIn()
    service_item_id = IdIn()
    init_date = DateIn()
    month_quantity = IntegerIn(lowest=1, highest=1200)
    days_until_update = IntegerIn(highest=3650)
    price_index = ChoiceIn(PriceIndex.values)
    invoice_template_scheduled_update_id = IdIn()
    _destroy = BoolIn()


class AdditionalInformationIn(In):
    id = IdIn()
    title = TextIn(required=True)
    init_date = DateIn(required=True)
    period_unit = ChoiceIn(InvoiceRule.PeriodUnit.values, codes=_UNITS)
    month_quantity = MonthsIn()
    end_date = DateIn()
    accrual_month_quantity = ChoiceIn(InvoiceRule.Accrual.values)


class ReceivablesInformationIn(In):
    id = IdIn()
    day_number = IntegerIn()
    day_quantity = IntegerIn()
    month_quantity = MonthsIn()
    parcel_number = IntegerIn()
    only_business_days = BoolIn()


class InvoiceRuleIn(OptionsIn):
    """With `invoice_template_id` what is missing comes from the template (§6.10)."""

    description = LongTextIn(required=True)
    nfe_body = LongTextIn(required=True)
    gross_value = DecimalIn(max_digits=17)
    charge_type = ChoiceIn(InvoiceRule.ChargeType.values)
    notify_customer = BoolIn()
    apply_negative_updates = BoolIn()
    invoice_template_id = QuotedIdIn()
    additional_information = AdditionalInformationIn(required=False, allow_null=True)
    receivables_additional_information = ReceivablesInformationIn(required=False, allow_null=True)
    services = RuleServiceIn(many=True, required=False)
    scheduled_updates = ScheduledUpdateIn(many=True, required=False)


class ScheduledUpdateOut(Out):
    id = IntegerOut()
    invoice_rule_id = IntegerOut(of="rule_id")
    execution_date = IsoDateOut()
    month_quantity = IntegerOut()
    price_index = TextOut()
    created_at = IsoMomentOut()
    updated_at = IsoMomentOut()
    init_date = IsoDateOut()
    days_until_update = IntegerOut()
    remind_at = IsoDateOut()
    notified = BoolOut()
    service_item_id = IntegerOut()
    invoice_template_id = IntegerOut(of="template_id")


class AdditionalInformationOut(Out):
    id = IntegerOut()
    init_date = IsoDateOut()
    title = TextOut()
    period_unit = TextOut()
    month_quantity = IntegerOut()
    end_date = IsoDateOut()
    created_at = MomentOut()
    accrual_month_quantity = TextOut()


class ReceivablesInformationOut(Out):
    id = IntegerOut()
    day_number = IntegerOut()
    parcel_number = IntegerOut()
    invoice_rule_id = IntegerOut(of="id")
    created_at = IsoMomentOut()
    updated_at = IsoMomentOut()
    day_quantity = IntegerOut()
    month_quantity = IntegerOut(of="due_month_quantity")
    only_business_days = BoolOut()

    @staticmethod
    def get_only_business_days(rule: InvoiceRule) -> bool | None:
        """Null while nothing at all was said about due dates."""
        is_told = rule.charge_type or rule.only_business_days
        numbers = (rule.day_number, rule.day_quantity, rule.due_month_quantity, rule.parcel_number)
        if is_told or any(number is not None for number in numbers):
            return rule.only_business_days
        return None


def _null(rule: InvoiceRule) -> None:
    return None


def _false(rule: InvoiceRule) -> bool:
    return False


def _empty(rule: InvoiceRule) -> list[Any]:
    return []


def _itself(rule: InvoiceRule) -> InvoiceRule:
    return rule


class InvoiceRuleOut(OptionsOut):
    """A rule looks like an invoice without dates. What it has none of is null or empty."""

    id = IntegerOut()
    contract_id = IntegerOut()
    issue_date = DateOut()
    estimated_issue_date = DateOut()
    gross_value = DecimalOut()
    payment_value = DecimalOut()
    description = TextOut()
    state = TextOut()
    cancelled_automatically = BoolOut()
    nfe_service = TextOut()
    nfe_verification = TextOut()
    nfe_issue_date = DateOut()
    nfe_body = TextOut()
    nfe_issued = BoolOut()
    number = TextOut()
    created_at = MomentOut()
    accrual_date = IsoDateOut()
    comments = TextOut()
    customer_id = IntegerOut(of="contract.customer.pk")
    customer_type = TextOut()
    automatic_nfe_issue_date = DateOut()
    approval_status = TextOut()
    notify_customer = BoolOut()
    apply_negative_updates = BoolOut()
    receivables = AnyOut()
    services = ServiceOut(many=True)
    attachments = AnyOut()
    payment_information = PaymentInformationOut()
    additional_information = AdditionalInformationOut(allow_null=True)
    scheduled_updates = ScheduledUpdateOut(many=True)
    receivables_additional_information = ReceivablesInformationOut()

    # A rule stands before its invoices: it is always to be emitted, approved and without dates.
    get_issue_date = get_estimated_issue_date = get_accrual_date = staticmethod(_null)
    get_nfe_service = get_nfe_verification = get_nfe_issue_date = staticmethod(_null)
    get_number = get_comments = get_automatic_nfe_issue_date = staticmethod(_null)
    get_payment_value = staticmethod(_null)
    get_cancelled_automatically = get_nfe_issued = staticmethod(_false)
    get_receivables = get_attachments = staticmethod(_empty)
    get_payment_information = get_receivables_additional_information = staticmethod(_itself)

    @staticmethod
    def get_state(rule: InvoiceRule) -> str:
        return Invoice.State.TO_EMIT.value

    @staticmethod
    def get_approval_status(rule: InvoiceRule) -> str:
        return Invoice.Approval.APPROVED.value

    @staticmethod
    def get_customer_type(rule: InvoiceRule) -> str:
        return type_of(rule.contract.customer)

    @staticmethod
    def get_additional_information(rule: InvoiceRule) -> InvoiceRule | None:
        return rule if rule.init_date is not None else None
