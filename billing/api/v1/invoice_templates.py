"""invoice_templates (billing-api §2.10): presets of rules and invoices; staff write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import bad_parameters
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.fields import (
    BoolOut,
    DecimalOut,
    IntegerOut,
    KeptIntegerOut,
    KeptTextOut,
    MomentOut,
    TextOut,
)
from billing.api.v1.nodes import ServiceOut
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.rule_shapes import ScheduledUpdateOut
from billing.api.v1.shapes import Out
from billing.engine.due_dates import DAY_QUANTITY, LAST_DAY_OF_MONTH
from billing.models import InvoiceTemplate, Party, ScheduledUpdate
from billing.selectors.rules import templates_shown
from billing.services.rule_templates import left_open


class TemplateReceivablesOut(Out):
    charge_type = TextOut()
    day_number = IntegerOut()
    day_quantity = IntegerOut()
    month_quantity = IntegerOut(of="due_month_quantity")
    parcel_number = IntegerOut()
    only_business_days = BoolOut()
    create_parcels = BoolOut()

    @staticmethod
    def get_only_business_days(template: InvoiceTemplate) -> bool | None:
        """Null where the charge_type does not look at it."""
        is_used = template.charge_type in (DAY_QUANTITY, LAST_DAY_OF_MONTH)
        return template.only_business_days if is_used else None


class TemplateUpdateOut(ScheduledUpdateOut):
    """As in rules; dates are always null, and what the preset leaves open too."""

    @staticmethod
    def get_month_quantity(clause: ScheduledUpdate) -> int | None:
        return None if "month_quantity" in _left_open(clause) else clause.month_quantity

    @staticmethod
    def get_days_until_update(clause: ScheduledUpdate) -> int | None:
        return None if "days_until_update" in _left_open(clause) else clause.days_until_update


def _left_open(clause: ScheduledUpdate) -> Sequence[str]:
    assert clause.template is not None
    return left_open(clause.template, clause.pk)


class InvoiceTemplateOut(Out):
    """Without `month_quantity` and `period_unit` it is a single-use preset, for invoices only."""

    id = IntegerOut()
    name = TextOut()
    gross_value = DecimalOut()
    month_quantity = IntegerOut()
    period_unit = TextOut()
    management_type = TextOut()
    automatic_email_template_id = IntegerOut(of="automatic_email_template_ref")
    notification_ruler_id = IntegerOut(of="notification_ruler_ref")
    accrual_month_quantity = TextOut()
    description = TextOut()
    receivables_additional_information = TemplateReceivablesOut()
    emites_service_values_id = KeptIntegerOut()
    emites_service_value_name = KeptTextOut()
    days_until_automatic_nfe_emission = IntegerOut()
    nfe_body = TextOut()
    payment_method = TextOut()
    card_installments = IntegerOut(of="installments")
    cobrato_charge_config_id = KeptIntegerOut()
    cobrato_charge_config_name = KeptTextOut()
    cobrato_charge_template_id = KeptIntegerOut()
    cobrato_charge_template_name = KeptTextOut()
    finance_category = KeptTextOut()
    finance_revenue_center = KeptTextOut()
    myfinance_sale_account_id = KeptIntegerOut()
    myfinance_sale_account_name = KeptTextOut()
    notify_customer = BoolOut()
    apply_negative_updates = BoolOut()
    created_at = MomentOut()
    issue_nfse = BoolOut()
    financial_account_id = KeptIntegerOut()
    charging_account_id = KeptTextOut()
    financial_charge_template_id = KeptIntegerOut()
    services = ServiceOut(many=True)
    scheduled_updates = TemplateUpdateOut(many=True)

    @staticmethod
    def get_receivables_additional_information(template: InvoiceTemplate) -> InvoiceTemplate:
        return template


class _InvoiceTemplates(OfOrganizationView):
    model, shape = InvoiceTemplate, InvoiceTemplateOut
    envelope, plural = "invoice_template", "invoice_templates"

    def rows(self, organization_id: int) -> QuerySet[Any]:
        organization = Party.objects.get_of(
            self.account, pk=organization_id, kind=Party.Kind.ORGANIZATION
        )
        return templates_shown(self.account, organization=organization)


class InvoiceTemplatesView(_InvoiceTemplates):
    @documented(
        "Lista os modelos de faturamento da organização",
        answer=listed("invoice_templates", InvoiceTemplateOut),
    )
    def get(self, request: Request, organization_id: int) -> Response:
        return self.list_all(organization_id, "name")


class InvoiceTemplateSearchView(_InvoiceTemplates):
    @documented(
        "Busca os modelos de faturamento pelo uso",
        answer=listed("invoice_templates", InvoiceTemplateOut),
        parameters=[
            query(
                "type",
                "`invoice` (para um faturamento só) ou `invoice_rule` (para regras)",
                required=True,
                enum=["invoice", "invoice_rule"],
            )
        ],
        refuses=[400],
    )
    def get(self, request: Request, organization_id: int) -> Response:
        rows = self.rows(organization_id)
        kind = self.parameter("type")
        if kind not in ("invoice", "invoice_rule"):
            raise bad_parameters("type")
        single = rows.filter(period_unit="") if kind == "invoice" else rows.exclude(period_unit="")
        return Response({self.plural: InvoiceTemplateOut.show_all(single)})


class InvoiceTemplateView(_InvoiceTemplates):
    @documented(
        "Mostra um modelo de faturamento", answer=one("invoice_template", InvoiceTemplateOut)
    )
    def get(self, request: Request, organization_id: int, id: int) -> Response:
        return self.show_one(organization_id, id)


_BASE = "organizations/<organization_id>/invoice_templates"

routes = [
    path(_BASE, InvoiceTemplatesView.as_view()),
    path(f"{_BASE}/search", InvoiceTemplateSearchView.as_view()),
    path(f"{_BASE}/<id>", InvoiceTemplateView.as_view()),
]
