"""Searches of invoices (billing-api §1.8–1.10, §2.8, §6.5)."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory
from support.invoices import new_invoice
from support.wire import api_of
from support.wire_invoices import contract_of, created, did, item_of, service

from billing.api.v1.invoice_shapes import ReceivableOut
from billing.models import Invoice, Receivable
from billing.selectors.invariants import violations

pytestmark = pytest.mark.django_db

PDF = {"filename": "a.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQK"}


@pytest.fixture(autouse=True)
def _day(today):
    today("2025-02-12")


@pytest.fixture
def contract(account):
    return contract_of(account)


@pytest.fixture
def api(account):
    return api_of(account)


def path_of(contract):
    return f"organizations/{contract.organization_id}/invoices/search"


def found(api, contract, **query):
    """Ids of the invoices that the organization's search finds."""
    answer = api.get(path_of(contract), {f"q[{name}]": value for name, value in query.items()})
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["invoices"]]


def rules_broken(account):
    return [violation.rule for violation in violations(account)]


def due(*days):
    return [{"due_date": day} for day in days]


# --- of an organization --------------------------------------------------------------------------


def test_invoices_come_by_issue_date_then_id_whatever_the_contract(api, account, contract):
    other = contract_of(account, organization=contract.organization)
    late = created(api, contract, issue_date="03/02/2025")
    first = created(api, other, issue_date="01/02/2025")
    second = created(api, contract, issue_date="01/02/2025")
    created(api, contract_of(account))  # of another organization

    assert found(api, contract) == [first["id"], second["id"], late["id"]]


def test_the_item_is_the_invoice_as_shown_elsewhere(api, account, contract):
    shown = created(api, contract, services=[service(item_of(account))], attachments=[PDF])

    answer = api.get(path_of(contract)).json()

    strip = {"attachments": None}
    assert answer["invoices"][0] | strip == shown | strip
    assert {k: v for k, v in answer.items() if k != "invoices"} == {
        "page": 1, "per_page": 50, "total_pages": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"issue_date_gteq": "02/02/2025"}, [1, 2]),
        ({"issue_date_lteq": "2025-02-02"}, [0, 1]),
        ({"issue_date_gteq": "02-02-2025", "issue_date_lteq": "02/02/2025"}, [1]),
        ({"issue_date": "02/02/2025"}, [1]),
        ({"issue_date_not_eq": "02/02/2025"}, [0, 2]),
        ({"issue_date_in][": ["01/02/2025", "03/02/2025"]}, [0, 2]),
        ({"issue_date_not_in][": ["01/02/2025", "03/02/2025"]}, [1]),
        ({"issue_date_gteq": "", "state_eq": " "}, [0, 1, 2]),
    ],
)
def test_dates_are_compared_inclusively(api, contract, query, expected):
    ids = [created(api, contract, issue_date=f"0{day}/02/2025")["id"] for day in (1, 2, 3)]

    assert found(api, contract, **query) == [ids[at] for at in expected]


def test_states_and_late(api, contract):
    to_emit = created(api, contract, receivables=due("01/02/2025"))
    late = created(api, contract, receivables=due("11/02/2025", "10/03/2025"))
    due_today = created(api, contract, receivables=due("12/02/2025"))
    cancelled = created(api, contract, receivables=due("01/02/2025"))
    received = created(api, contract, receivables=due("01/02/2025"))
    for one in (late, due_today, cancelled, received):
        did(api, one, "emit")
    did(api, cancelled, "cancel")
    pk = received["receivables"][0]["id"]
    api.patch(f"contracts/{contract.pk}/receivables/{pk}/receive")

    assert found(api, contract, state_eq="to_emit") == [to_emit["id"]]
    assert found(api, contract, state="received") == [received["id"]]
    assert found(api, contract, state_eq="cancelled") == [cancelled["id"]]
    assert found(api, contract, state_eq="to_receive") == [late["id"], due_today["id"]]
    assert found(api, contract, state_eq="late") == [late["id"]]
    assert found(api, contract, state_not_eq="late") == [
        one["id"] for one in (to_emit, due_today, cancelled, received)
    ]
    assert found(api, contract, **{"state_in][": ["late", "received"]}) == [
        late["id"],
        received["id"],
    ]
    answer = api.get(path_of(contract), {"q[state_eq]": "late"}).json()
    assert [one["state"] for one in answer["invoices"]] == ["to_receive"]
    assert len(answer["invoices"][0]["receivables"]) == 2
    per_contract = api.get(f"contracts/{contract.pk}/invoices/late").json()["invoices"]
    assert [one["id"] for one in per_contract] == [late["id"]]


