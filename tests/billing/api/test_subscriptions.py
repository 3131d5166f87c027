"""subscriptions over HTTP (billing-api §2.7, §3.4)."""

from __future__ import annotations

import json

import pytest
from factories import CompanyFactory, OrganizationFactory, cnpj, cpf
from support.subscriptions import (
    START,
    cancelled,
    change,
    customer,
    established,
    plan_of,
    subscribed,
)
from support.wire import FOLDER, api_of

from accounts.models import AuditEvent, WebhookEvent
from billing.models import Contract, Invoice, InvoiceRule, Party

UNKNOWN = "0" * 32

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(today):
    today(START.isoformat())


@pytest.fixture
def api(account):
    return api_of(account)


@pytest.fixture
def plan(organization):
    return plan_of(organization, has_trial=True, trial_period=15)


def refused(answer, status=422):
    assert answer.status_code == status, answer.content
    return answer.json()["errors"]


def empty_404(answer):
    return (answer.status_code, answer.content) == (404, b"")


def contract_of(subscription):
    return Contract.objects.get(pk=subscription["id"])


# --- create --------------------------------------------------------------------------------------


def test_a_subscription_begins_in_trial_with_a_new_company(api, account, organization, plan):
    shown = subscribed(
        api,
        plan,
        state_inscription="123",
        address_information={"address": "Rua A", "zipcode": "80220050", "state": "PR"},
    )

    contract = contract_of(shown)
    assert "payment_information" not in shown
    assert "customer_type" not in shown
    assert "overdue_automatic_management" not in shown
    assert shown["name"] == shown["title"] == "Assinatura Clínica - Mensal"
    assert (shown["state"], shown["status"], shown["kind"]) == ("active", "trial", "sale")
    assert (shown["init_date"], shown["end_date"]) == ("12/02/2025", "27/02/2025")
    assert (shown["valid_until"], shown["overdue"]) == ("27/02/2025", False)
    assert shown["registration_method"] == "subscription"
    assert (shown["supplier_id"], shown["supplier_type"]) == (organization.pk, "Company")
    assert shown["plan"]["id"] == plan.pk
    party = Party.objects.get(pk=shown["customer_id"])
    assert contract.party == party
    assert (party.kind, party.document, party.email) == ("company", cnpj(77), "fin@clinica.test")
    assert (party.address, party.zipcode, party.state_inscription) == ("Rua A", "80220050", "123")
    assert not Invoice.objects.exists()
    actions = AuditEvent.objects.of(account).order_by("id").values_list("action", flat=True)
    assert list(actions)[1:] == ["cliente.criado", "assinatura.criada"]  # the token was first


@pytest.mark.parametrize(
    "fields", [{}, {"has_trial": False, "trial_period": 30}, {"has_trial": True}]
)
def test_a_plan_without_trial_ends_it_the_same_day(api, organization, fields):
    shown = subscribed(api, plan_of(organization, **fields))

    assert (shown["end_date"], shown["valid_until"]) == ("12/02/2025", "12/02/2025")
    assert (shown["status"], shown["overdue"]) == ("trial", False)


def test_a_trial_that_ended_is_overdue(api, plan, today):
    shown = subscribed(api, plan)

    today("2025-02-28")

    again = api.get(f"subscriptions/token/{shown['token']}").json()["subscription"]
    assert again["overdue"] is True


def test_the_customer_is_found_by_document_and_left_as_registered(api, account, plan):
    known = CompanyFactory(account=account, name="Clínica Antiga", document=cnpj(77))

    shown = subscribed(api, plan, document="00.000.077/0001-" + cnpj(77)[-2:], name="Outro Nome")

    assert shown["customer_id"] == known.pk
    assert shown["name"] == "Assinatura Clínica Antiga - Mensal"
    assert Party.objects.get(pk=known.pk).email == known.email


def test_an_organization_of_the_same_document_is_not_the_customer(api, organization, plan):
    shown = subscribed(api, plan, document=organization.document)

    assert shown["customer_id"] != organization.pk
    assert Party.objects.get(pk=shown["customer_id"]).kind == "company"


def test_a_customer_of_another_account_is_not_found_by_document(api, plan, other_account):
    foreign = CompanyFactory(account=other_account, document=cnpj(77))

    shown = subscribed(api, plan)

    assert shown["customer_id"] != foreign.pk


def test_the_document_tells_a_person(api, plan):
    shown = subscribed(api, plan, name="Ana", document=cpf(5))

    person = Party.objects.get(pk=shown["customer_id"])
    assert (person.kind, person.document, person.name) == ("person", cpf(5), "Ana")


def test_without_document_a_customer_is_registered_by_name(api, plan):
    shown = subscribed(api, plan, name="Ana", document=None, type="Person")

    person = Party.objects.get(pk=shown["customer_id"])
    assert (person.kind, person.document) == ("person", "")


