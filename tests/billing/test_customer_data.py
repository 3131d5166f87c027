"""Customers keep their own registration (P15)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories import CompanyFactory, OrganizationFactory, PersonFactory, cnpj, cpf
from support.postal_codes import running

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from billing.models import Contact, EmailMessage, Nfse, Party
from billing.selectors.addresses import address_of
from billing.services.customer_data import (
    DataChanged,
    changes,
    data_of,
    faults_of,
    save_data,
    version_of,
)
from billing.services.emails.recipients import recipients_of
from lib import clock
from lib.errors import GatewayUnavailable, InvalidInput

pytestmark = pytest.mark.django_db

ACTOR = Actor("customer", 1, "titular@exemplo.test")


@pytest.fixture
def customer(account):
    return CompanyFactory(
        account=account,
        name="Padaria",
        company_name="Padaria Aurora Ltda",
        billing_contacts="a@exemplo.test, b@exemplo.test",
        ibge_code="3550308",
    )


def save(customer, *, seen=None, **changed):
    return save_data(
        replace(data_of(customer), **changed),
        account=customer.account,
        customer=customer,
        seen=version_of(customer) if seen is None else seen,
        actor=ACTOR,
    )


def test_a_change_is_written_with_its_difference(customer):
    found = save(
        customer,
        name="Aurora Pães Ltda",
        trade_name="",
        document="A1B2C3D41A2B62",
        zipcode="20040002",
        city="rio de janeiro",
        state="RJ",
        phone="21912345678",
        state_inscription="ISENTO",
    )

    mine = Party.objects.get(pk=customer.pk)
    assert (mine.name, mine.company_name, mine.fold) == (
        "Aurora Pães Ltda", "Aurora Pães Ltda", "aurora paes ltda",
    )  # fmt: skip
    assert (mine.document, mine.ibge_code) == ("A1B2C3D41A2B62", "3304557")
    shown = {one.label: (one.before, one.after) for one in found}
    assert shown["CEP"] == ("01001-000", "20040-002")
    assert shown["CNPJ/CPF"][1] == "A1.B2C.3D4/1A2B-62"
    assert shown["Nome fantasia"] == ("Padaria", "")
    event = AuditEvent.objects.get(action="cadastro.alterado")
    assert event.before["trade_name"] == "Padaria"
    assert event.after["document"] == "A1B2C3D41A2B62"
    assert "address" not in event.after
    assert not EmailMessage.objects.exists()
    assert save(mine) == []
    assert AuditEvent.objects.filter(action="cadastro.alterado").count() == 1


def test_a_person_has_no_trade_name(account):
    person = PersonFactory(account=account, name="Eva")

    save(person, name="Eva Martins")
    mine = Party.objects.get(pk=person.pk)
    assert (mine.name, mine.company_name, data_of(mine).trade_name) == ("Eva Martins", "", "")

    save(mine, kind="company", name="Eva ME", trade_name="Eva", document=cnpj(77))
    mine = Party.objects.get(pk=person.pk)
    assert (mine.kind, mine.name, mine.company_name) == ("company", "Eva", "Eva ME")


def test_former_billing_addresses_are_told_and_get_no_more_invoices(account, customer):
    Contact.objects.create(
        account=account, party=customer, name="Ana", email="A@exemplo.test", is_billing=True
    )
    Contact.objects.create(
        account=account, party=customer, name="Bia", email="bia@exemplo.test", is_billing=True
    )
    before = data_of(customer).emails
    assert before == ("A@exemplo.test", "bia@exemplo.test", "b@exemplo.test")

    save(customer, emails=("a@exemplo.test", "novo@exemplo.test"))

    mine = Party.objects.get(pk=customer.pk)
    assert sorted(one.address.lower() for one in recipients_of(mine)) == [
        "a@exemplo.test", "novo@exemplo.test",
    ]  # fmt: skip
    told = EmailMessage.objects.order_by("pk")
    assert [one.recipient for one in told] == list(before)
    assert "novo@exemplo.test" in told[0].body
    assert "titular@exemplo.test" in told[0].body


def test_every_fault_is_told_at_once_and_nothing_is_written(account, customer):
    other = CompanyFactory(account=account)
    person = PersonFactory(account=account)
    OrganizationFactory(account=account, document=cnpj(4321))

    def faults(**changed):
        found = faults_of(customer, replace(data_of(customer), **changed))
        return {one.campo: one.mensagem for one in found}

    assert faults() == {}
    assert faults(document=cnpj(4321)) == {}  # who bills may be a customer, too
    taken = "já está cadastrado. Fale com o suporte."
    assert faults(document=other.document) == {"document": f"Este CNPJ {taken}"}
    assert faults(kind="person", document=person.document) == {"document": f"Este CPF {taken}"}
    assert faults(document="A1B2C3D41A2B63", city="Sao Pauli") == {
        "document": "CNPJ inválido. Confira os 14 caracteres; letras são aceitas nas 12 primeiras"
        " posições.",
        "city": "Município não encontrado em SP. Confira o nome; você quis dizer São Paulo?",
    }
    assert faults(kind="person", document=cpf(5)[:10] + "x") == {
        "document": "CPF inválido. Confira os 11 números."
    }
    assert faults(city="Xyz") == {"city": "Município não encontrado em SP. Confira o nome."}
    with pytest.raises(InvalidInput) as refused:
        save(customer, document=other.document, city="Xyz")
    assert [one.campo for one in refused.value.erros] == ["document", "city"]
    assert Party.objects.get(pk=customer.pk).city == "São Paulo"
    assert not AuditEvent.objects.filter(action="cadastro.alterado").exists()


def test_with_a_fiscal_document_the_document_is_locked_and_the_rest_is_not(
    account, organization, customer
):
    Nfse.objects.create(
        account=account,
        organization=organization,
        customer=customer,
        customer_type=Nfse.CustomerType.COMPANY,
        nfse_number="501",
        generated_at=clock.now(),
    )

    for changed in ({"document": cnpj(9)}, {"kind": "person", "document": cpf(9)}):
        (fault,) = faults_of(customer, replace(data_of(customer), **changed))
        assert fault.mensagem == "Para trocar o CNPJ, abra uma solicitação."
    save(customer, complement="sala 2")
    assert Party.objects.get(pk=customer.pk).complement == "sala 2"


def test_a_page_that_is_out_of_date_changes_nothing(customer):
    seen = version_of(customer)
    save(customer, complement="sala 2")

    with pytest.raises(DataChanged):
        save(customer, seen=seen, complement="sala 3")

    assert Party.objects.get(pk=customer.pk).complement == "sala 2"


def test_an_address_abroad_needs_no_municipality_of_ours(account):
    customer = CompanyFactory(account=account, country="Portugal", city="Lisboa", state="")

    assert faults_of(customer, data_of(customer)) == []
    save(customer, city="Porto")

    mine = Party.objects.get(pk=customer.pk)
    assert mine.city == "Porto"
    assert changes(data_of(mine), data_of(mine)) == []


def test_an_address_comes_from_the_service_that_is_set(settings):
    with running() as service:
        settings.CEP_URL = service.url
        found = address_of("01001000")
        assert found is not None
        assert (found.street, found.state) == ("Praça da Sé", "SP")
        assert address_of("99999999") is None
    settings.CEP_URL = ""
    with pytest.raises(GatewayUnavailable):
        address_of("01001000")