def test_both_bounds_of_a_due_date_are_met_by_one_and_the_same_receivable(api, contract):
    around = created(api, contract, receivables=due("01/03/2025", "01/05/2025"))
    inside = created(api, contract, receivables=due("01/04/2025", "02/04/2025"))
    bounds = {
        "receivables_due_date_gteq": "15/03/2025",
        "receivables_due_date_lteq": "15/04/2025",
    }

    assert found(api, contract, **bounds) == [inside["id"]]
    assert found(api, contract, receivables_due_date_eq="01/05/2025") == [around["id"]]
    assert found(api, contract, receivables_due_date_gteq="01/02/2025") == [
        around["id"],
        inside["id"],
    ]


def test_what_receivables_tell_of_their_invoice_follows_it(api, account, contract):
    """Searches by due date and for what is late read receivables only, in the invoices' order."""
    first = created(api, contract, issue_date="01/02/2025", receivables=due("05/02/2025"))
    second = created(api, contract, issue_date="02/02/2025", receivables=due("05/02/2025"))
    blocked = created(api, contract, issue_date="01/02/2025", receivables=due("05/02/2025"))
    of_no_contract = {"issue_date": date(2025, 2, 1), "due_dates": [date(2025, 2, 5)]}
    new_invoice(contract.organization, contract.party, **of_no_contract)
    span = {"receivables_due_date_gteq": "01/02/2025", "receivables_due_date_lteq": "28/02/2025"}

    base = f"contracts/{contract.pk}/invoices"
    moved = {"issue_date": "03/02/2025", "receivables": due("06/02/2025")}
    assert api.patch(f"{base}/{first['id']}", {"invoice": moved}).status_code == 200
    assert api.patch(f"{base}/{blocked['id']}/block").status_code == 200
    assert found(api, contract, **span) == [blocked["id"], second["id"], first["id"]]
    assert api.patch(f"{base}/{blocked['id']}/approve").status_code == 200  # issued today, then
    for one in (first, second, blocked):
        did(api, one, "emit")

    assert found(api, contract, **span) == [second["id"], first["id"], blocked["id"]]
    assert found(api, contract, state_eq="late") == [second["id"], first["id"], blocked["id"]]
    assert rules_broken(account) == []


@pytest.mark.parametrize(
    ("query", "reads_invoices"),
    [
        ({"state_eq": "late"}, False),
        ({"receivables_due_date_gteq": "01/03/2025"}, False),
        ({"receivables_due_date_gteq": "01/03/2025", "state_eq": "late"}, True),
        ({"state_not_eq": "late"}, True),
        ({"state_in][": ["late", "received"]}, True),
    ],
)
def test_what_only_receivables_tell_is_asked_of_them_alone(api, contract, query, reads_invoices):
    with CaptureQueriesContext(connection) as caught:
        found(api, contract, **query)

    [search] = [one["sql"] for one in caught if "OVER ()" in one["sql"]]
    assert ('FROM "billing_invoice"' in search) is reads_invoices


def test_late_and_a_due_date_may_be_of_different_receivables(api, contract):
    both = created(api, contract, receivables=due("05/02/2025", "05/03/2025"))
    did(api, both, "emit")
    march = {"receivables_due_date_gteq": "01/03/2025"}

    assert found(api, contract, state_eq="late", **march) == [both["id"]]


