"""plans (billing-api §2.6)."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one
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
from billing.api.v1.nodes import ServiceOut
from billing.api.v1.shapes import In, Out
from billing.models import Party, Plan, PriceIndex
from billing.selectors.plans import plans_of
from billing.services.plans import create_plan, delete_plan, update_plan
from lib.api_errors import TEXTS

PERIODS = {
    1: "Mensalmente",
    2: "Bimestralmente",
    3: "Trimestralmente",
    6: "Semestralmente",
    12: "Anualmente",
}


class FeatureIn(In):
    id = IdIn()
    description = LongTextIn()
    value = TextIn(required=True)
    tag = TextIn()
    _destroy = BoolIn()


class ProductIn(In):
    """A service of a plan; `value` is accepted and ignored."""

    id = IdIn()
    service_item_id = IdIn()
    description = LongTextIn()
    units = DecimalIn(required=True)
    unit_value = DecimalIn(required=True)
    _destroy = BoolIn()


class PlanIn(In):
    """With products, `price` is their sum and what was sent for it is ignored."""

    name = TextIn(required=True)
    description = LongTextIn()
    price = DecimalIn(decimal_places=2)
    billing_period = ChoiceIn(list(PERIODS), required=True)
    has_trial = BoolIn()
    trial_period = IntegerIn(highest=3_650)
    redirect_url = TextIn(max_length=500)
    charging_method = ChoiceIn(Plan.Charging.values)
    readjustment_will_be_created = BoolIn()
    readjustment_month_quantity = IntegerIn(highest=1_200)
    readjustment_days_until_update = IntegerIn(highest=3_650)
    price_index = ChoiceIn(PriceIndex.values)
    billet_notification_ruler_id = IdIn()
    payment_gateway_notification_ruler_id = IdIn()
    emites_service_values_id = IdIn()
    emites_service_value_name = TextIn()
    cobrato_billet_charge_config_id = IdIn()
    cobrato_billet_charge_config_name = TextIn()
    cobrato_billet_charge_template_id = IdIn()
    cobrato_billet_charge_template_name = TextIn()
    cobrato_payment_gateway_charge_config_id = IdIn()
    cobrato_payment_gateway_charge_config_name = TextIn()
    finance_category = TextIn()
    finance_revenue_center = TextIn()
    myfinance_billet_sale_account_id = IdIn()
    myfinance_billet_sale_account_name = TextIn()
    myfinance_payment_gateway_sale_account_id = IdIn()
    myfinance_payment_gateway_sale_account_name = TextIn()
    allow_installments = BoolIn()
    installments_limit = IntegerIn()
    features = FeatureIn(many=True, required=False)
    products = ProductIn(many=True, required=False)


class FeatureOut(Out):
    """A feature is kept as it is shown."""

    id = IntegerOut()
    description = TextOut()
    value = TextOut()
    tag = TextOut()

    @classmethod
    def show(cls, obj: dict[str, Any]) -> dict[str, Any]:
        return {name: obj.get(name) for name in cls._declared_fields}


class PlanOut(Out):
    """Showing many: read them with billing.selectors.plans.with_products."""

    id = IntegerOut()
    name = TextOut()
    description = TextOut()
    redirect_url = TextOut()
    price = DecimalOut()
    billing_period = IntegerOut()
    translated_billing_period = TextOut()
    charging_method = TextOut()
    translated_charging_method = AnyOut()
    has_trial = BoolOut()
    trial_period = IntegerOut()
    features = FeatureOut(many=True)
    readjustment_will_be_created = BoolOut()
    readjustment_month_quantity = IntegerOut()
    price_index = TextOut()
    readjustment_days_until_update = IntegerOut()
    billet_notification_ruler_id = KeptIntegerOut()
    payment_gateway_notification_ruler_id = KeptIntegerOut()
    emites_service_values_id = KeptIntegerOut()
    emites_service_value_name = KeptTextOut()
    cobrato_billet_charge_config_id = KeptIntegerOut()
    cobrato_billet_charge_config_name = KeptTextOut()
    cobrato_billet_charge_template_id = KeptIntegerOut()
    cobrato_billet_charge_template_name = KeptTextOut()
    cobrato_payment_gateway_charge_config_id = KeptIntegerOut()
    cobrato_payment_gateway_charge_config_name = KeptTextOut()
    finance_category = KeptTextOut()
    finance_revenue_center = KeptTextOut()
    myfinance_billet_sale_account_id = KeptIntegerOut()
    myfinance_billet_sale_account_name = KeptTextOut()
    myfinance_payment_gateway_sale_account_id = KeptIntegerOut()
    myfinance_payment_gateway_sale_account_name = KeptTextOut()
    allow_installments = BoolOut()
    installments_limit = IntegerOut()
    created_at = MomentOut()
    products = ServiceOut(many=True)

    @staticmethod
    def get_translated_billing_period(plan: Plan) -> str:
        return PERIODS[plan.billing_period]

    @staticmethod
    def get_translated_charging_method(plan: Plan) -> Any:
        """The chosen one in words; without one, every choice (§2.6)."""
        choices = dict(Plan.Charging.choices)
        return choices[plan.charging_method] if plan.charging_method else choices


class _PlanView(BillingView):
    envelope = "plan"
    errors_as = TEXTS

    def answer(self, plan: Plan, *, status: int = 200) -> Response:
        found = plans_of(self.account).get(pk=plan.pk)
        return Response({"plan": PlanOut.show(found)}, status=status)


class PlansView(_PlanView):
    @documented("Lista os planos de uma organização", answer=listed("plans", PlanOut))
    def get(self, request: Request, organization_id: int) -> Response:
        organization = Party.objects.get_of(
            self.account, pk=organization_id, kind=Party.Kind.ORGANIZATION
        )
        found = plans_of(self.account).filter(organization=organization)
        return Response({"plans": PlanOut.show_all(found)})

    @documented(
        "Cria um plano",
        body=PlanIn,
        envelope="plan",
        answer=one("plan", PlanOut),
        status=201,
        errors_as=TEXTS,
    )
    def post(self, request: Request, organization_id: int) -> Response:
        sent = self.read(PlanIn)
        plan = create_plan(
            sent.values,
            organization_id=organization_id,
            account=self.account,
            actor=self.actor,
            faults=sent.faults,
        )
        return self.answer(plan, status=201)


class PlanView(_PlanView):
    @documented(
        "Altera um plano",
        body=PlanIn,
        envelope="plan",
        answer=one("plan", PlanOut),
        errors_as=TEXTS,
    )
    def patch(self, request: Request, organization_id: int, id: int) -> Response:
        sent = self.read(PlanIn, partial=True)
        plan = update_plan(
            id,
            sent.values,
            organization_id=organization_id,
            account=self.account,
            actor=self.actor,
            faults=sent.faults,
        )
        return self.answer(plan)

    @documented("Apaga um plano sem assinaturas", status=204, refuses=[422], errors_as=TEXTS)
    def delete(self, request: Request, organization_id: int, id: int) -> Response:
        delete_plan(id, organization_id=organization_id, account=self.account, actor=self.actor)
        return no_content()


routes = [
    path("organizations/<organization_id>/plans", PlansView.as_view()),
    path("organizations/<organization_id>/plans/<id>", PlanView.as_view()),
]
