"""Rules created and listed through the API (billing-api §2.9, §6.3, §6.6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, ContractFactory, RuleFactory, ServiceItemFactory
from support.rule_bodies import (
    clause,
    due_dates,
    gross_values,
    issue_dates,
    monthly,
    rule_body,
    service,
)
from support.wire import api_of

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    FinancialAccount,
    Invoice,
    InvoiceRule,
    NfseTemplate,
    OrganizationProfile,
    RuleService,
    ScheduledUpdate,
)
from billing.selectors.invariants import violations
from billing.services.contracts import cancel_contract

BLANK = "não pode ficar em branco"
NOT_NUMBER = "deve ser numérico"


@pytest.fixture
def contract(account, today):
    today("2025-02-12")
    return ContractFactory(account=account)


@pytest.fixture
def item(account):
    return ServiceItemFactory(account=account, name="Suporte", description="Do catálogo")


def post(contract, body):
    return api_of(contract.account).post(f"contracts/{contract.pk}/invoice_rules", body)


def create(contract, **fields):
    answer = post(contract, {"invoice_rule": rule_body(**fields)})
    assert answer.status_code == 201, answer.content
    return answer.json()["invoice_rule"]


def refusal(contract, **fields):
    """The errors of a rule that was not created."""
    answer = post(contract, {"invoice_rule": rule_body(**fields)})
    assert answer.status_code == 422, answer.content
    assert not InvoiceRule.objects.exists()
    assert not Invoice.objects.exists()
    assert not RuleService.objects.exists()
    assert not ScheduledUpdate.objects.exists()
    return answer.json()["errors"]


# --- what a rule generates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "n"),
    [
        ({"init_date": "10/12/2018", "end_date": "31/12/2019"}, 13),
        ({"init_date": "05/06/2017", "end_date": "04/06/2022"}, 60),
        ({"init_date": "02/09/2016"}, 25),
        ({"init_date": "02/09/2016", "month_quantity": 6}, 5),
        ({"init_date": "20/12/2018", "month_quantity": 12}, 3),
        ({"init_date": "05/06/2017", "end_date": "18/09/2017", "period_unit": "weekly"}, 16),
        ({"init_date": "02/09/2016", "period_unit": "weekly"}, 26),
        ({"init_date": "05/06/2017", "period_unit": "weekly"}, 27),
        ({"init_date": "05/06/2017", "end_date": "04/06/2017", "period_unit": "weekly"}, 0),
        ({"init_date": "01/07/2025", "end_date": "01/10/2025"}, 4),
    ],
)
def test_a_rule_generates_as_many_invoices_as_were_recorded(contract, schedule, n):
    rule = create(contract, additional_information=monthly(**schedule))

    assert len(issue_dates(rule["id"])) == n
    assert rule["payment_value"] == ("150.0" if n else None)
    assert list(violations(contract.account)) == []


def test_occurrences_clamp_without_drifting(contract):
    node = monthly(init_date="31/01/2025", end_date="30/04/2025")

    rule = create(contract, additional_information=node)

    assert issue_dates(rule["id"]) == ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"]


@pytest.mark.parametrize(
    ("offset", "accrual"),
    [(None, "2025-03-01"), ("same_month", "2025-03-01"), ("previous_month", "2025-02-01"),
     ("next_month", "2025-04-01")],
)  # fmt: skip
def test_accrual_follows_the_issue_month(contract, offset, accrual):
    rule = create(contract, additional_information=monthly(accrual_month_quantity=offset))

    first = Invoice.objects.filter(rule=rule["id"]).earliest("issue_date")
    assert first.accrual_date.isoformat() == accrual
    assert first.estimated_issue_date == first.issue_date


@pytest.mark.parametrize(
    ("issue", "charge_type", "node", "dues"),
    [
        ("02/09/2016", "fixed_day", {"day_number": 23}, ["2016-09-23"]),
        ("10/04/2017", "fixed_day", {"day_number": 1}, ["2017-05-01"]),
        ("10/12/2018", "fixed_day", {"day_number": 3}, ["2019-01-03"]),
        ("10/12/2018", "fixed_day", {"day_number": 10}, ["2019-01-10"]),
        ("02/09/2016", "last_day_of_month", {}, ["2016-09-30"]),
        ("30/09/2016", "last_day_of_month", {}, ["2016-10-31"]),  # DECISIONS 4
        ("02/09/2017", "last_day_of_month", {"only_business_days": True}, ["2017-09-29"]),
        ("02/09/2016", "day_quantity", {"day_quantity": 3}, ["2016-09-05"]),
        (
            "02/09/2016", "day_quantity", {"day_quantity": 2, "only_business_days": True},
            ["2016-09-06"],
        ),
        (
            "02/09/2016", "fixed_day_and_month_quantity", {"day_number": 3, "month_quantity": 2},
            ["2016-11-03"],
        ),
        (
            "02/09/2016", "fixed_day", {"day_number": 31, "parcel_number": 3},
            ["2016-09-30", "2016-10-31", "2016-11-30"],
        ),
        (
            "02/09/2016", "day_quantity", {"day_quantity": 5, "parcel_number": 3},
            ["2016-09-07", "2016-10-07", "2016-11-07"],
        ),
        ("02/09/2016", None, {"day_number": 9}, ["2016-09-02"]),
    ],
)  # fmt: skip
def test_due_dates(contract, issue, charge_type, node, dues):
    rule = create(
        contract,
        charge_type=charge_type,
        receivables_additional_information=node,
        additional_information=monthly(init_date=issue),
    )

    assert due_dates(rule["id"]) == dues


def test_instalments_share_the_value(contract):
    rule = create(
        contract, receivables_additional_information={"day_number": 10, "parcel_number": 3}
    )

    first = Invoice.objects.filter(rule=rule["id"]).earliest("issue_date")
    assert [(one.value, one.gross_value) for one in first.receivables.order_by("position")] == [
        (Decimal("33.3333"), Decimal("50.00"))
    ] * 3


def test_invoices_copy_the_rule(contract, item):
    rule = create(
        contract,
        services=[service(item, 2.5, 5.75), service(item, 1, 49.9, description="Extra")],
        gross_value=700,
        issue_nfse=True,
        notification_ruler_id=57,
        management_type="automatic",
        automatic_email_template_id=0,
        days_until_automatic_nfe_emission=7,
        finance_category="Receitas",
        payment_information={"payment_method": "payment_gateway", "installments": 2},
    )

    first = Invoice.objects.filter(rule=rule["id"]).earliest("issue_date")
    assert first.gross_value == first.payment_value == Decimal("64.28")
    assert [(line.description, line.value) for line in first.lines.order_by("position")] == [
        ("Do catálogo", Decimal("14.38")),
        ("Extra", Decimal("49.90")),
    ]
    assert (first.description, first.nfe_body) == ("Suporte", "$DESCRICAO")
    assert first.issue_nfse is True
    assert first.notification_ruler_ref == 57
    assert (first.management_type, first.automatic_email_template_ref) == ("automatic", 0)
    assert first.days_until_automatic_nfe_emission == 7
    assert first.integration["finance_category"] == "Receitas"
    assert (first.payment_method, first.installments) == ("payment_gateway", 2)
    assert (first.state, first.approval_status) == ("to_emit", "approved")
    assert first.customer_id == contract.party_id
    assert first.number is None


# --- what is answered ----------------------------------------------------------------------------


def test_a_rule_is_answered_as_an_invoice_without_dates(contract, item):
    rule = create(contract, services=[service(item, 2.5, 5.75, value=999)])

    assert rule["contract_id"] == contract.pk
    assert (rule["customer_id"], rule["customer_type"]) == (contract.party_id, "Company")
    for name in ("issue_date", "estimated_issue_date", "accrual_date", "number", "comments"):
        assert rule[name] is None
    assert (rule["state"], rule["approval_status"]) == ("to_emit", "approved")
    assert rule["receivables"] == rule["attachments"] == []
    assert rule["gross_value"] == "14.38"
    (shown,) = rule["services"]
    assert shown == {
        "id": RuleService.objects.get().pk,
        "name": "Suporte",
        "description": "Do catálogo",
        "unit_value": "5.75",
        "units": "2.5",
        "value": "14.38",
    }
    assert "charge_type" not in rule
    assert "charge_type" not in rule["receivables_additional_information"]
    assert rule["payment_information"]["id"] == rule["additional_information"]["id"] == rule["id"]
    assert rule["payment_information"]["payment_method"] == "billet"
    assert rule["payment_information"]["cobrato_card_id"] == "--"


def test_a_bare_body_is_as_good_as_an_enveloped_one(contract):
    answer = post(contract, rule_body(description="Sem envelope"))

    assert answer.status_code == 201
    assert answer.json()["invoice_rule"]["description"] == "Sem envelope"


def test_ids_and_numbers_may_be_texts(contract, item):
    rule = create(
        contract,
        services=[{"service_item_id": str(item.pk), "units": "2", "unit_value": "10.5"}],
        additional_information=monthly(month_quantity="3", period_unit=0),
        receivables_additional_information={"day_number": "15", "parcel_number": ""},
    )

    assert rule["gross_value"] == "21.0"
    assert rule["additional_information"]["month_quantity"] == 3
    assert rule["receivables_additional_information"]["day_number"] == 15
    assert rule["receivables_additional_information"]["parcel_number"] is None


@pytest.mark.parametrize("unit", ["weekly", 1, "1"])
def test_weekly_discards_the_months(contract, unit):
    node = monthly(period_unit=unit, month_quantity="muitos")

    rule = create(contract, additional_information=node)

    assert rule["additional_information"]["period_unit"] == "weekly"
    assert rule["additional_information"]["month_quantity"] is None


def test_a_rule_without_schedule_generates_nothing(contract):
    rule = create(contract, additional_information=None)

    assert rule["additional_information"] is None
    assert rule["payment_value"] is None
    assert issue_dates(rule["id"]) == []


def test_only_description_and_texts_are_demanded(contract):
    answer = post(contract, {"description": "a", "nfe_body": "b", "gross_value": 10})

    assert answer.status_code == 201
    rule = answer.json()["invoice_rule"]
    assert rule["additional_information"] is None
    due = rule["receivables_additional_information"]
    names = ("day_number", "parcel_number", "day_quantity", "month_quantity", "only_business_days")
    assert [due[name] for name in names] == [None] * 5
    assert rule["scheduled_updates"] == rule["services"] == []
    assert rule["management_type"] == "manual"


@pytest.mark.parametrize(
    ("charge_type", "left"),
    [
        ("fixed_day", {"day_number": 5}),
        ("last_day_of_month", {"only_business_days": True}),
        ("day_quantity", {"day_quantity": 3, "only_business_days": True}),
        ("fixed_day_and_month_quantity", {"day_number": 5, "month_quantity": 2}),
        (
            None,
            {"day_number": 5, "day_quantity": 3, "month_quantity": 2, "only_business_days": True},
        ),
    ],
)
def test_fields_of_other_charge_types_come_back_null(contract, charge_type, left):
    node = {
        "day_number": 5, "day_quantity": 3, "month_quantity": 2, "only_business_days": True,
        "parcel_number": 2,
    }  # fmt: skip

    rule = create(contract, charge_type=charge_type, receivables_additional_information=node)

    due = rule["receivables_additional_information"]
    assert due["parcel_number"] == 2
    expected = {
        "day_number": None, "day_quantity": None, "month_quantity": None,
        "only_business_days": False,
    } | left  # fmt: skip
    assert {name: due[name] for name in expected} == expected


def test_clauses_are_planned_from_their_first_date(contract, item):
    rule = create(
        contract,
        services=[service(item)],
        scheduled_updates=[
            clause(item, init_date="02/10/2016", days_until_update=5),
            clause(month_quantity=20),
        ],
    )

    first, second = rule["scheduled_updates"]
    assert first["init_date"] == first["execution_date"] == "2016-10-02"
    assert first["remind_at"] == "2016-09-27"
    assert first["notified"] is False
    assert first["invoice_rule_id"] == rule["id"]
    assert first["service_item_id"] == item.pk
    assert (second["service_item_id"], second["month_quantity"]) == (None, 20)


def test_protected_fields_are_ignored(contract):
    rule = create(
        contract, id=7, state="received", payment_value=1, number="9", approval_status="blocked",
        account_id=99, contract_id=99, next_n=50, status="ended", created_at="01/01/2000",
    )  # fmt: skip

    row = InvoiceRule.objects.get()
    assert rule["id"] == row.pk
    assert (row.account_id, row.contract_id) == (contract.account_id, contract.pk)
    assert (rule["state"], rule["approval_status"]) == ("to_emit", "approved")
    assert len(issue_dates(row.pk)) == 25


def test_creation_is_audited_and_tells_integrators_nothing(contract):
    rule = create(contract)

    event = AuditEvent.objects.get(action="regra.criada")
    assert (event.object_id, event.after["faturas"]) == (rule["id"], 25)
    assert event.actor_kind == "token"
    assert not WebhookEvent.objects.exists()


def test_a_closed_contract_takes_no_rule(contract):
    cancel_contract(contract.pk, account=contract.account, actor=SYSTEM)

    answer = post(contract, rule_body())

    assert answer.status_code == 422
    assert answer.json() == {"errors": "O contrato está inativo."}
    assert not InvoiceRule.objects.exists()


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["description", "nfe_body"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_texts_may_not_be_blank(contract, name, value):
    assert refusal(contract, **{name: value}) == {name: BLANK}


def test_everything_wrong_is_told_at_once(contract, item):
    errors = refusal(
        contract,
        description="",
        gross_value="abc",
        management_type="automatic",
        additional_information={"month_quantity": 5},
        charge_type="fixed_day_and_month_quantity",
        receivables_additional_information={"day_number": 32},
        scheduled_updates=[{"init_date": "01/01/1999"}],
        payment_information={"payment_method": "cheque"},
    )

    assert errors == {
        "description": BLANK,
        "gross_value": NOT_NUMBER,
        "automatic_email_template_id": BLANK,
        "additional_information.title": BLANK,
        "additional_information.init_date": BLANK,
        "additional_information.month_quantity": "valor deve ser 1, 2, 3, 6 ou 12 (em meses)",
        "receivables_additional_information.day_number": "deve estar entre 1 e 31",
        "receivables_additional_information.month_quantity": "o valor deve ser maior do que zero",
        "scheduled_updates.month_quantity": NOT_NUMBER,
        "scheduled_updates.days_until_update": NOT_NUMBER,
        "scheduled_updates.price_index": BLANK,
        "payment_information.payment_method": "não está incluído na lista",
    }


def test_a_body_with_only_a_blank_description(contract):
    answer = post(contract, {"invoice_rule": {"description": ""}})

    # What recordings demand; charge_type and additional_information are not among it.
    assert answer.status_code == 422
    assert answer.json()["errors"] == {
        "description": BLANK,
        "nfe_body": BLANK,
        "gross_value": NOT_NUMBER,
    }


@pytest.mark.parametrize("value", [None, "", "abc", [], {}, True])
def test_a_value_is_needed_without_services(contract, value):
    assert refusal(contract, gross_value=value) == {"gross_value": NOT_NUMBER}


@pytest.mark.parametrize("value", [0, -1, "0.00", "-0.01"])
def test_a_value_is_positive(contract, value):
    assert refusal(contract, gross_value=value) == {
        "gross_value": "o valor deve ser maior do que zero"
    }


def test_a_value_has_a_limit(contract, item):
    assert refusal(contract, gross_value=10**14) == {"gross_value": "valor alto demais"}
    assert refusal(contract, gross_value="1e999") == {"gross_value": NOT_NUMBER}
    huge = [service(item, 10**10, 10**10)]
    assert refusal(contract, services=huge) == {"services.unit_value": "valor alto demais"}
    assert refusal(contract, services=[service(item, 10**12, 1)]) == {
        "services.units": "valor alto demais"
    }
    many = [service(item, 1, 9 * 10**10), service(item, 200, 9 * 10**10)]
    assert refusal(contract, services=many) == {"services.unit_value": "valor alto demais"}


def test_the_value_is_not_looked_at_beside_services(contract, item):
    rule = create(contract, services=[service(item, 100, 100)], gross_value="setecentos")

    assert rule["gross_value"] == "10000.0"
    assert gross_values(rule["id"])[0] == Decimal("10000.00")


def test_services_that_take_more_than_they_give(contract, item):
    assert refusal(contract, services=[service(item), service(item, 1, -200)]) == {
        "gross_value": "o valor deve ser maior do que zero"
    }


def test_services_worth_nothing_are_billed_all_the_same(contract, item):
    rule = create(contract, services=[service(item, 1, 0)])

    assert rule["gross_value"] == "0.0"
    assert set(gross_values(rule["id"])) == {Decimal("0.00")}


def test_a_service_needs_all_of_it(contract, item):
    assert refusal(contract, services=[{}]) == {
        "services.service_item": "não pode ficar em branco.",
        "services.units": NOT_NUMBER,
        "services.unit_value": NOT_NUMBER,
    }
    assert refusal(contract, services=[service(item, None, "dez")]) == {
        "services.units": NOT_NUMBER,
        "services.unit_value": NOT_NUMBER,
    }


@pytest.mark.parametrize(
    ("schedule", "key", "message"),
    [
        ({"title": ""}, "title", BLANK),
        ({"title": None}, "title", BLANK),
        ({"init_date": "amanhã"}, "init_date", BLANK),
        ({"month_quantity": None}, "month_quantity", "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"),
        ({"month_quantity": 4}, "month_quantity", "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"),
        ({"month_quantity": "x"}, "month_quantity", "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"),
        (
            {"month_quantity": 10**30}, "month_quantity",
            "valor deve ser 1, 2, 3, 6 ou 12 (em meses)",
        ),
        (
            {"init_date": "01/03/2025", "end_date": "01/03/2031"}, "periodicity",
            "deve ser no máximo 5 (cinco) anos",
        ),
        (
            {"init_date": "01/03/2025", "end_date": "01/03/2027", "period_unit": "weekly"},
            "periodicity", "deve ser no máximo 1 (um) ano",
        ),
        ({"period_unit": "daily"}, "period_unit", "não está incluído na lista"),
        ({"accrual_month_quantity": "x"}, "accrual_month_quantity", "não está incluído na lista"),
        ({"title": "a\x00b"}, "title", "inválido"),
        ({"title": ["a"]}, "title", "inválido"),
    ],
)  # fmt: skip
def test_schedules_that_cannot_be(contract, schedule, key, message):
    errors = refusal(contract, additional_information=monthly(**schedule))

    assert errors == {f"additional_information.{key}": message}


def test_lengths_just_within_the_limit(contract):
    five = monthly(init_date="01/03/2025", end_date="28/02/2031", month_quantity=12)
    one = monthly(init_date="05/06/2017", end_date="05/07/2018", period_unit="weekly")

    assert len(issue_dates(create(contract, additional_information=five)["id"])) == 6
    assert len(issue_dates(create(contract, additional_information=one)["id"])) == 57


@pytest.mark.parametrize("value", [None, "", 0, -1, "abc"])
def test_months_to_the_due_date_are_positive(contract, value):
    errors = refusal(
        contract,
        charge_type="fixed_day_and_month_quantity",
        receivables_additional_information={"day_number": 3, "month_quantity": value},
    )

    assert errors == {
        "receivables_additional_information.month_quantity": "o valor deve ser maior do que zero"
    }


@pytest.mark.parametrize(
    ("charge_type", "node", "key", "message"),
    [
        ("fixed_day", {"day_number": 0}, "day_number", "deve estar entre 1 e 31"),
        ("fixed_day", {"day_number": "dez"}, "day_number", NOT_NUMBER),
        ("fixed_day", {"parcel_number": 0}, "parcel_number", "deve estar entre 1 e 360"),
        ("fixed_day", {"parcel_number": 361}, "parcel_number", "deve estar entre 1 e 360"),
        ("day_quantity", {"day_quantity": -1}, "day_quantity", "deve estar entre 0 e 32767"),
        ("day_quantity", {"day_quantity": 3651}, "day_quantity", "deve estar entre 0 e 3650"),
        ("day_quantity", {"only_business_days": "talvez"}, "only_business_days", "inválido"),
    ],
)
def test_due_terms_that_cannot_be(contract, charge_type, node, key, message):
    errors = refusal(contract, charge_type=charge_type, receivables_additional_information=node)

    assert errors == {f"receivables_additional_information.{key}": message}


def test_a_charge_type_of_the_list(contract):
    assert refusal(contract, charge_type="never") == {"charge_type": "não está incluído na lista"}


def test_no_instalment_below_the_minimum(contract):
    OrganizationProfile.objects.filter(party=contract.organization).update(
        minimum_receivable=Decimal("5.00")
    )

    errors = refusal(
        contract,
        gross_value=14,
        receivables_additional_information={"day_number": 10, "parcel_number": 3},
        description="",
    )

    assert errors == {
        "description": BLANK,
        "receivables_additional_information.parcel_number": (
            "Valor das parcelas não pode ser menor do que R$ 5,00"
        ),
    }


@pytest.mark.parametrize(
    ("fields", "key", "message"),
    [
        ({"init_date": None}, "init_date", "deve ser a partir de 01/01/2000"),
        ({"init_date": "31/12/1999"}, "init_date", "deve ser a partir de 01/01/2000"),
        ({"init_date": "hoje"}, "init_date", "deve ser a partir de 01/01/2000"),
        ({"month_quantity": None}, "month_quantity", NOT_NUMBER),
        ({"month_quantity": "doze"}, "month_quantity", NOT_NUMBER),
        ({"month_quantity": 0}, "month_quantity", "deve estar entre 1 e 1200"),
        ({"days_until_update": None}, "days_until_update", NOT_NUMBER),
        ({"days_until_update": "dez"}, "days_until_update", NOT_NUMBER),
        ({"days_until_update": -1}, "days_until_update", "deve estar entre 0 e 3650"),
        ({"price_index": ""}, "price_index", BLANK),
        ({"price_index": "selic"}, "price_index", "não está incluído na lista"),
    ],
)
def test_clauses_that_cannot_be(contract, fields, key, message):
    errors = refusal(contract, scheduled_updates=[clause(**fields)])

    assert errors == {f"scheduled_updates.{key}": message}


def test_a_clause_may_start_on_the_first_day_of_2000(contract):
    rule = create(contract, scheduled_updates=[clause(init_date="01/01/2000")])

    assert rule["scheduled_updates"][0]["execution_date"] == "2000-01-01"


def test_a_clause_is_about_a_service_of_the_rule(contract, item):
    other = ServiceItemFactory(account=contract.account)

    errors = refusal(contract, services=[service(item)], scheduled_updates=[clause(other)])

    assert errors == {
        "scheduled_updates.service_item_id": "deve estar entre os serviços da regra recorrente"
    }


def test_only_one_clause_is_about_all_services(contract, item):
    errors = refusal(contract, services=[service(item)], scheduled_updates=[clause(), clause()])

    assert errors == {
        "scheduled_updates.service_item_id": "não pode ter mais de um reajuste sem serviço"
    }


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"services": "muitos"}, "services"),
        ({"services": ["um"]}, "services"),
        ({"services": {"service_item_id": 1}}, "services"),
        ({"scheduled_updates": 3}, "scheduled_updates"),
        ({"additional_information": "mensal"}, "additional_information"),
        ({"additional_information": []}, "additional_information"),
        ({"receivables_additional_information": 10}, "receivables_additional_information"),
        ({"payment_information": ["billet"]}, "payment_information"),
        ({"description": {"a": 1}}, "description"),
        ({"nfe_body": ["$DESCRICAO"]}, "nfe_body"),
        ({"issue_nfse": "sim"}, "issue_nfse"),
        ({"notify_customer": []}, "notify_customer"),
        ({"finance_category": "\ud800"}, "finance_category"),
        ({"description": "a\x00"}, "description"),
        ({"management_type": {}}, "management_type"),
        ({"notification_ruler_id": "régua"}, "notification_ruler_id"),
    ],
)
def test_wrong_types_are_refused(contract, fields, key):
    assert key in refusal(contract, **fields)


def test_a_rule_has_a_limit_of_services(contract, item):
    errors = refusal(contract, services=[service(item, 1, 1)] * 1001)

    assert errors == {"services": "máximo de 1000 por regra"}


# --- other tenants -------------------------------------------------------------------------------


def test_contracts_of_others_do_not_exist(contract, other_account):
    api = api_of(other_account)

    for answer in (
        api.get(f"contracts/{contract.pk}/invoice_rules"),
        api.post(f"contracts/{contract.pk}/invoice_rules", rule_body()),
        api.get("contracts/999/invoice_rules"),
        api.get("contracts/abc/invoice_rules"),
    ):
        assert (answer.status_code, answer.content) == (404, b"")
    assert not InvoiceRule.objects.exists()


def test_services_of_others_do_not_exist(contract, other_account):
    theirs = ServiceItemFactory(account=other_account)

    for body in (
        rule_body(services=[service(theirs)]),
        rule_body(services=[{"service_item_id": 999, "units": 1, "unit_value": 1}]),
        rule_body(services=[{"service_item_id": 10**30, "units": 1, "unit_value": 1}]),
    ):
        answer = post(contract, body)
        assert (answer.status_code, answer.content) == (404, b"")
    assert not InvoiceRule.objects.exists()


def test_references_of_others_do_not_exist(contract, other_account):
    theirs = ContractFactory(account=other_account).organization
    template = NfseTemplate.objects.create(account=other_account, organization=theirs, name="x")
    bank = FinancialAccount.objects.create(
        account=other_account, organization=theirs, bank_code="341", bank_branch="1",
        bank_account="1",
    )  # fmt: skip

    for body in (
        rule_body(nfse_template_id=template.pk),
        rule_body(payment_information={"financial_account_id": bank.pk}),
        rule_body(payment_information={"financial_charge_template_id": 999}),
    ):
        answer = post(contract, body)
        assert (answer.status_code, answer.content) == (404, b"")
    assert not InvoiceRule.objects.exists()


def test_a_new_rule_has_no_nodes_to_name(contract, item):
    for body in (
        rule_body(services=[service(item, id=1)]),
        rule_body(scheduled_updates=[clause(id=1)]),
        rule_body(additional_information=monthly(id=1)),
        rule_body(payment_information={"id": 1}),
    ):
        answer = post(contract, body)
        assert (answer.status_code, answer.content) == (404, b"")
    assert not InvoiceRule.objects.exists()


# --- the list and its cost -----------------------------------------------------------------------


def test_the_list_has_the_newest_first_and_only_of_the_contract(contract, item):
    first = create(contract, services=[service(item)])
    second = create(contract, additional_information=None)
    RuleFactory(contract=ContractFactory(account=contract.account))

    answer = api_of(contract.account).get(f"contracts/{contract.pk}/invoice_rules")

    found = answer.json()["invoice_rules"]
    assert [one["id"] for one in found] == [second["id"], first["id"]]
    assert [one["payment_value"] for one in found] == [None, None]
    assert found[1] | {"payment_value": "100.0"} == first


def test_rules_that_staff_made_are_listed_too(contract):
    rule = RuleFactory(contract=contract)

    answer = api_of(contract.account).get(f"contracts/{contract.pk}/invoice_rules")

    (shown,) = answer.json()["invoice_rules"]
    assert shown["id"] == rule.pk
    assert shown["nfe_body"] is None


def test_the_list_costs_the_same_however_long(contract, item):
    api = api_of(contract.account)

    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert api.get(f"contracts/{contract.pk}/invoice_rules").status_code == 200
        return len(seen)

    create(contract, services=[service(item)], scheduled_updates=[clause(item)])
    queries()
    one = queries()
    for _ in range(3):
        create(contract, services=[service(item)], scheduled_updates=[clause(item)])

    assert queries() == one


def test_creating_costs_the_same_however_many_invoices(contract, item):
    api = api_of(contract.account)

    def queries(**node):
        body = rule_body(services=[service(item)], additional_information=monthly(**node))
        with CaptureQueriesContext(connection) as seen:
            assert api.post(f"contracts/{contract.pk}/invoice_rules", body).status_code == 201
        return len(seen)

    queries()
    few = queries(end_date="01/04/2025")

    assert queries(end_date="01/02/2030") == few
    assert few <= 40


def test_a_customer_who_is_a_person(account, contract):
    person = ContractFactory(account=account, party=CompanyFactory(account=account, kind="person"))

    assert create(person)["customer_type"] == "Person"


def test_tags_are_kept_as_they_are(contract):
    body = "$DESCRICAO emitida em $DATA_EMISSAO, $PLANO"

    rule = create(contract, nfe_body=body)

    assert rule["nfe_body"] == body
    assert Invoice.objects.filter(rule=rule["id"]).first().nfe_body == body
