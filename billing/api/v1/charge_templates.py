"""charge_templates (billing-api §2.15): read-only; staff write them."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.docs import documented, listed, one
from billing.api.v1.fields import DecimalOut, IntegerOut, IsoMomentOut, TextOut, UuidOut
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.shapes import Out
from billing.models import ChargeTemplate


class ChargeTemplateOut(Out):
    id = IntegerOut()
    name = TextOut()
    interest_value = DecimalOut()
    fine_value = DecimalOut()
    instructions = TextOut()
    organization_id = IntegerOut()
    financial_account_id = IntegerOut()
    charging_account_id = UuidOut()
    payment_method = TextOut()
    fine_type = TextOut()
    interest_type = TextOut()
    created_at = IsoMomentOut()
    updated_at = IsoMomentOut()


class _ChargeTemplates(OfOrganizationView):
    model, shape = ChargeTemplate, ChargeTemplateOut
    envelope, plural = "charge_template", "charge_templates"


class ChargeTemplatesView(_ChargeTemplates):
    @documented(
        "Lista os modelos de cobrança da organização",
        answer=listed("charge_templates", ChargeTemplateOut),
    )
    def get(self, request: Request, organization_id: int) -> Response:
        return self.list_all(organization_id, "name")


class ChargeTemplateView(_ChargeTemplates):
    @documented("Mostra um modelo de cobrança", answer=one("charge_template", ChargeTemplateOut))
    def get(self, request: Request, organization_id: int, id: int) -> Response:
        return self.show_one(organization_id, id)


routes = [
    path("organizations/<organization_id>/charge_templates", ChargeTemplatesView.as_view()),
    path("organizations/<organization_id>/charge_templates/<id>", ChargeTemplateView.as_view()),
]
