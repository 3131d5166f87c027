"""POST /contracts/{id}/invoices (billing-api §2.8, §6.1)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory, OrganizationFactory
from support.invoices import actions, check_sums, events
from support.wire import api_of
from support.wire_invoices import body, contract_of, created, item_of, service

from billing.models import (
    FinancialAccount,
    Invoice,
    InvoiceLine,
    InvoiceTemplate,
    Receivable,
    TemplateService,
)
from billing.selectors.invariants import violations

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _day(today):
    today("2025-02-12")


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def contract(account):
    return contract_of(account)


@pytest.fixture
def api(account):
    return api_of(account)


def errors(api, contract, **values):
    """Faults of a refused creation; nothing was written."""
    answer = api.post(f"contracts/{contract.pk}/invoices", {"invoice": body(**values)})
    assert answer.status_code == 422, answer.content
    assert Invoice.objects.count() == 0
    return answer.json()["errors"]


def test_an_invoice_without_services_is_worth_its_gross_value(api, contract):
    shown = created(api, contract)

    assert (shown["gross_value"], shown["payment_value"]) == ("500.0", "500.0")
    assert (shown["services"], shown["attachments"]) == ([], [])
    assert (shown["issue_date"], shown["estimated_issue_date"]) == ("20/02/2025", "20/02/2025")
    assert (shown["state"], shown["approval_status"]) == ("to_emit", "approved")
    assert shown["management_type"] == "manual"
    assert (shown["customer_id"], shown["customer_type"]) == (contract.party_id, "Person")
    assert shown["accrual_date"] is shown["number"] is shown["comments"] is None
    assert shown["fatura_url"] is shown["nfse_url"] is None
    assert shown["nfe_issued"] is shown["issue_nfse"] is shown["cancelled_automatically"] is False
    [receivable] = shown["receivables"]
    assert receivable["due_date"] == "10/03/2025"
    assert (receivable["value"], receivable["gross_value"]) == ("100.0", "500.0")
    assert receivable["payment_value"] == "500.0"
    assert (receivable["state"], receivable["received_value"]) == ("to_emit", None)
    payment = shown["payment_information"]
    assert (payment["payment_method"], payment["installments"]) == ("billet", None)
    assert payment["cobrato_card_id"] == "--"
    invoice = Invoice.objects.get(pk=shown["id"])
    check_sums(invoice)
    assert invoice.title == "Suporte de fevereiro"
    assert invoice.lines.get().service_item is None
    assert actions(invoice) == ["fatura.criada"]
    assert events(invoice) == []


def test_services_win_over_the_gross_value_and_round_half_up(api, account, contract):
    item = item_of(account, name="Suporte", description="Do catálogo")

    shown = created(
        api,
        contract,
        gross_value="700.0",
        services=[
            service(item, "2.5", "5.75", value=999),
            service(item, 1, "49.90", description="Outra"),
            service(item, 1, 1, description=""),
        ],
    )

    assert shown["gross_value"] == "65.28"
    assert [(s["name"], s["description"], s["value"]) for s in shown["services"]] == [
        ("Suporte", "Do catálogo", "14.38"),
        ("Suporte", "Outra", "49.9"),
        ("Suporte", "", "1.0"),
    ]
    assert shown["services"][0] | {"id": 0} == {
        "id": 0, "name": "Suporte", "description": "Do catálogo", "unit_value": "5.75",
        "units": "2.5", "value": "14.38",
    }  # fmt: skip
    check_sums(Invoice.objects.get(pk=shown["id"]))


@pytest.mark.parametrize("gross", ["abc", None, [], {}, "1e5"])
def test_a_bad_gross_value_is_no_matter_when_there_are_services(api, account, contract, gross):
    shown = created(api, contract, gross_value=gross, services=[service(item_of(account))])

    assert shown["gross_value"] == "100.0"


@pytest.mark.parametrize("gross", ["abc", None, "", [], "1e5", True])
def test_without_services_the_gross_value_must_be_a_number(api, contract, gross):
    assert errors(api, contract, gross_value=gross) == {"gross_value": "deve ser numérico"}


@pytest.mark.parametrize(
    ("sent", "payment"),
    [("450.5", "450.5"), (0, "0.0"), ("decimal", "0.0"), (None, "500.0"), ("", "500.0")],
)
def test_the_payment_value_is_as_sent_and_zero_when_not_numeric(api, contract, sent, payment):
    shown = created(api, contract, payment_value=sent)

    assert (shown["gross_value"], shown["payment_value"]) == ("500.0", payment)
    assert shown["receivables"][0]["payment_value"] == payment
    assert shown["receivables"][0]["gross_value"] == "500.0"


def test_all_faults_are_told_at_once_under_dotted_keys(api, account, contract):
    found = api.post(
        f"contracts/{contract.pk}/invoices",
        {
            "issue_date": "ontem",
            "description": " ",
            "management_type": "automatic",
            "approval_status": "talvez",
            "receivables": [{"due_date": "31/02/2025", "value": "x"}],
            "services": [{"units": "muitos"}],
            "attachments": [{"filename": "a.pdf"}],
        },
    )

    assert found.status_code == 422
    assert found.json()["errors"] == {
        "issue_date": "não pode ficar em branco",
        "description": "não pode ficar em branco",
        "nfe_body": "não pode ficar em branco",
        "approval_status": "não está incluído na lista",
        "receivables.due_date": "não pode ficar em branco",
        "receivables.value": "deve ser numérico",
        "services.service_item": "não pode ficar em branco.",
        "services.units": "deve ser numérico",
        "services.unit_value": "deve ser numérico",
        "attachments.content": "não pode ficar em branco",
        "attachments.content_type": "não pode ficar em branco",
        "automatic_email_template_id": "não pode ficar em branco",
    }
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize("receivables", [[], None, [{}], [{"value": 100}], [{"due_date": "x"}]])
def test_every_receivable_has_a_due_date_and_there_is_at_least_one(api, contract, receivables):
    found = errors(api, contract, receivables=receivables)

    assert found == {"receivables.due_date": "não pode ficar em branco"}


@pytest.mark.parametrize("receivables", ["x", {"due_date": "10/03/2025"}, 5, [5], ["10/03/2025"]])
def test_receivables_of_a_wrong_type_are_refused(api, contract, receivables):
    found = errors(api, contract, receivables=receivables)

    assert found["receivables"] == "inválido"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([None], ["100.0"]),
        ([None, None, None], ["33.3333"] * 3),
        (["40", None, None], ["40.0", "30.0", "30.0"]),
        (["33.33", "33.33", "33.33"], ["33.33"] * 3),
        (["33.3333"] * 3, ["33.3333"] * 3),
        ([100, None], ["100.0", "0.0"]),
        (["33.33335", "66.66665"], ["33.3334", "66.6667"]),
    ],
)
def test_percents_are_completed_and_add_up(api, contract, values, shown):
    days = ["10/03/2025", "10/04/2025", "10/05/2025"]
    receivables = [{"due_date": day, "value": v} for day, v in zip(days, values, strict=False)]

    invoice = created(api, contract, receivables=receivables)

    assert [r["value"] for r in invoice["receivables"]] == shown
    check_sums(Invoice.objects.get(pk=invoice["id"]))


@pytest.mark.parametrize("values", [[50, "49.98"], [101], [60, 60], [150, -50], ["33.32"] * 3, [0]])
def test_percents_that_do_not_total_100_are_refused(api, contract, values):
    receivables = [{"due_date": "10/03/2025", "value": value} for value in values]

    found = errors(api, contract, receivables=receivables)

    assert found == {"receivables": "Os vencimentos não totalizam 100%."}


def test_there_are_at_most_a_thousand_receivables(api, contract):
    found = errors(api, contract, receivables=[{"due_date": "10/03/2025"}] * 1001)

    assert found == {"receivables": "máximo de 1000 parcelas"}
    assert (
        len(created(api, contract, receivables=[{"due_date": "1/3/2025"}] * 9)["receivables"]) == 9
    )


def test_the_total_is_not_judged_while_a_due_date_is_missing(api, contract):
    found = errors(api, contract, receivables=[{"value": 60}, {"due_date": "10/03/2025"}])

    assert found == {"receivables.due_date": "não pode ficar em branco"}


def test_the_last_to_fall_due_takes_the_odd_cents(api, contract):
    days = ["10/05/2025", "10/03/2025", "10/04/2025"]
    receivables = [{"due_date": day, "value": "33.3333"} for day in days]

    shown = created(
        api, contract, gross_value="100", payment_value="90.01", receivables=receivables
    )

    assert [
        (r["due_date"], r["gross_value"], r["payment_value"]) for r in shown["receivables"]
    ] == [
        ("10/03/2025", "33.33", "30.0"),
        ("10/04/2025", "33.33", "30.0"),
        ("10/05/2025", "33.34", "30.01"),
    ]


def test_attributes_come_back_as_the_contract_says(api, contract):
    shown = created(
        api,
        contract,
        estimated_issue_date="2025-02-21",
        number=2,
        accrual_date="02/2025",
        approval_status="blocked",
        management_type="automatic",
        automatic_email_template_id="0",
        days_until_automatic_nfe_emission=0,
        notification_ruler_id=7,
        issue_nfse="true",
        nfse_service="01.07",
        nfse_verification="",
        nfe_issued=True,
        nfe_issue_date="21/02/2025",
        finance_category="",
        finance_category_id="12",
        myfinance_sale_account_id="",
        comments=42,
        payment_information={
            "payment_method": "payment_gateway",
            "installments": None,
            "charging_account_id": "52bbbbbb-51ee-41dd-af55-cd0000000001",
        },
    )

    assert shown["estimated_issue_date"] == "21/02/2025"
    assert (shown["number"], shown["comments"]) == ("2", "42")
    assert shown["accrual_date"] == "2025-02-01"
    assert shown["approval_status"] == "blocked"
    assert (shown["management_type"], shown["automatic_email_template_id"]) == ("automatic", 0)
    assert shown["automatic_nfe_issue_date"] == "20/02/2025"
    assert (shown["notification_ruler_id"], shown["issue_nfse"]) == (7, True)
    assert (shown["nfe_service"], shown["nfe_verification"]) == ("01.07", None)
    assert (shown["nfe_issued"], shown["nfe_issue_date"]) == (True, "21/02/2025")
    assert (shown["finance_category"], shown["finance_category_id"]) == ("", 12)
    assert shown["myfinance_sale_account_id"] is None
    payment = shown["payment_information"]
    assert (payment["payment_method"], payment["installments"]) == ("payment_gateway", 1)
    assert payment["charging_account_id"] == "52bbbbbb-51ee-41dd-af55-cd0000000001"


def test_blank_texts_stay_blank_and_null_stays_null(api, contract):
    blank = created(api, contract, number="", comments="", accrual_date="")
    null = created(api, contract, number=None, comments=None, accrual_date="nunca")

    assert (blank["number"], blank["comments"], blank["accrual_date"]) == ("", "", None)
    assert (null["number"], null["comments"], null["accrual_date"]) == (None, None, None)


def test_installments_are_only_kept_for_cards(api, contract):
    shown = created(
        api, contract, payment_information={"payment_method": "transfer", "installments": 6}
    )

    assert shown["payment_information"]["payment_method"] == "transfer"
    assert shown["payment_information"]["installments"] is None


def test_the_state_and_the_amounts_of_others_cannot_be_sent(api, contract, other_account):
    shown = created(
        api,
        contract,
        id=1,
        state="received",
        account_id=other_account.pk,
        contract_id=999,
        customer_id=999,
        paid_total=10,
        cancelled_automatically=True,
        receivables=[{"due_date": "10/03/2025", "state": "received", "received_value": 500}],
    )

    invoice = Invoice.objects.get(pk=shown["id"])
    assert (invoice.account_id, invoice.contract_id) == (contract.account_id, contract.pk)
    assert (shown["state"], shown["receivables"][0]["state"]) == ("to_emit", "to_emit")
    assert shown["customer_id"] == contract.party_id
    assert shown["cancelled_automatically"] is False
    assert shown["receivables"][0]["received_value"] is None


def test_a_bare_body_is_as_good_as_an_envelope(api, contract):
    answer = api.post(f"contracts/{contract.pk}/invoices", body())

    assert answer.status_code == 201
    assert answer.json()["invoice"]["gross_value"] == "500.0"


def test_the_customer_of_a_purchase_is_the_organization(api, account):
    supplier = CompanyFactory(account=account)
    contract = contract_of(account, party=supplier, kind="purchase")

    shown = created(api, contract)

    assert (shown["customer_id"], shown["customer_type"]) == (contract.organization_id, "Company")


def test_an_organization_as_customer_is_a_company(api, account):
    contract = contract_of(account, party=OrganizationFactory(account=account))

    shown = created(api, contract)

    assert (shown["customer_id"], shown["customer_type"]) == (contract.party_id, "Company")


def test_an_inactive_contract_may_still_be_billed(api, account):
    contract = contract_of(account, status="cancelled", cancel_date=date(2025, 2, 1))

    assert created(api, contract)["state"] == "to_emit"


def test_a_contract_of_another_account_is_not_found_before_any_fault(api, other_account):
    contract = contract_of(other_account)

    for path in (f"contracts/{contract.pk}/invoices", "contracts/999999/invoices"):
        answer = api.post(path, {"invoice": {}})
        assert (answer.status_code, answer.content) == (404, b"")
    assert Invoice.objects.count() == 0


def test_references_of_another_account_are_not_found(api, account, other_account, contract):
    theirs = FinancialAccount.objects.create(
        account=other_account,
        organization=OrganizationFactory(account=other_account),
        bank_code="341",
        bank_branch="1",
        bank_account="1",
    )
    bodies = [
        body(services=[service(item_of(other_account))]),
        body(services=[{"service_item_id": 999999, "units": 1, "unit_value": 1}]),
        body(nfse_template_id=999999),
        body(payment_information={"financial_account_id": theirs.pk}),
        body(payment_information={"financial_charge_template_id": 999999}),
    ]

    for one in bodies:
        answer = api.post(f"contracts/{contract.pk}/invoices", {"invoice": one})
        assert (answer.status_code, answer.content) == (404, b"")
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({"gross_value": -1}, "gross_value", "não pode ser negativo"),
        ({"gross_value": 10**13}, "gross_value", "valor alto demais"),
        ({"gross_value": "9999999999999.999"}, "gross_value", "valor alto demais"),
        ({"payment_value": -1}, "payment_value", "não pode ser negativo"),
        ({"payment_value": [1]}, "payment_value", "deve ser numérico"),
        ({"description": "a\x00b"}, "description", "inválido"),
        ({"description": "a\ud800b"}, "description", "inválido"),
        ({"description": ["a"]}, "description", "inválido"),
        ({"number": "9" * 61}, "number", "é muito longo (máximo: 60 caracteres)"),
        ({"comments": {"a": 1}}, "comments", "inválido"),
        ({"management_type": 3}, "management_type", "não está incluído na lista"),
        ({"issue_nfse": "sim"}, "issue_nfse", "inválido"),
        ({"notification_ruler_id": "abc"}, "notification_ruler_id", "inválido"),
        ({"finance_category_id": 10**30}, "finance_category_id", "inválido"),
        ({"payment_information": []}, "payment_information", "inválido"),
        ({"payment_information": {"payment_method": "pix"}}, "payment_information.payment_method",
         "não está incluído na lista"),
        ({"services": "x"}, "services", "inválido"),
        ({"attachments": {"a": 1}}, "attachments", "inválido"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_under_its_key(api, contract, values, key, message):
    assert errors(api, contract, **values)[key] == message


@pytest.mark.parametrize(
    ("units", "unit_value", "key"),
    [
        ("99999999999.99999", 1, "services.units"),
        (1, "99999999999.99999", "services.unit_value"),
        (10**10, 10**10, "services.unit_value"),
        (10**20, 1, "services.units"),
    ],
)
def test_services_too_large_for_their_columns_are_refused(
    api, account, contract, units, unit_value, key
):
    found = errors(api, contract, services=[service(item_of(account), units, unit_value)])

    assert found[key] == "valor alto demais"


def test_a_discount_is_a_service_of_negative_value_and_the_total_may_not_be(api, account, contract):
    item = item_of(account)

    found = errors(api, contract, services=[service(item, 1, 10), service(item, 1, "-10.01")])
    shown = created(api, contract, services=[service(item, 1, 10), service(item, 1, "-4.50")])

    assert found["gross_value"] == "não pode ser negativo"
    assert shown["gross_value"] == "5.5"


def test_parcels_below_the_organizations_minimum_are_refused(api, contract):
    profile = contract.organization.profile
    profile.minimum_receivable = Decimal("5.00")
    profile.save()
    receivables = [{"due_date": "10/03/2025", "value": 50}, {"due_date": "10/04/2025", "value": 50}]

    found = errors(api, contract, gross_value="9.98", receivables=receivables)

    assert found == {"receivables": "Valor das parcelas não pode ser menor do que R$ 5,00"}


def test_creating_takes_few_queries_whatever_the_number_of_parts(
    api, account, contract, django_assert_max_num_queries
):
    item = item_of(account)
    created(api, contract)

    with django_assert_max_num_queries(19):
        created(
            api,
            contract,
            services=[service(item)] * 30,
            receivables=[{"due_date": f"{day}/03/2025"} for day in range(1, 21)],
        )

    assert InvoiceLine.objects.count() == 31
    assert Receivable.objects.count() == 21


def test_a_repeated_idempotency_key_creates_once(api, contract):
    path = f"contracts/{contract.pk}/invoices"

    first = api.post(path, {"invoice": body()}, Idempotency_Key="a")
    second = api.post(path, {"invoice": body()}, Idempotency_Key="a")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Invoice.objects.count() == 1


# --- from a preset -------------------------------------------------------------------------------


@pytest.fixture
def preset(account, contract):
    """R$ 90,00 of one service, due on the 5th in two parcels."""
    template = InvoiceTemplate.objects.create(
        account=account,
        organization=contract.organization,
        name="Avulso",
        description="Do modelo",
        nfe_body="$DESCRICAO",
        charge_type="fixed_day",
        day_number=5,
        parcel_number=2,
        payment_method="transfer",
    )
    TemplateService.objects.create(
        template=template,
        position=1,
        service_item=item_of(account, name="Suporte"),
        description="Item",
        units=Decimal(2),
        unit_value=Decimal(45),
        value=Decimal(90),
    )
    return template


def test_a_single_use_preset_gives_what_was_not_sent(api, contract, preset):
    answer = api.post(
        f"contracts/{contract.pk}/invoices",
        {"invoice": {"invoice_template_id": preset.pk, "issue_date": "20/02/2025"}},
    )

    assert answer.status_code == 201, answer.content
    shown = answer.json()["invoice"]
    assert (shown["description"], shown["nfe_body"]) == ("Do modelo", "$DESCRICAO")
    assert shown["gross_value"] == "90.0"
    assert [r["due_date"] for r in shown["receivables"]] == ["05/03/2025", "05/04/2025"]
    assert shown["payment_information"]["payment_method"] == "transfer"


def test_what_is_sent_overrides_the_preset(api, contract, preset):
    ours = preset.services.get().pk

    shown = created(
        api,
        contract,
        invoice_template_id=preset.pk,
        services=[{"invoice_template_service_item_id": ours, "units": 3}],
    )

    assert shown["gross_value"] == "135.0"
    assert shown["description"] == "Suporte de fevereiro"
    assert [r["due_date"] for r in shown["receivables"]] == ["10/03/2025"]


def test_a_service_of_the_preset_may_be_dropped(api, contract, preset):
    ours = preset.services.get().pk

    shown = created(
        api,
        contract,
        invoice_template_id=preset.pk,
        services=[{"invoice_template_service_item_id": ours, "_destroy": True}],
    )

    assert (shown["services"], shown["gross_value"]) == ([], "500.0")


def test_unknown_periodic_and_foreign_presets_are_refused(api, contract, preset, other_account):
    periodic = InvoiceTemplate.objects.create(
        account=preset.account, organization=preset.organization, name="Mensal",
        period_unit="monthly", month_quantity=1,
    )  # fmt: skip
    theirs = InvoiceTemplate.objects.create(
        account=other_account, organization=OrganizationFactory(account=other_account), name="X"
    )

    for pk in (periodic.pk, theirs.pk, 999999):
        found = errors(api, contract, invoice_template_id=pk)
        assert found == {
            "invoice_template_id": f"Não foi possível encontrar o modelo de faturamento com ID {pk}"
        }


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
def test_an_id_that_is_none_is_quoted_as_it_was_sent(api, contract, sent, quoted):
    text = f"Não foi possível encontrar o modelo de faturamento com ID {quoted}"

    assert errors(api, contract, invoice_template_id=sent) == {"invoice_template_id": text}


def test_an_element_to_be_destroyed_before_it_exists_asks_for_nothing(api, contract):
    shown = created(
        api,
        contract,
        receivables=[{"_destroy": True}, {"due_date": "10/03/2025"}],
        services=[{"_destroy": "1"}],
        attachments=[{"_destroy": True}],
    )

    assert len(shown["receivables"]) == 1
    assert (shown["services"], shown["attachments"]) == ([], [])