def test_the_same_plan_twice_gets_a_numbered_name(api, plan):
    names = [subscribed(api, plan)["name"] for _ in range(3)]

    assert names == [
        "Assinatura Clínica - Mensal",
        "Assinatura Clínica - Mensal (2)",
        "Assinatura Clínica - Mensal (3)",
    ]
    assert Party.objects.filter(kind="company").count() == 1


def test_long_names_are_cut_to_what_a_contract_holds(api, organization):
    plan = plan_of(organization, name="P" * 150)

    names = [subscribed(api, plan, name="C" * 150)["name"] for _ in range(2)]

    assert names[0] == f"Assinatura {'C' * 150} - {'P' * 36}"
    assert names[1] == f"Assinatura {'C' * 150} - {'P' * 26} (2)"


def test_the_card_charging_of_the_contract_is_the_plans(api, organization):
    kept = {
        "cobrato_payment_gateway_charge_config_id": 9,
        "cobrato_payment_gateway_charge_config_name": "Cartão",
    }

    shown = subscribed(api, plan_of(organization, integration=kept))

    assert {name: shown[name] for name in kept} == kept


@pytest.mark.parametrize("plan_id", [999, "999", "abc", -1, 10**30, [1]])
def test_an_unknown_plan_is_the_404_that_has_a_body(api, plan, plan_id):
    answer = api.post("subscriptions", {"subscription": {"plan_id": plan_id, "customer": {}}})

    assert refused(answer, 404) == "Plano não encontrado com o id especificado."


def test_a_plan_of_another_account_is_unknown(api, other_account):
    foreign = plan_of(OrganizationFactory(account=other_account))

    answer = api.post("subscriptions", {"plan_id": foreign.pk, "customer": customer()})

    assert refused(answer, 404) == "Plano não encontrado com o id especificado."
    assert not Contract.objects.exists()


def test_all_faults_of_a_subscription_are_told_at_once(api, plan):
    answer = api.post(
        "subscriptions",
        {
            "plan_id": plan.pk,
            "customer": {
                "email": "não é e-mail",
                "document": "11.111.111/1111-11",
                "type": "Company",
                "address_information": {"zipcode": "80220-050", "state": "Paraná"},
            },
        },
    )

    assert refused(answer) == {
        "customer.name": "não pode ficar em branco",
        "customer.email": "inválido",
        "customer.document": "inválido",
        "customer.address_information.zipcode": "Por favor digite um CEP válido.",
        "customer.address_information.state": "é muito longo (máximo: 2 caracteres)",
    }
    assert not Contract.objects.exists()
    assert not Party.objects.filter(kind="company").exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"plan_id": "não pode ficar em branco", "customer": "não pode ficar em branco"}),
        (
            {"plan_id": "", "customer": "Ana"},
            {"plan_id": "não pode ficar em branco", "customer": "inválido"},
        ),
        (
            {"plan_id": None, "customer": {}},
            {
                "plan_id": "não pode ficar em branco",
                "customer.name": "não pode ficar em branco",
                "customer.email": "não pode ficar em branco",
                "customer.type": "não pode ficar em branco",
            },
        ),
    ],
)
def test_what_is_missing_is_told(api, body, errors):
    assert refused(api.post("subscriptions", body)) == errors


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"document": "123"}, {"customer.document": "inválido"}),
        ({"document": cpf(5), "type": "Company"}, {"customer.document": "inválido"}),
        ({"document": cnpj(5), "type": "Person"}, {"customer.document": "inválido"}),
        ({"document": [cnpj(5)]}, {"customer.document": "inválido"}),
        ({"type": "Empresa"}, {"customer.type": "não está incluído na lista"}),
        ({"name": ["Ana"]}, {"customer.name": "inválido"}),
        ({"name": "A\x00"}, {"customer.name": "inválido"}),
        ({"name": "\udfff"}, {"customer.name": "inválido"}),
        ({"email": {}}, {"customer.email": "inválido"}),
        ({"address_information": "Rua A"}, {"customer.address_information": "inválido"}),
    ],
)
def test_a_customer_of_wrong_values_is_refused(api, plan, fields, errors):
    answer = api.post("subscriptions", {"plan_id": plan.pk, "customer": customer(**fields)})

    assert refused(answer) == errors
    assert not Contract.objects.exists()


def test_a_known_customer_is_not_told_as_taken_when_something_else_is_wrong(api, account, plan):
    CompanyFactory(account=account, document=cnpj(77))

    answer = api.post("subscriptions", {"plan_id": plan.pk, "customer": customer(email="")})

    assert refused(answer) == {"customer.email": "não pode ficar em branco"}


