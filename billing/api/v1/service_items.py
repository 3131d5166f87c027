"""service_items (billing-api §2.4)."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.fields import (
    DecimalIn,
    DecimalOut,
    IntegerOut,
    LongTextIn,
    TextIn,
    TextOut,
)
from billing.api.v1.shapes import In, Out
from billing.models import ServiceItem
from billing.services.catalog import (
    create_service_item,
    delete_service_item,
    update_service_item,
)
from lib.errors import NotFound


class ServiceItemIn(In):
    name = TextIn(required=True)
    description = LongTextIn()
    value = DecimalIn()


class ServiceItemOut(Out):
    id = IntegerOut()
    account_id = IntegerOut()
    name = TextOut()
    description = TextOut()
    value = DecimalOut()
    unit = TextOut()


class _ServiceItemView(BillingView):
    envelope: ClassVar[str] = "service_item"


class ServiceItemsView(_ServiceItemView):
    @documented("Lista os serviços", answer=listed("service_items", ServiceItemOut))
    def get(self, request: Request) -> Response:
        found = ServiceItem.objects.of(self.account).order_by("name", "id")
        return Response({"service_items": ServiceItemOut.show_all(found)})

    @documented(
        "Cria um serviço",
        body=ServiceItemIn,
        envelope="service_item",
        answer=one("service_item", ServiceItemOut),
        status=201,
    )
    def post(self, request: Request) -> Response:
        sent = self.read(ServiceItemIn)
        item = create_service_item(
            sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return Response({"service_item": ServiceItemOut.show(item)}, status=201)


class ServiceItemSearchView(_ServiceItemView):
    @documented(
        "Busca um serviço pelo nome exato",
        answer=one("service_item", ServiceItemOut),
        parameters=[query("name", "O nome exato", required=True)],
        refuses=[400],
    )
    def get(self, request: Request) -> Response:
        name = self.parameter("name")
        item = ServiceItem.objects.of(self.account).filter(name=name).first()
        if item is None:
            raise NotFound()
        return Response({"service_item": ServiceItemOut.show(item)})


class ServiceItemView(_ServiceItemView):
    @documented(
        "Altera um serviço",
        body=ServiceItemIn,
        envelope="service_item",
        answer=one("service_item", ServiceItemOut),
    )
    def patch(self, request: Request, id: int) -> Response:
        sent = self.read(ServiceItemIn, partial=True)
        item = update_service_item(
            id, sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return Response({"service_item": ServiceItemOut.show(item)})

    @documented("Apaga um serviço sem uso", status=204, refuses=[422])
    def delete(self, request: Request, id: int) -> Response:
        delete_service_item(id, account=self.account, actor=self.actor)
        return no_content()


routes = [
    path("service_items", ServiceItemsView.as_view()),
    path("service_items/search", ServiceItemSearchView.as_view()),
    path("service_items/<id>", ServiceItemView.as_view()),
]
