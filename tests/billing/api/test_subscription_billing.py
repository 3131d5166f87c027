"""How subscriptions are billed: their rule, what was paid, plans that change (§6.8, §6.9)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest
from factories import ServiceItemFactory
from support.invoices import in_threads
from support.subscriptions import (
    START,
    cancelled,
    change,
    customer,
    established,
    plan_of,
    subscribed,
)
from support.wire import api_of

from accounts.models import AuditEvent, WebhookEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    Contract,
    EmailTemplate,
    Invoice,
    InvoiceRule,
    Party,
    PlanProduct,
    Receivable,
    ScheduledUpdate,
)
from billing.selectors.invariants import violations
from billing.services.invoices import block_invoice, emit_invoice
from billing.services.receivables import receive, undo_receipt
from billing.services.run import RunRequest, run_billing
from billing.services.subscriptions import (
    AlreadyEstablished,
    SubscriptionCancelled,
    cancel_subscription,
    change_plan,
    establish_subscription,
)
from lib.errors import InvalidInput, NotFound

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


def issued(**lookup):
    """(issue date, total) of the invoices to be emitted, oldest first."""
    found = Invoice.objects.filter(state="to_emit", **lookup).order_by("issue_date")
    return list(found.values_list("issue_date", "gross_value"))


def emitted(invoice):
    return emit_invoice(invoice.pk, account=invoice.account, actor=SYSTEM)


def paid(invoice):
    receive(emitted(invoice).receivables.get().pk, account=invoice.account, actor=SYSTEM)


# --- becoming established ------------------------------------------------------------------------


def test_a_pre_paid_plan_is_billed_from_the_day_on(api, account, organization, plan):
    template = EmailTemplate.objects.create(
        account=account, organization=organization, name="Assinaturas", subject="s", body="b",
        subscription_default_template=True,
    )  # fmt: skip

    contract = established(api, plan)

    rule = InvoiceRule.objects.get(contract=contract)
    assert (rule.title, rule.description, rule.gross_value) == ("Mensal", "Mensal", 150)
    assert (rule.init_date, rule.end_date, rule.month_quantity) == (START, None, 1)
    assert (rule.management_type, rule.automatic_email_template_ref) == ("automatic", template.pk)
    assert (rule.payment_method, rule.installments) == ("billet", None)
    assert (rule.charge_type, rule.day_quantity) == ("day_quantity", 5)
    dates = [day for day, _ in issued()]
    assert (len(dates), dates[0], dates[-1]) == (25, START, date(2027, 2, 12))
    first = Invoice.objects.order_by("issue_date").first()
    assert (first.start_date, first.end_date) == (START, date(2025, 3, 11))
    assert first.due_date == contract.valid_until == date(2025, 2, 17)
    assert contract.end_date is None
    assert list(violations(account)) == []


def test_a_post_paid_plan_is_billed_one_period_later(api, account, organization):
    plan = plan_of(organization, charging_method="post_paid", billing_period=3)

    contract = established(api, plan)

    first = Invoice.objects.order_by("issue_date").first()
    assert contract.charging_method == "post_paid"
    assert (first.issue_date, first.start_date, first.end_date) == (
        date(2025, 5, 12),
        START,
        date(2025, 5, 11),
    )
    assert contract.valid_until == first.due_date == date(2025, 5, 17)


def test_the_rule_takes_products_rulers_and_names_of_the_way_it_is_paid(api, account, organization):
    plan = plan_of(
        organization,
        price=Decimal("64.28"),
        allow_installments=True,
        installments_limit=3,
        readjustment_will_be_created=True,
        readjustment_month_quantity=12,
        readjustment_days_until_update=10,
        price_index="ipca",
        integration={
            "billet_notification_ruler_id": 1,
            "payment_gateway_notification_ruler_id": 2,
            "cobrato_payment_gateway_charge_config_id": 3,
            "myfinance_payment_gateway_sale_account_id": 4,
            "finance_category": "Receitas",
        },
    )
    item = ServiceItemFactory(account=account)
    for value in ("14.38", "49.90"):
        PlanProduct.objects.create(
            plan=plan, service_item=item, units=1, unit_value=value, value=value
        )
    pk = subscribed(api, plan)["id"]

    establish_subscription(
        pk,
        account=account,
        actor=SYSTEM,
        payment_method="payment_gateway",
        installments=3,
        today=START,
    )

    rule = InvoiceRule.objects.get()
    assert list(rule.services.order_by("position").values_list("value", flat=True)) == [
        Decimal("14.38"),
        Decimal("49.90"),
    ]
    assert (rule.payment_method, rule.installments, rule.charge_type) == ("payment_gateway", 3, "")
    assert rule.notification_ruler_ref == 2
    assert rule.integration["cobrato_charge_config_id"] == 3
    assert rule.integration["myfinance_sale_account_id"] == 4
    assert rule.integration["finance_category"] == "Receitas"
    clause = ScheduledUpdate.objects.get(rule=rule)
    assert (clause.price_index, clause.month_quantity) == ("ipca", 12)
    assert (clause.init_date, clause.execution_date, clause.remind_at) == (
        date(2026, 2, 12),
        date(2026, 2, 12),
        date(2026, 2, 2),
    )
    invoice = Invoice.objects.order_by("issue_date").first()
    assert (invoice.gross_value, invoice.due_date, invoice.lines.count()) == (
        Decimal("64.28"),
        START,
        2,
    )


def test_the_nightly_run_bills_a_subscription(api, account, plan):
    established(api, plan)

    run_billing(RunRequest(account, START, START))

    assert Invoice.objects.get(state="to_receive").issue_date == START


def test_a_free_plan_bills_nothing_and_is_never_parked(api, account, organization):
    contract = established(api, plan_of(organization, price=0))

    run_billing(RunRequest(account, START, START))

    rule = InvoiceRule.objects.get()
    assert (rule.next_occurrence, rule.parked_reason) == (None, "")
    assert contract.valid_until is None
    assert not Invoice.objects.exists()
    shown = api.get(f"subscriptions/token/{contract.token}").json()["subscription"]
    assert shown["overdue"] is False


@pytest.mark.parametrize(
    ("method", "installments", "key"),
    [
        ("cheque", None, "payment_method"),
        ("billet", 2, "installments"),
        ("payment_gateway", 2, "installments"),
        ("payment_gateway", -1, "installments"),
    ],
)
def test_a_way_to_pay_that_the_plan_does_not_take_is_refused(
    api, account, plan, method, installments, key
):
    pk = subscribed(api, plan)["id"]

    with pytest.raises(InvalidInput) as refusal:
        establish_subscription(
            pk,
            account=account,
            actor=SYSTEM,
            payment_method=method,
            installments=installments,
            today=START,
        )

    assert [fault.campo for fault in refusal.value.erros] == [key]
    assert Contract.objects.get().status == "trial"
    assert not InvoiceRule.objects.exists()


def test_a_subscription_is_established_once(api, account, plan, other_account):
    contract = established(api, plan)
    again = partial(
        establish_subscription, contract.pk, actor=SYSTEM, payment_method="billet", today=START
    )

    with pytest.raises(AlreadyEstablished):
        again(account=account)
    with pytest.raises(NotFound):
        again(account=other_account)
    cancel_subscription(contract.token, {}, account=account, actor=SYSTEM)
    with pytest.raises(SubscriptionCancelled):
        again(account=account)
    assert InvoiceRule.objects.count() == 1


# --- validity ------------------------------------------------------------------------------------


def test_a_paid_quarter_makes_it_valid_until_the_next_begins(api, organization, today):
    today("2018-12-11")
    contract = established(api, plan_of(organization, billing_period=3), today=date(2018, 12, 11))
    first, second = Invoice.objects.order_by("issue_date")[:2]

    paid(first)
    assert Contract.objects.get().valid_until == date(2019, 3, 11)
    paid(second)
    assert Contract.objects.get().valid_until == date(2019, 6, 11)
    undo_receipt(second.receivables.get().pk, account=contract.account, actor=SYSTEM)
    assert Contract.objects.get().valid_until == date(2019, 3, 11)
    undo_receipt(first.receivables.get().pk, account=contract.account, actor=SYSTEM)
    assert Contract.objects.get().valid_until == date(2018, 12, 16)


def test_a_paid_post_paid_period_makes_it_valid_for_another(api, organization):
    established(api, plan_of(organization, charging_method="post_paid"))

    paid(Invoice.objects.order_by("issue_date").first())

    assert Contract.objects.get().valid_until == date(2025, 4, 12)


def test_an_unpaid_subscription_is_overdue_past_its_validity_only(api, plan, today):
    contract = established(api, plan)
    seen = []

    for day in ("2025-02-17", "2025-02-18"):
        today(day)
        shown = api.get(f"subscriptions/token/{contract.token}").json()["subscription"]
        seen.append((shown["valid_until"], shown["overdue"]))

    assert seen == [("17/02/2025", False), ("17/02/2025", True)]


def test_a_receipt_after_the_end_leaves_the_dates_of_a_cancelled_one(api, account, plan):
    contract = established(api, plan)
    first = emitted(Invoice.objects.order_by("issue_date").first())
    cancel_subscription(contract.token, {}, account=account, actor=SYSTEM)

    receive(first.receivables.get().pk, account=account, actor=SYSTEM)

    assert Contract.objects.get().valid_until == date(2025, 2, 17)


# --- another plan --------------------------------------------------------------------------------


def test_the_schedule_follows_the_new_plan_from_the_next_cycle_on(
    api, account, organization, plan, today
):
    contract = established(api, plan)
    first = Invoice.objects.order_by("issue_date").first()
    paid(first)
    today("2025-03-20")
    other = plan_of(organization, name="Trimestral", price=Decimal("400.00"), billing_period=3)

    after = change(api, contract.token, other).json()["subscription"]

    assert after["valid_until"] == "12/03/2025"
    assert after["status"] == "established"
    rule = InvoiceRule.objects.get()
    assert (rule.init_date, rule.month_quantity, rule.title) == (
        date(2025, 4, 12),
        3,
        "Trimestral",
    )
    # The one of 12/03 was due before the change: it keeps the price it had.
    assert issued()[:3] == [
        (date(2025, 3, 12), Decimal("150.00")),
        (date(2025, 4, 12), Decimal("400.00")),
        (date(2025, 7, 12), Decimal("400.00")),
    ]
    assert Invoice.objects.get(pk=first.pk).state == "received"
    assert len(issued(issue_date__gt=date(2025, 3, 20))) == 9
    assert list(violations(account)) == []


def test_what_was_emitted_ahead_is_not_billed_again(api, organization, plan):
    contract = established(api, plan)
    _, _, third = [emitted(i) for i in Invoice.objects.order_by("issue_date")[:3]]

    change(api, contract.token, plan_of(organization, name="Outro", price=Decimal("90.00")))

    assert third.issue_date == date(2025, 4, 12)
    assert issued()[0] == (date(2025, 5, 12), Decimal("90.00"))


def test_a_blocked_invoice_stays_blocked_when_it_is_made_again(api, account, organization, plan):
    contract = established(api, plan)
    blocked = Invoice.objects.order_by("issue_date")[2]
    block_invoice(blocked.pk, account=account, actor=SYSTEM)

    change(api, contract.token, plan_of(organization, name="Outro", price=Decimal("90.00")))

    remade = Invoice.objects.get(issue_date=blocked.issue_date)
    assert (remade.gross_value, remade.approval_status) == (Decimal("90.00"), "blocked")
    assert Invoice.objects.filter(approval_status="blocked").count() == 1


def test_a_paid_plan_after_a_free_one_is_billed_at_once(api, organization, plan, today):
    contract = established(api, plan_of(organization, name="Livre", price=0))
    today("2025-06-20")

    change(api, contract.token, plan)

    assert issued()[0] == (date(2025, 6, 20), Decimal("150.00"))


def test_a_free_plan_after_a_paid_one_takes_the_planned_invoices_away(
    api, account, organization, plan
):
    contract = established(api, plan)

    change(api, contract.token, plan_of(organization, name="Livre", price=0))

    assert issued() == [(START, Decimal("150.00"))]
    assert InvoiceRule.objects.get().next_occurrence is None


def test_the_only_rule_of_an_imported_subscription_follows_too(api, account, organization, plan):
    contract = established(api, plan)
    Contract.objects.update(integration={})

    change(api, contract.token, plan_of(organization, name="Outro", price=Decimal("90.00")))

    assert issued()[1] == (date(2025, 3, 12), Decimal("90.00"))


def test_instalments_are_limited_to_those_of_the_new_plan(api, account, organization):
    plan = plan_of(organization, allow_installments=True, installments_limit=12)
    pk = subscribed(api, plan)["id"]
    contract = establish_subscription(
        pk,
        account=account,
        actor=SYSTEM,
        payment_method="payment_gateway",
        installments=12,
        today=START,
    )

    after = change(api, contract.token, plan_of(organization, name="À vista")).json()[
        "subscription"
    ]

    assert after["payment_information"]["installments"] == 1
    assert InvoiceRule.objects.get().installments == 1


# --- the end -------------------------------------------------------------------------------------


def test_everything_not_emitted_is_cancelled_with_a_notice_each(api, account, plan):
    contract = established(api, plan)
    kept = emitted(Invoice.objects.order_by("issue_date").first())
    WebhookEvent.objects.all().delete()

    cancelled(api, contract.token)

    assert Invoice.objects.get(pk=kept.pk).state == "to_receive"
    gone = Invoice.objects.filter(state="cancelled", cancelled_automatically=True)
    assert gone.count() == 24
    assert Receivable.objects.filter(state="cancelled").count() == 24
    told = WebhookEvent.objects.filter(event="cancel")
    assert set(told.values_list("object_id", flat=True)) == set(gone.values_list("id", flat=True))
    assert WebhookEvent.objects.count() == 24
    assert InvoiceRule.objects.get().status == "ended"
    assert list(violations(account)) == []


def test_a_past_invoice_that_was_never_emitted_is_cancelled_too(api, plan, today):
    contract = established(api, plan)
    today("2025-04-20")

    cancelled(api, contract.token, {"cancel_date": "01/03/2025"})

    assert Invoice.objects.filter(state="cancelled").count() == 25


@pytest.mark.parametrize("charging", ["pre_paid", "post_paid"])
def test_the_run_bills_no_final_invoice_and_gives_no_credit(
    api, account, organization, charging, today
):
    contract = established(api, plan_of(organization, charging_method=charging))
    run_billing(RunRequest(account, date(2025, 3, 12), date(2025, 3, 12)))
    today("2025-03-20")
    cancelled(api, contract.token)
    before = Invoice.objects.count()

    result = run_billing(RunRequest(account, date(2025, 4, 30), date(2025, 4, 30)))

    assert (result.finals, Invoice.objects.count()) == (0, before)


# --- at the same time ----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_parallel_changes_of_plan_leave_one_schedule(api, account, organization, plan):
    contract = established(api, plan)
    plans = [
        plan_of(organization, name=f"Plano {n}", price=Decimal(n), billing_period=period)
        for n, period in ((10, 1), (20, 3), (30, 6), (40, 12))
    ]

    in_threads(
        [
            partial(
                change_plan, contract.token, {"new_plan_id": p.pk}, account=account, actor=SYSTEM
            )
            for p in [*plans, *plans]
        ]
    )

    final = Contract.objects.get().plan
    rule = InvoiceRule.objects.get()
    assert (rule.title, rule.month_quantity) == (final.name, final.billing_period)
    future = [value for _, value in issued(issue_date__gt=START)]
    assert set(future) == {final.price}
    assert len(future) == 24 // final.billing_period + 1
    told = WebhookEvent.objects.filter(event="change_plan").order_by("id")
    chosen = [event.payload["plan_id"] for event in told]
    assert chosen[-1] == final.pk
    assert all(one != following for one, following in pairwise(chosen))
    assert list(violations(account)) == []


@pytest.mark.django_db(transaction=True)
def test_a_double_cancellation_and_a_change_at_once_end_it_once(api, account, organization, plan):
    contract = established(api, plan)
    WebhookEvent.objects.all().delete()
    other = plan_of(organization, name="Outro", price=Decimal("90.00"))
    cancel = partial(cancel_subscription, contract.token, {}, account=account, actor=SYSTEM)
    to_other = partial(
        change_plan, contract.token, {"new_plan_id": other.pk}, account=account, actor=SYSTEM
    )

    answers = in_threads([cancel, cancel, to_other, cancel])

    assert all(isinstance(a, Contract | SubscriptionCancelled) for a in answers)
    assert Contract.objects.get().status == "cancelled"
    assert AuditEvent.objects.filter(action="assinatura.cancelada").count() == 1
    gone = Invoice.objects.filter(state="cancelled").count()
    assert WebhookEvent.objects.filter(event="cancel").count() == gone == Invoice.objects.count()
    assert list(violations(account)) == []


@pytest.mark.django_db(transaction=True)
def test_parallel_subscriptions_register_one_customer_and_different_names(account, plan):
    clients = [api_of(account) for _ in range(6)]
    body = {"plan_id": plan.pk, "customer": customer()}

    answers = in_threads(
        [
            partial(client.post, "subscriptions", body, Idempotency_Key=f"k{n}")
            for n, client in enumerate(clients)
        ]
    )

    assert [answer.status_code for answer in answers] == [201] * 6
    assert Party.objects.filter(kind="company").count() == 1
    assert Contract.objects.values("name").distinct().count() == 6
