"""The search over service notes (billing-api §2.13)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, OrganizationFactory
from support.invoices import new_invoice
from support.moments import moment
from support.wire import api_of

from billing.api.v1.nfses import FILTERS, NfseOut
from billing.models import Nfse, NfseServiceItem

pytestmark = pytest.mark.django_db

EXTERNAL = UUID("3f90b87d-0000-4000-8000-cf222f330932")


def note(organization: Any, **fields: Any) -> Nfse:
    """A note of one service, generated on 05/03/2025."""
    customer = fields.pop("customer", None) or CompanyFactory(account=organization.account)
    usual = {
        "customer_type": "Company",
        "nfse_number": "3200",
        "generated_at": moment("2025-03-05T12:00:00-03:00"),
        "value": Decimal("900.00"),
    }
    made = Nfse.objects.create(
        account=organization.account,
        organization=organization,
        customer=customer,
        **(usual | fields),
    )
    NfseServiceItem.objects.create(nfse=made, description="Suporte", value=made.value)
    return made


def search(organization: Any, query: dict[str, Any] | None = None) -> Any:
    path = f"organizations/{organization.pk}/nfses/search"
    return api_of(organization.account).get(path, query or {})


def found(organization: Any, query: dict[str, Any] | None = None) -> list[int]:
    answer = search(organization, query)
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["nfses"]]


def refusal(organization: Any, query: dict[str, Any]) -> tuple[int, Any]:
    answer = search(organization, query)
    return answer.status_code, answer.json()


# --- what is shown -------------------------------------------------------------------------------


def test_a_note_shows_what_it_was_issued_with(organization, customer):
    invoice = new_invoice(organization, customer)
    made = note(
        organization, customer=customer, invoice=invoice, external_id=EXTERNAL,
        accrual_date=date(2025, 3, 5), rps_number=7, rps_serie="1",
        cancellation_requested_at=moment("2025-03-06T23:30:00-03:00"),
    )  # fmt: skip
    item = made.nfse_service_items.get()

    (shown,) = search(organization).json()["nfses"]

    assert shown["id"] == made.pk
    assert shown["generated_at"] == "05/03/2025 12:00:00 -03:00"
    assert shown["cancellation_requested_at"] == "06/03/2025 23:30:00 -03:00"
    assert shown["cancelled_at"] is None
    assert (shown["value"], shown["iss_value"]) == ("900.0", "0.0")
    assert (shown["invoice_id"], shown["customer_id"]) == (invoice.pk, customer.pk)
    assert (shown["customer_type"], shown["organization_id"]) == ("Company", organization.pk)
    assert shown["external_id"] == "3f90b87d-0000-4000-8000-cf222f330932"
    assert (shown["rps_number"], shown["rps_serie"]) == (7, "1")
    assert (shown["accrual_date"], shown["nfse_environment"]) == ("05/03/2025", "Producao")
    assert shown["request_sent"] is None
    assert shown["nfse_service_items"][0]["id"] == item.pk
    assert shown["nfse_service_items"][0]["nfse_id"] == made.pk
    assert shown["nfse_service_items"][0]["units"] == "1.0"
    assert shown["nfse_service_items"][0]["aliquota_iss"] is None


@pytest.mark.parametrize(
    ("number", "label"),
    [(1, "Emitida"), (2, "Cancelada"), (4, "Cancelando"), (6, "Erro no cancelamento")],
)
def test_a_status_is_asked_for_by_number_and_shown_as_a_label(organization, number, label):
    made = {status: note(organization, status=status) for status in (1, 2, 4, 6)}

    answer = search(organization, {"q[status_eq]": str(number)}).json()

    assert [(n["id"], n["status"]) for n in answer["nfses"]] == [(made[number].pk, label)]


def test_notes_are_in_the_order_they_were_generated(organization):
    last = note(organization, generated_at=moment("2025-03-07T00:00:00-03:00"))
    first = note(organization, generated_at=moment("2025-03-01T00:00:00-03:00"))
    same = note(organization, generated_at=moment("2025-03-01T00:00:00-03:00"))

    assert found(organization) == [first.pk, same.pk, last.pk]


# --- filters -------------------------------------------------------------------------------------


def test_every_scalar_attribute_can_be_searched_for():
    assert set(FILTERS) == set(NfseOut._declared_fields) - {"nfse_service_items"}


# A value that one note has and the other has not, as it is written in a query.
VALUES: dict[str, tuple[Any, Any, str]] = {
    "nfse_number": ("3201", "3200", "3201"),
    "generated_at": (moment("2025-04-01T23:59:59-03:00"), moment("2025-04-02T00:00:00-03:00"),
                     "01/04/2025"),
    "accrual_date": (date(2025, 4, 1), None, "01-04-2025"),
    "cancelled_at": (moment("2025-04-01T00:00:00-03:00"), None, "2025-04-01"),
    "value": (Decimal("10.10"), Decimal("10.11"), "10.1"),
    "iss_value": (Decimal("0.29"), Decimal("0.30"), "0.29"),
    "percentual_carga_tributaria": (Decimal("13.4512"), Decimal("13.4513"), "13.4512"),
    "iss_retido_fonte": (True, False, "true"),
    "request_sent": (False, True, "0"),
    "rps_number": (12, 13, "12"),
    "rps_serie": ("A", "a", "A"),
    "customer_name": ("Clínica Bom Vale", "Clinica Bom Vale", "Clínica Bom Vale"),
    "customer_document_number": ("96321789000232", "96321789000233", "96321789000232"),
    "external_id": (EXTERNAL, UUID(int=1), "3F90B87D-0000-4000-8000-CF222F330932"),
    "integration_errors": ("E1", "", "E1"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_note_is_found_by_any_attribute(organization, name):
    right, wrong, text = VALUES[name]
    one = note(organization, **{name: right})
    other = note(organization, **{name: wrong})

    assert found(organization, {f"q[{name}_eq]": text}) == [one.pk]
    assert found(organization, {f"q[{name}]": text}) == [one.pk]
    assert found(organization, {f"q[{name}_in][]": [text]}) == [one.pk]
    assert found(organization, {f"q[{name}_not_eq]": text}) == [other.pk]
    assert found(organization, {f"q[{name}_not_in][]": [text]}) == [other.pk]


def test_ids_are_searched_for_in_lists(organization, customer):
    invoice = new_invoice(organization, customer)
    one = note(organization, customer=customer, invoice=invoice)
    two = note(organization)

    assert found(organization, {"q[id_in][]": [one.pk, two.pk]}) == [one.pk, two.pk]
    assert found(organization, {"q[id_not_in][]": [two.pk]}) == [one.pk]
    assert found(organization, {"q[invoice_id_eq]": invoice.pk}) == [one.pk]
    assert found(organization, {"q[customer_id_eq]": customer.pk}) == [one.pk]


def test_the_last_day_of_a_period_is_whole_in_sao_paulo(organization):
    before = note(organization, generated_at=moment("2025-03-04T23:59:59-03:00"))
    first = note(organization, generated_at=moment("2025-03-05T00:00:00-03:00"))
    last = note(organization, generated_at=moment("2025-03-06T23:59:59-03:00"))
    note(organization, generated_at=moment("2025-03-07T00:00:00-03:00"))
    period = {"q[generated_at_gteq]": "05/03/2025", "q[generated_at_lteq]": "06/03/2025"}

    assert found(organization, period) == [first.pk, last.pk]
    assert found(organization, {"q[generated_at_lteq]": "04/03/2025"}) == [before.pk]


def test_amounts_have_an_order(organization):
    small = note(organization, value=Decimal("99.99"))
    large = note(organization, value=Decimal("1000.00"))

    assert found(organization, {"q[value_gteq]": "100"}) == [large.pk]
    assert found(organization, {"q[value_lteq]": "99.99"}) == [small.pk]


@pytest.mark.parametrize(
    "number", ["99999999999999.999", "1234567890123456.78", "9223372036854775807", "0." + "3" * 35]
)
def test_an_amount_that_no_note_can_have_finds_nothing(organization, number):
    made = note(organization)

    assert found(organization, {"q[value_eq]": number}) == []
    assert found(organization, {"q[value_not_eq]": number}) == [made.pk]
    assert found(organization, {"q[percentual_carga_tributaria_eq]": number}) == []


def test_a_number_that_no_column_can_hold_finds_nothing(organization):
    note(organization, rps_number=5)

    for name in ("status", "id", "rps_number", "invoice_id"):
        assert found(organization, {f"q[{name}_eq]": "9" * 30}) == []
        assert found(organization, {f"q[{name}_in][]": ["9" * 30, "8" * 29]}) == []


def test_predicates_are_all_true_of_a_note(organization):
    note(organization, nfse_number="1", status=2)
    right = note(organization, nfse_number="1", status=1)
    note(organization, nfse_number="2", status=1)

    assert found(organization, {"q[status]": "1", "q[nfse_number_eq]": "1"}) == [right.pk]


def test_a_blank_value_is_no_filter(organization):
    made = note(organization)

    assert found(organization, {"q[status_eq]": "", "q[nfse_number_in][]": [" "]}) == [made.pk]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("q[foo_eq]", "1"),
        ("q[nfse_service_items_eq]", "1"),
        ("q[account_id_eq]", "1"),
        ("q[integration_eq]", "1"),
        ("q[organization__account_eq]", "1"),
        ("q[status_like]", "1"),
        ("q[status_eq]", "Emitida"),
        ("q[generated_at_gteq]", "31/02/2025"),
        ("q[value_gteq]", "NaN"),
        ("q[iss_retido_fonte_eq]", "talvez"),
        ("q[iss_retido_fonte_gteq]", "true"),
        ("q[external_id_eq]", "não é um UUID"),
        ("q[external_id_gteq]", str(EXTERNAL)),
        ("q[nfse_number_eq]", "a\x00b"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_by_name(organization, key, value):
    note(organization)

    assert refusal(organization, {key: value}) == (
        400,
        {"errors": f"Parâmetro(s) inválido(s) para busca: {key}"},
    )


def test_all_wrong_parameters_are_named(organization):
    wrong = {"q[foo_eq]": "1", "q[status_eq]": "1", "q[accrual_date_eq]": "ontem"}

    assert refusal(organization, wrong) == (
        400,
        {"errors": "Parâmetro(s) inválido(s) para busca: q[foo_eq], q[accrual_date_eq]"},
    )


# --- pages ---------------------------------------------------------------------------------------


def test_pages_follow_each_other(organization):
    made = [note(organization).pk for _ in range(5)]

    pages = [search(organization, {"page": n, "per_page": 2}).json() for n in (1, 2, 3, 4)]

    assert [[n["id"] for n in page["nfses"]] for page in pages] == [
        made[:2], made[2:4], made[4:], [],
    ]  # fmt: skip
    assert [(p["page"], p["per_page"], p["total_pages"]) for p in pages] == [
        (1, 2, 3), (2, 2, 3), (3, 2, 3), (4, 2, 3),
    ]  # fmt: skip


def test_without_notes_there_are_no_pages(organization):
    assert search(organization).json() == {
        "page": 1, "per_page": 50, "total_pages": 0, "nfses": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [("100", 100), ("101", 100), ("9" * 40, 100), ("0", 50), ("-1", 50), ("dez", 50), ("", 50)],
)
def test_the_length_of_a_page_has_a_limit(organization, asked, told):
    assert search(organization, {"per_page": asked}).json()["per_page"] == told


def test_a_page_asks_the_same_whatever_its_length(organization):
    customer = CompanyFactory(account=organization.account)
    note(organization, customer=customer)
    search(organization)

    with CaptureQueriesContext(connection) as one:
        search(organization)
    for _ in range(5):
        note(organization, customer=customer)
    with CaptureQueriesContext(connection) as six:
        assert len(found(organization)) == 6

    assert len(six) == len(one)


# --- whose it is ---------------------------------------------------------------------------------


def test_only_the_organization_s_own_notes_are_found(account, organization):
    mine = note(organization)
    sister = note(OrganizationFactory(account=account))

    assert found(organization) == [mine.pk]
    assert found(organization, {"q[id_in][]": [sister.pk]}) == []
    assert found(organization, {"q[organization_id_eq]": sister.organization_id}) == []


def test_what_is_no_organization_of_the_account_is_not_found(account, other_account):
    foreign = OrganizationFactory(account=other_account)
    note(foreign)
    api = api_of(account)
    ids = [foreign.pk, CompanyFactory(account=account).pk, 0, "abc", "9" * 30]

    answers = [api.get(f"organizations/{pk}/nfses/search", {"q[foo_eq]": "1"}) for pk in ids]

    assert [(a.status_code, a.content) for a in answers] == [(404, b"")] * len(ids)


def test_notes_are_not_written_through_the_api(account, organization):
    note(organization)
    path = f"organizations/{organization.pk}/nfses/search"
    before = list(Nfse.objects.values())

    answers = [api_of(account).call(verb, path, {}) for verb in ("POST", "PATCH", "PUT", "DELETE")]

    assert {answer.status_code for answer in answers} == {405}
    assert list(Nfse.objects.values()) == before


def test_without_a_token_nothing_is_told(account, organization):
    api = api_of(account)
    api.token = ""

    answer = api.get(f"organizations/{organization.pk}/nfses/search")

    assert (answer.status_code, answer.content) == (401, b"")