def test_a_second_company_of_the_same_name_is_refused(api, account, plan):
    CompanyFactory(account=account, name="Clínica")

    answer = api.post("subscriptions", {"plan_id": plan.pk, "customer": customer()})

    assert refused(answer) == {"customer.name": "já está em uso"}


def test_a_repeated_idempotency_key_subscribes_once(api, plan):
    body = {"plan_id": plan.pk, "customer": customer()}

    first, second = (api.post("subscriptions", body, Idempotency_Key="k1") for _ in range(2))

    assert first.json() == second.json()
    assert Contract.objects.count() == 1


def test_what_belongs_to_the_server_cannot_be_sent(api, plan):
    body = {"plan_id": plan.pk, "customer": customer(id=1, kind="organization")}
    protected = {"token": UNKNOWN, "status": "established", "state": "inactive", "end_date": None}

    shown = api.post("subscriptions", {"subscription": body | protected}).json()["subscription"]

    assert (shown["status"], shown["state"], shown["end_date"]) == ("trial", "active", "27/02/2025")
    assert shown["token"] != UNKNOWN
    assert Party.objects.get(pk=shown["customer_id"]).kind == "company"


# --- show ----------------------------------------------------------------------------------------


def test_a_subscription_is_shown_by_token_with_how_it_is_paid(api, plan):
    contract = established(api, plan)

    shown = api.get(f"subscriptions/token/{contract.token}").json()["subscription"]

    node = shown.pop("payment_information")
    created = node.pop("created_at")
    assert node == {
        "id": contract.pk,
        "payment_method": "billet",
        "cobrato_card_id": "--",
        "card_expiration_month": "--",
        "card_expiration_year": "--",
        "installments": 1,
    }
    assert created.startswith("12/02/2025 ")
    assert created.endswith(" -03:00")
    assert (shown["status"], shown["end_date"]) == ("established", None)


@pytest.mark.parametrize("token", [UNKNOWN, "x", "%00", "A" * 32, "é" * 8, "1" * 33])
def test_an_unknown_token_is_not_found_anywhere(api, plan, token):
    assert empty_404(api.get(f"subscriptions/token/{token}"))
    assert empty_404(api.patch(f"subscriptions/{token}/change_plan", {"new_plan_id": plan.pk}))
    assert empty_404(api.patch(f"subscriptions/{token}/change_plan", {}))
    assert empty_404(api.patch(f"subscriptions/{token}/cancel"))


def test_a_subscription_of_another_account_does_not_exist(api, plan, other_account):
    token = subscribed(api, plan)["token"]
    stranger = api_of(other_account)
    theirs = plan_of(OrganizationFactory(account=other_account))
    before = list(Contract.objects.values())

    assert empty_404(stranger.get(f"subscriptions/token/{token}"))
    change = f"subscriptions/{token}/change_plan"
    assert empty_404(stranger.patch(change, {"new_plan_id": theirs.pk}))
    assert empty_404(stranger.patch(f"subscriptions/{token}/cancel"))
    assert list(Contract.objects.values()) == before


def test_a_regular_contract_is_no_subscription(api, account, organization, plan):
    contract = Contract.objects.create(
        account=account,
        organization=organization,
        party=CompanyFactory(account=account),
        name="Contrato",
        title="Contrato",
    )

    assert empty_404(api.get(f"subscriptions/token/{contract.token}"))
    assert empty_404(api.patch(f"subscriptions/{contract.token}/cancel"))
    assert Contract.objects.get(pk=contract.pk).status == "established"


# --- change_plan ---------------------------------------------------------------------------------


def test_a_trial_stays_in_trial_with_the_same_end(api, organization, plan):
    shown = subscribed(api, plan)
    other = plan_of(organization, name="Anual", billing_period=12, charging_method="post_paid")

    after = change(api, shown["token"], other).json()["subscription"]

    assert after["plan"]["id"] == other.pk
    expected = {"name", "title", "plan"}
    assert {key for key in shown if after[key] != shown[key]} == expected
    assert after["name"] == after["title"] == "Assinatura Clínica - Anual"
    assert Contract.objects.get().charging_method == "post_paid"
    assert not InvoiceRule.objects.exists()


def test_the_change_is_told_in_the_documented_body(api, account, organization, plan):
    shown = subscribed(api, plan)
    other = plan_of(organization, name="Anual")

    change(api, shown["token"], other)

    event = WebhookEvent.objects.get()
    fixture = json.loads((FOLDER / "webhook_change_plan.json").read_text(encoding="utf-8"))
    assert (event.event, event.object_type, event.object_id) == (
        "change_plan",
        "Contract",
        shown["id"],
    )
    assert event.payload == {
        "event": "change_plan",
        "plan_id": other.pk,
        "contract_token": shown["token"],
    }
    assert event.payload.keys() == fixture["request"]["json"].keys()
    audit = AuditEvent.objects.get(action="assinatura.plano_alterado")
    assert (audit.before["plano"], audit.after["plano"]) == (plan.pk, other.pk)


