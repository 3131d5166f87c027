"""Parties frozen as documents print them, and the pinned template."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from factories import CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice, in_threads

from billing.models import DocumentTemplate, DocumentTemplateVersion, Party, PartySnapshot
from billing.selectors.templates import default_template_versions, version_for
from billing.services.snapshots import party_data, snapshots_for

AT = datetime(2026, 8, 12, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_customer_is_frozen_with_everything_a_document_prints(account):
    customer = CompanyFactory(
        account=account,
        name="Padaria Aurora",
        company_name="Padaria Aurora Ltda",
        document="12ABC34501DE35",
        email="contas@aurora.test",
        phone="1130001000",
    )

    ids = snapshots_for([customer], at=AT)

    assert PartySnapshot.objects.get(pk=ids[customer.pk]).data == {
        "kind": "company",
        "name": "Padaria Aurora",
        "company_name": "Padaria Aurora Ltda",
        "document": "12ABC34501DE35",
        "state_inscription": "",
        "city_inscription": "",
        "address": "Rua das Flores",
        "number": "100",
        "complement": "",
        "district": "Centro",
        "zipcode": "01001000",
        "city": "São Paulo",
        "state": "SP",
        "ibge_code": "",
        "country": "Brasil",
        "phone": "1130001000",
        "email": "contas@aurora.test",
        "language": "pt-BR",
    }


@pytest.mark.django_db
def test_an_organization_is_frozen_with_its_look_and_the_hash_of_its_logo(account):
    organization = OrganizationFactory(
        account=account,
        profile__logo=b"\x89PNG",
        profile__logo_type="image/png",
        profile__color_primary="#112233",
        profile__invoice_notes="Obrigado.",
    )

    data = party_data(organization)

    assert data["logo_sha256"] == hashlib.sha256(b"\x89PNG").hexdigest()
    assert data["logo_type"] == "image/png"
    assert data["color_primary"] == "#112233"
    assert data["invoice_notes"] == "Obrigado."
    assert json.loads(json.dumps(data)) == data


@pytest.mark.django_db
def test_equal_data_shares_a_snapshot_and_changed_data_gets_another(account, customer):
    first = snapshots_for([customer], at=AT)[customer.pk]
    again = snapshots_for([customer], at=AT)[customer.pk]
    customer.address = "Avenida Paulista"
    customer.save()
    moved = snapshots_for([customer], at=AT)[customer.pk]

    assert again == first
    assert moved != first
    assert PartySnapshot.objects.get(pk=first).data["address"] == "Rua das Flores"
    assert PartySnapshot.objects.count() == 2


@pytest.mark.django_db
def test_a_comment_that_no_document_prints_makes_no_new_snapshot(customer):
    first = snapshots_for([customer], at=AT)
    customer.comments = "ligar só à tarde"
    customer.save()

    assert snapshots_for([customer], at=AT) == first


@pytest.mark.django_db
@pytest.mark.parametrize("n", [1, 60])
def test_freezing_many_parties_takes_four_queries_then_one(account, n, django_assert_num_queries):
    OrganizationFactory(account=account)
    CompanyFactory.create_batch(n, account=account)
    parties = list(Party.objects.of(account))

    with django_assert_num_queries(4):  # profiles, existing ones, insert, read again
        first = snapshots_for(parties, at=AT)
    with django_assert_num_queries(1):
        again = snapshots_for(parties, at=AT)

    assert len(first) == n + 1
    assert again == first


@pytest.mark.django_db(transaction=True)
def test_emissions_that_freeze_the_same_party_at_once_share_one_row(customer):
    answers = in_threads([lambda: snapshots_for([customer], at=AT)] * 8)

    [snapshot] = PartySnapshot.objects.all()
    assert answers == [{customer.pk: snapshot.pk}] * 8


def template(organization, language, *, is_default=True, active=True):
    """A template with one version; answers the version."""
    row = DocumentTemplate.objects.create(
        account=organization.account,
        organization=organization,
        name=f"Modelo {language} {is_default}",
        language=language,
        is_default=is_default,
    )
    version = DocumentTemplateVersion.objects.create(
        template=row, number=1, html="<p></p>", sha256="0" * 64, created_at=AT
    )
    if active:
        row.active_version = version
        row.save()
    return version


@pytest.mark.django_db
def test_default_templates_of_many_organizations_come_in_one_query(
    account, django_assert_num_queries
):
    with_two, with_none = OrganizationFactory.create_batch(2, account=account)
    portuguese = template(with_two, "pt-BR")
    english = template(with_two, "en")
    template(with_none, "pt-BR", active=False)
    template(with_none, "en", is_default=False)

    with django_assert_num_queries(1):
        found = default_template_versions([with_two.pk, with_none.pk])

    assert found == {with_two.pk: {"pt-BR": portuguese.pk, "en": english.pk}}


@pytest.mark.parametrize(
    ("versions", "language", "chosen"),
    [
        ({"pt-BR": 1, "en": 2}, "en", 2),
        ({"pt-BR": 1, "en": 2}, "es", 1),
        ({"en": 2}, "pt-BR", 2),
        ({}, "pt-BR", None),
    ],
)
def test_tpl_3_the_customers_language_wins_then_portuguese(versions, language, chosen):
    assert version_for(versions, language) == chosen


@pytest.mark.django_db
def test_tpl_3_emission_pins_the_template_version(organization, account):
    english = template(organization, "en")
    template(organization, "pt-BR")
    customer = CompanyFactory(account=account, language="en")

    invoice = emitted_invoice(organization, customer)

    assert invoice.template_version_id == english.pk


@pytest.mark.django_db
def test_an_invoice_is_emitted_without_any_template(organization, customer):
    assert emitted_invoice(organization, customer).template_version_id is None