def test_customers_and_contracts_can_be_asked_for(api, account, contract):
    organization = contract.organization
    company = contract_of(account, organization=organization, party=CompanyFactory(account=account))
    purchase = contract_of(
        account, organization=organization, kind="purchase", party=CompanyFactory(account=account)
    )
    person, firm, bought = (created(api, one) for one in (contract, company, purchase))

    assert found(api, contract, customer_id_eq=contract.party_id) == [person["id"]]
    assert found(api, contract, customer_id_eq=company.party_id) == [firm["id"]]
    assert found(api, contract, customer_id_eq=purchase.party_id) == []
    assert found(api, contract, customer_id_eq=organization.pk) == [bought["id"]]
    assert found(api, contract, customer_type_eq="Person") == [person["id"]]
    assert found(api, contract, customer_type_eq="Company") == [firm["id"], bought["id"]]
    assert found(api, contract, contract_id_eq=company.pk) == [firm["id"]]
    assert found(api, contract, contract_id_eq=10**25) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"q[foo_eq]": "1"}, "q[foo_eq]"),
        ({"q[issue_date_like]": "01/02/2025"}, "q[issue_date_like]"),
        ({"q[issue_date_gteq]": "ontem"}, "q[issue_date_gteq]"),
        ({"q[state_eq]": "foo"}, "q[state_eq]"),
        ({"q[state_gteq]": "to_emit"}, "q[state_gteq]"),
        ({"q[contract_id_eq]": "abc", "q[b]": "1"}, "q[contract_id_eq], q[b]"),
        ({"q[customer_type_eq]": "Empresa"}, "q[customer_type_eq]"),
        ({"q[issue_date_eq][]": "01/02/2025"}, "q[issue_date_eq]"),
        ({"q[a][b]": "1"}, "q[a][b]"),
        ({"q": "1"}, "q"),
        ({"q[account_id_eq]": "1"}, "q[account_id_eq]"),
        ({"q[\x00]": "1"}, "q[]"),
    ],
)
def test_a_filter_that_is_not_understood_is_never_left_out(api, contract, query, named):
    answer = api.get(path_of(contract), query)

    assert answer.status_code == 400
    assert answer.json() == {"errors": f"Parâmetro(s) inválido(s) para busca: {named}"}


@pytest.mark.parametrize(
    ("query", "page", "per_page", "total", "count"),
    [
        ({}, 1, 50, 1, 5),
        ({"per_page": "2"}, 1, 2, 3, 2),
        ({"per_page": "2", "page": "3"}, 3, 2, 3, 1),
        ({"per_page": "2", "page": "4"}, 4, 2, 3, 0),
        ({"per_page": "500"}, 1, 100, 1, 5),
        ({"per_page": "0", "page": "0"}, 1, 50, 1, 5),
        ({"per_page": "-1", "page": "x"}, 1, 50, 1, 5),
        ({"per_page": "1.5", "page": ""}, 1, 50, 1, 5),
        ({"per_page": "9" * 40, "page": "9" * 40}, 2**63 - 1, 100, 1, 0),
    ],
)
def test_pages(api, contract, query, page, per_page, total, count):
    for _ in range(5):
        created(api, contract)

    body = api.get(path_of(contract), query).json()

    assert (body["page"], body["per_page"], body["total_pages"]) == (page, per_page, total)
    assert len(body["invoices"]) == count


def test_nothing_is_zero_pages(api, contract):
    assert api.get(path_of(contract)).json() == {
        "page": 1, "per_page": 50, "total_pages": 0, "invoices": [],
    }  # fmt: skip


def test_staffs_invoices_without_a_contract_are_not_listed(api, contract):
    new_invoice(contract.organization, contract.party)

    assert found(api, contract) == []


