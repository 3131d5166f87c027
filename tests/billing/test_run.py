"""The billing run as a whole (DECISIONS 2, 3)."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from factories import CompanyFactory, ContractFactory, OrganizationFactory, RuleFactory

from accounts.models import AuditEvent, WebhookEvent
from billing.models import (
    BillingRun,
    Contract,
    FollowUp,
    Invoice,
    InvoiceRule,
    NumberSeries,
    Receivable,
    RunEntry,
)
from billing.selectors.invariants import violations
from billing.services.run import RunRequest, run_billing

pytestmark = pytest.mark.django_db


def run(account, until, *, today=None, selected=()):
    today = today or until
    return run_billing(RunRequest(account, until, today, selected=selected))


@pytest.fixture
def contract(account):
    return ContractFactory(account=account, organization=OrganizationFactory(account=account))


def test_what_is_due_is_emitted_with_number_snapshot_outbox_and_audit(contract):
    RuleFactory(contract=contract, init_date=date(2026, 1, 1))

    result = run(contract.account, date(2026, 1, 1))

    assert (result.created, result.emitted, result.emitted_total) == (25, 1, Decimal("100.00"))
    invoice = Invoice.objects.get(state="to_receive")
    assert invoice.number == 1
    assert invoice.label == "00001"
    assert invoice.customer_snapshot.data["name"] == contract.party.name
    assert invoice.organization_snapshot.data["document"] == contract.organization.document
    assert invoice.receivables.get().state == "to_receive"
    notice = WebhookEvent.objects.get(event="emit")
    assert notice.payload == {
        "event": "emit",
        "object_type": "Invoice",
        "object_id": invoice.pk,
        "contract_token": contract.token,
        "contract_id": contract.pk,
    }
    assert AuditEvent.objects.get(action="fatura.emitida").object_id == invoice.pk
    assert FollowUp.objects.get().invoice == invoice
    assert list(violations(contract.account)) == []


def test_running_again_changes_nothing(contract):
    RuleFactory(contract=contract)
    run(contract.account, date(2026, 3, 1))
    before = list(Invoice.objects.order_by("id").values())

    again = run(contract.account, date(2026, 3, 1))

    assert (again.created, again.emitted) == (0, 0)
    assert list(Invoice.objects.order_by("id").values()) == before


def test_numbers_follow_the_issue_dates_and_have_no_gap(contract):
    RuleFactory(contract=contract, init_date=date(2026, 1, 20))
    RuleFactory(contract=contract, init_date=date(2026, 1, 5))

    run(contract.account, date(2026, 3, 31))

    emitted = Invoice.objects.filter(state="to_receive").order_by("number")
    assert [i.number for i in emitted] == [1, 2, 3, 4, 5, 6]
    assert [i.issue_date for i in emitted] == sorted(i.issue_date for i in emitted)
    assert NumberSeries.objects.get(organization=contract.organization).next_number == 7


def test_each_organization_has_its_own_numbers(account):
    for _ in range(2):
        RuleFactory(contract=ContractFactory(account=account))

    run(account, date(2026, 1, 1))

    assert list(Invoice.objects.filter(state="to_receive").values_list("number", flat=True)) == [
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"management_type": "manual"}, "faturamento manual"),
        ({"approval_status": "blocked"}, "a fatura está bloqueada"),
    ],
)
def test_what_waits_for_somebody_is_not_emitted_and_says_why(contract, change, reason):
    RuleFactory(contract=contract)
    run(contract.account, date(2025, 12, 1))
    Invoice.objects.update(**change)

    result = run(contract.account, date(2026, 1, 1))

    assert result.emitted == 0
    assert result.skipped == 1
    entry = RunEntry.objects.get(run=result, outcome="not_emitted")
    assert entry.detail.startswith(reason)
    assert NumberSeries.objects.get(organization=contract.organization).next_number == 1


def test_selected_manual_invoices_are_emitted(contract):
    RuleFactory(contract=contract, management_type="manual")
    run(contract.account, date(2026, 2, 1))
    chosen = Invoice.objects.get(issue_date=date(2026, 1, 1))

    result = run(contract.account, date(2026, 2, 1), selected=(chosen.pk,))

    assert result.emitted == 1
    assert Invoice.objects.get(state="to_receive") == chosen


def test_an_overdue_contract_stops_unless_it_says_otherwise(account):
    contracts = [
        ContractFactory(account=account, overdue_automatic_management=goes_on)
        for goes_on in (False, True)
    ]
    for contract in contracts:
        RuleFactory(contract=contract)
    run(account, date(2026, 1, 1))

    run(account, date(2026, 2, 1), today=date(2026, 2, 2))  # the January parcels are late by now

    emitted = Invoice.objects.filter(state="to_receive", issue_date=date(2026, 2, 1))
    assert [invoice.contract for invoice in emitted] == [contracts[1]]
    assert list(Contract.objects.order_by("id").values_list("overdue", flat=True)) == [True, True]


def test_a_receivable_due_on_a_saturday_is_not_late_on_monday(account):
    contract = ContractFactory(account=account)
    RuleFactory(contract=contract)  # due Saturday, 10 January 2026
    run(account, date(2026, 1, 1))

    for day, expected in [(12, False), (13, True)]:
        run(account, date(2026, 1, 1), today=date(2026, 1, day))
        assert Contract.objects.get().overdue is expected


def test_a_customer_without_document_is_not_emitted(account):
    contract = ContractFactory(account=account, party=CompanyFactory(account=account, document=""))
    RuleFactory(contract=contract)

    result = run(account, date(2026, 1, 1))

    assert result.emitted == 0
    assert RunEntry.objects.get(outcome="not_emitted").detail == "o cliente não tem CPF nem CNPJ"


def test_a_late_run_moves_due_dates_and_keeps_the_original(contract):
    RuleFactory(contract=contract, end_date=date(2026, 1, 1))

    run(contract.account, date(2026, 4, 11), today=date(2026, 4, 11))

    receivable = Receivable.objects.get()
    # 11 April + 5 days is Thursday the 16th, a business day.
    assert receivable.due_date == date(2026, 4, 16)
    assert receivable.original_due_date == date(2026, 1, 10)
    assert Invoice.objects.get().due_date == date(2026, 4, 16)


def test_a_moved_due_date_is_a_business_day_and_later_parcels_stay(contract):
    RuleFactory(contract=contract, end_date=date(2026, 1, 1), parcel_number=3)

    run(contract.account, date(2026, 2, 8), today=date(2026, 2, 8))

    # 8 + 5 = Friday 13 February: the first two parcels go there; March stays.
    assert list(Receivable.objects.order_by("position").values_list("due_date", flat=True)) == [
        date(2026, 2, 13),
        date(2026, 2, 13),
        date(2026, 3, 10),
    ]


def test_an_invoice_of_nothing_is_received_at_once(contract):
    rule = RuleFactory(contract=contract, end_date=date(2026, 1, 1), services=[("1", "100")])
    rule.services.create(
        position=2,
        service_item=rule.services.get().service_item,
        units=1,
        unit_value=-100,
        value=-100,
    )

    run(contract.account, date(2026, 1, 1))

    invoice = Invoice.objects.get()
    assert (invoice.state, invoice.payment_status) == ("received", "paid")
    assert invoice.receivables.get().state == "received"
    assert list(violations(contract.account)) == []


def test_after_100_days_of_downtime_everything_missed_is_emitted_once(contract):
    Contract.objects.update(overdue_automatic_management=True)
    RuleFactory(contract=contract, init_date=date(2026, 1, 5))
    run(contract.account, date(2026, 1, 5))

    later = date(2026, 1, 5) + timedelta(days=100)
    result = run(contract.account, later)

    assert result.emitted == 3
    emitted = Invoice.objects.filter(state="to_receive").order_by("number")
    assert [i.issue_date for i in emitted] == [date(2026, m, 5) for m in (1, 2, 3, 4)]
    assert [i.accrual_date for i in emitted] == [date(2026, m, 1) for m in (1, 2, 3, 4)]
    assert run(contract.account, later).emitted == 0


def test_every_rule_is_explained(contract):
    RuleFactory(contract=contract, title="Fatura agora")
    RuleFactory(contract=contract, title="Só depois", init_date=date(2030, 1, 1))
    RuleFactory(contract=contract, title="Impedida", month_quantity=5)
    paused = RuleFactory(contract=contract, title="Pausada")
    InvoiceRule.objects.filter(pk=paused.pk).update(status="paused")

    result = run(contract.account, date(2026, 1, 1))

    told = set(RunEntry.objects.filter(run=result).values_list("rule_id", flat=True))
    assert told == set(InvoiceRule.objects.values_list("id", flat=True))
    assert RunEntry.objects.get(rule_id=paused.pk).detail == "regra pausada"


def test_the_report_file_lists_every_entry(contract, tmp_path, today):
    today("2026-01-01")
    RuleFactory(contract=contract)
    path = tmp_path / "rodada.csv"

    call_command("run_billing", "--account", "exemplo", "--report", str(path), stdout=io.StringIO())

    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))
    assert rows[0][0] == "resultado"
    assert [row[0] for row in rows[1:]] == ["Faturas criadas", "Faturas emitidas"]
    assert rows[2][5] == "100,00"


def test_the_command_answers_json(contract, today):
    today("2026-01-01")
    RuleFactory(contract=contract)
    out = io.StringIO()

    call_command("run_billing", "--until", "2026-02-01", "--json", stdout=out)

    (answer,) = json.loads(out.getvalue())
    assert (answer["created"], answer["emitted"], answer["emitted_total"]) == (25, 2, "200.00")
    assert BillingRun.objects.get().finished_at is not None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--account", "nenhuma"], "Conta desconhecida: nenhuma."),
        (["--until", "2026-02-30"], "--until 2026-02-30: use aaaa-mm-dd."),
        (["--until", "ontem"], "--until ontem: use aaaa-mm-dd."),
    ],
)
def test_bad_arguments_are_refused_and_nothing_runs(contract, args, message):
    RuleFactory(contract=contract)

    with pytest.raises(CommandError) as error:
        call_command("run_billing", *args)

    assert str(error.value) == message
    assert BillingRun.objects.count() == 0
    assert Invoice.objects.count() == 0


def test_a_dry_run_writes_nothing_and_tells_what_the_run_then_does(contract, today):
    today("2026-03-01")
    RuleFactory(contract=contract, services=[("3", "10.50")])
    RuleFactory(contract=contract, management_type="manual")
    tables = (Invoice, Receivable, RunEntry, AuditEvent, WebhookEvent, BillingRun)
    before = [model.objects.count() for model in tables]
    out = io.StringIO()

    call_command("run_billing", "--until", "2026-03-01", "--dry-run", "--json", stdout=out)

    (said,) = json.loads(out.getvalue())
    assert [model.objects.count() for model in tables] == before
    assert InvoiceRule.objects.filter(next_n=0).count() == 2
    done = run(contract.account, date(2026, 3, 1))
    assert said["to_create"] == done.created == 50
    assert said["to_emit"] == done.emitted == 3
    assert said["to_emit_total"] == str(done.emitted_total) == "94.50"
    assert said["customers"][0]["difference"] == "94.50"
