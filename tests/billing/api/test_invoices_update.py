"""PATCH and DELETE of an invoice (billing-api §6.1, §6.11, questions 18, 19, 21 and 37)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import RuleFactory, TransactionFactory
from support.invoices import actions, check_sums, events, everything, line, new_invoice
from support.wire import api_of
from support.wire_invoices import address, changed, contract_of, created, did, item_of, service

from accounts.models import AuditEvent
from billing.models import Invoice, InvoiceRule, Receivable
from billing.selectors.invariants import violations
from billing.services.materialise import extend, materialise
from billing.services.rules import reapply_rule

pytestmark = pytest.mark.django_db

PDF = {"filename": "a.pdf", "content_type": "application/pdf", "content": "JVBERi0xLjQK"}
DUES = [{"due_date": f"10/0{month}/2025", "value": "33.3333"} for month in (3, 4, 5)]


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


def row_of(shown):
    return Invoice.objects.get(pk=shown["id"])


def refused(api, shown, status=422, method="PATCH", **values):
    """The body of a refusal; nothing changed."""
    account = row_of(shown).account
    before = everything(account)
    body = {"invoice": values} if method == "PATCH" else None
    answer = api.call(method, address(shown), body)
    assert answer.status_code == status, answer.content
    assert everything(account) == before
    return answer.json()["errors"] if answer.content else None


# --- attributes ----------------------------------------------------------------------------------


def test_only_what_is_sent_changes_and_integrators_are_told(api, contract):
    shown = created(api, contract, comments="Antes", number="1")

    after = changed(api, shown, description="Revisado", comments="")

    assert after == shown | {"description": "Revisado", "comments": ""}
    invoice = row_of(shown)
    assert (invoice.title, invoice.edited_by_hand) == ("Revisado", True)
    assert invoice.fold.startswith("revisado ")
    assert events(invoice) == ["update"]
    assert actions(invoice) == ["fatura.criada", "fatura.alterada"]
    entry = AuditEvent.objects.latest("pk")
    assert entry.before == {"description": "Suporte de fevereiro", "comments": "Antes"}
    assert entry.after == {
        "description": "Revisado", "comments": "", "campos": ["comments", "description"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"description": "Suporte de fevereiro", "gross_value": "500.00", "issue_date": None},
        {"services": [], "receivables": [], "attachments": [], "payment_information": {}},
        {"services": None, "receivables": None, "attachments": None, "payment_information": None},
        {"unknown": 1, "state": "received", "id": 5, "payment_value": None, "gross_value": None},
    ],
)
def test_an_update_without_a_difference_changes_nothing(api, contract, values):
    shown = created(api, contract)
    values = {name: value for name, value in values.items() if name != "issue_date"}

    assert changed(api, shown, **values) == shown
    assert events(row_of(shown)) == []
    assert row_of(shown).edited_by_hand is False


def test_put_updates_partially_too_and_a_bare_body_will_do(api, contract):
    shown = created(api, contract)

    answer = api.call("PUT", address(shown), {"comments": "x"})

    assert answer.json()["invoice"] == shown | {"comments": "x"}


def test_the_approval_status_is_ignored(api, contract):
    shown = created(api, contract)

    assert changed(api, shown, approval_status="blocked")["approval_status"] == "approved"
    assert changed(api, shown, approval_status=["?"])["approval_status"] == "approved"


def test_required_attributes_cannot_be_blanked(api, contract):
    shown = created(api, contract)

    found = refused(api, shown, description="", nfe_body=None, issue_date="x")

    assert found == dict.fromkeys(
        ("description", "nfe_body", "issue_date"), "não pode ficar em branco"
    )


def test_automatic_needs_its_email_template_also_later(api, contract):
    shown = created(api, contract)

    found = refused(api, shown, management_type="automatic")
    after = changed(api, shown, management_type="automatic", automatic_email_template_id=61)

    assert found == {"automatic_email_template_id": "não pode ficar em branco"}
    assert after["automatic_nfe_issue_date"] == "20/02/2025"
    assert refused(api, shown, automatic_email_template_id="") == found


def test_an_imported_automatic_invoice_without_a_template_may_still_be_edited(api, contract):
    shown = created(api, contract)
    Invoice.objects.filter(pk=shown["id"]).update(management_type="automatic")

    assert changed(api, shown, comments="x")["comments"] == "x"
    assert "automatic_email_template_id" in refused(api, shown, management_type="automatic")


def test_payment_information_is_merged_field_by_field(api, contract):
    shown = created(
        api, contract, payment_information={"payment_method": "payment_gateway", "installments": 3}
    )

    kept = changed(api, shown, payment_information={"charging_account_id": "x"})
    away = changed(api, shown, payment_information={"payment_method": "billet"})

    payment = kept["payment_information"]
    assert (payment["payment_method"], payment["installments"]) == ("payment_gateway", 3)
    assert away["payment_information"]["installments"] is None
    assert away["payment_information"]["charging_account_id"] == "x"


# --- values --------------------------------------------------------------------------------------


def test_the_payment_value_follows_the_gross_value_unless_sent(api, contract):
    shown = created(api, contract, payment_value="decimal")
    assert shown["payment_value"] == "0.0"

    follows = changed(api, shown, gross_value=20000)
    alone = changed(api, shown, payment_value="19000.5")
    stays = changed(api, shown, comments="x")

    assert (follows["payment_value"], alone["payment_value"]) == ("20000.0", "19000.5")
    assert (stays["gross_value"], stays["payment_value"]) == ("20000.0", "19000.5")
    assert stays["receivables"][0]["payment_value"] == "19000.5"
    assert stays["receivables"][0]["gross_value"] == "20000.0"
    check_sums(row_of(shown))


def test_the_first_service_replaces_the_gross_value_and_the_last_leaves_it(api, account, contract):
    shown = created(api, contract)

    one = changed(api, shown, services=[service(item_of(account), 2, 450)], gross_value=1)
    pk = one["services"][0]["id"]
    none = changed(api, one, services=[{"id": pk, "_destroy": True}])
    check_sums(row_of(shown))
    after = changed(api, one, gross_value="10.5")

    assert (one["gross_value"], one["payment_value"], len(one["services"])) == ("900.0",) * 2 + (1,)
    assert (none["gross_value"], none["services"]) == ("900.0", [])
    assert after["gross_value"] == "10.5"
    check_sums(row_of(shown))
    assert row_of(shown).lines.count() == 1


def test_services_change_by_id_and_the_others_stay(api, account, contract):
    item, other = item_of(account, name="Suporte"), item_of(account, name="Hospedagem")
    shown = created(api, contract, services=[service(item), service(item, 2), service(item, 3)])
    first, second, third = (one["id"] for one in shown["services"])

    after = changed(
        api,
        shown,
        services=[
            {"id": str(first), "units": "1.5", "value": 9999},
            {"id": second, "_destroy": True},
            service(other, 1, "7.77", description="Nova"),
            {"id": third, "service_item_id": other.pk},
        ],
    )

    assert [(s["name"], s["units"], s["value"]) for s in after["services"]] == [
        ("Suporte", "1.5", "150.0"),
        ("Hospedagem", "3.0", "300.0"),
        ("Hospedagem", "1.0", "7.77"),
    ]
    assert [s["id"] for s in after["services"][:2]] == [first, third]
    assert after["gross_value"] == after["payment_value"] == "457.77"
    check_sums(row_of(shown))


def test_a_service_that_is_changed_and_then_destroyed_is_gone(api, account, contract):
    item = item_of(account)
    shown = created(api, contract, services=[service(item), service(item, 2)])
    pk = shown["services"][0]["id"]

    after = changed(api, shown, services=[{"id": pk, "units": 9}, {"id": pk, "_destroy": 1}])

    assert [s["units"] for s in after["services"]] == ["2.0"]
    assert after["gross_value"] == "200.0"


def test_bad_services_are_refused_with_all_their_faults(api, account, contract):
    shown = created(api, contract, services=[service(item_of(account))])
    pk = shown["services"][0]["id"]

    found = refused(
        api, shown, description="", services=[{"id": pk, "units": None, "service_item_id": ""}, {}]
    )

    assert found == {
        "description": "não pode ficar em branco",
        "services.units": "deve ser numérico",
        "services.unit_value": "deve ser numérico",
        "services.service_item": "não pode ficar em branco.",
    }


def test_a_gross_value_sent_along_with_services_is_ignored(api, account, contract):
    shown = created(api, contract, services=[service(item_of(account))])

    assert changed(api, shown, gross_value="abc") == shown
    assert changed(api, shown, gross_value=5) == shown


def test_without_services_a_bad_gross_value_is_refused(api, contract):
    shown = created(api, contract)

    assert refused(api, shown, gross_value="abc") == {"gross_value": "deve ser numérico"}
    assert refused(api, shown, gross_value=-1)["gross_value"] == "não pode ser negativo"


# --- receivables ---------------------------------------------------------------------------------


def test_a_new_receivable_gets_what_the_others_leave(api, contract):
    shown = created(api, contract)
    pk = shown["receivables"][0]["id"]

    full = changed(api, shown, receivables=[{"due_date": "10/04/2025"}])
    half = changed(api, shown, receivables=[{"id": pk, "value": 50}, {"due_date": "1/5/2025"}])

    assert [r["value"] for r in full["receivables"]] == ["100.0", "0.0"]
    assert [r["gross_value"] for r in full["receivables"]] == ["500.0", "0.0"]
    assert [r["value"] for r in half["receivables"]] == ["50.0", "0.0", "50.0"]
    assert [r["gross_value"] for r in half["receivables"]] == ["250.0", "0.0", "250.0"]
    check_sums(row_of(shown))


def test_receivables_change_by_id_and_stand_in_the_order_they_fall_due(api, contract):
    shown = created(api, contract, gross_value=100, receivables=DUES)
    first, second, third = (one["id"] for one in shown["receivables"])

    after = changed(api, shown, receivables=[{"id": first, "due_date": "01/06/2025"}])

    assert [r["id"] for r in after["receivables"]] == [second, third, first]
    assert [r["gross_value"] for r in after["receivables"]] == ["33.33", "33.33", "33.34"]
    assert row_of(shown).due_date == date(2025, 4, 10)
    assert list(
        Receivable.objects.filter(invoice=shown["id"]).order_by("pk").values_list("position")
    ) == [(3,), (1,), (2,)]
    assert Receivable.objects.get(pk=first).original_due_date == date(2025, 6, 1)
    check_sums(row_of(shown))


def test_receivables_are_destroyed_by_id(api, contract):
    shown = created(api, contract, receivables=DUES)
    first, second, third = (one["id"] for one in shown["receivables"])

    after = changed(
        api,
        shown,
        receivables=[
            {"id": second, "_destroy": True},
            {"id": first, "value": 20},
            {"id": third, "value": "80"},
        ],
    )

    assert [(r["id"], r["gross_value"]) for r in after["receivables"]] == [
        (first, "100.0"),
        (third, "400.0"),
    ]
    assert row_of(shown).receivables.count() == 2


def test_percents_must_total_100_after_the_change(api, contract):
    shown = created(api, contract, receivables=DUES)
    pk = shown["receivables"][0]["id"]
    message = {"receivables": "Os vencimentos não totalizam 100%."}

    assert refused(api, shown, receivables=[{"id": pk, "_destroy": True}]) == message
    assert refused(api, shown, receivables=[{"id": pk, "value": 40}]) == message
    assert refused(api, shown, receivables=[{"due_date": "1/1/2026", "value": 1}]) == message


def test_the_last_receivable_cannot_go(api, contract):
    shown = created(api, contract)
    pk = shown["receivables"][0]["id"]

    found = refused(api, shown, receivables=[{"id": pk, "_destroy": True}])

    assert found == {"receivables.due_date": "não pode ficar em branco"}


def test_a_date_that_is_none_is_refused_and_a_null_percent_says_nothing(api, contract):
    shown = created(api, contract)
    pk = shown["receivables"][0]["id"]

    found = refused(api, shown, receivables=[{"id": pk, "due_date": "x"}])

    assert found == {"receivables.due_date": "não pode ficar em branco"}
    assert changed(api, shown, receivables=[{"id": pk, "value": None}]) == shown


def test_a_single_new_date_keeps_the_cents_where_they_are(api, account, contract):
    """Equal parcels of a rule leave the rest on the last one (SPLIT-1); a date is no new split."""
    rule = RuleFactory(
        contract=contract, init_date=date(2025, 3, 1), parcel_number=12, services=[("1", "350")]
    )
    materialise(account, rule_ids=[rule.pk], limit=date(2025, 3, 1))
    shown = api.get(address({"contract_id": contract.pk, "id": rule.invoices.get().pk})).json()
    before = shown["invoice"]["receivables"]

    after = changed(
        api,
        shown["invoice"],
        receivables=[{"id": before[0]["id"], "due_date": "11/03/2025"}],
    )["receivables"]

    assert [r["gross_value"] for r in after] == ["29.16"] * 11 + ["29.24"]
    assert after[0]["due_date"] == "11/03/2025"


# --- nested ids ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["services", "receivables", "attachments"])
def test_a_nested_id_of_another_invoice_is_not_found_and_nothing_is_saved(
    api, account, contract, name
):
    values = {"services": [service(item_of(account))], "attachments": [PDF]}
    shown = created(api, contract, **values)
    other = created(api, contract, **values)

    for pk in (other[name][0]["id"], 999999, "abc", 10**30):
        for element in ({"id": pk}, {"id": pk, "_destroy": True}):
            refused(api, shown, status=404, comments="x", **{name: [element]})


def test_a_foreign_invoice_is_not_found_by_any_verb(api, account, contract, other_account):
    theirs = created(api_of(other_account), contract_of(other_account))
    ours = created(api, contract)
    elsewhere = ours | {"contract_id": contract_of(account).pk}
    before = everything(other_account), everything(account)

    for one in (theirs, elsewhere, ours | {"id": 999999}, ours | {"id": "x"}):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            answer = api.call(method, address(one), {"invoice": {"comments": "x"}})
            assert (answer.status_code, answer.content) == (404, b"")
    assert (everything(other_account), everything(account)) == before


def test_attachments_are_added_and_removed(api, contract):
    shown = created(api, contract)

    added = changed(api, shown, attachments=[PDF])
    gone = changed(api, shown, attachments=[{"id": added["attachments"][0]["id"], "_destroy": 1}])

    assert [a["filename"] for a in added["attachments"]] == ["a.pdf"]
    assert gone["attachments"] == []
    assert events(row_of(shown)) == ["update", "update"]


# --- after emission ------------------------------------------------------------------------------


OPEN = {
    "description": "Novo texto", "comments": "c", "number": "77", "nfe_body": "n",
    "nfse_service": "1", "nfse_verification": "v", "nfe_issued": True,
    "nfe_issue_date": "01/03/2025", "finance_category": "f", "myfinance_sale_account_id": 4,
    "emites_service_value_name": "e", "issue_nfse": True, "attachments": [PDF],
}  # fmt: skip
CLOSED = [
    {"gross_value": 1}, {"payment_value": 1}, {"issue_date": "21/02/2025"},
    {"accrual_date": "03/2025"}, {"receivables": [{"due_date": "1/1/2026", "value": 0}]},
    {"management_type": "automatic", "automatic_email_template_id": 1},
    {"payment_information": {"payment_method": "transfer"}},
]  # fmt: skip


@pytest.mark.parametrize("values", CLOSED)
def test_amounts_dates_and_parts_of_an_emitted_invoice_stand(api, account, contract, values):
    shown = did(api, created(api, contract), "emit")

    found = refused(api, shown, comments="x", **values)

    assert found == "O faturamento não pode ser alterado."


def test_services_of_an_emitted_invoice_stand(api, account, contract):
    shown = did(api, created(api, contract), "emit")

    found = refused(api, shown, services=[service(item_of(account))])

    assert found == "O faturamento não pode ser alterado."


def test_texts_note_and_finance_of_an_emitted_invoice_may_change(api, contract):
    shown = did(api, created(api, contract), "emit")

    after = changed(api, shown, **OPEN)

    assert (after["description"], after["number"], after["nfe_service"]) == (
        "Novo texto",
        "77",
        "1",
    )
    assert after["finance_category"] == "f"
    assert after["gross_value"] == "500.0"
    invoice = row_of(shown)
    assert invoice.title == "Suporte de fevereiro"
    assert events(invoice) == ["emit", "update"]


def test_values_sent_again_unchanged_are_no_change_of_an_emitted_invoice(api, account, contract):
    shown = created(api, contract, services=[service(item_of(account))])
    did(api, shown, "emit")
    same = [{"id": shown["receivables"][0]["id"], "due_date": "10/03/2025", "value": "100.00"}]
    lines = [{"id": shown["services"][0]["id"], "units": 1, "unit_value": "100.0"}]

    after = changed(
        api, shown, issue_date="2025-02-20", receivables=same, services=lines, gross_value=7
    )

    assert after["state"] == "to_receive"
    assert events(row_of(shown)) == ["emit"]


@pytest.mark.parametrize("verb", ["received", "cancel"])
def test_of_a_closed_invoice_only_comments_and_attachments_change(api, contract, verb):
    shown = created(api, contract)
    if verb == "cancel":
        did(api, shown, "cancel")
    else:
        did(api, shown, "emit")
        pk = shown["receivables"][0]["id"]
        assert api.patch(f"contracts/{contract.pk}/receivables/{pk}/receive").status_code == 200

    after = changed(api, shown, comments="Nota", attachments=[PDF])

    assert (after["comments"], len(after["attachments"])) == ("Nota", 1)
    for values in ({"description": "x"}, {"number": ""}, {"nfe_issued": True}, *CLOSED):
        assert refused(api, shown, **values) == "O faturamento não pode ser alterado."


def test_what_was_billed_of_transactions_keeps_its_amounts(api, account, contract):
    transaction = TransactionFactory(customer=contract.party)
    invoice = new_invoice(
        contract.organization, contract.party, contract_id=contract.pk,
        lines=[line(transaction_id=transaction.pk)],
    )  # fmt: skip
    transaction.invoice = invoice
    transaction.save()
    shown = {"contract_id": contract.pk, "id": invoice.pk}

    assert refused(api, shown, gross_value=1) == "O faturamento não pode ser alterado."
    assert refused(api, shown, services=[service(item_of(account))]).startswith("O faturamento")
    assert changed(api, shown, comments="x")["gross_value"] == "100.0"


def test_the_rule_leaves_an_edited_invoice_alone(api, account, contract):
    rule = RuleFactory(contract=contract, init_date=date(2025, 3, 1))
    materialise(account, rule_ids=[rule.pk], limit=date(2025, 4, 1))
    first, second = rule.invoices.order_by("occurrence_date")
    changed(api, {"contract_id": contract.pk, "id": first.pk}, services=[service(item_of(account))])
    rule.services.update(unit_value=Decimal(70), value=Decimal(70))

    reapply_rule(rule.pk, account=account, reschedule=False)

    first, second = Invoice.objects.filter(rule=rule).order_by("occurrence_date")
    assert (first.gross_value, second.gross_value) == (Decimal(200), Decimal(70))


# --- deleting ------------------------------------------------------------------------------------


def test_an_invoice_that_was_never_emitted_is_deleted_whole(api, account, contract):
    values = {"services": [service(item_of(account))], "attachments": [PDF]}
    kept = created(api, contract)
    for verb in ("", "cancel"):
        shown = created(api, contract, **values)
        if verb:
            did(api, shown, verb)

        answer = api.delete(address(shown))

        assert (answer.status_code, answer.content) == (204, b"")
        assert api.get(address(shown)).status_code == 404
        entry = AuditEvent.objects.latest("pk")
        assert (entry.action, entry.object_id) == ("fatura.excluida", shown["id"])
    assert Invoice.objects.get().pk == kept["id"]
    assert Receivable.objects.count() == 1


@pytest.mark.parametrize("verbs", [["emit"], ["emit", "undo_emission"], ["emit", "cancel"]])
def test_a_number_once_given_may_not_vanish(api, contract, verbs):
    shown = created(api, contract)
    for verb in verbs:
        did(api, shown, verb)

    found = refused(api, shown, method="DELETE")

    assert found == {"base": "Não foi possível apagar este faturamento."}


def test_what_was_billed_of_transactions_is_not_deleted(api, contract):
    transaction = TransactionFactory(customer=contract.party)
    invoice = new_invoice(
        contract.organization, contract.party, contract_id=contract.pk,
        lines=[line(transaction_id=transaction.pk)],
    )  # fmt: skip
    transaction.invoice = invoice
    transaction.save()

    found = refused(api, {"contract_id": contract.pk, "id": invoice.pk}, method="DELETE")

    assert found == {"base": "Não foi possível apagar este faturamento."}


def test_a_deleted_occurrence_is_not_created_again(api, account, contract):
    rule = RuleFactory(contract=contract, init_date=date(2025, 3, 1))
    materialise(account, rule_ids=[rule.pk], limit=date(2025, 5, 1))
    march, april, may = rule.invoices.order_by("occurrence_date")

    for invoice in (march, may):
        assert api.delete(f"contracts/{contract.pk}/invoices/{invoice.pk}").status_code == 204
    extend(account, until=date(2025, 3, 1), today=date(2025, 2, 12))

    days = list(rule.invoices.order_by("occurrence_date").values_list("occurrence_date", flat=True))
    assert days[0] == april.occurrence_date
    assert may.occurrence_date not in days
    assert days[1] == date(2025, 6, 1)
    assert InvoiceRule.objects.get().status == "active"
