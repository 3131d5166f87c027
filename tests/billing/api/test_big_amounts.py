"""Amounts that totals can hold and unit prices cannot: R$ 10¹¹ and more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from factories import OrganizationFactory
from support.invoices import check_sums, draft
from support.rule_bodies import rule_body
from support.wire import api_of
from support.wire_invoices import address, body, changed, contract_of, created, item_of, service

from accounts.services.audit import SYSTEM
from billing.models import Invoice, InvoiceRule, Plan
from billing.selectors.invariants import violations
from billing.services.invoices import create_invoice
from lib.errors import FieldError, InvalidInput

pytestmark = pytest.mark.django_db

TOO_HIGH = "valor alto demais"
HIGHEST = "99999999999.99"
# The least is only reached by rounding to cents.
BEYOND = ["99999999999.995", "100000000000", "999999999999.995", "9999999999999.99"]


@pytest.fixture(autouse=True)
def _day(today):
    today("2025-02-12")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def contract(account):
    return contract_of(account)


@pytest.fixture
def item(account):
    return item_of(account)


@pytest.fixture
def big(item):
    """A service of R$ 10¹²."""
    return service(item, units=10, unit_value="99999999999")


def errors(answer):
    assert answer.status_code == 422, answer.content
    return answer.json()["errors"]


# --- invoices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("gross", BEYOND)
def test_an_invoice_without_services_is_limited_to_a_unit_price(api, contract, gross):
    answer = api.post(f"contracts/{contract.pk}/invoices", {"invoice": body(gross_value=gross)})

    assert errors(answer) == {"gross_value": TOO_HIGH}
    assert not Invoice.objects.exists()


def test_the_highest_amount_of_an_invoice_without_services(api, contract):
    shown = created(api, contract, gross_value=HIGHEST)

    assert (shown["gross_value"], shown["payment_value"]) == (HIGHEST, HIGHEST)
    check_sums(Invoice.objects.get())


def test_an_invoice_with_services_is_limited_as_a_total(api, contract, big):
    shown = created(api, contract, services=[big])

    assert shown["gross_value"] == "999999999990.0"
    check_sums(Invoice.objects.get())


@pytest.mark.parametrize("gross", BEYOND)
def test_no_change_goes_beyond_a_unit_price_without_services(api, contract, gross):
    shown = created(api, contract)

    assert errors(api.patch(address(shown), {"invoice": {"gross_value": gross}})) == {
        "gross_value": TOO_HIGH
    }
    check_sums(Invoice.objects.get(gross_value=500))


def test_the_last_big_service_goes_only_with_a_smaller_gross_value(api, contract, big):
    shown = created(api, contract, services=[big])
    gone = [{"id": shown["services"][0]["id"], "_destroy": True}]

    answer = api.patch(address(shown), {"invoice": {"services": gone}})

    assert errors(answer) == {"gross_value": TOO_HIGH}
    check_sums(Invoice.objects.get(gross_value=999999999990))
    assert changed(api, shown, services=gone, gross_value=10)["gross_value"] == "10.0"


@pytest.mark.parametrize("gross", ["99999999999.995", "100000000000"])
def test_a_draft_without_services_is_limited_too(account, contract, gross):
    given = draft(contract.organization, contract.party, lines=[], gross_value=Decimal(gross))

    with pytest.raises(InvalidInput) as refused:
        create_invoice(given, account=account, actor=SYSTEM)

    assert refused.value.erros == [FieldError("gross_value", TOO_HIGH)]


# --- rules ---------------------------------------------------------------------------------------


def post_rule(api, contract, **fields):
    return api.post(f"contracts/{contract.pk}/invoice_rules", {"invoice_rule": rule_body(**fields)})


def created_rule(api, contract, **fields):
    answer = post_rule(api, contract, **fields)
    assert answer.status_code == 201, answer.content
    return answer.json()["invoice_rule"]


@pytest.mark.parametrize("gross", BEYOND)
def test_a_rule_without_services_is_limited_to_a_unit_price(api, contract, gross):
    assert errors(post_rule(api, contract, gross_value=gross)) == {"gross_value": TOO_HIGH}
    assert not InvoiceRule.objects.exists()


def test_the_highest_amount_of_a_rule_without_services(api, contract):
    shown = created_rule(api, contract, gross_value=HIGHEST)

    assert shown["gross_value"] == HIGHEST
    for invoice in Invoice.objects.filter(rule_id=shown["id"]):
        check_sums(invoice)


def test_the_last_big_service_of_a_rule_goes_only_with_a_smaller_gross_value(api, contract, big):
    shown = created_rule(api, contract, services=[big])
    path = f"contracts/{contract.pk}/invoice_rules/{shown['id']}"
    gone = [{"id": shown["services"][0]["id"], "_destroy": True}]

    assert shown["gross_value"] == "999999999990.0"
    assert errors(api.patch(path, {"invoice_rule": {"services": gone}})) == {
        "gross_value": TOO_HIGH
    }
    answer = api.patch(path, {"invoice_rule": {"services": gone, "gross_value": 10}})
    assert answer.status_code == 200, answer.content
    for invoice in Invoice.objects.filter(rule_id=shown["id"]):
        check_sums(invoice)


@pytest.mark.parametrize("name", ["units", "unit_value"])
@pytest.mark.parametrize("kind", ["invoice", "rule"])
def test_rounding_to_four_decimals_may_reach_the_limit(api, contract, item, name, kind):
    factors = {"units": "0.01", "unit_value": "0.01"} | {name: "99999999999.99999"}
    services = [service(item, **factors)]

    if kind == "rule":
        answer = post_rule(api, contract, services=services)
    else:
        sent = {"invoice": body(services=services)}
        answer = api.post(f"contracts/{contract.pk}/invoices", sent)

    assert errors(answer) == {f"services.{name}": TOO_HIGH}
    assert not Invoice.objects.exists()


# --- plans ---------------------------------------------------------------------------------------


@pytest.fixture
def plans(account):
    return f"organizations/{OrganizationFactory(account=account).pk}/plans"


def plan_body(**fields):
    return {"plan": {"name": "Grande", "billing_period": 1} | fields}


@pytest.mark.parametrize("price", BEYOND)
def test_a_plan_without_products_is_limited_to_a_unit_price(api, plans, price):
    assert errors(api.post(plans, plan_body(price=price))) == {"price": TOO_HIGH}
    assert not Plan.objects.exists()


def test_the_last_big_product_goes_only_with_a_smaller_price(api, plans, big):
    answer = api.post(plans, plan_body(products=[big]))
    assert answer.status_code == 201, answer.content
    shown = answer.json()["plan"]
    path, gone = f"{plans}/{shown['id']}", [{"id": shown["products"][0]["id"], "_destroy": True}]

    assert shown["price"] == "999999999990.0"
    assert errors(api.patch(path, {"plan": {"products": gone}})) == {"price": TOO_HIGH}
    answer = api.patch(path, {"plan": {"products": gone, "price": HIGHEST}})
    assert answer.json()["plan"]["price"] == HIGHEST
