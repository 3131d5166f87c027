"""E-mail, note and charge templates and bank accounts (billing-api §2.12, §2.14–2.16)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, OrganizationFactory
from support.moments import moment
from support.wire import api_of

from billing.models import ChargeTemplate, EmailTemplate, FinancialAccount, NfseTemplate
from billing.services.references import check_references
from lib.errors import NotFound

pytestmark = pytest.mark.django_db

LISTS = ("email_templates", "nfse_templates", "charge_templates", "financial_accounts")
SHOWN = ("charge_templates", "financial_accounts")
CREATED = moment("2025-02-01T20:48:07.614-03:00")


def make(resource: str, organization: Any, **fields: Any) -> Any:
    """A row of the resource with only what it cannot do without."""
    owned = {"account": organization.account, "organization": organization}
    if resource == "email_templates":
        return EmailTemplate.objects.create(
            **owned, **({"name": "Aviso", "subject": "Fatura", "body": "Prezado"} | fields)
        )
    if resource == "nfse_templates":
        return NfseTemplate.objects.create(**owned, **({"name": "Padrão"} | fields))
    if resource == "charge_templates":
        return ChargeTemplate.objects.create(**owned, **({"name": "Boleto"} | fields))
    n = FinancialAccount.objects.count() + 1
    usual = {"bank_code": "341", "bank_branch": "4321", "bank_account": f"{n:06d}"}
    return FinancialAccount.objects.create(**owned, **(usual | fields))


def stamped(row: Any) -> Any:
    """The row with the moments that the examples show."""
    moments = {n: CREATED for n in ("created_at", "updated_at") if hasattr(row, n)}
    type(row).objects.filter(pk=row.pk).update(**moments)
    return row


def address(organization: Any, resource: str, *more: object) -> str:
    return "/".join(map(str, ("organizations", organization.pk, resource, *more)))


# --- what is shown -------------------------------------------------------------------------------


def test_an_e_mail_template_shows_every_attribute(account, organization):
    row = stamped(make("email_templates", organization, sender="Ana <ana@exemplo.test>"))

    answer = api_of(account).get(address(organization, "email_templates"))

    assert answer.json() == {
        "email_templates": [
            {
                "id": row.pk,
                "company_id": organization.pk,
                "name": "Aviso",
                "cc": None,
                "from": "Ana <ana@exemplo.test>",
                "body": "Prezado",
                "subject": "Fatura",
                "description": None,
                "include_billet": True,
                "include_nfse_pdf": False,
                "include_nfse_xml": False,
                "include_attachments": False,
                "include_invoice_pdf": False,
                "default_template": False,
                "subscription_default_template": False,
                "created_at": "01/02/2025 20:48:07 -03:00",
            }
        ]
    }


def test_tags_are_shown_unexpanded(account, organization):
    make("email_templates", organization, subject="$PLANO", body="Vence em $DATAS_VENCIMENTO.")

    shown = api_of(account).get(address(organization, "email_templates")).json()

    (template,) = shown["email_templates"]
    assert (template["subject"], template["body"]) == ("$PLANO", "Vence em $DATAS_VENCIMENTO.")


def test_a_note_template_shows_rates_limits_and_withholdings(account, organization):
    row = stamped(
        make(
            "nfse_templates",
            organization,
            item_lista_servico="01.07",
            aliquota_iss=Decimal("2.9"),
            aliquota_pis=Decimal("0.65"),
            retencoes_destacadas_nota=["IR", "ISS"],
            limite_retencao_ir=Decimal("666.67"),
        )
    )

    answer = api_of(account).get(address(organization, "nfse_templates"))

    assert answer.json() == {
        "nfse_templates": [
            {
                "id": row.pk,
                "company_id": organization.pk,
                "name": "Padrão",
                "codigo_servico_municipal": None,
                "item_lista_servico": "01.07",
                "cnae": None,
                "servico_prestado_municipio_cliente": False,
                "iss_retido_fonte": False,
                "aliquota_iss": "2.9",
                "aliquota_ir": None,
                "aliquota_pis": "0.65",
                "aliquota_cofins": None,
                "aliquota_csll": None,
                "aliquota_inss": None,
                "aliquota_iss_retido": None,
                "retencoes_destacadas_nota": ["IR", "ISS"],
                "percentual_carga_tributaria": "0.0",
                "fonte_carga_tributaria": None,
                "limite_retencao_ir": "666.67",
                "limite_retencao_pcc": "0.0",
                "limite_retencao_inss": "0.0",
                "limite_retencao_iss": "0.0",
                "created_at": "2025-02-01T20:48:07.614-03:00",
                "updated_at": "2025-02-01T20:48:07.614-03:00",
                "external_service_id": None,
                "external_service_description": None,
            }
        ]
    }


def test_a_charge_template_is_the_same_alone_and_in_the_list(account, organization):
    bank = make("financial_accounts", organization)
    row = stamped(
        make(
            "charge_templates",
            organization,
            financial_account=bank,
            charging_account_id=UUID("52bbbbbb-51ee-41dd-af55-cd0000000001"),
        )
    )
    api = api_of(account)

    alone = api.get(address(organization, "charge_templates", row.pk)).json()
    listed = api.get(address(organization, "charge_templates")).json()

    # LATE-2: without other terms, 2% and 1% a month.
    expected = {
        "id": row.pk,
        "name": "Boleto",
        "interest_value": "1.0",
        "fine_value": "2.0",
        "instructions": None,
        "organization_id": organization.pk,
        "financial_account_id": bank.pk,
        "charging_account_id": "52bbbbbb-51ee-41dd-af55-cd0000000001",
        "payment_method": "boleto",
        "fine_type": "percentage",
        "interest_type": "percentage",
        "created_at": "2025-02-01T20:48:07.614-03:00",
        "updated_at": "2025-02-01T20:48:07.614-03:00",
    }
    assert alone == {"charge_template": expected}
    assert listed == {"charge_templates": [expected]}


def test_a_bank_account_is_the_same_alone_and_in_the_list(account, organization):
    row = stamped(
        make(
            "financial_accounts",
            organization,
            payout_bank_code="001",
            payout_bank_branch="1234",
            payout_bank_account="222333-X",
            payment_methods=["boleto"],
            accept_fixed_fine=True,
        )
    )
    api = api_of(account)

    alone = api.get(address(organization, "financial_accounts", row.pk)).json()
    listed = api.get(address(organization, "financial_accounts")).json()

    expected = {
        "id": row.pk,
        "status": "processing",
        "bank_code": "341",
        "bank_branch": "4321",
        "bank_account": "000001",
        "organization_id": organization.pk,
        "payout_bank_code": "001",
        "payout_bank_branch": "1234",
        "payout_bank_account": "222333-X",
        "payment_methods": ["boleto"],
        "accept_fixed_fine": True,
        "created_at": "2025-02-01T20:48:07.614-03:00",
        "updated_at": "2025-02-01T20:48:07.614-03:00",
    }
    assert alone == {"financial_account": expected}
    assert listed == {"financial_accounts": [expected]}


def test_an_amount_keeps_the_decimals_it_has(account, organization):
    make("charge_templates", organization, fine_type="fixed", fine_value=Decimal("10.5"),
         interest_type="fixed", interest_value=Decimal("0.0333"))  # fmt: skip

    shown = api_of(account).get(address(organization, "charge_templates")).json()

    (template,) = shown["charge_templates"]
    assert (template["fine_value"], template["interest_value"]) == ("10.5", "0.0333")


@pytest.mark.parametrize("resource", LISTS[:3])
def test_lists_are_in_the_order_of_names(account, organization, resource):
    names = ["Boleto B", "Boleto A", "Boleto A"]
    rows = [make(resource, organization, name=name) for name in names]

    shown = api_of(account).get(address(organization, resource)).json()[resource]

    assert [one["id"] for one in shown] == [rows[1].pk, rows[2].pk, rows[0].pk]


@pytest.mark.parametrize("resource", LISTS)
def test_an_organization_without_any_has_an_empty_list(account, organization, resource):
    answer = api_of(account).get(address(organization, resource))

    assert (answer.status_code, answer.json()) == (200, {resource: []})


@pytest.mark.parametrize("resource", LISTS)
def test_a_list_asks_the_same_whatever_its_length(account, organization, resource):
    api = api_of(account)
    make(resource, organization)
    api.get(address(organization, resource))

    with CaptureQueriesContext(connection) as one:
        api.get(address(organization, resource))
    for _ in range(5):
        make(resource, organization)
    with CaptureQueriesContext(connection) as six:
        answer = api.get(address(organization, resource))

    assert len(answer.json()[resource]) == 6
    assert len(six) == len(one)


# --- whose it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", LISTS)
def test_only_the_organization_s_own_rows_are_listed(account, organization, resource):
    mine = make(resource, organization)
    make(resource, OrganizationFactory(account=account))

    shown = api_of(account).get(address(organization, resource)).json()[resource]

    assert [one["id"] for one in shown] == [mine.pk]


@pytest.mark.parametrize("resource", LISTS)
def test_what_is_no_organization_of_the_account_is_not_found(account, other_account, resource):
    foreign = OrganizationFactory(account=other_account)
    make(resource, foreign)
    company = CompanyFactory(account=account)
    api = api_of(account)

    paths = [address(foreign, resource), address(company, resource)]
    paths += [f"organizations/{pk}/{resource}" for pk in (0, 9**18, "99999999999999999999", "abc")]

    answers = [api.get(path) for path in paths]
    assert [(a.status_code, a.content) for a in answers] == [(404, b"")] * len(paths)


@pytest.mark.parametrize("resource", SHOWN)
def test_a_row_is_found_only_below_its_organization(account, organization, other_account, resource):
    mine = make(resource, organization)
    sister = OrganizationFactory(account=account)
    foreign = OrganizationFactory(account=other_account)
    theirs = make(resource, foreign)
    api = api_of(account)

    found = api.get(address(organization, resource, mine.pk))
    paths = [
        address(sister, resource, mine.pk),
        address(organization, resource, theirs.pk),
        address(foreign, resource, theirs.pk),
        address(organization, resource, 0),
        address(organization, resource, "abc"),
        address(organization, resource, "99999999999999999999"),
    ]

    assert found.status_code == 200
    answers = [api.get(path) for path in paths]
    assert [(a.status_code, a.content) for a in answers] == [(404, b"")] * len(paths)


@pytest.mark.parametrize("resource", LISTS)
def test_nobody_writes_through_the_api(account, organization, resource):
    row = make(resource, organization)
    api = api_of(account)
    before = list(type(row).objects.values())

    answers = [
        api.post(address(organization, resource), {"name": "Outro"}),
        api.patch(address(organization, resource), {"name": "Outro"}),
        api.delete(address(organization, resource)),
    ]
    if resource in SHOWN:
        answers += [
            api.patch(address(organization, resource, row.pk), {"name": "Outro"}),
            api.call("PUT", address(organization, resource, row.pk), {"name": "Outro"}),
            api.delete(address(organization, resource, row.pk)),
        ]

    assert {answer.status_code for answer in answers} == {405}
    assert answers[0].json() == {"errors": "Método não permitido neste endereço."}
    assert list(type(row).objects.values()) == before


@pytest.mark.parametrize("resource", LISTS)
def test_without_a_token_nothing_is_told(account, organization, resource):
    api = api_of(account)
    api.token = ""

    answer = api.get(address(organization, resource))

    assert (answer.status_code, answer.content) == (401, b"")


# --- what bodies may refer to --------------------------------------------------------------------


def references(organization: Any) -> dict[str, Any]:
    return {
        "nfse_template_id": make("nfse_templates", organization).pk,
        "payment_information": {
            "financial_charge_template_id": make("charge_templates", organization).pk,
            "financial_account_id": make("financial_accounts", organization).pk,
        },
    }


def test_references_to_the_account_s_own_rows_are_right(account, organization):
    values = references(organization)

    with CaptureQueriesContext(connection) as captured:
        check_references(account, values)

    assert len(captured) == 3


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"nfse_template_id": None, "payment_information": None},
        {"payment_information": {}},
        {"payment_information": {"financial_account_id": None}},
        {"automatic_email_template_id": 0, "notification_ruler_id": 999},
    ],
    ids=str,
)
def test_what_refers_to_nothing_is_not_looked_up(account, values):
    with CaptureQueriesContext(connection) as captured:
        check_references(account, values)

    assert len(captured) == 0


@pytest.mark.parametrize("pk", [-1, 0, 2**63 - 1])
def test_an_id_that_no_row_has_is_not_found(account, organization, pk):
    good = references(organization)
    payment = good["payment_information"]
    bodies = [
        {**good, "nfse_template_id": pk},
        {**good, "payment_information": {**payment, "financial_charge_template_id": pk}},
        {**good, "payment_information": {**payment, "financial_account_id": pk}},
    ]

    for values in bodies:
        with pytest.raises(NotFound):
            check_references(account, values)


def test_the_rows_of_another_account_are_not_found(account, organization, other_account):
    good = references(organization)
    foreign = references(OrganizationFactory(account=other_account))
    payment = foreign["payment_information"]

    for values in (
        {**good, "nfse_template_id": foreign["nfse_template_id"]},
        {"payment_information": {"financial_account_id": payment["financial_account_id"]}},
        {
            "payment_information": {
                "financial_charge_template_id": payment["financial_charge_template_id"]
            }
        },
    ):
        with pytest.raises(NotFound):
            check_references(account, values)
