"""plans over HTTP (billing-api §2.6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import ContractFactory, OrganizationFactory, ServiceItemFactory
from support.wire import api_of

from accounts.models import AuditEvent
from billing.models import Plan, PlanProduct

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def item(account):
    return ServiceItemFactory(account=account, name="Suporte")


def address(organization, plan_id=None):
    root = f"organizations/{organization.pk}/plans"
    return root if plan_id is None else f"{root}/{plan_id}"


def body(**fields):
    return {"name": "Básico", "billing_period": 1, "price": "99.90"} | fields


def created(api, organization, **fields):
    answer = api.post(address(organization), {"plan": body(**fields)})
    assert answer.status_code == 201, answer.content
    return answer.json()["plan"]


def changed(api, organization, plan, **fields):
    answer = api.patch(address(organization, plan["id"]), {"plan": fields})
    assert answer.status_code == 200, answer.content
    return answer.json()["plan"]


def refused(answer):
    assert answer.status_code == 422, answer.content
    return answer.json()["errors"]


def product(item, units="1", unit_value="10.00", **fields):
    return {"service_item_id": item.pk, "units": units, "unit_value": unit_value} | fields


# --- creating -----------------------------------------------------------------------------------


def test_a_plan_of_the_fewest_attributes_shows_the_others_as_null(api, organization):
    plan = created(api, organization)

    assert plan | {"id": 1, "created_at": ""} == {
        "id": 1,
        "name": "Básico",
        "description": None,
        "redirect_url": None,
        "price": "99.9",
        "billing_period": 1,
        "translated_billing_period": "Mensalmente",
        "charging_method": None,
        "translated_charging_method": {"pre_paid": "Pré-pago", "post_paid": "Pós-pago"},
        "has_trial": False,
        "trial_period": None,
        "features": [],
        "readjustment_will_be_created": False,
        "readjustment_month_quantity": None,
        "price_index": None,
        "readjustment_days_until_update": None,
        "billet_notification_ruler_id": None,
        "payment_gateway_notification_ruler_id": None,
        "emites_service_values_id": None,
        "emites_service_value_name": None,
        "cobrato_billet_charge_config_id": None,
        "cobrato_billet_charge_config_name": None,
        "cobrato_billet_charge_template_id": None,
        "cobrato_billet_charge_template_name": None,
        "cobrato_payment_gateway_charge_config_id": None,
        "cobrato_payment_gateway_charge_config_name": None,
        "finance_category": None,
        "finance_revenue_center": None,
        "myfinance_billet_sale_account_id": None,
        "myfinance_billet_sale_account_name": None,
        "myfinance_payment_gateway_sale_account_id": None,
        "myfinance_payment_gateway_sale_account_name": None,
        "allow_installments": False,
        "installments_limit": None,
        "created_at": "",
        "products": [],
    }


def test_everything_sent_comes_back_blank_text_and_numeric_text_too(api, organization):
    sent = {
        "description": "",
        "redirect_url": "https://exemplo.test/volta",
        "has_trial": True,
        "trial_period": "15",
        "charging_method": "post_paid",
        "readjustment_will_be_created": True,
        "readjustment_month_quantity": 12,
        "readjustment_days_until_update": 10,
        "price_index": "ipca",
        "billet_notification_ruler_id": 7,
        "payment_gateway_notification_ruler_id": 8,
        "cobrato_billet_charge_config_name": "",
        "finance_category": "Receitas",
        "myfinance_billet_sale_account_id": "31",
        "installments_limit": 0,
    }

    plan = created(api, organization, **sent)

    expected = sent | {"trial_period": 15, "myfinance_billet_sale_account_id": 31}
    assert {name: plan[name] for name in sent} == expected
    assert plan["translated_charging_method"] == "Pós-pago"


def test_a_bare_body_is_as_good_as_an_enveloped_one(api, organization):
    answer = api.post(address(organization), body(name="Sem envelope"))

    assert answer.status_code == 201
    assert answer.json()["plan"]["name"] == "Sem envelope"


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (1, "Mensalmente"),
        (2, "Bimestralmente"),
        ("3", "Trimestralmente"),
        (6, "Semestralmente"),
        (12, "Anualmente"),
    ],
)
def test_the_period_is_told_in_words(api, organization, period, text):
    plan = created(api, organization, billing_period=period)

    assert plan["billing_period"] == int(period)
    assert plan["translated_billing_period"] == text


def test_products_make_the_price_whatever_was_sent_for_it(api, organization, item):
    products = [
        product(item, units="2.5", unit_value="5.75", value="999", description="Horas"),
        product(item, unit_value=49.9),
    ]

    plan = created(api, organization, price="cem reais", products=products)

    assert plan["price"] == "64.28"
    first, second = plan["products"]
    assert first | {"id": 1} == {
        "id": 1,
        "name": "Suporte",
        "description": "Horas",
        "unit_value": "5.75",
        "units": "2.5",
        "value": "14.38",
    }
    assert (second["value"], second["description"]) == ("49.9", "")


def test_features_get_ids_of_their_own(api, organization):
    features = [{"value": "10", "description": "Usuários", "tag": "u"}, {"value": 5}]

    plan = created(api, organization, features=features)

    assert plan["features"] == [
        {"id": 1, "description": "Usuários", "value": "10", "tag": "u"},
        {"id": 2, "description": None, "value": "5", "tag": None},
    ]


def test_what_is_not_an_attribute_cannot_be_set(api, organization, other_account):
    foreign = OrganizationFactory(account=other_account)
    protected = {"id": 99, "account_id": other_account.pk, "organization_id": foreign.pk}

    plan = created(api, organization, **protected, integration={"x": 1}, created_at="01/01/2000")

    row = Plan.objects.get()
    assert (plan["id"], row.account_id, row.organization) == (
        row.pk,
        organization.account_id,
        organization,
    )
    assert row.integration == {}
    assert row.created_at.year != 2000


# --- refusals -----------------------------------------------------------------------------------


def test_all_faults_are_told_at_once_one_text_for_each(api, organization):
    answer = api.post(
        address(organization),
        {
            "plan": {
                "name": " ",
                "price": "caro",
                "billing_period": 4,
                "charging_method": "mensal",
                "price_index": "selic",
                "trial_period": "muito",
                "billet_notification_ruler_id": "régua",
                "features": [{"description": "Usuários"}],
            }
        },
    )

    assert refused(answer) == {
        "name": "não pode ficar em branco",
        "price": "deve ser numérico",
        "billing_period": "não está incluído na lista",
        "charging_method": "não está incluído na lista",
        "price_index": "não está incluído na lista",
        "trial_period": "deve ser numérico",
        "billet_notification_ruler_id": "inválido",
        "features.value": "não pode ficar em branco",
    }
    assert not Plan.objects.exists()


def test_an_empty_body_lacks_what_is_required(api, organization):
    assert refused(api.post(address(organization), {})) == {
        "name": "não pode ficar em branco",
        "billing_period": "não pode ficar em branco",
        "price": "deve ser numérico",
    }


def test_products_lacking_service_and_numbers_are_told_by_dotted_keys(api, organization, item):
    answer = api.post(
        address(organization),
        body(products=[{"description": "nada"}, product(item, units="x", unit_value=None)]),
    )

    assert refused(answer) == {
        "products.units": "deve ser numérico",
        "products.unit_value": "deve ser numérico",
        "products.service_item": "não pode ficar em branco",
    }


@pytest.mark.parametrize("price", ["-0.01", -5])
def test_a_price_below_zero_is_refused(api, organization, price):
    answer = api.post(address(organization), body(price=price))

    assert refused(answer) == {"price": "deve ser maior ou igual a 0"}


def test_products_below_zero_are_refused_and_a_discount_is_not(api, organization, item):
    dear = product(item, unit_value="50")
    discount = product(item, unit_value="-20")

    assert created(api, organization, products=[dear, discount])["price"] == "30.0"
    answer = api.post(address(organization), body(products=[discount]))
    assert refused(answer) == {"price": "deve ser maior ou igual a 0"}


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"price": "1e400"}, {"price": "deve ser numérico"}),
        ({"price": 10**13}, {"price": "valor alto demais"}),
        ({"price": "9999999999999.999"}, {"price": "valor alto demais"}),
        ({"trial_period": 10**30}, {"trial_period": "deve ser numérico"}),
        ({"installments_limit": -1}, {"installments_limit": "deve estar entre 0 e 32767"}),
        ({"name": ["a"]}, {"name": "inválido"}),
        ({"name": "a\x00b"}, {"name": "inválido"}),
        ({"description": "\ud800"}, {"description": "inválido"}),
        ({"name": "a" * 201}, {"name": "é muito longo (máximo: 200 caracteres)"}),
        ({"has_trial": "talvez"}, {"has_trial": "inválido"}),
        ({"features": "dez"}, {"features": "inválido"}),
        ({"features": ["dez"]}, {"features": "inválido"}),
        ({"features": [{"value": {"a": 1}}]}, {"features.value": "inválido"}),
        ({"products": {"0": {}}}, {"products": "inválido"}),
        ({"products": [[]]}, {"products": "inválido"}),
        ({"billing_period": [1]}, {"billing_period": "não está incluído na lista"}),
        ({"charging_method": True}, {"charging_method": "não está incluído na lista"}),
    ],
)
def test_values_of_a_wrong_kind_or_size_are_refused(api, organization, fields, errors):
    answer = api.post(address(organization), body(**fields))

    assert refused(answer) == errors
    assert not Plan.objects.exists()


@pytest.mark.parametrize(
    ("units", "unit_value"),
    [("99999999999", "99999999999"), ("99999999999.99999", "1"), ("1", "99999999999.99999")],
)
def test_products_beyond_what_is_stored_are_refused(api, organization, item, units, unit_value):
    products = [product(item, units=units, unit_value=unit_value)]

    answer = api.post(address(organization), body(products=products))

    assert refused(answer) == {"products.unit_value": "valor alto demais"}


def test_products_whose_sum_cannot_be_stored_are_refused(api, organization, item):
    products = [product(item, units="99999999999", unit_value="99")] * 2

    answer = api.post(address(organization), body(products=products))

    assert refused(answer) == {"price": "valor alto demais"}


# --- instalments --------------------------------------------------------------------------------

SMALL = {"installments_limit": "Valor das parcelas não pode ser menor do que R$ 5,00"}


def test_an_instalment_of_five_reais_is_the_smallest(api, organization):
    limits = {"allow_installments": True, "installments_limit": 12}

    assert created(api, organization, price="60.00", **limits)["installments_limit"] == 12
    assert refused(api.post(address(organization), body(price="59.99", **limits))) == SMALL
    assert Plan.objects.count() == 1


def test_a_lower_price_may_not_make_the_instalments_small(api, organization):
    plan = created(api, organization, price="60", allow_installments=True, installments_limit=12)

    answer = api.patch(address(organization, plan["id"]), {"price": "59"})

    assert refused(answer) == SMALL
    assert Plan.objects.get().price == Decimal("60.00")


def test_the_limit_goes_when_instalments_are_switched_off(api, organization):
    plan = created(api, organization, price="60", allow_installments=True, installments_limit=12)

    plan = changed(api, organization, plan, allow_installments=False)

    assert (plan["allow_installments"], plan["installments_limit"]) == (False, None)


def test_a_limit_without_instalments_is_kept_and_not_looked_at(api, organization):
    plan = created(api, organization, price="10", installments_limit=12)

    assert plan["installments_limit"] == 12


# --- changing -----------------------------------------------------------------------------------


def test_put_does_what_patch_does_and_an_empty_body_changes_nothing(api, organization):
    plan = created(api, organization, description="Antes", features=[{"value": "1"}])

    same = api.call("PUT", address(organization, plan["id"]), {"plan": {}})
    renamed = api.call("PUT", address(organization, plan["id"]), {"name": "Outro"})

    assert same.json()["plan"] == plan
    assert renamed.json()["plan"] == plan | {"name": "Outro"}


def test_features_are_updated_removed_and_added_by_id(api, organization):
    plan = created(api, organization, features=[{"value": "1"}, {"value": "2", "tag": "b"}])

    plan = changed(
        api,
        organization,
        plan,
        features=[{"id": 1, "_destroy": True}, {"id": "2", "value": "22"}, {"value": "3"}],
    )

    assert plan["features"] == [
        {"id": 2, "description": None, "value": "22", "tag": "b"},
        {"id": 3, "description": None, "value": "3", "tag": None},
    ]


def test_a_feature_made_blank_is_refused(api, organization):
    plan = created(api, organization, features=[{"value": "1"}])

    answer = api.patch(address(organization, plan["id"]), {"features": [{"id": 1, "value": ""}]})

    assert refused(answer) == {"features.value": "não pode ficar em branco"}


def test_products_are_updated_removed_and_added_by_id(api, organization, item):
    plan = created(
        api, organization, products=[product(item, units="2"), product(item, unit_value="7")]
    )
    first, second = plan["products"]

    plan = changed(
        api,
        organization,
        plan,
        products=[
            {"id": first["id"], "_destroy": "true"},
            {"id": second["id"], "units": "3"},
            product(item, unit_value="1.50"),
        ],
    )

    assert [(p["units"], p["value"]) for p in plan["products"]] == [("3.0", "21.0"), ("1.0", "1.5")]
    assert plan["products"][0]["id"] == second["id"]
    assert plan["price"] == "22.5"
    assert PlanProduct.objects.count() == 2


def test_the_last_product_gone_leaves_the_price_to_be_edited(api, organization, item):
    plan = created(api, organization, products=[product(item, unit_value="70")])
    gone = [{"id": plan["products"][0]["id"], "_destroy": True}]

    plan = changed(api, organization, plan, products=gone)
    assert (plan["price"], plan["products"]) == ("70.0", [])
    plan = changed(api, organization, plan, price="80")
    assert plan["price"] == "80.0"


def test_a_price_sent_for_a_plan_with_products_is_ignored(api, organization, item):
    plan = created(api, organization, products=[product(item, unit_value="70")])

    assert changed(api, organization, plan, price="1")["price"] == "70.0"


def test_every_change_is_in_the_audit_trail(api, organization):
    plan = created(api, organization)
    changed(api, organization, plan, name="Novo")
    api.delete(address(organization, plan["id"]))

    found = AuditEvent.objects.filter(object_type="plan", object_id=plan["id"]).order_by("id")
    assert list(found.values_list("action", "actor_kind")) == [
        ("plano.criado", "token"),
        ("plano.alterado", "token"),
        ("plano.excluido", "token"),
    ]


# --- listing, deleting --------------------------------------------------------------------------


def test_a_list_has_the_organizations_plans_by_name(api, account, organization):
    for name in ("Ouro", "Bronze", "Prata"):
        created(api, organization, name=name)
    created(api, OrganizationFactory(account=account), name="De outra")

    plans = api.get(address(organization)).json()["plans"]

    assert [plan["name"] for plan in plans] == ["Bronze", "Ouro", "Prata"]


def test_a_long_list_costs_as_many_queries_as_a_short_one(api, organization, item):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as context:
            api.get(address(organization))
        return len(context)

    created(api, organization, products=[product(item)])
    short = queries()
    for _ in range(5):
        created(api, organization, products=[product(item), product(item)])

    assert queries() == short


def test_a_plan_without_contracts_is_deleted(api, organization, item):
    plan = created(api, organization, products=[product(item)])

    answer = api.delete(address(organization, plan["id"]))

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Plan.objects.exists()


def test_a_plan_with_contracts_is_not(api, account, organization):
    plan = created(api, organization)
    ContractFactory(account=account, organization=organization, plan_id=plan["id"])

    answer = api.delete(address(organization, plan["id"]))

    assert refused(answer) == {
        "base": "Não foi possível apagar este plano, pois há assinaturas associadas ao mesmo."
    }
    assert Plan.objects.count() == 1


# --- whose --------------------------------------------------------------------------------------


def empty_404(answer):
    return (answer.status_code, answer.content) == (404, b"")


def test_plans_of_another_account_do_not_exist(api, organization, other_account):
    foreign = OrganizationFactory(account=other_account)
    other = created(api_of(other_account), foreign)
    before = list(Plan.objects.values())

    for place in (foreign, organization):
        assert empty_404(api.patch(address(place, other["id"]), {"name": "x"}))
        assert empty_404(api.delete(address(place, other["id"])))
    assert empty_404(api.get(address(foreign)))
    assert empty_404(api.post(address(foreign), body()))
    assert list(Plan.objects.values()) == before


def test_a_plan_is_reached_through_its_own_organization_only(api, account, organization):
    plan = created(api, organization)
    sister = OrganizationFactory(account=account)

    assert empty_404(api.patch(address(sister, plan["id"]), {"name": "x"}))
    assert empty_404(api.delete(address(sister, plan["id"])))
    assert Plan.objects.get().name == "Básico"


def test_a_customer_is_no_organization(api, customer):
    assert empty_404(api.get(address(customer)))
    assert empty_404(api.post(address(customer), body()))


@pytest.mark.parametrize("plan_id", ["0", "999", "x", "9" * 40])
def test_an_unknown_plan_is_not_found(api, organization, plan_id):
    assert empty_404(api.patch(address(organization, plan_id), {"name": "x"}))


def test_what_a_body_names_must_exist_even_when_the_rest_is_wrong(
    api, organization, item, other_account
):
    foreign = ServiceItemFactory(account=other_account)
    one = created(api, organization, features=[{"value": "1"}], products=[product(item)])
    two = created(api, organization, products=[product(item)])
    theirs = two["products"][0]["id"]
    before = list(Plan.objects.values())

    for wrong in (
        {"products": [product(foreign)]},
        {"products": [{"service_item_id": "x", "units": 1, "unit_value": 1}]},
        {"products": [{"id": theirs, "units": 5}]},
        {"features": [{"id": 2, "value": "x"}]},
    ):
        assert empty_404(api.patch(address(organization, one["id"]), wrong | {"name": ""}))
    assert empty_404(api.post(address(organization), body(name="", products=[product(foreign)])))
    assert list(Plan.objects.values()) == before
    assert PlanProduct.objects.count() == 2
