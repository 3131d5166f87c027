"""What is deleted while something new comes to refer to it: one of the two wins, and it is told."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from support.invoices import in_threads
from support.rule_bodies import rule_body, service
from support.subscriptions import START, established, plan_of
from support.wire import api_of
from support.wire_invoices import body, contract_of, created, item_of

from accounts.services.audit import SYSTEM
from billing.models import Contract, Invoice, InvoiceRule, ServiceItem
from billing.selectors.invariants import violations
from billing.services.invoices import emit_invoice
from billing.services.receivables import receive, undo_receipt
from billing.services.rule_edits import delete_rule

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


@pytest.fixture(autouse=True)
def _day(today):
    today(START.isoformat())


def raced(account, *calls):
    """Status codes of requests (verb, path, body) sent at once."""
    return [
        answer.status_code
        for answer in in_threads(
            [partial(getattr(api_of(account), verb), *rest) for verb, *rest in calls]
        )
    ]


@pytest.mark.parametrize("kind", ["invoice", "invoice_rule"])
@pytest.mark.parametrize("verb", ["post", "patch"])
def test_a_service_is_deleted_or_comes_into_use(account, kind, verb):
    contract, api = contract_of(account), api_of(account)
    for _ in range(ROUNDS):
        item = item_of(account)
        sent, path = {"services": [service(item)]}, f"contracts/{contract.pk}/{kind}s"
        whole = body() if kind == "invoice" else rule_body()
        if verb == "patch":
            path += f"/{api.post(path, {kind: whole}).json()[kind]['id']}"
        else:
            sent = whole | sent

        used, deleted = raced(
            account, (verb, path, {kind: sent}), ("delete", f"service_items/{item.pk}")
        )

        assert (used, deleted) in [(404, 204), ({"post": 201, "patch": 200}[verb], 422)]
        assert ServiceItem.objects.filter(pk=item.pk).exists() == (deleted == 422)
    assert list(violations(account)) == []


def test_a_contract_is_deleted_with_its_new_invoice_or_before_it(account):
    for _ in range(ROUNDS):
        contract = contract_of(account)
        path = f"contracts/{contract.pk}"

        invoiced, deleted = raced(
            account, ("post", f"{path}/invoices", {"invoice": body()}), ("delete", path)
        )

        assert (invoiced, deleted) in [(404, 204), (201, 204)]
        assert not Contract.objects.exists()
        assert not Invoice.objects.exists()


def test_creations_with_the_same_service_do_not_wait_for_each_other(account):
    contract, item = contract_of(account), item_of(account)
    sent = (
        "post",
        f"contracts/{contract.pk}/invoices",
        {"invoice": body(services=[service(item)])},
    )

    assert raced(account, sent, sent, sent) == [201, 201, 201]


@pytest.mark.parametrize("told", [receive, undo_receipt])
def test_a_receipt_and_the_end_of_a_subscriptions_rule(account, told):
    api = api_of(account)
    first = created(api, contract_of(account))
    plan = plan_of(Invoice.objects.get(pk=first["id"]).organization, price=Decimal("150.00"))
    for _ in range(ROUNDS):
        contract = established(api, plan)
        rule = InvoiceRule.objects.get(contract=contract)
        invoice = Invoice.objects.filter(rule=rule).earliest("issue_date")
        emit_invoice(invoice.pk, account=account, actor=SYSTEM)
        receivable = invoice.receivables.get()
        if told is undo_receipt:
            receive(receivable.pk, account=account, actor=SYSTEM)

        in_threads(
            [
                partial(told, receivable.pk, account=account, actor=SYSTEM),
                partial(
                    delete_rule, rule.pk, contract_id=contract.pk, account=account, actor=SYSTEM
                ),
            ]
        )

        state = "received" if told is receive else "to_receive"
        assert Invoice.objects.get(contract=contract).state == state
        assert not InvoiceRule.objects.exists()
    assert list(violations(account)) == []
