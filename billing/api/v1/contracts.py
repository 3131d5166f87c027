"""contracts (billing-api §2.5)."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.db.models import QuerySet
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, bad_parameters, no_content
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.fields import (
    BoolIn,
    BoolOut,
    ChoiceIn,
    DateIn,
    DateOut,
    IdIn,
    IntegerOut,
    KeptIntegerOut,
    KeptTextOut,
    LongTextIn,
    MomentOut,
    TextIn,
    TextOut,
    is_blank,
    parse_id,
)
from billing.api.v1.plans import PlanOut
from billing.api.v1.shapes import In, Out
from billing.models import Contract, Party, Plan
from billing.selectors import contracts as select
from billing.services.agreements import (
    PARTY_TYPES,
    create_contract,
    delete_contract,
    type_of,
    update_contract,
)
from lib.errors import NotFound


class ContractIn(In):
    kind = ChoiceIn(Contract.Kind.values)
    name = TextIn(required=True)
    title = TextIn(required=True)
    customer_id = IdIn(required=True)
    customer_type = ChoiceIn(PARTY_TYPES, required=True)
    supplier_id = IdIn(required=True)
    supplier_type = ChoiceIn(PARTY_TYPES, required=True)
    description = LongTextIn()
    comments = LongTextIn()
    init_date = DateIn()
    end_date = DateIn()
    cobrato_payment_gateway_charge_config_id = IdIn()
    cobrato_payment_gateway_charge_config_name = TextIn()
    overdue_automatic_management = BoolIn()


class ContractOut(Out):
    """A contract of `billing.selectors.contracts.contracts_shown`, which counts what is late."""

    id = IntegerOut()
    name = TextOut()
    title = TextOut()
    token = TextOut()
    description = TextOut()
    customer_id = IntegerOut(of="customer.pk")
    customer_type = TextOut()
    supplier_id = IntegerOut(of="supplier.pk")
    supplier_type = TextOut()
    state = TextOut()
    comments = TextOut()
    init_date = DateOut()
    end_date = DateOut()
    created_at = MomentOut()
    kind = TextOut()
    overdue = BoolOut()
    valid_until = DateOut()
    status = TextOut()
    registration_method = TextOut()
    cobrato_payment_gateway_charge_config_id = KeptIntegerOut()
    cobrato_payment_gateway_charge_config_name = KeptTextOut()
    cancel_date = DateOut()
    cancel_reason = TextOut()
    overdue_automatic_management = BoolOut()
    plan = PlanOut()

    @staticmethod
    def get_customer_type(contract: Contract) -> str:
        return type_of(contract.customer)

    @staticmethod
    def get_supplier_type(contract: Contract) -> str:
        return type_of(contract.supplier)

    @staticmethod
    def get_overdue(contract: Contract) -> bool:
        return select.is_overdue(contract)

    @staticmethod
    def get_valid_until(contract: Contract) -> date | None:
        return select.valid_until(contract)

    @staticmethod
    def get_status(contract: Contract) -> str:
        """§3.4: a regular contract stays established when cancelled; `state` and date tell."""
        if contract.registration_method == Contract.Registration.REGULAR:
            return Contract.Status.ESTABLISHED.value
        return contract.status

    @staticmethod
    def get_plan(contract: Contract) -> Plan | None:
        is_regular = contract.registration_method == Contract.Registration.REGULAR
        return None if is_regular else contract.plan


class _ContractView(BillingView):
    envelope: ClassVar[str] = "contract"

    def contracts(self) -> QuerySet[Contract]:
        return select.contracts_shown(self.account)

    def answer(self, contract: Contract, status: int = 200) -> Response:
        """The contract as it now stands in the database."""
        shown = self.contracts().get(pk=contract.pk)
        return Response({"contract": ContractOut.show(shown)}, status=status)

    def of_organization(self, organization_id: int) -> QuerySet[Contract]:
        """Contracts of an organization, on either side. Raises NotFound."""
        organization = Party.objects.get_of(
            self.account, pk=organization_id, kind=Party.Kind.ORGANIZATION
        )
        return select.with_party(self.contracts(), organization)


class ContractsView(_ContractView):
    @documented(
        "Cria um contrato",
        body=ContractIn,
        envelope="contract",
        answer=one("contract", ContractOut),
        status=201,
    )
    def post(self, request: Request) -> Response:
        sent = self.read(ContractIn)
        contract = create_contract(
            sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return self.answer(contract, status=201)


class ContractSearchView(_ContractView):
    @documented(
        "Busca contratos pelo nome ou pelo cliente",
        answer=listed("contracts", ContractOut),
        parameters=[
            query("name", "Parte do nome, com maiúsculas e minúsculas; opcional com customer_id"),
            query("customer_id", "Só os contratos deste cliente"),
        ],
        refuses=[400],
        description="Inclui os contratos inativos.",
    )
    def get(self, request: Request) -> Response:
        found = self.contracts()
        customer = request.query_params.get("customer_id", "")
        if not is_blank(customer):
            found = select.with_customer(found, self.customer_id(customer))
        if is_blank(customer) or not is_blank(request.query_params.get("name")):
            found = select.with_name(found, self.parameter("name"))
        return Response({"contracts": ContractOut.show_all(found.order_by("name", "id"))})

    @staticmethod
    def customer_id(text: str) -> int:
        found = parse_id(text)
        if found is None:
            raise bad_parameters("customer_id")
        return found


class ContractView(_ContractView):
    @documented(
        "Altera um contrato",
        body=ContractIn,
        envelope="contract",
        answer=one("contract", ContractOut),
    )
    def patch(self, request: Request, id: int) -> Response:
        sent = self.read(ContractIn, partial=True)
        contract = update_contract(
            id, sent.values, account=self.account, actor=self.actor, faults=sent.faults
        )
        return self.answer(contract)

    @documented("Apaga um contrato e o que ele ainda não faturou", status=204, refuses=[422])
    def delete(self, request: Request, id: int) -> Response:
        delete_contract(id, account=self.account, actor=self.actor)
        return no_content()


class OrganizationContractsView(_ContractView):
    @documented(
        "Lista os contratos ativos de uma organização", answer=listed("contracts", ContractOut)
    )
    def get(self, request: Request, organization_id: int) -> Response:
        found = self.of_organization(organization_id)
        active = found.exclude(status=Contract.Status.CANCELLED).order_by("id")
        return Response({"contracts": ContractOut.show_all(active)})


class OrganizationContractView(_ContractView):
    @documented(
        "Mostra um contrato, ativo ou não, de uma organização",
        answer=one("contract", ContractOut),
    )
    def get(self, request: Request, organization_id: int, id: int) -> Response:
        contract = self.of_organization(organization_id).filter(pk=id).first()
        if contract is None:
            raise NotFound()
        return Response({"contract": ContractOut.show(contract)})


routes = [
    path("contracts", ContractsView.as_view()),
    path("contracts/search", ContractSearchView.as_view()),
    path("contracts/<id>", ContractView.as_view()),
    path("organizations/<organization_id>/contracts", OrganizationContractsView.as_view()),
    path("organizations/<organization_id>/contracts/<id>", OrganizationContractView.as_view()),
]
