"""Contracts through HTTP (billing-api §2.5, §3.4, §6.8)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import (
    CompanyFactory,
    ContractFactory,
    OrganizationFactory,
    PersonFactory,
    RuleFactory,
    TransactionFactory,
)
from support.invoices import TODAY, emitted_invoice, in_threads, new_invoice
from support.wire import api_of

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    Attachment,
    Contract,
    DocumentTemplate,
    Invoice,
    InvoiceLine,
    InvoiceRule,
    Nfse,
    NumberSeries,
    OrganizationProfile,
    Party,
    Plan,
    Receivable,
    Transaction,
)
from billing.selectors.invariants import violations
from billing.services.agreements import ContractInUse, create_contract, delete_contract
from billing.services.contracts import cancel_contract
from billing.services.invoices import cancel_invoice, emit_invoice, undo_emission, void_invoice
from billing.services.materialise import materialise
from billing.services.receivables import receive
from lib.errors import InvalidInput, NotFound

pytestmark = pytest.mark.django_db

BLANK = "não pode ficar em branco"
NOT_LISTED = "não está incluído na lista"
TAKEN = "Já existe um contrato com este nome nesta conta."
SUPPLIER = "O fornecedor deve ser uma organização."
CUSTOMER = "O cliente deve ser uma organização."
SETTLED = "não pode mudar, pois já há faturamentos emitidos"
IN_USE = {
    "errors": {
        "base": ["Não foi possível apagar este contrato, pois há faturamentos associados ao mesmo."]
    }
}


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def contract(organization, customer):
    return ContractFactory(
        account=organization.account, organization=organization, party=customer, name="Suporte"
    )


def body_of(organization, customer, **fields):
    given = {
        "name": "Suporte 1",
        "title": "Suporte",
        "customer_id": customer.pk,
        "customer_type": "Person" if customer.kind == "person" else "Company",
        "supplier_id": organization.pk,
        "supplier_type": "Company",
    }
    return given | fields


def billed(contract, **fields):
    """An emitted invoice of the contract, R$ 100,00 due on 20/08/2026."""
    return emitted_invoice(contract.organization, contract.party, contract_id=contract.pk, **fields)


def planned(contract, **fields):
    return new_invoice(contract.organization, contract.party, contract_id=contract.pk, **fields)


def scheduled(contract, *, until=date(2026, 6, 30)):
    """A monthly rule from January 2026 with its invoices."""
    rule = RuleFactory(contract=contract)
    materialise(contract.account, rule_ids=[rule.pk], limit=until)


def show(api, contract):
    path = f"organizations/{contract.organization_id}/contracts/{contract.pk}"
    return api.get(path).json()["contract"]


def names(answer):
    assert answer.status_code == 200
    return [shown["name"] for shown in answer.json()["contracts"]]


def assert_missing(*answers):
    for answer in answers:
        assert (answer.status_code, answer.content) == (404, b"")


# --- create ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: {"contract": body}])
def test_a_contract_is_created_with_everything_sent(api, organization, customer, wrap):
    body = body_of(
        organization,
        customer,
        customer_id=str(customer.pk),
        description="",
        comments="Prioritário",
        init_date="01-03-2026",
        end_date="2027-02-28",
        cobrato_payment_gateway_charge_config_id="128",
        cobrato_payment_gateway_charge_config_name="Cartão",
        overdue_automatic_management="true",
    )

    answer = api.post("contracts", wrap(body))

    assert answer.status_code == 201
    contract = Contract.objects.get()
    shown = dict(answer.json()["contract"])
    assert len(shown.pop("created_at")) == len("12/02/2025 13:34:29 -03:00")
    assert shown == {
        "id": contract.pk,
        "name": "Suporte 1",
        "title": "Suporte",
        "token": contract.token,
        "description": "",
        "customer_id": customer.pk,
        "customer_type": "Company",
        "supplier_id": organization.pk,
        "supplier_type": "Company",
        "state": "active",
        "comments": "Prioritário",
        "init_date": "01/03/2026",
        "end_date": "28/02/2027",
        "kind": "sale",
        "overdue": False,
        "valid_until": None,
        "status": "established",
        "registration_method": "regular",
        "cobrato_payment_gateway_charge_config_id": 128,
        "cobrato_payment_gateway_charge_config_name": "Cartão",
        "cancel_date": None,
        "cancel_reason": None,
        "overdue_automatic_management": True,
        "plan": None,
    }
    assert len(contract.token) == 32
    assert show(api, contract) == answer.json()["contract"]
    assert AuditEvent.objects.filter(action="contrato.criado", object_id=contract.pk).count() == 1


@pytest.mark.parametrize("kind", [None, ""])
def test_a_contract_without_kind_is_a_sale(api, organization, customer, kind):
    answer = api.post("contracts", body_of(organization, customer, kind=kind))

    assert answer.json()["contract"]["kind"] == "sale"


def test_in_a_purchase_the_customer_is_the_organization(api, organization):
    supplier = PersonFactory(account=organization.account)
    body = body_of(organization, supplier, kind="purchase")
    swapped = {
        "customer_id": organization.pk,
        "customer_type": "Company",
        "supplier_id": supplier.pk,
        "supplier_type": "Person",
    }

    shown = api.post("contracts", body | swapped).json()["contract"]

    assert {key: shown[key] for key in swapped} == swapped
    contract = Contract.objects.get()
    assert (contract.organization, contract.party) == (organization, supplier)


def test_an_organization_may_also_be_a_customer(api, organization):
    other = OrganizationFactory(account=organization.account)

    shown = api.post("contracts", body_of(organization, other)).json()["contract"]

    assert (shown["customer_id"], shown["customer_type"]) == (other.pk, "Company")


def test_protected_attributes_are_ignored(api, organization, customer, other_account):
    body = body_of(
        organization,
        customer,
        id=1,
        token="0" * 32,
        account_id=other_account.pk,
        state="inactive",
        status="cancelled",
        overdue=True,
        valid_until="01/01/2030",
        registration_method="subscription",
        cancel_date="01/01/2020",
        plan_id=1,
        integration={"x": 1},
        minimum_term_fine="10",
    )

    shown = api.post("contracts", body).json()["contract"]

    contract = Contract.objects.get()
    assert contract.account_id == organization.account_id
    assert contract.integration == {}
    assert contract.minimum_term_fine is None
    assert shown["token"] == contract.token != "0" * 32
    assert (shown["state"], shown["status"], shown["cancel_date"]) == (
        "active",
        "established",
        None,
    )
    assert (shown["overdue"], shown["valid_until"]) == (False, None)
    assert shown["registration_method"] == "regular"


def test_the_first_contract_makes_its_organization_ready_to_bill(api, account, customer):
    organization = Party.objects.create(
        account=account, kind="organization", name="Nova", document="11222333000181"
    )

    api.post("contracts", body_of(organization, customer))
    api.post("contracts", body_of(organization, customer, name="Suporte 2"))

    assert OrganizationProfile.objects.filter(party=organization).count() == 1
    assert NumberSeries.objects.filter(organization=organization).count() == 1
    templates = DocumentTemplate.objects.filter(organization=organization)
    assert templates.count() == 2
    assert Contract.objects.count() == 2


def test_every_missing_attribute_is_told(api, account):
    answer = api.post("contracts", {})

    keys = ["name", "title", "customer_id", "customer_type", "supplier_id", "supplier_type"]
    assert answer.status_code == 422
    assert answer.json() == {"errors": {key: [BLANK] for key in keys}}
    assert not Contract.objects.exists()
    assert not AuditEvent.objects.filter(object_type="contract").exists()


def test_all_faults_are_told_at_once(api, contract):
    person = PersonFactory(account=contract.account)
    body = body_of(person, contract.party, name="Suporte", title=" ", comments=["x"])

    answer = api.post("contracts", body | {"supplier_type": "Person"})

    assert answer.json() == {
        "errors": {
            "title": [BLANK],
            "comments": ["inválido"],
            "name": [TAKEN],
            "supplier_id": [SUPPLIER],
        }
    }
    assert Contract.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"kind": "gift"}, {"kind": [NOT_LISTED]}),
        ({"kind": ["sale"]}, {"kind": [NOT_LISTED]}),
        ({"name": {"a": "b"}}, {"name": ["inválido"]}),
        ({"name": "a\x00"}, {"name": ["inválido"]}),
        ({"title": "t" * 201}, {"title": ["é muito longo (máximo: 200 caracteres)"]}),
        ({"title": None}, {"title": [BLANK]}),
        ({"customer_id": ""}, {"customer_id": [BLANK]}),
        ({"customer_id": None}, {"customer_id": [BLANK]}),
        ({"customer_type": "Organization"}, {"customer_type": [NOT_LISTED]}),
        ({"supplier_type": None}, {"supplier_type": [BLANK]}),
        (
            {"description": "d" * 65_536},
            {"description": ["é muito longo (máximo: 65535 caracteres)"]},
        ),
        (
            {"overdue_automatic_management": "talvez"},
            {"overdue_automatic_management": ["inválido"]},
        ),
        (
            {"cobrato_payment_gateway_charge_config_name": [1]},
            {"cobrato_payment_gateway_charge_config_name": ["inválido"]},
        ),
        ({"kind": "purchase"}, {"customer_id": [CUSTOMER]}),
    ],
)
def test_a_wrong_attribute_is_told_and_nothing_written(api, organization, customer, fields, errors):
    answer = api.post("contracts", body_of(organization, customer, **fields))

    assert answer.status_code == 422
    assert answer.json() == {"errors": errors}
    assert not Contract.objects.exists()


def test_half_a_character_is_refused(api, organization, customer):
    raw = f'{{"name": "\\ud800", "title": "a", "customer_id": {customer.pk}, '
    raw += f'"customer_type": "Company", "supplier_id": {organization.pk}, '
    raw += '"supplier_type": "Company"}'

    assert api.post("contracts", raw).json() == {"errors": {"name": ["inválido"]}}


def test_a_date_that_is_none_counts_as_not_sent(api, organization, customer):
    body = body_of(organization, customer, init_date="amanhã", end_date=["01/01/2026"])

    shown = api.post("contracts", body).json()["contract"]

    assert (shown["init_date"], shown["end_date"]) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"customer_id": 999_999},
        {"customer_id": -1},
        {"customer_id": "abc"},
        {"customer_id": [1]},
        {"customer_id": 10**30},
        {"supplier_id": 999_999},
        {"customer_type": "Person"},
        {"supplier_type": "Person"},
    ],
)
def test_an_unknown_party_is_404_even_with_other_faults(api, organization, customer, fields):
    body = body_of(organization, customer, name="", **fields)

    assert_missing(api.post("contracts", body))
    assert not Contract.objects.exists()


def test_parties_of_another_account_are_unknown(api, organization, customer, other_account):
    theirs = CompanyFactory(account=other_account)
    their_organization = OrganizationFactory(account=other_account)

    assert_missing(
        api.post("contracts", body_of(organization, theirs)),
        api.post("contracts", body_of(their_organization, customer)),
    )
    assert not Contract.objects.exists()


def test_names_are_unique_in_the_account_only(api, organization, customer, other_account):
    ContractFactory(account=other_account, name="Suporte 1")

    assert api.post("contracts", body_of(organization, customer)).status_code == 201
    again = api.post("contracts", body_of(organization, customer))
    assert (again.status_code, again.json()) == (422, {"errors": {"name": [TAKEN]}})
    assert Contract.objects.of(organization.account).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_contracts_with_one_name_at_once_one_is_refused(organization, customer):
    values = body_of(organization, customer)

    def create():
        return create_contract(values, account=organization.account, actor=SYSTEM)

    answers = in_threads([create, create, create])

    refusals = [a for a in answers if isinstance(a, InvalidInput)]
    assert [[(e.campo, e.mensagem) for e in r.erros] for r in refusals] == [[("name", TAKEN)]] * 2
    assert Contract.objects.count() == 1
    assert DocumentTemplate.objects.filter(organization=organization).count() == 2


# --- read --------------------------------------------------------------------------------------


def test_the_list_has_active_contracts_of_both_sides_by_id(api, contract, organization, account):
    bought = ContractFactory(
        account=account, organization=organization, party=contract.party, kind="purchase", name="B"
    )
    as_customer = ContractFactory(account=account, party=organization, name="A")
    ended = ContractFactory(account=account, organization=organization, end_date=date(2000, 1, 1))
    cancelled = ContractFactory(account=account, organization=organization)
    cancel_contract(cancelled.pk, account=account, actor=SYSTEM)
    ContractFactory(account=account)

    listed = names(api.get(f"organizations/{organization.pk}/contracts"))

    assert listed == ["Suporte", bought.name, as_customer.name, ended.name]


def test_an_organization_without_contracts_lists_none(api, organization):
    answer = api.get(f"organizations/{organization.pk}/contracts")

    assert answer.json() == {"contracts": []}


def test_the_list_takes_the_same_queries_for_any_number(
    api, organization, account, django_assert_num_queries
):
    plan = Plan.objects.create(account=account, organization=organization, name="P")

    def more():
        ContractFactory(account=account, organization=organization)
        ContractFactory(
            account=account,
            organization=organization,
            registration_method="subscription",
            plan=plan,
        )

    more()
    api.get(f"organizations/{organization.pk}/contracts")
    with django_assert_num_queries(4):  # token, organization, contracts, products of plans
        api.get(f"organizations/{organization.pk}/contracts")
    more()
    more()
    with django_assert_num_queries(4):
        answer = api.get(f"organizations/{organization.pk}/contracts")
    assert len(answer.json()["contracts"]) == 6


def test_the_list_needs_an_organization_of_the_account(api, customer, other_account):
    theirs = OrganizationFactory(account=other_account)

    assert_missing(
        api.get("organizations/999999/contracts"),
        api.get("organizations/abc/contracts"),
        api.get(f"organizations/{customer.pk}/contracts"),
        api.get(f"organizations/{theirs.pk}/contracts"),
    )


def test_a_contract_is_shown_under_its_own_organization_only(api, contract, account, other_account):
    other = OrganizationFactory(account=account)
    theirs = ContractFactory(account=other_account)
    mine = contract.organization_id

    assert_missing(
        api.get(f"organizations/{other.pk}/contracts/{contract.pk}"),
        api.get(f"organizations/{mine}/contracts/{theirs.pk}"),
        api.get(f"organizations/{theirs.organization_id}/contracts/{theirs.pk}"),
        api.get(f"organizations/{mine}/contracts/{'9' * 30}"),
    )
    assert show(api, contract)["id"] == contract.pk


def test_a_cancelled_regular_contract_is_inactive_and_still_established(api, contract):
    cancel_contract(
        contract.pk, account=contract.account, on=date(2026, 8, 1), reason="Preço", actor=SYSTEM
    )

    shown = show(api, contract)

    assert {key: shown[key] for key in ("state", "status", "cancel_date", "cancel_reason")} == {
        "state": "inactive",
        "status": "established",
        "cancel_date": "01/08/2026",
        "cancel_reason": "Preço",
    }


def test_a_cancelled_subscription_shows_so(api, account, organization):
    plan = Plan.objects.create(account=account, organization=organization, name="P", price=100)
    subscription = ContractFactory(
        account=account,
        organization=organization,
        registration_method="subscription",
        plan=plan,
    )
    cancel_contract(subscription.pk, account=account, actor=SYSTEM)

    shown = show(api, subscription)

    assert (shown["state"], shown["status"]) == ("inactive", "cancelled")
    assert (shown["plan"]["id"], shown["plan"]["price"]) == (plan.pk, "100.0")


def test_a_regular_contract_shows_no_plan(api, contract, account):
    plan = Plan.objects.create(account=account, organization=contract.organization, name="P")
    Contract.objects.update(plan=plan)

    assert show(api, contract)["plan"] is None


# --- overdue -----------------------------------------------------------------------------------


def lateness(api, contract):
    shown = show(api, contract)
    return shown["overdue"], shown["valid_until"]


def test_a_contract_is_overdue_from_the_day_after_the_due_date(api, contract, today):
    billed(contract)

    today("2026-08-20")
    assert lateness(api, contract) == (False, None)
    today("2026-08-21")
    assert lateness(api, contract) == (True, "20/08/2026")


def test_valid_until_is_the_oldest_late_receivable(api, contract, today):
    billed(contract, due_dates=[date(2026, 8, 18), date(2026, 9, 18)])
    billed(contract, due_dates=[date(2026, 8, 15), date(2026, 8, 16)])
    today("2026-10-01")

    assert lateness(api, contract) == (True, "15/08/2026")
    [listed] = api.get(f"organizations/{contract.organization_id}/contracts").json()["contracts"]
    assert (listed["overdue"], listed["valid_until"]) == (True, "15/08/2026")


def test_what_is_received_planned_or_cancelled_is_never_late(api, contract, account, today):
    paid, cancelled = billed(contract), billed(contract)
    receive(
        paid.receivables.get().pk,
        value=Decimal("100.00"),
        on=TODAY,
        account=account,
        actor=SYSTEM,
    )
    cancel_invoice(cancelled.pk, account=account, actor=SYSTEM)
    planned(contract)
    today("2026-10-01")

    assert lateness(api, contract) == (False, None)


def test_the_stored_flag_does_not_matter(api, contract, today):
    Contract.objects.update(overdue=True, valid_until=date(2026, 1, 1))
    today("2026-08-21")

    assert lateness(api, contract) == (False, None)


def test_an_inactive_contract_is_not_overdue(api, contract, account, today):
    billed(contract)
    cancel_contract(contract.pk, account=account, on=TODAY, actor=SYSTEM)
    today("2026-08-21")

    assert lateness(api, contract) == (False, "20/08/2026")


def test_a_subscription_is_overdue_after_its_valid_until(api, account, organization, today):
    plan = Plan.objects.create(account=account, organization=organization, name="P")
    subscription = ContractFactory(
        account=account,
        organization=organization,
        registration_method="subscription",
        plan=plan,
        valid_until=date(2026, 8, 20),
    )

    today("2026-08-20")
    assert lateness(api, subscription) == (False, "20/08/2026")
    today("2026-08-21")
    assert lateness(api, subscription) == (True, "20/08/2026")
    Contract.objects.update(valid_until=None)
    assert lateness(api, subscription) == (False, None)
    Contract.objects.update(valid_until=date(2026, 8, 20))
    cancel_contract(subscription.pk, account=account, actor=SYSTEM)
    assert lateness(api, subscription) == (False, "20/08/2026")


# --- search ------------------------------------------------------------------------------------


def test_the_search_finds_parts_of_names_with_their_capitals(api, account, other_account):
    for name in ("Contrato B", "Contrato A", "Assinatura de contrato", "100% Contrato_"):
        ContractFactory(account=account, name=name)
    ContractFactory(account=other_account, name="Contrato C")

    def search(text):
        return names(api.get("contracts/search", {"name": text}))

    assert search("Contrato") == ["100% Contrato_", "Contrato A", "Contrato B"]
    assert search("contrato") == ["Assinatura de contrato"]
    assert search("CONTRATO") == []
    assert search("% C") == ["100% Contrato_"]
    assert search("o_") == ["100% Contrato_"]
    assert search("Contrato C") == []


def test_the_search_includes_inactive_contracts(api, contract, account):
    cancel_contract(contract.pk, account=account, actor=SYSTEM)

    assert names(api.get("contracts/search", {"name": "Sup"})) == ["Suporte"]


def test_the_search_narrows_by_customer(api, contract, account, organization):
    ContractFactory(account=account, name="Suporte dos outros")
    ContractFactory(
        account=account,
        organization=organization,
        party=contract.party,
        kind="purchase",
        name="Compra",
    )
    customer = contract.party_id

    assert names(api.get("contracts/search", {"customer_id": customer})) == ["Suporte"]
    assert names(api.get("contracts/search", {"name": "", "customer_id": customer})) == ["Suporte"]
    both = {"name": "Supo", "customer_id": str(customer)}
    assert names(api.get("contracts/search", both)) == ["Suporte"]
    assert names(api.get("contracts/search", {"name": "x", "customer_id": customer})) == []
    # In a purchase the organization is the customer.
    assert names(api.get("contracts/search", {"customer_id": organization.pk})) == ["Compra"]
    assert names(api.get("contracts/search", {"customer_id": 999_999})) == []
    assert names(api.get("contracts/search", {"customer_id": "9" * 30})) == []


def test_the_search_does_not_reach_other_accounts_customers(api, other_account):
    theirs = ContractFactory(account=other_account)

    assert names(api.get("contracts/search", {"customer_id": theirs.party_id})) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"name": "a\x00", "customer_id": "1"}, "name"),
        ({"customer_id": ""}, "name"),
        ({"name": "a", "customer_id": "abc"}, "customer_id"),
        ({"customer_id": "-1"}, "customer_id"),
    ],
)
def test_wrong_search_parameters_are_named(api, query, name):
    answer = api.get("contracts/search", query)

    assert answer.status_code == 400
    assert answer.json() == {"errors": f"Parâmetro(s) inválido(s) para busca: {name}"}


# --- update ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_changes_what_is_sent(api, contract, method):
    body = {"contract": {"comments": "Novo", "end_date": "31/12/2026"}}

    answer = api.call(method, f"contracts/{contract.pk}", body)

    shown = answer.json()["contract"]
    assert answer.status_code == 200
    assert (shown["name"], shown["comments"], shown["end_date"]) == (
        "Suporte",
        "Novo",
        "31/12/2026",
    )
    assert (shown["init_date"], shown["token"]) == ("01/01/2026", contract.token)
    event = AuditEvent.objects.get(action="contrato.alterado")
    assert (event.before, event.after) == (
        {"end_date": None},
        {"campos": ["comments", "end_date"], "end_date": "2026-12-31"},
    )


def test_an_empty_update_changes_nothing(api, contract):
    before = Contract.objects.values(*_but_updated_at()).get()

    assert api.patch(f"contracts/{contract.pk}", {}).status_code == 200
    assert Contract.objects.values(*_but_updated_at()).get() == before


def _but_updated_at():
    return [f.attname for f in Contract._meta.concrete_fields if f.name != "updated_at"]


def test_an_update_can_blank_what_is_optional(api, contract):
    Contract.objects.update(description="d", comments="c")
    body = {"description": None, "comments": "", "init_date": None, "kind": None}

    shown = api.patch(f"contracts/{contract.pk}", body).json()["contract"]

    assert [shown[key] for key in body] == [None, "", None, "sale"]


def test_a_refused_update_changes_nothing(api, contract, account):
    ContractFactory(account=account, name="Outro")
    before = Contract.objects.order_by("id").values().first()
    body = {"name": "Outro", "title": "", "customer_id": "", "kind": "gift", "comments": "c"}

    answer = api.patch(f"contracts/{contract.pk}", body)

    assert answer.status_code == 422
    assert answer.json() == {
        "errors": {
            "title": [BLANK],
            "customer_id": [BLANK],
            "kind": [NOT_LISTED],
            "name": [TAKEN],
        }
    }
    assert Contract.objects.order_by("id").values().first() == before
    assert not AuditEvent.objects.filter(action="contrato.alterado").exists()


def test_a_contract_keeps_its_own_name(api, contract):
    assert api.patch(f"contracts/{contract.pk}", {"name": "Suporte"}).status_code == 200


def test_an_update_with_an_unknown_party_is_404(api, contract, other_account):
    theirs = CompanyFactory(account=other_account)
    person = PersonFactory(account=contract.account)
    path = f"contracts/{contract.pk}"

    assert_missing(
        api.patch(path, {"customer_id": theirs.pk, "comments": "x"}),
        api.patch(path, {"customer_id": 999_999}),
        api.patch(path, {"customer_id": person.pk, "customer_type": "Company"}),
        api.patch(path, {"customer_type": "Person"}),
    )
    contract = Contract.objects.get(pk=contract.pk)
    assert contract.comments == ""


def test_automatic_management_stays_off_for_subscriptions(api, contract, account):
    path = f"contracts/{contract.pk}"
    on = {"overdue_automatic_management": True}
    assert api.patch(path, on).json()["contract"]["overdue_automatic_management"] is True
    Contract.objects.update(registration_method="subscription", overdue_automatic_management=False)

    assert api.patch(path, on).json()["contract"]["overdue_automatic_management"] is False


def test_parties_change_and_planned_invoices_follow(api, contract, account):
    scheduled(contract)
    planned(contract, title="Avulsa")
    organization = OrganizationFactory(account=account)
    before = Receivable.objects.order_by("id").values()
    expected = [{**row, "listed_for": organization.pk} for row in before]
    person = PersonFactory(account=account, name="Ana Souza")

    answer = api.patch(
        f"contracts/{contract.pk}", {"customer_id": person.pk, "supplier_id": organization.pk}
    )

    shown = answer.json()["contract"]
    assert (shown["customer_id"], shown["customer_type"]) == (person.pk, "Person")
    assert shown["supplier_id"] == organization.pk
    moved = Invoice.objects.filter(customer=person, organization=organization)
    assert moved.count() == Invoice.objects.count() == 7
    assert set(moved.values_list("fold", flat=True)) == {
        "mensalidade ana souza",
        "avulsa ana souza",
    }
    assert list(Receivable.objects.order_by("id").values()) == expected
    assert DocumentTemplate.objects.filter(organization=organization).count() == 2
    assert list(violations(account)) == []


def test_a_sale_becomes_a_purchase_when_both_are_organizations(api, contract, account):
    other = OrganizationFactory(account=account)
    path = f"contracts/{contract.pk}"

    refused = api.patch(path, {"kind": "purchase"})
    assert refused.json() == {"errors": {"customer_id": [CUSTOMER]}}
    shown = api.patch(path, {"kind": "purchase", "customer_id": other.pk}).json()["contract"]

    assert (shown["kind"], shown["customer_id"]) == ("purchase", other.pk)
    contract = Contract.objects.get(pk=contract.pk)
    assert (contract.organization, contract.kind) == (other, "purchase")


def test_parties_stay_once_something_was_emitted(api, contract, account):
    invoice = billed(contract)
    other = CompanyFactory(account=account)
    organization = OrganizationFactory(account=account)
    path = f"contracts/{contract.pk}"
    body = {"customer_id": other.pk, "supplier_id": organization.pk, "comments": "x"}

    answer = api.patch(path, body)

    assert answer.status_code == 422
    assert answer.json() == {"errors": {"customer_id": [SETTLED], "supplier_id": [SETTLED]}}
    undo_emission(invoice.pk, account=account, actor=SYSTEM)
    assert api.patch(path, {"customer_id": other.pk}).status_code == 422
    contract = Contract.objects.get(pk=contract.pk)
    assert (contract.party, contract.comments) == (invoice.customer, "")
    same = {"customer_id": str(contract.party_id), "customer_type": "Company", "kind": "sale"}
    assert api.patch(path, same | {"comments": "x"}).status_code == 200


def test_a_cancelled_contract_can_still_be_described(api, contract, account):
    cancel_contract(contract.pk, account=account, actor=SYSTEM)

    shown = api.patch(f"contracts/{contract.pk}", {"comments": "Saiu"}).json()["contract"]

    assert (shown["comments"], shown["state"]) == ("Saiu", "inactive")


def test_contracts_of_another_account_do_not_exist(api, other_account):
    theirs = ContractFactory(account=other_account, name="Deles")
    path = f"contracts/{theirs.pk}"

    assert_missing(
        api.patch(path, {"name": "Meu"}), api.patch(path, {"name": ""}), api.delete(path)
    )
    theirs = Contract.objects.get(pk=theirs.pk)
    assert theirs.name == "Deles"


# --- delete ------------------------------------------------------------------------------------


def test_a_contract_goes_with_its_rules_and_planned_invoices(
    api, contract, account, django_capture_on_commit_callbacks
):
    other = ContractFactory(account=account)
    scheduled(other)
    scheduled(contract)
    cancelled = planned(contract)
    cancel_invoice(cancelled.pk, account=account, actor=SYSTEM)
    key = default_storage.save("attachments/aa/teste", ContentFile(b"abc"))
    Attachment.objects.create(
        account=account, invoice=cancelled, filename="a.txt", size=3, storage_key=key
    )
    free = TransactionFactory(customer=contract.party, contract=contract)

    with django_capture_on_commit_callbacks(execute=True):
        answer = api.delete(f"contracts/{contract.pk}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert list(Contract.objects.all()) == [other]
    assert Invoice.objects.count() == Invoice.objects.filter(contract=other).count() == 6
    assert Receivable.objects.count() == InvoiceLine.objects.count() == 6
    assert InvoiceRule.objects.get().contract == other
    assert Transaction.objects.get(pk=free.pk).contract is None
    assert not default_storage.exists(key)
    assert list(violations(account)) == []
    event = AuditEvent.objects.get(action="contrato.excluido")
    assert event.before == {"name": "Suporte", "faturas": 7, "regras": 1}
    assert_missing(api.delete(f"contracts/{contract.pk}"))


def to_receive(contract):
    billed(contract)


def received(contract):
    [parcel] = billed(contract).receivables.all()
    receive(parcel.pk, value=Decimal("100.00"), on=TODAY, account=contract.account, actor=SYSTEM)


def emitted_once(contract):
    undo_emission(billed(contract).pk, account=contract.account, actor=SYSTEM)


def cancelled_after_emission(contract):
    cancel_invoice(billed(contract).pk, account=contract.account, actor=SYSTEM)


def voided_before_emission(contract):
    void_invoice(planned(contract).pk, account=contract.account, actor=SYSTEM, reason="Erro")


def with_transaction(contract):
    TransactionFactory(customer=contract.party, invoice=planned(contract))


def with_note(contract):
    Nfse.objects.create(
        account=contract.account,
        organization=contract.organization,
        customer=contract.party,
        customer_type="Company",
        invoice=planned(contract),
        generated_at="2026-08-12T12:00:00Z",
    )


def with_note_told(contract):
    planned(contract, nfe={"nfe_issued": True})


@pytest.mark.parametrize(
    "happen",
    [
        to_receive,
        received,
        emitted_once,
        cancelled_after_emission,
        voided_before_emission,
        with_transaction,
        with_note,
        with_note_told,
    ],
)
def test_a_contract_that_billed_stays(api, contract, account, happen):
    planned(contract)
    happen(contract)
    before = list(Invoice.objects.order_by("id").values())

    answer = api.delete(f"contracts/{contract.pk}")

    assert (answer.status_code, answer.json()) == (422, IN_USE)
    assert Contract.objects.get() == contract
    assert list(Invoice.objects.order_by("id").values()) == before
    assert not AuditEvent.objects.filter(action="contrato.excluido").exists()


def test_hundreds_of_invoices_are_deleted_by_the_set(api, contract):
    scheduled(contract, until=date(2045, 12, 31))
    assert Invoice.objects.count() == 240

    with CaptureQueriesContext(connection) as captured:
        assert api.delete(f"contracts/{contract.pk}").status_code == 204

    assert len(captured) <= 55  # some fifteen tables may point to an invoice or a parcel
    assert not Invoice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_and_an_emission_at_once_leave_one_of_them(contract):
    account = contract.account
    invoice = planned(contract)

    answers = in_threads(
        [
            lambda: delete_contract(contract.pk, account=account, actor=SYSTEM),
            lambda: emit_invoice(invoice.pk, account=account, actor=SYSTEM, today=TODAY),
        ]
    )

    if Contract.objects.exists():
        assert isinstance(answers[0], ContractInUse)
        assert Invoice.objects.get().state == "to_receive"
    else:
        assert isinstance(answers[1], NotFound)
        assert not Invoice.objects.exists()
    assert list(violations(account)) == []


# --- both --------------------------------------------------------------------------------------


def test_a_contract_is_not_read_at_its_own_address(api, contract):
    assert api.get(f"contracts/{contract.pk}").status_code == 405


def test_everything_needs_a_token(api, contract, client):
    api.token = ""

    for answer in (
        api.post("contracts", {}),
        api.get("contracts/search", {"name": "a"}),
        api.patch(f"contracts/{contract.pk}", {}),
        api.delete(f"contracts/{contract.pk}"),
        api.get(f"organizations/{contract.organization_id}/contracts"),
    ):
        assert (answer.status_code, answer.content) == (401, b"")
