"""organizations, companies and people (billing-api §2.1–2.3): one table, three resources."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.base import BillingView, no_content
from billing.api.v1.docs import documented, listed, one, query
from billing.api.v1.fields import (
    BoolIn,
    BoolOut,
    CnpjOut,
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
)
from billing.api.v1.shapes import In, Out
from billing.models import Party
from billing.services.parties import create_party, delete_party, update_party
from lib.br import normalise_document
from lib.errors import NotFound


class _AddressIn(In):
    address = TextIn()
    number = TextIn(max_length=20)
    complement = TextIn(max_length=100)
    zipcode = TextIn(max_length=200)  # a wrong CEP has a message of its own
    district = TextIn(max_length=100)
    city = TextIn(max_length=100)
    state = TextIn(max_length=2)


class OrganizationIn(_AddressIn):
    name = TextIn(required=True)
    company_name = TextIn()
    cnpj = TextIn(required=True)


class CompanyIn(_AddressIn):
    name = TextIn(required=True)
    company_name = TextIn()
    cnpj = TextIn(required=True)
    state_inscription = TextIn(max_length=30)
    city_inscription = TextIn(max_length=30)
    contacts = LongTextIn()
    billing_contacts = LongTextIn()
    comments = LongTextIn()
    client_since = DateIn()
    nfse_email = TextIn(max_length=254)
    myfinance_customer_id = IdIn()


class PersonIn(_AddressIn):
    name = TextIn(required=True)
    cpf = TextIn(required=True)
    email = TextIn(max_length=254)
    comments = LongTextIn()
    client_since = DateIn()
    allow_email_on_nfse = BoolIn()
    myfinance_customer_id = IdIn()


class OrganizationOut(Out):
    id = IntegerOut()
    account_id = IntegerOut()
    name = TextOut()
    company_name = TextOut()
    cnpj = CnpjOut(of="document")
    address = TextOut()
    number = TextOut()
    complement = TextOut()
    zipcode = TextOut()
    district = TextOut()
    city = TextOut()
    state = TextOut()
    created_at = MomentOut()


class CompanyOut(Out):
    id = IntegerOut()
    account_id = IntegerOut()
    name = TextOut()
    company_name = TextOut()
    cnpj = CnpjOut(of="document")
    state_inscription = TextOut()
    city_inscription = TextOut()
    address = TextOut()
    number = TextOut()
    zipcode = TextOut()
    district = TextOut()
    complement = TextOut()
    city = TextOut()
    state = TextOut()
    contacts = TextOut(of="contacts_text")
    billing_contacts = TextOut()
    kind = TextOut()
    comments = TextOut()
    client_since = DateOut()
    nfse_email = TextOut()
    myfinance_customer_id = KeptIntegerOut()
    myfinance_errors = KeptTextOut()
    created_at = MomentOut()
    updated_at = MomentOut()


class PersonOut(Out):
    id = IntegerOut()
    account_id = IntegerOut()
    name = TextOut()
    cpf = TextOut(of="document")
    email = TextOut()
    zipcode = TextOut()
    address = TextOut()
    number = TextOut()
    complement = TextOut()
    district = TextOut()
    city = TextOut()
    state = TextOut()
    comments = TextOut()
    client_since = DateOut()
    allow_email_on_nfse = BoolOut()
    myfinance_customer_id = KeptIntegerOut()
    myfinance_errors = KeptTextOut()
    created_at = MomentOut()


class _PartyView(BillingView):
    """What the three resources do the same way."""

    kind: ClassVar[str]
    plural: ClassVar[str]
    reads: ClassVar[type[In]]
    shape: ClassVar[type[Out]]

    def parties(self) -> Any:
        return Party.objects.of(self.account).filter(kind=self.kind)

    def list_all(self) -> Response:
        found = self.parties().order_by("name", "id")
        return Response({self.plural: self.shape.show_all(found)})

    def create(self) -> Response:
        sent = self.read(self.reads)
        party = create_party(
            sent.values, kind=self.kind, account=self.account, actor=self.actor, faults=sent.faults
        )
        return Response({self.envelope: self.shape.show(party)}, status=201)

    def show_one(self, party_id: int) -> Response:
        party = Party.objects.get_of(self.account, pk=party_id, kind=self.kind)
        return Response({self.envelope: self.shape.show(party)})

    def update(self, party_id: int) -> Response:
        sent = self.read(self.reads, partial=True)
        party = update_party(
            party_id,
            sent.values,
            kind=self.kind,
            account=self.account,
            actor=self.actor,
            faults=sent.faults,
        )
        return Response({self.envelope: self.shape.show(party)})

    def remove(self, party_id: int) -> Response:
        delete_party(party_id, kind=self.kind, account=self.account, actor=self.actor)
        return no_content()


class _Organizations(_PartyView):
    kind = Party.Kind.ORGANIZATION
    envelope, plural = "organization", "organizations"
    reads, shape = OrganizationIn, OrganizationOut


class OrganizationsView(_Organizations):
    @documented("Lista as organizações", answer=listed("organizations", OrganizationOut))
    def get(self, request: Request) -> Response:
        return self.list_all()

    @documented(
        "Cria uma organização",
        body=OrganizationIn,
        envelope="organization",
        answer=one("organization", OrganizationOut),
        status=201,
    )
    def post(self, request: Request) -> Response:
        return self.create()


class OrganizationSearchView(_Organizations):
    @documented(
        "Busca uma organização pelo CNPJ",
        answer=one("organization", OrganizationOut),
        parameters=[query("cnpj", "Com ou sem pontuação", required=True)],
        refuses=[400],
    )
    def get(self, request: Request) -> Response:
        cnpj = normalise_document(self.parameter("cnpj"))
        party = self.parties().filter(document=cnpj).first()
        if party is None:
            raise NotFound()
        return Response({"organization": OrganizationOut.show(party)})


class OrganizationView(_Organizations):
    @documented(
        "Altera uma organização",
        body=OrganizationIn,
        envelope="organization",
        answer=one("organization", OrganizationOut),
    )
    def patch(self, request: Request, id: int) -> Response:
        return self.update(id)

    @documented("Apaga uma organização sem contratos", status=204, refuses=[422])
    def delete(self, request: Request, id: int) -> Response:
        return self.remove(id)


class _Companies(_PartyView):
    kind = Party.Kind.COMPANY
    envelope, plural = "company", "companies"
    reads, shape = CompanyIn, CompanyOut


class CompaniesView(_Companies):
    @documented("Lista as empresas", answer=listed("companies", CompanyOut))
    def get(self, request: Request) -> Response:
        return self.list_all()

    @documented(
        "Cria uma empresa",
        body=CompanyIn,
        envelope="company",
        answer=one("company", CompanyOut),
        status=201,
    )
    def post(self, request: Request) -> Response:
        return self.create()


class CompanySearchView(_Companies):
    @documented(
        "Busca empresas pelo CNPJ",
        answer=listed("companies", CompanyOut),
        parameters=[query("cnpj", "Com ou sem pontuação", required=True)],
        refuses=[400],
    )
    def get(self, request: Request) -> Response:
        cnpj = normalise_document(self.parameter("cnpj"))
        found = self.parties().filter(document=cnpj).exclude(document="").order_by("name", "id")
        return Response({"companies": CompanyOut.show_all(found)})


class CompanyView(_Companies):
    @documented("Mostra uma empresa", answer=one("company", CompanyOut))
    def get(self, request: Request, id: int) -> Response:
        return self.show_one(id)

    @documented(
        "Altera uma empresa",
        body=CompanyIn,
        envelope="company",
        answer=one("company", CompanyOut),
    )
    def patch(self, request: Request, id: int) -> Response:
        return self.update(id)

    @documented("Apaga uma empresa sem contratos", status=204, refuses=[422])
    def delete(self, request: Request, id: int) -> Response:
        return self.remove(id)


class _People(_PartyView):
    kind = Party.Kind.PERSON
    envelope, plural = "person", "people"
    reads, shape = PersonIn, PersonOut


class PeopleView(_People):
    @documented("Lista as pessoas", answer=listed("people", PersonOut))
    def get(self, request: Request) -> Response:
        return self.list_all()

    @documented(
        "Cria uma pessoa",
        body=PersonIn,
        envelope="person",
        answer=one("person", PersonOut),
        status=201,
    )
    def post(self, request: Request) -> Response:
        return self.create()


class PersonSearchView(_People):
    @documented(
        "Busca pessoas pelo CPF",
        answer=listed("people", PersonOut),
        parameters=[query("cpf", "Com ou sem pontuação", required=True)],
        refuses=[400],
    )
    def get(self, request: Request) -> Response:
        cpf = normalise_document(self.parameter("cpf"))
        found = self.parties().filter(document=cpf).exclude(document="").order_by("name", "id")
        return Response({"people": PersonOut.show_all(found)})


class PersonView(_People):
    @documented("Mostra uma pessoa", answer=one("person", PersonOut))
    def get(self, request: Request, id: int) -> Response:
        return self.show_one(id)

    @documented(
        "Altera uma pessoa", body=PersonIn, envelope="person", answer=one("person", PersonOut)
    )
    def patch(self, request: Request, id: int) -> Response:
        return self.update(id)

    @documented("Apaga uma pessoa sem contratos", status=204, refuses=[422])
    def delete(self, request: Request, id: int) -> Response:
        return self.remove(id)


routes = [
    path("organizations", OrganizationsView.as_view()),
    path("organizations/search", OrganizationSearchView.as_view()),
    path("organizations/<id>", OrganizationView.as_view()),
    path("companies", CompaniesView.as_view()),
    path("companies/search", CompanySearchView.as_view()),
    path("companies/<id>", CompanyView.as_view()),
    path("people", PeopleView.as_view()),
    path("people/search", PersonSearchView.as_view()),
    path("people/<id>", PersonView.as_view()),
]
