"""Rules and invoices made from presets (billing-api §6.10)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import ContractFactory, ServiceItemFactory
from support.wire import api_of

from billing.models import InvoiceRule, InvoiceTemplate, ScheduledUpdate, TemplateService
from billing.services.rule_templates import (
    SERVICE_KEY,
    UPDATE_KEY,
    invoice_values_from_template,
    merge,
    merge_entries,
    template_values,
)

UNKNOWN = 10000


def entries(*sent):
    """What becomes of a preset with services 1 and 2; each as (id or None, units, value)."""
    preset = [
        {SERVICE_KEY: 1, "units": "2.5", "unit_value": "5.75"},
        {SERVICE_KEY: 2, "units": "1", "unit_value": "49.9"},
    ]
    return merge_entries(preset, sent, key=SERVICE_KEY)


# --- merging, without database -------------------------------------------------------------------


def test_nothing_sent_keeps_the_preset_entries_in_their_order():
    assert entries() == [
        {"units": "2.5", "unit_value": "5.75"},
        {"units": "1", "unit_value": "49.9"},
    ]


def test_overridden_and_new_entries_come_first_in_the_order_of_the_request():
    found = entries({"units": "9", "unit_value": "1"}, {SERVICE_KEY: 2, "units": "3"})

    assert found == [
        {"units": "9", "unit_value": "1"},
        {"units": "3", "unit_value": "49.9"},
        {"units": "2.5", "unit_value": "5.75"},
    ]


def test_an_override_followed_by_destroy_removes():
    assert entries({SERVICE_KEY: 1, "units": "2"}, {SERVICE_KEY: 1, "_destroy": True}) == [
        {"units": "1", "unit_value": "49.9"}
    ]


def test_destroy_followed_by_no_destroy_keeps_with_the_data():
    found = entries(
        {SERVICE_KEY: 1, "_destroy": True}, {SERVICE_KEY: 1, "_destroy": False, "units": "4"}
    )

    assert found[0] == {"units": "4", "unit_value": "5.75"}
    assert len(found) == 2


def test_a_null_destroy_says_nothing():
    found = entries({SERVICE_KEY: 1, "_destroy": True}, {SERVICE_KEY: 1, "_destroy": None})

    assert found == [{"units": "1", "unit_value": "49.9"}]


def test_a_new_entry_that_is_destroyed_never_was():
    assert len(entries({"units": "9", "_destroy": True})) == 2


def test_each_entry_with_an_unknown_id_is_a_new_one():
    found = entries({SERVICE_KEY: 77, "units": "1"}, {SERVICE_KEY: 77, "units": "2"})

    assert [one["units"] for one in found] == ["1", "2", "2.5", "1"]


def test_an_explicit_null_replaces_except_where_null_says_nothing():
    preset = {
        "gross_value": "10",
        "issue_nfse": True,
        "notify_customer": True,
        "receivables_additional_information": {"parcel_number": 3, "day_number": 5},
    }
    sent = {
        "gross_value": None,
        "issue_nfse": None,
        "notify_customer": None,
        "receivables_additional_information": {"parcel_number": None},
    }

    merged = merge(preset, sent)

    assert merged["gross_value"] is None
    assert merged["issue_nfse"] is True
    assert merged["notify_customer"] is True
    assert merged["receivables_additional_information"] == {"parcel_number": None, "day_number": 5}


def test_merging_leaves_what_it_was_given_alone():
    preset = {"services": [{SERVICE_KEY: 1, "units": "1"}], "additional_information": {"a": 1}}

    merge(
        preset, {"services": [{SERVICE_KEY: 1, "units": "2"}], "additional_information": {"a": 2}}
    )

    assert preset["services"] == [{SERVICE_KEY: 1, "units": "1"}]
    assert preset["additional_information"] == {"a": 1}


# --- through the API -----------------------------------------------------------------------------


@pytest.fixture
def contract(account, today):
    today("2025-02-12")
    return ContractFactory(account=account)


@pytest.fixture
def items(account):
    return [
        ServiceItemFactory(account=account, name="Suporte"),
        ServiceItemFactory(account=account, name="Hospedagem"),
        ServiceItemFactory(account=account, name="Domínio"),
    ]


@pytest.fixture
def template(contract, items):
    """Services 2.5 × 5.75 = 14.38 and 1 × 49.9: gross 64.28."""
    made = InvoiceTemplate.objects.create(
        account=contract.account,
        organization=contract.organization,
        name="Anual",
        description="Serviços anuais",
        nfe_body="$DESCRICAO",
        gross_value=Decimal("64.28"),
        period_unit="monthly",
        month_quantity=12,
        accrual_month_quantity="previous_month",
        charge_type="fixed_day_and_month_quantity",
        day_number=12,
        due_month_quantity=3,
        parcel_number=4,
        payment_method="payment_gateway",
        installments=12,
        notify_customer=True,
        apply_negative_updates=True,
        issue_nfse=True,
        management_type="automatic",
        automatic_email_template_ref=61,
        notification_ruler_ref=57,
        days_until_automatic_nfe_emission=7,
        integration={"finance_category": "", "cobrato_charge_config_id": 137},
    )
    for position, (item, units, value, total) in enumerate(
        [(items[0], "2.5", "5.75", "14.38"), (items[1], "1", "49.9", "49.90")], start=1
    ):
        TemplateService.objects.create(
            template=made, position=position, service_item=item, description="",
            units=Decimal(units), unit_value=Decimal(value), value=Decimal(total),
        )  # fmt: skip
    return made


def create(contract, template_id, **fields):
    body = {
        "invoice_template_id": template_id,
        "additional_information": {"title": "Regra", "init_date": "20/03/2025"},
    } | fields
    return api_of(contract.account).post(f"contracts/{contract.pk}/invoice_rules", body)


def made(answer):
    assert answer.status_code == 201, answer.content
    return answer.json()["invoice_rule"]


def errors(answer):
    assert answer.status_code == 422, answer.content
    return answer.json()["errors"]


def worked(template, items):
    first, second = template.services.order_by("position")
    one, two = {SERVICE_KEY: first.pk}, {SERVICE_KEY: second.pk}
    new = {"service_item_id": items[2].pk}
    return {
        "nothing": ([], "64.28", ["14.38", "49.9"]),
        "second destroyed": ([two | {"_destroy": True}], "14.38", ["14.38"]),
        "both overridden": (
            [one | {"units": 2}, two | {"unit_value": 10.2}], "21.7", ["11.5", "10.2"],
        ),
        "one overridden twice": (
            [one | {"units": 2}, one | {"unit_value": 10.2}], "70.3", ["20.4", "49.9"],
        ),
        "one overridden and a new one": (
            [one | {"units": 2}, new | {"units": 1, "unit_value": 10.2}],
            "71.6", ["11.5", "10.2", "49.9"],
        ),
        "unknown id with a full service": (
            [{SERVICE_KEY: UNKNOWN} | new | {"units": 2, "unit_value": 30}],
            "124.28", ["60.0", "14.38", "49.9"],
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        "nothing", "second destroyed", "both overridden", "one overridden twice",
        "one overridden and a new one", "unknown id with a full service",
    ],
)  # fmt: skip
def test_the_worked_example(contract, template, items, case):
    services, gross, values = worked(template, items)[case]
    rule = made(create(contract, template.pk, services=services))

    assert rule["gross_value"] == rule["payment_value"] == gross
    assert [one["value"] for one in rule["services"]] == values


def test_a_rule_starts_from_everything_the_preset_says(contract, template):
    rule = made(create(contract, template.pk))

    assert rule["description"] == "Serviços anuais"
    assert rule["nfe_body"] == "$DESCRICAO"
    assert rule["management_type"] == "automatic"
    assert rule["automatic_email_template_id"] == 61
    assert rule["notification_ruler_id"] == 57
    assert rule["days_until_automatic_nfe_emission"] == 7
    assert rule["notify_customer"] is rule["apply_negative_updates"] is rule["issue_nfse"] is True
    assert rule["finance_category"] == ""
    assert rule["cobrato_charge_config_id"] == 137
    assert rule["payment_information"]["payment_method"] == "payment_gateway"
    assert rule["payment_information"]["installments"] == 12
    node = rule["additional_information"]
    assert node["title"] == "Regra"
    assert node["init_date"] == "2025-03-20"
    assert (node["period_unit"], node["month_quantity"]) == ("monthly", 12)
    assert node["accrual_month_quantity"] == "previous_month"
    due = rule["receivables_additional_information"]
    assert (due["day_number"], due["month_quantity"], due["parcel_number"]) == (12, 3, 4)


def test_what_is_sent_replaces_field_by_field(contract, template):
    rule = made(
        create(
            contract,
            template.pk,
            description="Outra",
            management_type="manual",
            issue_nfse=False,
            notification_ruler_id=None,
            finance_category="Receitas",
            payment_information={"payment_method": "billet"},
            receivables_additional_information={"day_number": 5},
            additional_information={
                "title": "Regra",
                "init_date": "20/03/2025",
                "month_quantity": 6,
            },
        )
    )

    assert rule["description"] == "Outra"
    assert rule["management_type"] == "manual"
    assert rule["issue_nfse"] is False
    assert rule["notification_ruler_id"] is None
    assert rule["finance_category"] == "Receitas"
    assert rule["payment_information"]["payment_method"] == "billet"
    assert rule["payment_information"]["installments"] is None
    due = rule["receivables_additional_information"]
    assert (due["day_number"], due["month_quantity"], due["parcel_number"]) == (5, 3, 4)
    assert rule["additional_information"]["month_quantity"] == 6
    assert rule["additional_information"]["accrual_month_quantity"] == "previous_month"


def test_another_charge_type_drops_the_preset_terms_it_does_not_look_at(contract, template):
    rule = made(
        create(
            contract,
            template.pk,
            charge_type="day_quantity",
            receivables_additional_information={"day_quantity": 5, "parcel_number": None},
        )
    )

    due = rule["receivables_additional_information"]
    assert (due["day_quantity"], due["day_number"], due["month_quantity"]) == (5, None, None)
    assert due["parcel_number"] is None


def test_weekly_discards_the_months_of_the_preset(contract, template):
    node = {"title": "Regra", "init_date": "20/03/2025", "period_unit": "weekly"}

    rule = made(create(contract, template.pk, additional_information=node))

    assert rule["additional_information"]["period_unit"] == "weekly"
    assert rule["additional_information"]["month_quantity"] is None


def test_title_and_first_date_never_come_from_the_preset(contract, template):
    answer = create(contract, template.pk, additional_information={"month_quantity": 12})

    assert errors(answer) == {
        "additional_information.title": "não pode ficar em branco",
        "additional_information.init_date": "não pode ficar em branco",
    }
    assert not InvoiceRule.objects.exists()


def test_an_explicit_null_schedule_is_a_rule_without_one(contract, template):
    rule = made(create(contract, template.pk, additional_information=None))

    assert rule["additional_information"] is None
    assert rule["payment_value"] is None


def test_a_new_service_needs_all_of_it(contract, template):
    answer = create(contract, template.pk, services=[{SERVICE_KEY: UNKNOWN}])

    assert errors(answer) == {
        "services.service_item": "não pode ficar em branco.",
        "services.units": "deve ser numérico",
        "services.unit_value": "deve ser numérico",
    }


def test_a_preset_without_description_needs_one(contract, template):
    template.description = ""
    template.save()

    assert errors(create(contract, template.pk)) == {"description": "não pode ficar em branco"}
    assert (
        made(create(contract, template.pk, description="Agora sim"))["description"] == "Agora sim"
    )


def test_a_preset_without_services_needs_a_value_of_its_own_or_of_the_request(contract, template):
    template.services.all().delete()
    template.gross_value = None
    template.save()

    assert errors(create(contract, template.pk)) == {"gross_value": "deve ser numérico"}
    assert made(create(contract, template.pk, gross_value=80))["gross_value"] == "80.0"

    template.gross_value = Decimal("70.00")
    template.save()
    assert made(create(contract, template.pk))["gross_value"] == "70.0"


@pytest.mark.parametrize("kind", ["unknown", "foreign", "single use"])
def test_a_preset_that_cannot_be_used_is_named(contract, template, other_account, kind):
    template_id = UNKNOWN
    if kind == "foreign":
        other = ContractFactory(account=other_account)
        template_id = InvoiceTemplate.objects.create(
            account=other_account, organization=other.organization, name="Alheio",
            period_unit="monthly", month_quantity=1, gross_value=10,
        ).pk  # fmt: skip
    if kind == "single use":
        InvoiceTemplate.objects.filter(pk=template.pk).update(period_unit="", month_quantity=None)
        template_id = template.pk

    answer = create(contract, template_id)

    text = f"Não foi possível encontrar o modelo de faturamento com ID {template_id}"
    assert errors(answer) == {"invoice_template_id": text}
    assert not InvoiceRule.objects.exists()


@pytest.mark.parametrize(
    ("sent", "quoted"),
    [
        ("abc", "abc"),
        (" m12 ", "m12"),
        ("x" * 21, "x" * 20),
        (-5, "-5"),
        (10**19, "10000000000000000000"),
        ("\x00", "-1"),
        ("\ud800", "-1"),
    ],
)
def test_an_id_that_is_none_is_quoted_as_it_was_sent(contract, sent, quoted):
    text = f"Não foi possível encontrar o modelo de faturamento com ID {quoted}"

    assert errors(create(contract, sent)) == {"invoice_template_id": text}


# --- clauses of presets --------------------------------------------------------------------------


@pytest.fixture
def clauses(template, items):
    """One for each service."""
    first = ScheduledUpdate.objects.create(
        template=template, service_item=items[0], price_index="igpm", month_quantity=12,
        days_until_update=5,
    )  # fmt: skip
    second = ScheduledUpdate.objects.create(
        template=template, service_item=items[1], price_index="ipca", month_quantity=6
    )
    template.integration = {"left_open": {str(second.pk): ["month_quantity", "days_until_update"]}}
    template.save()
    return first, second


def test_clauses_need_their_first_date_from_the_request(contract, template, clauses):
    assert errors(create(contract, template.pk)) == {
        "scheduled_updates.init_date": "deve ser a partir de 01/01/2000",
        "scheduled_updates.month_quantity": "deve ser numérico",
        "scheduled_updates.days_until_update": "deve ser numérico",
    }


def test_clauses_are_overridden_and_dropped(contract, template, clauses):
    first, second = clauses

    rule = made(
        create(
            contract,
            template.pk,
            scheduled_updates=[
                {UPDATE_KEY: second.pk, "init_date": "20/03/2026", "month_quantity": 20,
                 "days_until_update": 2},
                {UPDATE_KEY: first.pk, "units": 3},
                {UPDATE_KEY: first.pk, "_destroy": True},
            ],
        )
    )  # fmt: skip

    (clause,) = rule["scheduled_updates"]
    assert clause["price_index"] == "ipca"
    assert clause["month_quantity"] == 20
    assert clause["execution_date"] == "2026-03-20"
    assert clause["remind_at"] == "2026-03-18"
    assert clause["invoice_template_id"] is None
    assert clause["invoice_rule_id"] == rule["id"]
    assert template.scheduled_updates.count() == 2


def test_a_clause_may_change_its_service_but_only_to_one_of_the_rule(
    contract, template, clauses, items
):
    first, second = clauses
    sent = [
        {UPDATE_KEY: first.pk, "init_date": "20/03/2026", "service_item_id": items[2].pk},
        {UPDATE_KEY: second.pk, "_destroy": True},
    ]

    assert errors(create(contract, template.pk, scheduled_updates=sent)) == {
        "scheduled_updates.service_item_id": "deve estar entre os serviços da regra recorrente"
    }
    sent[0]["service_item_id"] = items[1].pk
    rule = made(create(contract, template.pk, scheduled_updates=sent))
    assert rule["scheduled_updates"][0]["service_item_id"] == items[1].pk


def test_an_unknown_clause_id_is_a_new_clause(contract, template, clauses):
    first, second = clauses
    sent = [
        {UPDATE_KEY: first.pk, "_destroy": True},
        {UPDATE_KEY: second.pk, "_destroy": True},
        {UPDATE_KEY: UNKNOWN, "init_date": "20/03/2026"},
    ]

    assert errors(create(contract, template.pk, scheduled_updates=sent)) == {
        "scheduled_updates.month_quantity": "deve ser numérico",
        "scheduled_updates.days_until_update": "deve ser numérico",
        "scheduled_updates.price_index": "não pode ficar em branco",
    }


# --- invoices ------------------------------------------------------------------------------------


@pytest.fixture
def single(template):
    InvoiceTemplate.objects.filter(pk=template.pk).update(period_unit="", month_quantity=None)
    return template


def test_an_invoice_takes_the_values_and_due_dates_of_a_single_use_preset(account, single, items):
    values, faults = invoice_values_from_template(
        account, single.pk, {"issue_date": date(2025, 2, 20), "description": "Avulso"}
    )

    assert faults == []
    assert values["description"] == "Avulso"
    assert values["nfe_body"] == "$DESCRICAO"
    assert values["management_type"] == "automatic"
    assert [one["service_item_id"] for one in values["services"]] == [items[0].pk, items[1].pk]
    assert values["receivables"] == [
        {"due_date": date(2025, month, 12), "value": Decimal("25.0000")} for month in (5, 6, 7, 8)
    ]
    assert values["accrual_date"] == date(2025, 1, 1)
    assert "additional_information" not in values
    assert "scheduled_updates" not in values


def test_an_invoice_keeps_the_receivables_it_was_sent(account, single):
    sent = {
        "issue_date": date(2025, 2, 20),
        "receivables": [{"due_date": date(2025, 3, 1)}],
        "accrual_date": None,
    }

    values, _ = invoice_values_from_template(account, single.pk, sent)

    assert values["receivables"] == sent["receivables"]
    assert values["accrual_date"] is None


def test_an_invoice_does_not_take_a_preset_of_rules(account, template):
    values, faults = invoice_values_from_template(account, template.pk, {"description": "x"})

    assert values == {"description": "x"}
    assert [one.campo for one in faults] == ["invoice_template_id"]


def test_values_of_a_preset_are_those_of_a_body(template, items):
    values = template_values(template)

    assert values["services"][0]["service_item_id"] == items[0].pk
    assert values["payment_information"] == {
        "payment_method": "payment_gateway",
        "installments": 12,
    }
    assert values["additional_information"] == {
        "period_unit": "monthly",
        "month_quantity": 12,
        "accrual_month_quantity": "previous_month",
    }


def test_an_invoice_is_made_from_a_single_use_preset(contract, single):
    body = {"invoice": {"invoice_template_id": single.pk, "issue_date": "20/02/2025"}}

    answer = api_of(contract.account).post(f"contracts/{contract.pk}/invoices", body)

    assert answer.status_code == 201, answer.content
    invoice = answer.json()["invoice"]
    assert invoice["gross_value"] == "64.28"
    assert [one["value"] for one in invoice["services"]] == ["14.38", "49.9"]
    assert [(one["due_date"], one["value"]) for one in invoice["receivables"]] == [
        ("12/05/2025", "25.0"),
        ("12/06/2025", "25.0"),
        ("12/07/2025", "25.0"),
        ("12/08/2025", "25.0"),
    ]
    assert invoice["accrual_date"] == "2025-01-01"