def test_the_same_plan_again_changes_nothing_and_tells_nobody(api, plan):
    contract = established(api, plan)
    before = list(Contract.objects.values()), list(Invoice.objects.values())

    answer = change(api, contract.token, plan)

    assert answer.status_code == 200
    assert (list(Contract.objects.values()), list(Invoice.objects.values())) == before
    assert not WebhookEvent.objects.exists()


def test_going_back_and_forth_keeps_the_name_free_of_numbers(api, organization, plan):
    shown = subscribed(api, plan)
    other = plan_of(organization, name="Anual")

    change(api, shown["token"], other)
    after = change(api, shown["token"], plan).json()["subscription"]

    assert after["name"] == "Assinatura Clínica - Mensal"


def test_a_plan_must_be_of_the_same_organization(api, account, plan, other_account):
    shown = subscribed(api, plan)
    sister = plan_of(OrganizationFactory(account=account))
    foreign = plan_of(OrganizationFactory(account=other_account))
    address = f"subscriptions/{shown['token']}/change_plan"

    for plan_id in (sister.pk, foreign.pk, 999, "x", 10**30):
        assert empty_404(api.patch(address, {"new_plan_id": plan_id}))
    assert Contract.objects.get().plan == plan
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("body", [{}, {"new_plan_id": None}, {"subscription": {"new_plan_id": ""}}])
def test_a_change_must_name_the_plan(api, plan, body):
    shown = subscribed(api, plan)

    answer = api.patch(f"subscriptions/{shown['token']}/change_plan", body)

    assert refused(answer) == {"new_plan_id": "não pode ficar em branco"}


def test_a_cancelled_subscription_changes_no_more(api, organization, plan):
    shown = subscribed(api, plan)
    api.patch(f"subscriptions/{shown['token']}/cancel")

    for other in (plan, plan_of(organization, name="Outro")):
        assert refused(change(api, shown["token"], other)) == "A assinatura está cancelada."
    assert Contract.objects.get().plan == plan


# --- cancel --------------------------------------------------------------------------------------


def test_a_cancellation_needs_no_body(api, plan):
    shown = cancelled(api, subscribed(api, plan)["token"])

    assert (shown["state"], shown["status"], shown["overdue"]) == ("inactive", "cancelled", False)
    assert (shown["cancel_date"], shown["cancel_reason"]) == ("12/02/2025", None)
    assert (shown["end_date"], shown["valid_until"]) == ("27/02/2025", "27/02/2025")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("2025-01-05", "05/01/2025"), ("31/12/2030", "31/12/2030"), ("amanhã", "12/02/2025")],
)
def test_any_date_ends_it_at_once(api, plan, sent, shown):
    contract = established(api, plan)

    after = cancelled(
        api, contract.token, {"subscription": {"cancel_date": sent, "cancel_reason": ""}}
    )

    assert (after["cancel_date"], after["cancel_reason"]) == (shown, "")
    assert after["state"] == "inactive"
    assert not Invoice.objects.filter(state="to_emit").exists()


def test_an_expired_one_ends_today(api, plan, today):
    shown = subscribed(api, plan)
    today("2025-03-10")

    after = cancelled(api, shown["token"], {"cancel_reason": "Caro"})

    assert (after["end_date"], after["overdue"]) == ("10/03/2025", False)
    assert after["cancel_reason"] == "Caro"


def test_cancelling_twice_changes_nothing(api, plan, today):
    contract = established(api, plan)
    first = cancelled(api, contract.token, {"cancel_reason": "Caro"})
    told = WebhookEvent.objects.count()
    today("2025-02-20")

    second = cancelled(api, contract.token, {"cancel_reason": "Outro", "cancel_date": "20/02/2025"})

    assert second == first
    assert WebhookEvent.objects.count() == told
    assert AuditEvent.objects.filter(action="assinatura.cancelada").count() == 1


def test_a_reason_that_is_no_text_is_refused(api, plan):
    shown = subscribed(api, plan)

    answer = api.patch(f"subscriptions/{shown['token']}/cancel", {"cancel_reason": ["caro"]})

    assert refused(answer) == {"cancel_reason": "inválido"}
    assert Contract.objects.get().status == "trial"


def test_put_does_what_patch_does(api, organization, plan):
    shown = subscribed(api, plan)
    other = plan_of(organization, name="Anual")
    root = f"subscriptions/{shown['token']}"

    assert api.call("PUT", f"{root}/change_plan", {"new_plan_id": other.pk}).status_code == 200
    assert api.call("PUT", f"{root}/cancel", {}).status_code == 200
    assert Contract.objects.get().state == "inactive"
