"""Rules changed and deleted through the API, and what becomes of their invoices (§2.9, §6.3)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import ContractFactory, RuleFactory, ServiceItemFactory
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
    Attachment,
    Invoice,
    InvoiceRule,
    Readjustment,
    RuleService,
    ScheduledUpdate,
)
from billing.selectors.invariants import violations
from billing.services.contracts import cancel_contract
from billing.services.invoices import emit_invoice, undo_emission
from billing.services.run import RunRequest, run_billing

BLANK = "não pode ficar em branco"


@pytest.fixture
def contract(account, today):
    today("2025-04-15")
    return ContractFactory(account=account)


@pytest.fixture
def items(account):
    return [ServiceItemFactory(account=account, name=name) for name in ("Suporte", "Hospedagem")]


@pytest.fixture
def rule(contract, items):
    """Monthly from 01/03/2025 to 01/12/2025, 100 + 50, two clauses: on Suporte and on the rest."""
    body = rule_body(
        services=[service(items[0], 1, 100), service(items[1], 2, 25)],
        scheduled_updates=[clause(items[0]), clause()],
        additional_information=monthly(end_date="01/12/2025"),
    )
    answer = api_of(contract.account).post(f"contracts/{contract.pk}/invoice_rules", body)
    assert answer.status_code == 201, answer.content
    return answer.json()["invoice_rule"]


def path(rule):
    return f"contracts/{rule['contract_id']}/invoice_rules/{rule['id']}"


def api():
    return api_of(InvoiceRule.objects.first().account)


def patch(rule, **fields):
    answer = api().patch(path(rule), {"invoice_rule": fields})
    assert answer.status_code == 200, answer.content
    return answer.json()["invoice_rule"]


def refusal(rule, **fields):
    """The errors of an update that changed nothing."""
    before = state()
    answer = api().patch(path(rule), fields)
    assert answer.status_code == 422, answer.content
    assert state() == before
    return answer.json()["errors"]


def state():
    models = (InvoiceRule, RuleService, ScheduledUpdate, Invoice)
    return [list(model.objects.order_by("id").values()) for model in models]


def ids(rule):
    return list(
        Invoice.objects.filter(rule=rule["id"]).order_by("issue_date").values_list("id", flat=True)
    )


# --- what was sent and nothing else --------------------------------------------------------------


def test_an_empty_update_changes_nothing(rule):
    before = state()

    for body in ({}, {"invoice_rule": {}}, {"unknown": 1}):
        answer = api().patch(path(rule), body)
        assert answer.status_code == 200
        assert answer.json()["invoice_rule"] == rule | {"payment_value": None}

    assert state() == before
    assert not AuditEvent.objects.filter(action="regra.alterada").exists()
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_put_updates_what_was_sent_just_as_patch(rule, method):
    answer = api().call(method, path(rule), {"description": "Nova"})

    assert answer.status_code == 200
    shown = answer.json()["invoice_rule"]
    assert shown["description"] == "Nova"
    assert {k: v for k, v in shown.items() if k not in _CHANGED} == {
        k: v for k, v in rule.items() if k not in _CHANGED
    }


_CHANGED = ("description", "payment_value", "receivables_additional_information")


def test_texts_and_options_reach_the_invoices_from_today_on_under_the_same_ids(rule):
    before = ids(rule)

    shown = patch(rule, description="Nova", finance_category="Receitas", notification_ruler_id=3)

    assert shown["payment_value"] is None
    assert shown["finance_category"] == "Receitas"
    assert ids(rule) == before
    found = Invoice.objects.filter(rule=rule["id"]).order_by("issue_date")
    assert [one.description for one in found] == ["Suporte"] * 2 + ["Nova"] * 8
    assert [one.notification_ruler_ref for one in found] == [None] * 2 + [3] * 8
    assert list(violations(found[0].account)) == []


def test_rewritten_invoices_are_told_once_each(rule):
    patch(rule, description="Nova")

    told = WebhookEvent.objects.order_by("id")
    assert [(one.event, one.object_id) for one in told] == [("update", pk) for pk in ids(rule)[2:]]
    contract = InvoiceRule.objects.get().contract
    assert told[0].payload["contract_token"] == contract.token


def test_what_invoices_do_not_copy_leaves_them_alone(rule):
    lines = list(Invoice.objects.order_by("id").values_list("lines__id", flat=True))

    shown = patch(
        rule,
        notify_customer=True,
        apply_negative_updates=True,
        scheduled_updates=[{"id": rule["scheduled_updates"][0]["id"], "price_index": "igpm"}],
    )

    assert shown["notify_customer"] is shown["apply_negative_updates"] is True
    assert list(Invoice.objects.order_by("id").values_list("lines__id", flat=True)) == lines
    assert not WebhookEvent.objects.exists()


def test_invoices_edited_by_hand_are_left_alone(rule):
    Invoice.objects.filter(pk=ids(rule)[5]).update(edited_by_hand=True)

    patch(rule, description="Nova")

    found = Invoice.objects.filter(rule=rule["id"]).order_by("issue_date")
    assert [one.description == "Nova" for one in found] == [False] * 2 + [True] * 3 + [
        False,
        *[True] * 4,
    ]


def test_emitted_invoices_never_change(rule, account):
    emit_invoice(ids(rule)[2], account=account, actor=SYSTEM)

    patch(rule, description="Nova", services=[{"id": rule["services"][0]["id"], "units": 3}])

    assert gross_values(rule["id"]) == [Decimal("150.00")] * 3 + [Decimal("350.00")] * 7


def test_the_change_is_audited(rule):
    patch(rule, description="Nova", issue_nfse=True)

    event = AuditEvent.objects.get(action="regra.alterada")
    assert event.after == {"campos": ["description", "issue_nfse"], "faturas": 0}


def test_payment_information_is_merged(rule):
    patch(rule, payment_information={"payment_method": "payment_gateway", "installments": 6})
    shown = patch(rule, payment_information={"id": rule["id"], "charging_account_id": "abc"})

    assert shown["payment_information"]["payment_method"] == "payment_gateway"
    assert shown["payment_information"]["installments"] == 6
    assert shown["payment_information"]["charging_account_id"] == "abc"
    shown = patch(rule, payment_information={"payment_method": "transfer"})
    assert shown["payment_information"]["installments"] is None


def test_the_template_of_a_rule_is_not_changed_afterwards(rule):
    before = state()

    assert api().patch(path(rule), {"invoice_template_id": 999}).status_code == 200
    assert state() == before


# --- services ------------------------------------------------------------------------------------


def test_services_are_changed_created_and_dropped_by_their_ids(rule, items):
    first, second = rule["services"]

    shown = patch(
        rule,
        services=[
            {"id": first["id"], "unit_value": 110},
            {"id": str(second["id"]), "_destroy": True},
            service(items[1], 3, 10, description="Nova"),
        ],
    )

    assert [one["value"] for one in shown["services"]] == ["110.0", "30.0"]
    assert shown["services"][0] == first | {"unit_value": "110.0", "value": "110.0"}
    assert shown["services"][1]["description"] == "Nova"
    assert shown["services"][1]["id"] not in (first["id"], second["id"])
    assert shown["gross_value"] == "140.0"
    assert gross_values(rule["id"])[1:3] == [Decimal("150.00"), Decimal("140.00")]
    assert list(violations(InvoiceRule.objects.get().account)) == []


def test_a_value_sent_beside_services_is_ignored(rule):
    assert patch(rule, gross_value=999)["gross_value"] == "150.0"
    assert patch(rule, gross_value="abc")["gross_value"] == "150.0"


def test_without_its_last_service_a_rule_keeps_its_value_which_can_be_changed(rule):
    drop = [{"id": one["id"], "_destroy": True} for one in rule["services"]]
    clauses = [{"id": one["id"], "_destroy": True} for one in rule["scheduled_updates"]]

    shown = patch(rule, services=drop, scheduled_updates=clauses)

    assert (shown["services"], shown["gross_value"]) == ([], "150.0")
    assert patch(rule, gross_value="80")["gross_value"] == "80.0"
    assert gross_values(rule["id"])[2:] == [Decimal("80.00")] * 8
    assert refusal(rule, gross_value="abc") == {"gross_value": "deve ser numérico"}
    assert refusal(rule, gross_value=None) == {"gross_value": "deve ser numérico"}


def test_faults_of_services_are_told_by_their_path(rule):
    first, _ = rule["services"]

    assert refusal(rule, services=[{"id": first["id"], "units": "x"}, {"unit_value": 1}]) == {
        "services.units": "deve ser numérico",
        "services.service_item": "não pode ficar em branco.",
    }
    assert refusal(rule, services=[{"id": first["id"], "service_item_id": None}]) == {
        "services.service_item": "não pode ficar em branco."
    }


def test_a_service_that_a_clause_is_about_cannot_go(rule):
    drop = [{"id": rule["services"][0]["id"], "_destroy": True}]

    assert refusal(rule, services=drop) == {
        "scheduled_updates.service_item_id": "deve estar entre os serviços da regra recorrente"
    }
    clauses = [{"id": rule["scheduled_updates"][0]["id"], "_destroy": True}]
    assert patch(rule, services=drop, scheduled_updates=clauses)["gross_value"] == "50.0"


# --- clauses -------------------------------------------------------------------------------------


def test_only_the_days_move_the_reminder(rule):
    first = rule["scheduled_updates"][0]

    shown = patch(rule, scheduled_updates=[{"id": first["id"], "days_until_update": 2}])

    (changed, _) = shown["scheduled_updates"]
    assert changed["execution_date"] == "2026-03-01"
    assert changed["remind_at"] == "2026-02-27"


def test_a_new_first_date_starts_the_clause_anew(rule):
    first = rule["scheduled_updates"][0]
    ScheduledUpdate.objects.filter(pk=first["id"]).update(
        notified=True, next_n=1, execution_date=date(2027, 3, 1), state="waiting_index"
    )

    shown = patch(rule, scheduled_updates=[{"id": first["id"], "init_date": "02/05/2026"}])

    changed = shown["scheduled_updates"][0]
    assert changed["init_date"] == changed["execution_date"] == "2026-05-02"
    assert changed["remind_at"] == "2026-04-22"
    assert changed["notified"] is False
    row = ScheduledUpdate.objects.get(pk=first["id"])
    assert (row.next_n, row.state) == (0, "scheduled")


def test_the_same_first_date_changes_nothing(rule):
    first = rule["scheduled_updates"][0]
    ScheduledUpdate.objects.filter(pk=first["id"]).update(
        notified=True, next_n=1, execution_date=date(2027, 3, 1)
    )

    shown = patch(rule, scheduled_updates=[{"id": first["id"], "init_date": "2026-03-01"}])

    changed = shown["scheduled_updates"][0]
    assert changed["execution_date"] == "2027-03-01"
    assert changed["notified"] is True


def executed(clause_id, on):
    clause = ScheduledUpdate.objects.get(pk=clause_id)
    Readjustment.objects.create(
        account=clause.rule.account, scheduled_update=clause, rule=clause.rule, execution_date=on,
        outcome="executed", price_index="ipca", months={}, factor="1", values=[],
        executed_at=clause.created_at,
    )  # fmt: skip


def test_a_clause_is_never_executed_twice_on_a_date(rule):
    first = rule["scheduled_updates"][0]
    executed(first["id"], date(2026, 3, 1))

    shown = patch(rule, scheduled_updates=[{"id": first["id"], "init_date": "01/03/2025"}])

    assert shown["scheduled_updates"][0]["execution_date"] == "2027-03-01"


def test_another_period_goes_on_from_the_date_that_stands(rule):
    first = rule["scheduled_updates"][0]
    ScheduledUpdate.objects.filter(pk=first["id"]).update(next_n=1, execution_date=date(2027, 3, 1))

    shown = patch(rule, scheduled_updates=[{"id": first["id"], "month_quantity": 6}])

    assert shown["scheduled_updates"][0]["execution_date"] == "2027-03-01"
    # The next one after it will be the third of the new period: 01/09/2027.
    assert ScheduledUpdate.objects.get(pk=first["id"]).next_n == 2


def test_two_clauses_may_change_places(rule, items):
    one, other = rule["scheduled_updates"]

    shown = patch(
        rule,
        scheduled_updates=[
            {"id": one["id"], "service_item_id": None},
            {"id": other["id"], "service_item_id": items[1].pk},
        ],
    )

    found = {c["id"]: c["service_item_id"] for c in shown["scheduled_updates"]}
    assert found == {one["id"]: None, other["id"]: items[1].pk}


def test_a_second_clause_without_service_is_refused(rule):
    assert refusal(rule, scheduled_updates=[clause()]) == {
        "scheduled_updates.service_item_id": "não pode ter mais de um reajuste sem serviço"
    }


def test_faults_of_clauses_are_told_by_their_path(rule):
    first = rule["scheduled_updates"][0]

    assert refusal(
        rule, scheduled_updates=[{"id": first["id"], "init_date": "", "price_index": None}]
    ) == {
        "scheduled_updates.init_date": "deve ser a partir de 01/01/2000",
        "scheduled_updates.price_index": BLANK,
    }


# --- schedule ------------------------------------------------------------------------------------


def test_with_its_id_the_schedule_is_merged(rule):
    shown = patch(rule, additional_information={"id": rule["id"], "month_quantity": 3})

    node = shown["additional_information"]
    assert (node["title"], node["month_quantity"]) == ("Mensalidade", 3)
    assert node["end_date"] == "2025-12-01"
    assert shown["payment_value"] == "150.0"
    assert issue_dates(rule["id"]) == ["2025-03-01", "2025-06-01", "2025-09-01", "2025-12-01"]


def test_without_id_the_schedule_is_replaced(rule):
    InvoiceRule.objects.update(accrual_month_quantity="next_month")
    node = {"title": "Outra", "init_date": "05/05/2025", "month_quantity": 12}

    shown = patch(rule, additional_information=node)

    node = shown["additional_information"]
    assert (node["end_date"], node["accrual_month_quantity"]) == (None, "same_month")
    assert issue_dates(rule["id"]) == ["2025-05-05", "2026-05-05", "2027-05-05"]
    assert refusal(rule, additional_information={"month_quantity": 3}) == {
        "additional_information.title": BLANK,
        "additional_information.init_date": BLANK,
    }


def test_the_length_is_judged_again_when_the_unit_changes(rule):
    node = {"id": rule["id"], "end_date": "01/12/2029"}
    patch(rule, additional_information=node)

    errors = refusal(rule, additional_information={"id": rule["id"], "period_unit": "weekly"})

    assert errors == {"additional_information.periodicity": "deve ser no máximo 1 (um) ano"}


def test_from_weekly_back_to_monthly_the_months_are_needed_again(rule):
    shown = patch(rule, additional_information={"id": rule["id"], "period_unit": "weekly"})
    assert shown["additional_information"]["month_quantity"] is None

    errors = refusal(rule, additional_information={"id": rule["id"], "period_unit": "monthly"})

    assert errors == {
        "additional_information.month_quantity": "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"
    }


def test_emitted_invoices_stay_and_their_dates_are_not_billed_again(rule, account):
    emit_invoice(ids(rule)[0], account=account, actor=SYSTEM)
    kept = ids(rule)[0]

    patch(rule, additional_information={"id": rule["id"], "month_quantity": 3})

    assert ids(rule)[0] == kept
    assert issue_dates(rule["id"]) == ["2025-03-01", "2025-06-01", "2025-09-01", "2025-12-01"]
    assert list(violations(account)) == []


def test_due_terms_make_the_invoices_anew(rule):
    before = ids(rule)

    shown = patch(
        rule, charge_type="day_quantity", receivables_additional_information={"day_quantity": 5}
    )

    assert shown["payment_value"] == "150.0"
    due = shown["receivables_additional_information"]
    assert (due["day_quantity"], due["day_number"]) == (5, None)
    assert due_dates(rule["id"]) == ["2025-03-06"]
    assert set(ids(rule)).isdisjoint(before)
    assert len(ids(rule)) == 10


def test_due_terms_are_merged_field_by_field(rule):
    shown = patch(rule, receivables_additional_information={"parcel_number": 2})

    due = shown["receivables_additional_information"]
    assert (due["day_number"], due["parcel_number"]) == (10, 2)
    assert due_dates(rule["id"]) == ["2025-03-10", "2025-04-10"]


def test_a_charge_type_needs_its_fields_again(rule):
    errors = refusal(rule, charge_type="fixed_day_and_month_quantity")

    assert errors == {
        "receivables_additional_information.month_quantity": "o valor deve ser maior do que zero"
    }


def test_fields_without_charge_type_wait_for_one(contract, rule):
    body = rule_body(charge_type=None, receivables_additional_information={"day_quantity": 3})
    answer = api().post(f"contracts/{contract.pk}/invoice_rules", body)
    waiting = answer.json()["invoice_rule"]
    assert waiting["receivables_additional_information"]["day_quantity"] == 3
    assert due_dates(waiting["id"]) == ["2025-03-01"]

    patch(waiting, charge_type="day_quantity")

    assert due_dates(waiting["id"]) == ["2025-03-04"]


def test_a_rule_that_loses_its_schedule_loses_its_invoices(rule):
    shown = patch(rule, additional_information=None)

    assert shown["additional_information"] is None
    assert shown["payment_value"] is None
    assert ids(rule) == []
    assert patch(rule, description="Nova")["description"] == "Nova"


def test_a_rule_may_get_a_schedule_later(contract, rule):
    body = rule_body(additional_information=None)
    answer = api().post(f"contracts/{contract.pk}/invoice_rules", body)
    bare = answer.json()["invoice_rule"]

    assert patch(bare, charge_type="fixed_day")["payment_value"] is None
    shown = patch(bare, additional_information=monthly())

    assert shown["payment_value"] == "150.0"
    assert len(ids(bare)) == 25


def test_an_old_rule_is_carried_on_to_where_the_night_had_taken_it(account, today):
    today("2025-04-15")
    contract = ContractFactory(account=account, overdue_automatic_management=True)
    old = RuleFactory(contract=contract, init_date=date(2022, 5, 1), next_occurrence="2022-05-01")
    run_billing(RunRequest(account, date(2025, 4, 15), date(2025, 4, 15)))
    assert issue_dates(old.pk)[-1] == "2026-05-01"

    shown = patch(
        {"id": old.pk, "contract_id": contract.pk},
        receivables_additional_information={"day_number": 20},
    )

    assert shown["payment_value"] == "100.0"
    assert issue_dates(old.pk)[-1] == "2026-05-01"
    latest = Invoice.objects.filter(rule=old).latest("issue_date")
    assert latest.due_date == date(2026, 5, 20)


def test_a_rule_of_a_closed_contract_is_not_scheduled_again(rule, contract):
    cancel_contract(contract.pk, account=contract.account, actor=SYSTEM)
    before = state()

    answer = api().patch(path(rule), {"additional_information": monthly()})

    assert answer.status_code == 422
    assert answer.json() == {"errors": "Esta regra está encerrada."}
    assert state() == before


# --- rules that staff made -----------------------------------------------------------------------


def test_what_a_rule_of_staff_lacks_is_not_held_against_other_changes(contract):
    made = RuleFactory(contract=contract, automatic_email_template_ref=None)
    rule = {"id": made.pk, "contract_id": contract.pk}

    assert patch(rule, description="Nova")["nfe_body"] is None
    assert refusal(rule, nfe_body="", management_type="automatic") == {
        "nfe_body": BLANK,
        "automatic_email_template_id": BLANK,
    }


# --- strange ids ---------------------------------------------------------------------------------


def test_ids_of_nodes_that_are_not_the_rules_do_not_exist(rule, contract, items):
    other = RuleFactory(contract=contract)
    theirs = other.services.get().pk
    before = state()

    for body in (
        {"services": [{"id": theirs, "units": 2}]},
        {"services": [{"id": theirs, "_destroy": True}]},
        {"services": [{"id": "abc"}]},
        {"scheduled_updates": [{"id": 999, "_destroy": True}]},
        {"additional_information": {"id": other.pk, "title": "x"}},
        {"receivables_additional_information": {"id": other.pk, "day_number": 1}},
        {"payment_information": {"id": other.pk, "payment_method": "transfer"}},
        {"services": [{"id": rule["services"][0]["id"], "service_item_id": 999}]},
    ):
        answer = api().patch(path(rule), {"description": "Nova"} | body)
        assert (answer.status_code, answer.content) == (404, b"")
    assert state() == before


def test_rules_of_others_do_not_exist(rule, contract, other_account):
    elsewhere = ContractFactory(account=contract.account)
    theirs = RuleFactory(contract=ContractFactory(account=other_account))
    before = state()

    for client, address in (
        (api_of(other_account), path(rule)),
        (api_of(contract.account), f"contracts/{elsewhere.pk}/invoice_rules/{rule['id']}"),
        (api_of(contract.account), f"contracts/{contract.pk}/invoice_rules/{theirs.pk}"),
        (api_of(contract.account), f"contracts/{theirs.contract_id}/invoice_rules/{theirs.pk}"),
        (api_of(contract.account), f"contracts/{contract.pk}/invoice_rules/{10**30}"),
    ):
        for answer in (client.patch(address, {"description": "x"}), client.delete(address)):
            assert (answer.status_code, answer.content) == (404, b"")
    assert state() == before


def test_one_rule_is_not_shown(rule):
    assert api().get(path(rule)).status_code == 405


# --- deletion ------------------------------------------------------------------------------------


def test_a_deleted_rule_takes_what_is_still_to_come_and_leaves_the_rest(rule, account):
    found = ids(rule)
    emit_invoice(found[3], account=account, actor=SYSTEM)

    answer = api().delete(path(rule))

    assert (answer.status_code, answer.content) == (204, b"")
    assert not InvoiceRule.objects.exists()
    assert not RuleService.objects.exists()
    assert not ScheduledUpdate.objects.exists()
    left = Invoice.objects.order_by("issue_date")
    # March and April are past; June was emitted.
    assert list(left.values_list("id", flat=True)) == [found[0], found[1], found[3]]
    assert set(left.values_list("rule_id", flat=True)) == {None}
    assert [one.lines.count() for one in left] == [2, 2, 2]
    event = AuditEvent.objects.get(action="regra.excluida")
    assert event.after == {"faturas_apagadas": 7, "faturas_mantidas": 3}
    assert list(violations(account)) == []


def test_an_invoice_that_had_a_number_is_kept(rule, account):
    numbered = ids(rule)[5]
    emit_invoice(numbered, account=account, actor=SYSTEM)
    undo_emission(numbered, account=account, actor=SYSTEM)

    api().delete(path(rule))

    kept = Invoice.objects.get(pk=numbered)
    assert (kept.state, kept.rule_id) == ("to_emit", None)
    assert kept.number is not None
    assert list(violations(account)) == []


def test_deletion_costs_the_same_however_many_invoices(contract, rule):
    def queries(**node):
        body = rule_body(additional_information=monthly(**node))
        made = api().post(f"contracts/{contract.pk}/invoice_rules", body).json()["invoice_rule"]
        with CaptureQueriesContext(connection) as seen:
            assert api().delete(path(made)).status_code == 204
        return len(seen)

    assert queries(end_date="01/02/2030") == queries(end_date="01/06/2025")


def test_an_update_costs_the_same_however_many_invoices(contract, rule):
    def queries(change, **node):
        body = rule_body(additional_information=monthly(**node))
        made = api().post(f"contracts/{contract.pk}/invoice_rules", body).json()["invoice_rule"]
        client = api()
        with CaptureQueriesContext(connection) as seen:
            assert client.patch(path(made), change(made)).status_code == 200
        return len(seen)

    def text(made):
        return {"description": "Nova"}

    def schedule(made):
        return {"additional_information": {"id": made["id"], "title": "Outra"}}

    for change in (text, schedule):
        few, many = queries(change, end_date="01/06/2025"), queries(change, end_date="01/02/2030")
        assert many == few
        assert many <= 70


def test_files_of_deleted_invoices_go_with_them(rule, account, django_capture_on_commit_callbacks):
    _, kept, *_, gone = ids(rule)
    for invoice_id, key in ((kept, "fica.pdf"), (gone, "some.pdf")):
        default_storage.save(key, ContentFile(b"%PDF-"))
        Attachment.objects.create(
            account=account, invoice_id=invoice_id, filename=key, storage_key=key,
            content_type="application/pdf", size=5, sha256="0" * 64,
        )  # fmt: skip

    with django_capture_on_commit_callbacks(execute=True):
        api().delete(path(rule))

    assert default_storage.exists("fica.pdf")
    assert not default_storage.exists("some.pdf")
    default_storage.delete("fica.pdf")
