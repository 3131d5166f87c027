"""subscriptions (billing-api §2.7): contracts made from a plan, known by their token."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView
from billing.api.v1.contracts import ContractOut
from billing.api.v1.docs import documented, one
from billing.api.v1.fields import (
    AnyOut,
    ChoiceIn,
    DateIn,
    IdIn,
    IntegerOut,
    LongTextIn,
    MomentOut,
    TextIn,
    TextOut,
)
from billing.api.v1.nodes import NO_CARD
from billing.api.v1.shapes import In, Out
from billing.models import Contract
from billing.selectors.contracts import contracts_shown
from billing.services.agreements import PARTY_TYPES
from billing.services.subscription_billing import PAYMENT
from billing.services.subscriptions import (
    cancel_subscription,
    change_plan,
    create_subscription,
    get_subscription,
)
from lib.api_errors import TEXTS


class AddressInformationIn(In):
    address = TextIn()
    number = TextIn(max_length=20)
    complement = TextIn(max_length=100)
    district = TextIn(max_length=100)
    zipcode = TextIn()  # a wrong CEP has a message of its own
    city = TextIn(max_length=100)
    state = TextIn(max_length=2)


class CustomerIn(In):
    """Found by `document`; registered when unknown. Without `type`, the document tells it."""

    name = TextIn(required=True)
    email = TextIn(required=True, max_length=254)
    document = TextIn(max_length=40)
    type = ChoiceIn(PARTY_TYPES)
    state_inscription = TextIn(max_length=30)
    city_inscription = TextIn(max_length=30)
    address_information = AddressInformationIn(required=False, allow_null=True)


class SubscriptionIn(In):
    plan_id = IdIn(required=True)
    customer = CustomerIn(required=False, allow_null=True)


class ChangePlanIn(In):
    new_plan_id = IdIn(required=True)


class CancelIn(In):
    """Both optional; `cancel_date` is today unless told, and the end is immediate anyway."""

    cancel_date = DateIn()
    cancel_reason = LongTextIn()


class SubscriptionPaymentOut(Out):
    """How the subscription is paid; the node's id is the subscription's."""

    id = IntegerOut(of="pk")
    payment_method = TextOut()
    cobrato_card_id = AnyOut()
    card_expiration_month = AnyOut()
    card_expiration_year = AnyOut()
    installments = IntegerOut()
    created_at = MomentOut()

    @classmethod
    def show(cls, obj: Contract) -> dict[str, Any]:
        kept = obj.integration[PAYMENT]
        card = ("cobrato_card_id", "card_expiration_month", "card_expiration_year")
        return {
            "id": obj.pk,
            "payment_method": kept["payment_method"],
            **{name: kept.get(name, NO_CARD) for name in card},
            "installments": kept["installments"],
            "created_at": MomentOut().show(datetime.fromisoformat(kept["created_at"])),
        }


class SubscriptionOut(ContractOut):
    """The contract, without two keys and with how it is paid, once that was chosen."""

    customer_type = None  # type: ignore[assignment]
    overdue_automatic_management = None  # type: ignore[assignment]
    payment_information = SubscriptionPaymentOut(required=False)

    @staticmethod
    def get_payment_information(contract: Contract) -> Contract | None:
        return contract if PAYMENT in contract.integration else None

    @classmethod
    def show(cls, obj: Contract) -> dict[str, Any]:
        body = super().show(obj)
        if body["payment_information"] is None:
            del body["payment_information"]
        return body


class _SubscriptionView(BillingView):
    envelope = "subscription"
    errors_as = TEXTS

    def answer(self, contract: Contract, *, status: int = 200) -> Response:
        """The subscription as it now stands in the database."""
        shown = contracts_shown(self.account).get(pk=contract.pk)
        return Response({"subscription": SubscriptionOut.show(shown)}, status=status)


class SubscriptionsView(_SubscriptionView):
    @documented(
        "Assina um plano",
        body=SubscriptionIn,
        envelope="subscription",
        answer=one("subscription", SubscriptionOut),
        status=201,
        errors_as=TEXTS,
        description=(
            "Começa em teste. Um plano desconhecido é o único 404 com corpo: "
            '`{"errors": "Plano não encontrado com o id especificado."}`'
        ),
    )
    def post(self, request: Request) -> Response:
        sent = self.read(SubscriptionIn)
        contract = create_subscription(
            sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return self.answer(contract, status=201)


class SubscriptionView(_SubscriptionView):
    @documented("Mostra uma assinatura", answer=one("subscription", SubscriptionOut))
    def get(self, request: Request, token: str) -> Response:
        return self.answer(get_subscription(token, account=self.account))


class ChangePlanView(_SubscriptionView):
    @documented(
        "Troca o plano de uma assinatura",
        body=ChangePlanIn,
        envelope="subscription",
        answer=one("subscription", SubscriptionOut),
        errors_as=TEXTS,
    )
    def patch(self, request: Request, token: str) -> Response:
        sent = self.read(ChangePlanIn)
        contract = change_plan(
            token, sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return self.answer(contract)


class CancelView(_SubscriptionView):
    @documented(
        "Cancela uma assinatura",
        body=CancelIn,
        envelope="subscription",
        answer=one("subscription", SubscriptionOut),
        errors_as=TEXTS,
        description="Vale de imediato, com qualquer data. O corpo é opcional.",
    )
    def patch(self, request: Request, token: str) -> Response:
        sent = self.read(CancelIn, partial=True)
        contract = cancel_subscription(
            token, sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return self.answer(contract)


routes = [
    path("subscriptions", SubscriptionsView.as_view()),
    path("subscriptions/token/<token>", SubscriptionView.as_view()),
    path("subscriptions/<token>/change_plan", ChangePlanView.as_view()),
    path("subscriptions/<token>/cancel", CancelView.as_view()),
]
