"""The catalogue of services through HTTP (billing-api §2.4)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from factories import (
    ContractFactory,
    OrganizationFactory,
    RuleFactory,
    ServiceItemFactory,
    TransactionFactory,
)
from support.invoices import in_threads, line, new_invoice
from support.wire import api_of

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    InvoiceTemplate,
    Plan,
    PlanProduct,
    ScheduledUpdate,
    ServiceItem,
    TemplateService,
)
from billing.services.catalog import create_service_item
from lib.errors import InvalidInput

pytestmark = pytest.mark.django_db

BLANK, TAKEN = "não pode ficar em branco", "já está em uso"
IN_USE = {
    "errors": {
        "base": [
            "Não foi possível apagar este serviço. "
            "Verifique se há faturamentos ou planos associados ao mesmo."
        ]
    }
}


@pytest.fixture
def api(account):
    return api_of(account)


def test_a_service_is_created_from_name_alone(api, account):
    answer = api.post("service_items", {"name": "Suporte"})

    [item] = ServiceItem.objects.all()
    assert answer.status_code == 201
    assert answer.json() == {
        "service_item": {
            "id": item.pk,
            "account_id": account.pk,
            "name": "Suporte",
            "description": None,
            "value": "0.0",
            "unit": "item",
        }
    }
    event = AuditEvent.objects.get(action="servico.criado")
    assert (event.object_type, event.object_id) == ("serviceitem", item.pk)


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: {"service_item": body}])
def test_the_body_comes_bare_or_in_its_envelope(api, wrap):
    body = {"name": "Suporte", "description": "", "value": "14.38", "unit": "hora", "id": 9}

    shown = api.post("service_items", wrap(body)).json()["service_item"]

    assert shown["id"] != 9
    assert {k: shown[k] for k in ("name", "description", "value", "unit")} == {
        "name": "Suporte",
        "description": "",
        "value": "14.38",
        "unit": "item",
    }


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (450, "450.0"),
        ("450.00", "450.0"),
        (None, "0.0"),
        ("", "0.0"),
        ("33.33335", "33.3334"),
        ("-5.5", "-5.5"),
        ("-0.00001", "0.0"),
        ("99999999999.9999", "99999999999.9999"),
    ],
)
def test_values_have_four_decimals(api, sent, shown):
    answer = api.post("service_items", {"name": "Suporte", "value": sent})

    assert answer.json()["service_item"]["value"] == shown
    listed = api.get("service_items").json()["service_items"]
    assert [item["value"] for item in listed] == [shown]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"name": [BLANK]}),
        ({"name": None}, {"name": [BLANK]}),
        ({"name": "  "}, {"name": [BLANK]}),
        ({"name": ["a"]}, {"name": ["inválido"]}),
        ({"name": {"a": 1}}, {"name": ["inválido"]}),
        ({"name": True}, {"name": ["inválido"]}),
        ({"name": "a\x00b"}, {"name": ["inválido"]}),
        ({"name": "n" * 201}, {"name": ["é muito longo (máximo: 200 caracteres)"]}),
        ({"name": "a", "value": "abc"}, {"value": ["deve ser numérico"]}),
        ({"name": "a", "value": [1]}, {"value": ["deve ser numérico"]}),
        ({"name": "a", "value": True}, {"value": ["deve ser numérico"]}),
        ({"name": "a", "value": "1e3"}, {"value": ["deve ser numérico"]}),
        ({"name": "a", "value": "100000000000"}, {"value": ["valor alto demais"]}),
        ({"name": "a", "value": "99999999999.99995"}, {"value": ["valor alto demais"]}),
        (
            {"name": "", "description": ["x"], "value": "x"},
            {"name": [BLANK], "description": ["inválido"], "value": ["deve ser numérico"]},
        ),
        (
            {"name": "Existe", "description": {}, "value": "x"},
            {"description": ["inválido"], "value": ["deve ser numérico"], "name": [TAKEN]},
        ),
    ],
)
def test_all_faults_are_told_and_nothing_is_written(api, account, body, errors):
    ServiceItemFactory(account=account, name="Existe")

    answer = api.post("service_items", body)

    assert answer.status_code == 422
    assert answer.json() == {"errors": errors}
    assert ServiceItem.objects.count() == 1
    assert not AuditEvent.objects.filter(object_type="serviceitem").exists()


@pytest.mark.parametrize("raw", ['{"name": "\\ud800"}', '{"name": "a", "value": 1e400}'])
def test_what_no_database_stores_is_refused(api, raw):
    assert api.call("POST", "service_items", raw).status_code == 422
    assert ServiceItem.objects.count() == 0


def test_malformed_json_is_400(api):
    answer = api.call("POST", "service_items", '{"name": ')

    assert (answer.status_code, answer.content) == (400, b"")


def test_names_are_unique_in_the_account_only(api, account, other_account):
    ServiceItemFactory(account=other_account, name="Suporte")

    assert api.post("service_items", {"name": "Suporte"}).status_code == 201
    assert api.post("service_items", {"name": "suporte"}).status_code == 201
    assert api.post("service_items", {"name": "Suporte"}).status_code == 422


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_changes_what_is_sent(api, account, method):
    item = ServiceItemFactory(account=account, name="Suporte", description="Remoto", value=100)

    answer = api.call(method, f"service_items/{item.pk}", {"value": "620.5"})

    assert answer.status_code == 200
    shown = answer.json()["service_item"]
    assert (shown["name"], shown["description"], shown["value"]) == ("Suporte", "Remoto", "620.5")


def test_an_empty_update_changes_nothing(api, account):
    item = ServiceItemFactory(account=account, name="Suporte", description="Remoto")
    before = ServiceItem.objects.filter(pk=item.pk).values().get()

    assert api.patch(f"service_items/{item.pk}", {}).status_code == 200
    assert ServiceItem.objects.filter(pk=item.pk).values().get() == before


def test_an_item_may_keep_its_name_but_not_take_another(api, account):
    item = ServiceItemFactory(account=account, name="Suporte")
    ServiceItemFactory(account=account, name="Hospedagem")

    assert api.patch(f"service_items/{item.pk}", {"name": "Suporte"}).status_code == 200
    taken = api.patch(f"service_items/{item.pk}", {"name": "Hospedagem"})
    assert taken.json() == {"errors": {"name": [TAKEN]}}
    blank = api.patch(f"service_items/{item.pk}", {"name": ""})
    assert blank.json() == {"errors": {"name": [BLANK]}}
    item.refresh_from_db()
    assert item.name == "Suporte"


def test_the_list_is_by_name_and_of_the_account(api, account, other_account):
    for name in ("B", "A"):
        ServiceItemFactory(account=account, name=name)
    ServiceItemFactory(account=other_account, name="C")

    listed = api.get("service_items").json()["service_items"]

    assert [item["name"] for item in listed] == ["A", "B"]


def test_an_account_without_services_lists_none(api):
    assert api.get("service_items").json() == {"service_items": []}


def test_the_search_takes_the_exact_name(api, account, other_account):
    item = ServiceItemFactory(account=account, name="Suporte Técnico")
    ServiceItemFactory(account=other_account, name="Hospedagem")

    found = api.get("service_items/search", {"name": "Suporte Técnico"})
    assert found.json()["service_item"]["id"] == item.pk
    for name in ("Suporte", "suporte técnico", "Hospedagem"):
        missed = api.get("service_items/search", {"name": name})
        assert (missed.status_code, missed.content) == (404, b"")


@pytest.mark.parametrize("query", [{}, {"name": ""}, {"name": " "}, {"name": "a\x00"}])
def test_the_search_needs_a_name(api, query):
    answer = api.get("service_items/search", query)

    assert answer.status_code == 400
    assert answer.json() == {"errors": "Parâmetro(s) inválido(s) para busca: name"}


def test_an_unused_service_is_deleted(api, account):
    item = ServiceItemFactory(account=account)

    answer = api.delete(f"service_items/{item.pk}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert not ServiceItem.objects.exists()
    assert AuditEvent.objects.filter(action="servico.excluido", object_id=item.pk).count() == 1
    assert api.delete(f"service_items/{item.pk}").status_code == 404


def in_rule(item):
    rule = RuleFactory(contract=ContractFactory(account=item.account))
    rule.services.update(service_item=item)


def in_invoice(item):
    contract = ContractFactory(account=item.account)
    lines = [line(service_item_id=item.pk)]
    new_invoice(contract.organization, contract.party, contract_id=contract.pk, lines=lines)


def in_template(item):
    template = InvoiceTemplate.objects.create(
        account=item.account, organization=OrganizationFactory(account=item.account), name="M"
    )
    TemplateService.objects.create(
        template=template, position=1, service_item=item, units=1, unit_value=1, value=1
    )


def in_plan(item):
    organization = OrganizationFactory(account=item.account)
    plan = Plan.objects.create(account=item.account, organization=organization, name="P")
    PlanProduct.objects.create(plan=plan, service_item=item, units=1, unit_value=1, value=1)


def in_readjustment(item):
    rule = RuleFactory(contract=ContractFactory(account=item.account))
    ScheduledUpdate.objects.create(rule=rule, service_item=item, price_index="ipca")


def in_transaction(item):
    customer = ContractFactory(account=item.account).party
    TransactionFactory(customer=customer, service_item=item)


@pytest.mark.parametrize(
    "use", [in_rule, in_invoice, in_template, in_plan, in_readjustment, in_transaction]
)
def test_a_service_in_use_stays(api, account, use):
    item = ServiceItemFactory(account=account)
    use(item)

    answer = api.delete(f"service_items/{item.pk}")

    assert (answer.status_code, answer.json()) == (422, IN_USE)
    assert ServiceItem.objects.filter(pk=item.pk).exists()
    assert not AuditEvent.objects.filter(action="servico.excluido").exists()


def test_services_of_another_account_do_not_exist(api, other_account):
    item = ServiceItemFactory(account=other_account, name="Dela", value=Decimal("10.00"))
    path = f"service_items/{item.pk}"

    for answer in (api.patch(path, {"name": "Minha"}), api.patch(path, {}), api.delete(path)):
        assert (answer.status_code, answer.content) == (404, b"")
    item.refresh_from_db()
    assert item.name == "Dela"


@pytest.mark.parametrize("pk", ["abc", "0", "9" * 30, "-1", "1.5"])
def test_ids_that_no_row_has_are_404(api, pk):
    answer = api.patch(f"service_items/{pk}", {"name": "a"})

    assert (answer.status_code, answer.content) == (404, b"")


def test_a_repeated_key_creates_once(api):
    body = json.dumps({"name": "Suporte"})
    answers = [api.post("service_items", body, Idempotency_Key="k") for _ in range(2)]

    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert ServiceItem.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_services_with_one_name_at_once_one_is_refused(account):
    def create():
        return create_service_item({"name": "Suporte"}, account=account, actor=SYSTEM)

    answers = in_threads([create, create, create])

    refusals = [a for a in answers if isinstance(a, InvalidInput)]
    assert [[(e.campo, e.mensagem) for e in r.erros] for r in refusals] == [[("name", TAKEN)]] * 2
    assert ServiceItem.objects.count() == 1