def test_organizations_of_other_accounts_and_companies_are_not_found(api, contract, other_account):
    theirs = contract_of(other_account)
    created(api_of(other_account), theirs)

    for pk in (theirs.organization_id, contract.party_id, 999999, "abc"):
        answer = api.get(f"organizations/{pk}/invoices/search", {"q[foo]": 1})
        assert (answer.status_code, answer.content) == (404, b"")


def test_a_page_takes_the_same_queries_whatever_its_length(api, account, contract):
    item = item_of(account)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            api.get(path_of(contract))
        return len(captured)

    created(api, contract, services=[service(item)], attachments=[PDF])
    queries()
    one = queries()
    for _ in range(4):
        created(api, contract, services=[service(item)] * 2, receivables=due(*["01/03/2025"] * 3))

    assert queries() == one <= 8


@pytest.mark.parametrize("kept", [{}, {"cobrato_charge_id": 7, "blank": ["gateway_status"]}])
def test_rows_of_a_list_are_shown_as_the_objects_are(api, contract, kept):
    one = created(api, contract, receivables=due("01/03/2025"))
    Receivable.objects.update(integration=kept, received_value="10.50", received_at="2025-02-01")

    shown = api.get(path_of(contract)).json()["invoices"][0]

    receivable = Receivable.objects.get(invoice=one["id"])
    assert shown["receivables"] == [ReceivableOut.show(receivable)]
    assert shown["receivables"][0]["received_value"] == "10.5"
    assert shown["receivables"][0]["cobrato_charge_id"] == kept.get("cobrato_charge_id")
    assert shown["receivables"][0]["payment_gateway_status"] == ("" if kept else None)


# --- of a contract -------------------------------------------------------------------------------


def test_the_contracts_search_has_inclusive_bounds_and_its_own_invoices(api, account, contract):
    ids = [created(api, contract, issue_date=f"0{day}/02/2025")["id"] for day in (1, 2, 3, 4)]
    created(api, contract_of(account), issue_date="02/02/2025")
    path = f"contracts/{contract.pk}/invoices/search"

    answer = api.get(path, {"issue_date_from": "02-02-2025", "issue_date_to": "2025-02-03"})
    empty = api.get(path, {"issue_date_from": "02-02-2024", "issue_date_to": "03-02-2024"})

    assert [one["id"] for one in answer.json()["invoices"]] == ids[1:3]
    assert empty.json() == {"invoices": []}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "issue_date_from, issue_date_to"),
        ({"issue_date_from": "x", "issue_date_to": " "}, "issue_date_from, issue_date_to"),
        ({"issue_date_from": "01/02/2025"}, "issue_date_to"),
        ({"issue_date_from": "31/02/2025", "issue_date_to": "01/02/2025"}, "issue_date_from"),
    ],
)
def test_both_dates_are_required(api, contract, query, named):
    answer = api.get(f"contracts/{contract.pk}/invoices/search", query)

    assert answer.status_code == 400
    assert answer.json()["errors"] == (
        f"Parâmetro(s) obrigatório(s) para busca não encontrado(s) ou inválido(s): {named}"
    )


@pytest.mark.parametrize("name", ["search", "late"])
def test_contracts_of_other_accounts_are_not_found(api, other_account, name):
    theirs = contract_of(other_account)

    for pk in (theirs.pk, 999999):
        answer = api.get(f"contracts/{pk}/invoices/{name}")
        assert (answer.status_code, answer.content) == (404, b"")


def test_late_has_a_constant_number_of_queries(api, contract, django_assert_max_num_queries):
    for _ in range(3):
        did(api, created(api, contract, receivables=due("01/02/2025")), "emit")
    api.get(f"contracts/{contract.pk}/invoices/late")

    with django_assert_max_num_queries(7):
        answer = api.get(f"contracts/{contract.pk}/invoices/late")

    assert len(answer.json()["invoices"]) == 3
    assert Invoice.objects.filter(issue_date=date(2025, 2, 20)).count() == 3
